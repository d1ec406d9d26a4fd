"""The program that copies a database: DATABASE FOLDER [SPARE], in a process of its own.

Where the file system cannot share blocks, a copy of the file before, which nobody needs any more,
is made the same: two of them differ by what a run has changed, and reading both takes a fifth of
writing one and waiting for the disk. The program imports nothing of the platform, so that it
starts at once.
"""

import errno
import fcntl
import os
import shutil
import signal
import sys
from pathlib import Path

# Bytes: DuckDB's headers, and the blocks that come after them.
_FIRST, _PIECE = 3 << 12, 1 << 18
_FICLONE = 0x40049409  # <linux/fs.h>; Python names it from 3.12 on
# Of the others, some have readers of whom this machine's kernel does not know.
_OF_THIS_MACHINE = {"btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"}

TOO_LARGE = "it is larger than files may be here (ulimit -f)"


def copy(database: Path, folder: Path, spare: Path | None = None) -> None:
    """Copy a database with its log, if a writer that was killed has left one.

    Args:
        spare: a file to write over, which is gone afterwards; it need not be there.

    Raises:
        OSError: it cannot be copied.
    """
    for source in database.parent.glob(f"{database.name}*"):
        if not source.is_file():
            continue
        target = folder / source.name
        is_copied = _share_blocks(source, target)
        if spare is not None and source == database:
            if is_copied:
                spare.unlink(missing_ok=True)
            else:
                is_copied = _write_over(spare, source, target)
        if not is_copied:
            shutil.copyfile(source, target)
        shutil.copystat(source, target)


def _share_blocks(source: Path, target: Path) -> bool:
    with source.open("rb") as read, target.open("xb") as written:
        try:
            fcntl.ioctl(written, _FICLONE, read.fileno())
        except OSError:
            return False
    return True


def _write_over(spare: Path, source: Path, target: Path) -> bool:
    """Make the spare file the same as the source, and put it where the copy belongs.

    Returns:
        False if there is none, or somebody still has it open: a reader of an old release, or a
        backup that takes long.
    """
    try:
        if not _is_of_this_machine(target.parent):
            spare.unlink()
            return False
        spare.replace(target)  # nobody finds it from here on
        written = os.open(target, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if _is_nobody_else_s(written):
                with source.open("rb", buffering=0) as read:
                    _make_the_same(read.fileno(), written)
                return True
        finally:
            os.close(written)
    except OSError:  # there is none; it cannot be read, or not be written to
        pass
    target.unlink()
    return False


def _is_of_this_machine(folder: Path) -> bool:
    """Whether a folder lies on a file system all of whose readers the kernel knows."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    kinds = {m.partition(" - ")[2].split()[0] for m in mounts if m.split()[2] == number}
    return bool(kinds) and kinds <= _OF_THIS_MACHINE


def _is_nobody_else_s(file: int) -> bool:
    """Whether a file is open nowhere else and has no other name.

    The system gives a lease to write for such a file alone.
    """
    signal.signal(signal.SIGIO, signal.SIG_IGN)  # what tells the holder that it is opened
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError:
        return False
    return os.fstat(file).st_nlink == 1


def _make_the_same(read: int, written: int) -> None:
    new, old = bytearray(_PIECE), bytearray(_PIECE)
    place, size = 0, _FIRST
    while count := os.preadv(read, [memoryview(new)[:size]], place):
        there = os.preadv(written, [memoryview(old)[:size]], place)
        # What follows in them is of the piece before: at worst, a last one is written in vain.
        if there < count or new != old:
            _write(written, memoryview(new)[:count], place)
        place, size = place + count, _PIECE
    os.ftruncate(written, place)


def _write(file: int, content: memoryview, place: int) -> None:
    while content:
        count = os.pwrite(file, content, place)
        content, place = content[count:], place + count


if __name__ == "__main__":
    os.umask(0o077)
    try:
        copy(*map(Path, sys.argv[1:]))
    except OSError as error:
        is_large = error.errno == errno.EFBIG
        sys.exit(TOO_LARGE if is_large else f"{sys.argv[2]}: {error.strerror}")
