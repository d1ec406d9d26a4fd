"""How much memory DuckDB may take, and how much of the disk what does not fit.

That goes beside the database, DuckDB's own default; for who reads only into a temporary folder of
their own; or where a team's attachment says.
Measured at ten million invoices, a build within 1.5 GB takes as long as one without a limit, and
half of the memory. config.yaml says the same to SQLMesh.
"""

import os
from collections.abc import Callable
from typing import TypeVar

import duckdb

from data_platform.errors import OUT_OF_MEMORY
from data_platform.names import LIMITS, MEMORY_LIMIT, SPILL_LIMIT
from data_platform.sql import literal

_T = TypeVar("_T")


def limits() -> dict[str, str]:
    """DuckDB's settings."""
    return {
        setting: os.environ.get(variable) or LIMITS[variable]
        for setting, variable in (
            ("memory_limit", MEMORY_LIMIT),
            ("max_temp_directory_size", SPILL_LIMIT),
        )
    }


def _ran_out_of_memory(error: BaseException | None) -> bool:
    """Whether what went wrong is that a query did not fit into the memory that DuckDB may take."""
    while error is not None:
        if isinstance(error, duckdb.Error) and OUT_OF_MEMORY in str(error):
            return True  # a commit's error says it as well
        error = error.__cause__
    return False


def within_memory(connection: duckdb.DuckDBPyConnection, do: Callable[[], _T]) -> _T:
    """Do it, and where DuckDB has run out of memory once more, sparingly.

    A join whose table just fits leaves nothing for what comes next, and its query fails within a
    limit although both a higher and a lower one let it pass. By one thread, which spills what it
    can, the query takes longer, and far less.

    Args:
        connection: the one that `do` uses, which can be asked again once that has failed.
    """
    try:
        return do()
    except Exception as error:
        if not _ran_out_of_memory(error):
            raise
    (threads,) = connection.execute("SELECT CURRENT_SETTING('threads')").fetchall()[0]
    connection.execute("SET threads = 1")
    connection.execute("SET debug_force_external = true")
    try:
        return do()
    finally:
        connection.execute("SET debug_force_external = false")
        connection.execute(f"SET threads = {threads:d}")


def set_limits(connection: duckdb.DuckDBPyConnection) -> None:
    """Set them on a connection: those of a process to one database share them.

    As the configuration of a connection they would have to be the same in all of those.
    """
    for name, value in limits().items():
        connection.execute(f"SET {name} = {literal(value)}")
