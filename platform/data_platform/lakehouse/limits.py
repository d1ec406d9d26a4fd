"""How much memory DuckDB may take, and how much of the disk what does not fit.

That goes beside the database, DuckDB's own default, or where a team's attachment says.
Measured at ten million invoices, a build within 1.5 GB takes as long as one without a limit, and
half of the memory. config.yaml says the same to SQLMesh.
"""

import os

import duckdb

from data_platform.sql import literal

MEMORY, SPILL = "DATA_PLATFORM_MEMORY_LIMIT", "DATA_PLATFORM_SPILL_LIMIT"
DEFAULTS = {MEMORY: "1500MB", SPILL: "90% of available disk space"}


def limits() -> dict[str, str]:
    """DuckDB's settings."""
    return {
        "memory_limit": os.environ.get(MEMORY) or DEFAULTS[MEMORY],
        "max_temp_directory_size": os.environ.get(SPILL) or DEFAULTS[SPILL],
    }


def set_limits(connection: duckdb.DuckDBPyConnection) -> None:
    """Set them on a connection: those of a process to one database share them.

    As the configuration of a connection they would have to be the same in all of those.
    """
    for name, value in limits().items():
        connection.execute(f"SET {name} = {literal(value)}")
