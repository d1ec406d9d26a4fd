"""Who writes keeps other writers out: ours by a lock file, SQLMesh's own commands by DuckDB's lock.

The system frees both when a process ends, however it ends.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_fixed

from data_platform.errors import PlatformError
from data_platform.files import replace_text
from data_platform.lakehouse.connection import is_in_use, refusal

_POLL_SECONDS = 0.1


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
    lock = FileLock(folder / "lock", mode=0o600)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if wait:
                on_wait(_who(folder))
            lock.acquire(timeout=wait, poll_interval=_POLL_SECONDS)
    except Timeout:
        raise PlatformError(
            f"{_who(folder)}; wait for it to end, or let --wait SECONDS do so"
        ) from None
    try:
        yield
    finally:
        lock.release()


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


def is_alive(process_id: int) -> bool:
    """Whether there is such a process on this machine."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def holding(
    database: Path, wait: float, on_wait: Callable[[str], None] = lambda who: None
) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """Keep SQLMesh's own commands from writing to the published lakehouse during the block.

    A read-only connection, which the block gets, lets readers in and makes DuckDB refuse who opens
    the file to write; None where there is no lakehouse yet.

    Args:
        wait: how many seconds to wait for one that is at work.
        on_wait: told who that is, before the waiting.

    Raises:
        PlatformError: one is at work; says which process.
    """
    if not database.exists():
        yield None
        return
    retrying = Retrying(
        stop=stop_after_delay(wait),
        wait=wait_fixed(_POLL_SECONDS),
        retry=retry_if_exception(is_in_use),
        reraise=True,
        before_sleep=lambda state: _tell_once(state, database, on_wait),
    )
    try:
        connection = retrying(duckdb.connect, str(database), read_only=True)
    except duckdb.Error as error:
        raise refusal(database, error) from error
    with closing(connection):
        yield connection


def _tell_once(state: RetryCallState, database: Path, on_wait: Callable[[str], None]) -> None:
    """Tell at the first retry who is in the way."""
    error = state.outcome.exception() if state.outcome else None
    if state.attempt_number == 1 and isinstance(error, duckdb.Error):
        on_wait(str(refusal(database, error)).partition(";")[0])
