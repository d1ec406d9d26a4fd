"""The contract of the sources, read from external_models.yaml, which alone states their schema."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from data_platform.errors import PlatformError, one_line
from data_platform.names import CUSTOMERS_LOG, EXTRACTS
from data_platform.settings import CONTRACT_FILE, SOURCES_FILE
from data_platform.sources.column import DECIMAL, DUCKDB_NAMES, POLARS_TYPES, Column

SCHEMA = "sources"
_DATE_TAGS = ("on", "from", "to", "now")
# Tags that name a column of the table, after the kind and a colon; the last two say more of it.
_COLUMN_TAGS = ("on", "from", "to", "personal", "money", "was", "default")
# The log that loads keep of what the CRM's table ever showed.
LOG, LOGGED, SEEN_AS_OF = CUSTOMERS_LOG, "crm__customers", "seen_as_of"
_OF_EXTRACTS = (
    ("load_number", "INTEGER", False),
    ("batch_id", "VARCHAR", False),
    ("as_of", "DATE", False),
    ("random_seed", "BIGINT", False),
    ("scale", "DOUBLE", False),
    ("loaded_at", "TIMESTAMP", False),
)


@dataclass(frozen=True)
class SourceTable:
    """A table of the sources schema; `name` is like app__users."""

    name: str
    description: str
    columns: tuple[Column, ...]
    # What a change of a row can reach in time: `on`, `from` or `to` a date column, or `now`.
    dates: Mapping[str, str] = field(default_factory=dict, hash=False)
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
    def event_column(self) -> str | None:
        """The column of the day on which a row happened, for tables of events."""
        return self.dates.get("on")

    @property
    def date_columns(self) -> tuple[str, ...]:
        """The columns that hold dates."""
        return tuple(column.name for column in self.columns if column.type == "DATE")

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


def _tags(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The kind and the rest of each tag of an entry.

    Raises:
        ValueError: a tag names no column, or a day that is no date.
    """
    columns = entry["columns"]
    for tag in map(str, entry.get("tags", [])):
        kind, _, rest = tag.partition(":")
        if kind in _COLUMN_TAGS:
            name = rest.partition("=")[0]
            if name not in columns:
                raise ValueError(
                    f"{entry['name']}: tag {tag!r} names no column; there are {', '.join(columns)}"
                )
            if kind == "was" and rest.partition("=")[2] in ("", *columns):
                raise ValueError(
                    f"{entry['name']}: tag {tag!r} is to name what {name} was called before, "
                    "which is no column any longer, like was:new=old"
                )
            if kind in _DATE_TAGS and _type(columns[name]) != "DATE":
                raise ValueError(
                    f"{entry['name']}: tag {tag!r} names a column of type {columns[name]}, "
                    "expected date"
                )
        yield kind, rest


def _dates(entry: Mapping[str, Any]) -> dict[str, str]:
    """The tags that tell what a change can reach in time; others mark columns (project/lineage)."""
    found = [(kind, column) for kind, column in _tags(entry) if kind in _DATE_TAGS]
    kinds = [kind for kind, _ in found]
    if twice := sorted({kind for kind in kinds if kinds.count(kind) > 1}):
        raise ValueError(f"{entry['name']}: several tags {twice[0]!r}, expected one")
    if "to" in kinds and "from" not in kinds:
        raise ValueError(f"{entry['name']}: a tag 'to' needs a tag 'from'")
    if len({"on", "from", "now"} & {*kinds}) > 1:
        raise ValueError(
            f"{entry['name']}: tags {' and '.join(kinds)} contradict each other: a row reaches the "
            "day on: which it happened, every day from: one on, or the present alone (now)"
        )
    return dict(found)


def _type(declared: str) -> str:
    type_ = re.sub(r"\s", "", declared).upper()
    return DUCKDB_NAMES.get(type_, type_)


def _columns(entry: Mapping[str, Any]) -> Iterator[Column]:
    columns, required = entry["columns"], set[str]()
    lower = [str(name).lower() for name in columns]
    if twice := next((name for name in columns if lower.count(name.lower()) > 1), None):
        raise ValueError(f"{entry['name']}: column {twice} is there twice, in another case")
    for audit in entry.get("audits", []):
        if audit["name"] == "not_null":
            required.update(name.strip() for name in audit["columns"].strip("()").split(","))
    if unknown := sorted(required - columns.keys()):
        raise ValueError(f"{entry['name']}: not_null names {unknown[0]}, which is no column")
    descriptions = entry.get("column_descriptions", {})
    said = {
        (kind, name): value
        for kind, rest in _tags(entry)
        for name, _, value in [rest.partition("=")]
        if kind in ("was", "default")
    }
    for name, declared in columns.items():
        type_ = _type(declared)
        if not (DECIMAL.fullmatch(type_) or type_ in POLARS_TYPES):
            raise ValueError(
                f"{entry['name']}: column {name} has type {declared}, expected one of "
                f"{', '.join(map(str.lower, POLARS_TYPES))}, decimal(p, s)"
            )
        yield Column(
            name,
            type_,
            name not in required,
            descriptions.get(name, ""),
            said.get(("default", name)),
            said.get(("was", name)),
        )


def read_contract(project_dir: Path) -> Contract:
    """Read the contract of a project.

    Raises:
        PlatformError: the file is missing or is no contract.
    """
    path = project_dir / CONTRACT_FILE
    try:
        entries = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        tables = {
            entry["name"].removeprefix(f"{SCHEMA}."): SourceTable(
                name=entry["name"].removeprefix(f"{SCHEMA}."),
                description=entry.get("description", ""),
                columns=tuple(_columns(entry)),
                dates=_dates(entry),
            )
            for entry in entries
        }
        _check_kept_tables(tables)
        bounded = tables[LOG].bounded_columns
        tables[LOGGED] = replace(tables[LOGGED], bounded_by_its_log=bounded)
    except FileNotFoundError:
        raise PlatformError(
            f"{path} does not exist: {project_dir} is not a project of the data platform"
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        raise PlatformError(f"{path}: {one_line(str(error))}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise PlatformError(f"{path} is not a contract of sources: {error!r}") from error
    return Contract(tables)


def _check_kept_tables(tables: Mapping[str, SourceTable]) -> None:
    """The log holds what its table shows, and since when; the table of loads is the platform's.

    Raises:
        ValueError: one of them is missing, or has other columns.
    """
    for name in (LOGGED, LOG, EXTRACTS):
        if name not in tables:
            raise ValueError(f"{SCHEMA}.{name} is missing, which the platform needs")
    logged = [(c.name, c.type, c.nullable) for c in tables[LOGGED].columns]
    of_log = f"the columns of {SCHEMA}.{LOGGED}, then {SEEN_AS_OF}"
    for name, wanted, what in (
        (LOG, [*logged, (SEEN_AS_OF, "DATE", False)], of_log),
        (EXTRACTS, [*_OF_EXTRACTS], "the columns that the platform writes"),
    ):
        found = [(c.name, c.type, c.nullable) for c in tables[name].columns]
        for ours, theirs in zip_longest(found, wanted):
            if ours != theirs:
                raise ValueError(
                    f"{SCHEMA}.{name} is to have {what}: expected {_told(theirs)}, found "
                    f"{_told(ours)}"
                )


def _told(column: tuple[str, str, bool] | None) -> str:
    if column is None:
        return "no further column"
    name, type_, nullable = column
    return f"{name} {type_.lower()}{'' if nullable else ' (never null)'}"
