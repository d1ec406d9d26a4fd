"""The contract of the sources: their tables, columns, and what a change of a row can reach."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from data_platform.errors import PlatformError
from data_platform.settings import CONTRACT_FILE, SOURCES_FILE
from data_platform.sources.column import Column

if TYPE_CHECKING:
    import polars as pl

SCHEMA = "sources"
# The table that keeps what another ever showed has its name and this.
_LOG_SUFFIX = "_log"


@dataclass(frozen=True)
class SourceTable:
    """A table of the sources schema; `name` is like app__users."""

    name: str
    description: str
    columns: tuple[Column, ...]
    # What a change of a row can reach in time: `on`, `from` or `to` a date column, or `now`.
    dates: Mapping[str, str] = field(default_factory=dict, hash=False)
    # Whether loads keep a log of what it ever showed.
    keeps_history: bool = False
    # Date columns that the tags of this table's log name (see `bounded_columns`).
    bounded_by_its_log: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The table's name in a manifest, like app.users."""
        return self.name.replace("__", ".", 1)

    @property
    def source(self) -> str:
        """The application it comes from; `platform` is the platform's own."""
        return self.name.partition("__")[0]

    @property
    def part_name(self) -> str:
        """The table's name within its source, like users."""
        return self.name.partition("__")[2]

    @property
    def log_name(self) -> str:
        """The name of the table that keeps what this one ever showed, if it keeps its history."""
        return f"{self.name}{_LOG_SUFFIX}"

    @property
    def event_column(self) -> str | None:
        """The column of the day on which a row happened, for tables of events."""
        return self.dates.get("on")

    @property
    def bounded_columns(self) -> tuple[str, ...]:
        """The date columns that reports count by: no value may precede the company's first day."""
        own = (self.dates[tag] for tag in ("on", "from", "to") if tag in self.dates)
        return (*own, *self.bounded_by_its_log)

    @property
    def begins_on(self) -> str | None:
        """The column of the day before which a row does not count: an event's, or a start.

        Rows after the as-of date wait for the days to come; an end may be known before it comes.
        """
        return self.dates.get("on") or self.dates.get("from")

    @property
    def polars_schema(self) -> "pl.Schema":
        """The columns and types that a Parquet file of the table has."""
        import polars as pl

        return pl.Schema({column.name: column.polars_type for column in self.columns})

    @property
    def ddl(self) -> str:
        """The columns as CREATE TABLE takes them."""
        return ", ".join(
            f'"{column.name}" {column.type}{"" if column.nullable else " NOT NULL"}'
            for column in self.columns
        )

    @property
    def column_list(self) -> str:
        """The quoted names of the columns, separated by commas."""
        return ", ".join(f'"{column.name}"' for column in self.columns)


@dataclass(frozen=True)
class Contract:
    """Every table of the sources schema, by name."""

    tables: Mapping[str, SourceTable]

    @cached_property
    def extracted(self) -> tuple[SourceTable, ...]:
        """The tables that applications deliver, as opposed to those that a load keeps itself."""
        logs = {log.name for log in self.logs}
        return tuple(
            table
            for table in self.tables.values()
            if table.source != "platform" and table.name not in logs
        )

    @cached_property
    def logs(self) -> Mapping[SourceTable, SourceTable]:
        """The tables that keep what others ever showed, and those others."""
        return {
            self.tables[table.log_name]: table
            for table in self.tables.values()
            if table.keeps_history
        }

    def refuse_other_sources(self, names: Collection[str]) -> None:
        """The contract states the tables of exactly the sources that there are.

        Raises:
            PlatformError: a source has no table in it, or a table is of no source.
        """
        for table in self.extracted:
            if table.source not in names:
                raise PlatformError(
                    f"{CONTRACT_FILE} has {SCHEMA}.{table.name}, but {SOURCES_FILE} has no entry "
                    f"{table.source}; say there where its data comes from"
                )
        for name in names:
            if not self.of_sources((name,)):
                raise PlatformError(
                    f"{SOURCES_FILE} has an entry {name}, but {CONTRACT_FILE} has no table "
                    f"{SCHEMA}.{name}__…; say there what its tables are"
                )

    def of_sources(self, sources: tuple[str, ...]) -> tuple[SourceTable, ...]:
        """The extracted tables of some sources."""
        return tuple(table for table in self.extracted if table.source in sources)
