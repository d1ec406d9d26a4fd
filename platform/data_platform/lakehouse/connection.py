"""Connections to the lakehouse, wherever it is kept: for one writer, or for readers."""

from contextlib import AbstractContextManager

import duckdb

from data_platform.errors import PlatformError
from data_platform.lakehouse.stores import store_of
from data_platform.settings import Settings


def writing(settings: Settings) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """A connection that writes.

    Raises:
        PlatformError: another process holds the lakehouse, it is none, or it cannot be written.
    """
    return store_of(settings).connect(settings, is_read_only=False, is_locked_down=False)


def reading(
    settings: Settings, locked_down: bool = True
) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    """A connection that cannot write to the lakehouse.

    Args:
        locked_down: it cannot read or write any other file either, nor load an extension or reach
            the network, and nothing can be done about it from SQL.

    Raises:
        PlatformError: there is no lakehouse yet, or another process is writing to it.
    """
    require(settings)
    return store_of(settings).connect(settings, is_read_only=True, is_locked_down=locked_down)


def is_there(settings: Settings) -> bool:
    """Whether there is a lakehouse."""
    return store_of(settings).exists(settings)


def require(settings: Settings) -> None:
    """Refuse to go on without a lakehouse.

    Raises:
        PlatformError: there is none.
    """
    link = settings.data_dir / "current"
    if link.is_symlink() and not link.exists():
        raise PlatformError(f"{link} links to a release that is not there; a run says what to do")
    if not is_there(settings):
        raise PlatformError("there is no lakehouse yet in the data folder; run: data-platform run")
