"""What the lakehouse holds and whether production shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from data_platform.errors import PlatformError
from data_platform.freshness import Freshness, freshness
from data_platform.lakehouse import (
    FailedAudit,
    LastLoad,
    environments_behind,
    last_load,
    last_transformed,
    loaded_tables,
    reading,
    standing_warnings,
)
from data_platform.settings import Settings


@dataclass(frozen=True)
class TableStatus:
    """A source table in the lakehouse."""

    name: str
    rows: int
    as_of: date
    variant: str


@dataclass(frozen=True)
class Status:
    """The state of a lakehouse; `environments_behind` as of the last transform or plan."""

    load: LastLoad
    sources: tuple[Freshness, ...]
    production_load_number: int | None
    is_current: bool
    warnings: tuple[FailedAudit, ...]
    environments_behind: Mapping[str, tuple[str, ...]]
    tables: tuple[TableStatus, ...]


def status(settings: Settings) -> Status:
    """Read the state of the lakehouse.

    Raises:
        PlatformError: there is no lakehouse, nothing is loaded, or another process is writing.
    """
    with reading(settings.lakehouse) as connection:
        load, tables = last_load(connection), loaded_tables(connection)
        production, warnings = last_transformed(connection), standing_warnings(connection)
        behind = environments_behind(connection)
    if load is None:
        raise PlatformError("nothing is loaded yet; run: data-platform run")
    return Status(
        load=load,
        sources=freshness(
            settings.project_dir,
            {
                name.partition("__")[0]: table.batch.as_of
                for name, table in tables.items()
                if not name.startswith("platform__")
            },
        ),
        production_load_number=production,
        is_current=production == load.load_number,
        warnings=warnings,
        environments_behind=behind,
        tables=tuple(
            TableStatus(name, table.rows, table.batch.as_of, table.batch.variant)
            for name, table in sorted(tables.items())
        ),
    )
