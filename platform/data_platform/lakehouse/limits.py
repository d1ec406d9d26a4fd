"""How much memory DuckDB may take, and where it puts what does not fit.

Measured at ten million invoices, a build within 1.5 GB takes as long as one without a limit, and its
process half of the memory. config.yaml says the same to SQLMesh.
"""

import os
from pathlib import Path

MEMORY, SPILL = "DATA_PLATFORM_MEMORY_LIMIT", "DATA_PLATFORM_SPILL_LIMIT"
SPILLED = ".spill"  # the folder beside a database
DEFAULTS = {MEMORY: "1500MB", SPILL: "90% of available disk space"}


def limits(spill: Path) -> dict[str, str | bool | int | float | list[str]]:
    """DuckDB's settings for a connection; `spill` is the folder for what does not fit."""
    return {
        "memory_limit": os.environ.get(MEMORY) or DEFAULTS[MEMORY],
        "temp_directory": str(spill),
        "max_temp_directory_size": os.environ.get(SPILL) or DEFAULTS[SPILL],
    }
