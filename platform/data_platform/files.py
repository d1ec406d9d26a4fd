"""Files that are either there whole or not at all, and private to their owner."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from glob import escape
from pathlib import Path

from data_platform.errors import PlatformError


@contextmanager
def replacing(path: Path, is_synced: bool = True) -> Iterator[Path]:
    """A file beside `path` to write to, which takes its place when the block succeeds.

    Args:
        is_synced: wait until it is safe from a loss of power.
    """
    with _beside(path) as partial:
        yield partial
        _put(partial, path, is_synced)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Where to write what is to take the place of `path`, or is gone after the block."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _put(partial: Path, path: Path, is_synced: bool = True) -> None:
    if is_synced:
        sync_file(partial)
    partial.chmod(0o600)
    partial.replace(path)


def write_named_by_digest(
    folder: Path, stem: str, suffix: str, write: Callable[[Path], object]
) -> tuple[Path, str, bool]:
    """(path, SHA-256, whether it is new) of a file whose name carries the digest of its bytes.

    Where the same file is there, it is not touched.

    Args:
        write: writes the file to the path that it is given.
    """
    with _beside(folder / f"{stem}{suffix}") as partial:
        write(partial)
        digest = file_digest(partial)
        path = folder / f"{stem}.{digest[:12]}{suffix}"
        is_new = not (path.is_file() and file_digest(path) == digest)
        if is_new:
            _put(partial, path)
        return path, digest, is_new


def is_alive(process_id: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        os.kill(process_id, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def remove_left(path: Path) -> None:
    """Remove what killed processes were writing in the place of a file."""
    for left in path.parent.glob(f".{escape(path.name)}.*.partial*"):
        pid = left.name.removeprefix(f".{path.name}.").partition(".")[0]
        if pid.isdigit() and not is_alive(int(pid)):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


def remove_partial_files(folder: Path) -> None:
    """Remove what killed processes were writing in a folder; nobody else may write there now."""
    for partial in folder.glob(".*.partial"):
        partial.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Replace a file's text, atomically."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="")


def sync_file(path: Path) -> None:
    """Make a file's content safe from a loss of power."""
    with path.open("rb+") as written:
        os.fsync(written.fileno())


def sync_folders(folder: Path, recursive: bool = True) -> None:
    """Make the names in a folder (and in those below it) safe from a loss of power."""
    for path in [folder, *(folder.rglob("*/") if recursive else ())]:
        if path.is_dir() and not path.is_symlink():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def user_cache() -> Path:
    """This program's cache folder of the user; a temporary folder where there is no home."""
    if "XDG_CACHE_HOME" in os.environ:
        return Path(os.environ["XDG_CACHE_HOME"]) / "data-platform"
    try:
        home: Path | None = Path.home()
    except RuntimeError:  # a user without a name
        home = None
    if home is not None and os.access(home, os.W_OK | os.X_OK):
        return home / ".cache" / "data-platform"
    return own_temporary_folder() or Path(_of_this_process().name)


@cache
def _of_this_process() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="data-platform-")


def own_temporary_folder(suffix: str = "") -> Path | None:
    """This program's temporary folder of the user; None where it is not the user's own alone.

    Where all can write, somebody else may have taken the name.
    """
    path = Path(tempfile.gettempdir()) / f"data-platform{suffix}-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return None
    is_own = (found.st_uid, found.st_mode & 0o170777) == (os.getuid(), 0o040700)
    return path if is_own else None


def cache_folder(project_dir: Path) -> Path:
    """Where to keep what can be made again of a project: in it, or with the user if read-only."""
    own = project_dir / ".cache"
    if os.access(own if own.is_dir() else project_dir, os.W_OK | os.X_OK):
        return own
    return user_cache() / hashlib.sha256(str(project_dir).encode()).hexdigest()[:12]


def writable_folder(path: Path) -> Path:
    """`path`, made if it is missing.

    Raises:
        PlatformError: it is no folder, or nothing can be written there.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise PlatformError(f"cannot make the folder {path}: {error.strerror}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise PlatformError(
            f"cannot write to the folder {path}: it is read-only, or somebody else's"
        )
    return path
