"""The program that copies a database: DATABASE FOLDER SPARE, in a process of its own.

Where the file system cannot share blocks, a copy of the file before, which nobody needs any more,
is made the same: two of them differ by what a run has changed, and reading both takes a fifth of
writing one and waiting for the disk. The program imports nothing of the platform, so that it
starts at once.
"""

import fcntl
import os
import shutil
import signal
import sys
from pathlib import Path

_PIECE = 1 << 18  # bytes: a block of DuckDB's
_FICLONE = 0x40049409  # <linux/fs.h>; Python names it from 3.12 on


def copy(database: Path, folder: Path, spare: Path) -> None:
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
        if _share_blocks(source, target):
            spare.unlink(missing_ok=True)
        elif source != database or not _write_over(spare, source, target):
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
        spare.replace(target)  # nobody finds it from here on
        written = os.open(target, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        target.unlink()
        return False
    try:
        is_free = _is_nobody_else_s(written)
        if is_free:
            with source.open("rb", buffering=0) as read:
                _make_the_same(read.fileno(), written)
        else:
            target.unlink()
        return is_free
    finally:
        os.close(written)


def _is_nobody_else_s(file: int) -> bool:
    """Whether no other process has a file open and it has no other name.

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
    place = 0
    while count := os.preadv(read, [new], place):
        # In the last piece, what follows is of the piece before: at worst it is written in vain.
        if os.preadv(written, [old], place) < count or new != old:
            _write(written, memoryview(new)[:count], place)
        place += count
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
        sys.exit(f"{error.filename or sys.argv[2]}: {error.strerror}")
