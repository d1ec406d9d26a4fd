"""How much memory DuckDB may take, and how much of the disk what does not fit.

That goes beside the database, DuckDB's own default, or where a team's attachment says.
Measured at ten million invoices, a build within 1.5 GB takes as long as one without a limit, and
half of the memory. config.yaml says the same to SQLMesh.
"""

import os
from collections.abc import Callable
from typing import TypeVar

import duckdb

from data_platform.names import MEMORY_LIMIT, SPILL_LIMIT
from data_platform.sql import literal

_T = TypeVar("_T")
DEFAULTS = {MEMORY_LIMIT: "1500MB", SPILL_LIMIT: "90% of available disk space"}


def limits() -> dict[str, str]:
    """DuckDB's settings."""
    return {
        setting: os.environ.get(variable) or DEFAULTS[variable]
        for setting, variable in (
            ("memory_limit", MEMORY_LIMIT),
            ("max_temp_directory_size", SPILL_LIMIT),
        )
    }


def _ran_out_of_memory(error: BaseException | None) -> bool:
    """Whether what went wrong is that a query did not fit into the memory that DuckDB may take."""
    while error is not None and not isinstance(error, duckdb.OutOfMemoryException):
        error = error.__cause__
    return error is not None


def within_memory(execute: Callable[[str], object], do: Callable[[], _T]) -> _T:
    """Do it, and where DuckDB has run out of memory once more, sparingly.

    A join whose table just fits leaves nothing for what comes next, and its query fails within a
    limit although both a higher and a lower one let it pass. By one thread, which spills what it
    can, the query takes longer, and far less.

    Args:
        execute: executes a setting on the connection that `do` uses.
    """
    try:
        return do()
    except Exception as error:
        if not _ran_out_of_memory(error):
            raise
    execute("SET threads = 1")
    execute("SET debug_force_external = true")
    try:
        return do()
    finally:
        execute("RESET debug_force_external")
        execute("RESET threads")


def set_limits(connection: duckdb.DuckDBPyConnection) -> None:
    """Set them on a connection: those of a process to one database share them.

    As the configuration of a connection they would have to be the same in all of those.
    """
    for name, value in limits().items():
        connection.execute(f"SET {name} = {literal(value)}")
