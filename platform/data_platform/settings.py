"""What the global options say: which company, as of when, where."""

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

# The simulated company's first day: nothing can be extracted as of an earlier one.
FIRST_DAY = date(2022, 1, 1)


@dataclass(frozen=True)
class Settings:
    """The global options of a command line, all of them checked."""

    random_seed: int
    scale: float
    as_of: date
    project_dir: Path
    data_dir: Path
    gateway: str

    @property
    def sources_dir(self) -> Path:
        """The folder of the extracts and their manifest."""
        return self.data_dir / "sources"

    @property
    def lakehouse(self) -> Path:
        """The DuckDB file; SQLMesh's config.yaml names the same one."""
        return self.data_dir / "lakehouse" / "lakehouse.duckdb"

    @property
    def exports_dir(self) -> Path:
        """The folder of the export files."""
        return self.data_dir / "exports"

    @property
    def tells_lineage(self) -> bool:
        """Whether lineage events are to be sent: the client's own configuration is there."""
        names = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT__TYPE")
        return any(map(os.environ.get, names)) or (self.project_dir / "openlineage.yml").exists()


def yesterday() -> date:
    """The last complete day (UTC)."""
    return (datetime.now(UTC) - timedelta(days=1)).date()
