"""How much memory DuckDB may take, and where it puts what does not fit.

Measured at ten million invoices, a build within 1.5 GB takes as long as one without a limit, and
half of the memory. config.yaml says the same to SQLMesh.
"""

import os
from pathlib import Path

import duckdb

from data_platform.sql import literal

MEMORY, SPILL = "DATA_PLATFORM_MEMORY_LIMIT", "DATA_PLATFORM_SPILL_LIMIT"
SPILLED = ".spill"  # the folder beside a database
DEFAULTS = {MEMORY: "1500MB", SPILL: "90% of available disk space"}


def limits(spill: Path) -> dict[str, str]:
    """DuckDB's settings for a database; `spill` is the folder for what does not fit."""
    return {"temp_directory": str(spill), **memory_limits()}


def memory_limits() -> dict[str, str]:
    """Those of them that say how much."""
    return {
        "memory_limit": os.environ.get(MEMORY) or DEFAULTS[MEMORY],
        "max_temp_directory_size": os.environ.get(SPILL) or DEFAULTS[SPILL],
    }


def set_limits(connection: duckdb.DuckDBPyConnection, spill: Path) -> None:
    """Set them where they are not: connections of a process to one database share them.

    As the configuration of a connection they would have to be the same in all of those.
    """
    (place,) = connection.execute("SELECT CURRENT_SETTING('temp_directory')").fetchall()[0]
    for name, value in limits(spill).items():
        if (name, value) != ("temp_directory", place):  # which cannot be set once it is used
            connection.execute(f"SET {name} = {literal(value)}")
