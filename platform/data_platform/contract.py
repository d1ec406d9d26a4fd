"""The contract of the sources, read from external_models.yaml, which alone states their schema."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from data_platform.errors import PlatformError
from data_platform.settings import CONTRACT_FILE

SCHEMA = "sources"
_DATE_TAGS = ("on", "from", "to", "now")
# The log that loads keep of what the CRM's table ever showed.
LOG, LOGGED = "crm__customers_log", "crm__customers"


@dataclass(frozen=True)
class Column:
    """A column as the contract states it; `type` is DuckDB's name of it, upper case."""

    name: str
    type: str
    nullable: bool
    description: str

    @property
    def polars_type(self) -> pl.DataType:
        """The type that the extract writes."""
        if decimal := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", self.type):
            return pl.Decimal(int(decimal[1]), int(decimal[2]))
        return _POLARS_TYPES[self.type]


_POLARS_TYPES: dict[str, pl.DataType] = {
    "VARCHAR": pl.String(),
    "DATE": pl.Date(),
    "INTEGER": pl.Int32(),
    "BIGINT": pl.Int64(),
    "DOUBLE": pl.Float64(),
    "TIMESTAMP": pl.Datetime("us"),
}
_DUCKDB_NAMES = {"TEXT": "VARCHAR", "INT": "INTEGER"}


@dataclass(frozen=True)
class SourceTable:
    """A table of the sources schema; `name` is like app__users."""

    name: str
    description: str
    columns: tuple[Column, ...]
    # What a change of a row can reach in time: `on`, `from` or `to` a date column, or `now`.
    dates: Mapping[str, str] = field(default_factory=dict, hash=False)

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
    def event_column(self) -> str | None:
        """The column of the day on which a row happened, for tables of events."""
        return self.dates.get("on")

    @property
    def date_columns(self) -> tuple[str, ...]:
        """The columns that hold dates."""
        return tuple(column.name for column in self.columns if column.type == "DATE")

    @property
    def polars_schema(self) -> pl.Schema:
        """The columns and types that a Parquet file of the table has."""
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
        return tuple(
            table
            for table in self.tables.values()
            if table.source != "platform" and table.name != LOG
        )

    def of_sources(self, sources: tuple[str, ...]) -> tuple[SourceTable, ...]:
        """The extracted tables of some sources."""
        return tuple(table for table in self.extracted if table.source in sources)


def _dates(entry: Mapping[str, Any]) -> dict[str, str]:
    """The tags that tell what a change can reach in time; others mark columns (lineage.py)."""
    parts = (tag.partition(":") for tag in entry.get("tags", []))
    return {tag: column for tag, _, column in parts if tag in _DATE_TAGS}


def _columns(entry: Mapping[str, Any]) -> Iterator[Column]:
    required: set[str] = set()
    for audit in entry.get("audits", []):
        if audit["name"] == "not_null":
            required.update(name.strip() for name in audit["columns"].strip("()").split(","))
    descriptions = entry.get("column_descriptions", {})
    for name, declared in entry["columns"].items():
        type_ = re.sub(r"\s", "", declared).upper()
        type_ = _DUCKDB_NAMES.get(type_, type_)
        yield Column(name, type_, name not in required, descriptions.get(name, ""))


def read_contract(project_dir: Path) -> Contract:
    """Read the contract of a project.

    Raises:
        PlatformError: the file is missing or is no contract.
    """
    path = project_dir / CONTRACT_FILE
    try:
        entries = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        tables = [
            SourceTable(
                name=entry["name"].removeprefix(f"{SCHEMA}."),
                description=entry.get("description", ""),
                columns=tuple(_columns(entry)),
                dates=_dates(entry),
            )
            for entry in entries
        ]
    except FileNotFoundError:
        raise PlatformError(
            f"{path} does not exist: {project_dir} is not a project of the data platform"
        ) from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlatformError(f"{path} is not a contract of sources: {error!r}") from error
    return Contract({table.name: table for table in tables})
