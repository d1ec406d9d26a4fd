"""Connections to the lakehouse, one DuckDB file: for one writer, or for readers."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from data_platform.errors import LakehouseInUseError, PlatformError, one_line
from data_platform.files import writable_folder


@contextmanager
def writing(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that writes; a file that the block creates and fails to fill is removed.

    Raises:
        PlatformError: the file is locked by another process, is no database or cannot be written.
    """
    writable_folder(path.parent)
    is_new = not path.exists()
    try:
        with _connect(path, False, {}) as connection:
            yield connection
    except BaseException:
        if is_new:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def reading(path: Path, locked_down: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that cannot write to the lakehouse.

    Args:
        locked_down: it cannot read or write any other file either, nor load an extension or reach
            the network, and nothing can be done about it from SQL.

    Raises:
        PlatformError: there is no lakehouse yet, or another process is writing to it.
    """
    require(path)
    with _connect(path, True, _LOCKED_DOWN if locked_down else {}) as connection:
        yield connection


def require(path: Path) -> None:
    """Refuse to go on without a lakehouse.

    Raises:
        PlatformError: there is none.
    """
    if not path.exists():
        raise PlatformError("there is no lakehouse yet in the data folder; run: data-platform run")


_LOCKED_DOWN: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
}


@contextmanager
def _connect(
    path: Path, read_only: bool, config: dict[str, str | bool | int | float | list[str]]
) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        connection = duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.Error as error:
        raise refusal(path, error) from error
    try:
        yield connection
    finally:
        connection.close()


def refusal(path: Path, error: duckdb.Error) -> PlatformError:
    """What to say when DuckDB does not open the lakehouse."""
    message = one_line(str(error))
    if holder := re.search(r"Conflicting lock is held in (.*?)\.? See also", message):
        return LakehouseInUseError(
            f"the lakehouse {path} is in use by {holder[1]}; wait for it to end, then try again"
        )
    return PlatformError(f"cannot open the lakehouse {path}: {message}")


def is_in_use(error: BaseException) -> bool:
    """Whether DuckDB does not open a file because another process writes to it."""
    return isinstance(error, duckdb.Error) and "Conflicting lock" in str(error)
