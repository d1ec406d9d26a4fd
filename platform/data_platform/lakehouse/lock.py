"""Writers of a data folder keep each other out by a lock file.

The system frees it when a process ends, however it ends.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from data_platform.errors import PlatformError
from data_platform.files import is_alive, replace_text

_POLL_SECONDS = 0.1
# Who asks whether somebody writes takes the lock for a moment.
_GRACE_SECONDS = 0.3


@dataclass(frozen=True)
class Holder:
    """Who holds the writers' lock, since when and what for."""

    run_number: int
    command: str
    process_id: int
    since: str

    def __str__(self) -> str:
        return (
            f"run {self.run_number} (`{self.command}`, process {self.process_id}) "
            f"has been writing since {self.since} UTC"
        )


@contextmanager
def writers_lock(
    folder: Path, wait: float, on_wait: Callable[[str], None] = lambda who: None
) -> Iterator[None]:
    """Keep other writers of ours out during the block.

    Args:
        folder: of the lock file.
        wait: how many seconds to wait for another writer.
        on_wait: told who that is, before the waiting.

    Raises:
        PlatformError: another one is at work; says which, since when and doing what.
    """
    lock = _lock(folder)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if wait:
                on_wait(_who(folder))
            lock.acquire(timeout=max(wait, _GRACE_SECONDS), poll_interval=_POLL_SECONDS)
    except Timeout:
        raise PlatformError(
            f"{_who(folder)}; wait for it to end, or let --wait SECONDS do so"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _lock(folder: Path) -> FileLock:
    return FileLock(folder / "lock", mode=0o600)


def _who(folder: Path) -> str:
    holder = read_holder(folder)
    is_known = holder is not None and is_alive(holder.process_id)  # not taken just now
    return str(holder) if is_known else "another process is writing"


def write_holder(folder: Path, run_number: int, command: str) -> None:
    """Tell other writers who holds the lock."""
    now = f"{datetime.now(UTC):%F %T}"
    holder = Holder(run_number, command, os.getpid(), now)
    replace_text(folder / "holder.json", json.dumps(asdict(holder)) + "\n")


def read_holder(folder: Path) -> Holder | None:
    """Who took the writers' lock last; whether it still runs is another question."""
    try:
        return Holder(**json.loads((folder / "holder.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def run_at_work(folder: Path) -> int | None:
    """The number of the run that holds the writers' lock, None where none does.

    Of a process alone nobody could tell: its number may be another's by now, or another machine's.
    """
    holder = read_holder(folder)
    if holder is None:
        return None
    try:
        with _lock(folder).acquire(timeout=0):
            return None
    except Timeout:
        return holder.run_number
    except OSError:  # who may only read cannot ask for it
        return holder.run_number if is_alive(holder.process_id) else None
