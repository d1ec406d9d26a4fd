"""The contract's file, external_models.yaml, which alone states the schema of the sources."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from data_platform.errors import PlatformError, near, one_line
from data_platform.names import EXTRACTS
from data_platform.settings import CONTRACT_FILE
from data_platform.sources.column import DECIMAL, DUCKDB_NAMES, TYPES, Column
from data_platform.sources.contract import SCHEMA, Contract, SourceTable

_DATE_TAGS = ("on", "from", "to", "now")
# Tags that name a column after the kind and a colon, and those that say something of it after =.
_BOUND_TAGS = ("not_before", "not_after")
_SAYING_TAGS = ("was", "default", "zone", *_BOUND_TAGS)
_COLUMN_TAGS = ("on", "from", "to", "personal", "money", *_SAYING_TAGS)
# Marks a table that shows only the present: loads keep a log of what it ever showed, in a table of
# its own that has one column more.
_KEEP_HISTORY, _SEEN_AS_OF = "keep_history", "seen_as_of"
_TAGS = (*_COLUMN_TAGS, "now", _KEEP_HISTORY)
_OF_EXTRACTS = (
    ("load_number", "INTEGER", False),
    ("batch_id", "VARCHAR", False),
    ("as_of", "DATE", False),
    ("random_seed", "BIGINT", False),
    ("scale", "DOUBLE", False),
    ("loaded_at", "TIMESTAMP", False),
)


def _tags(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The kind and the rest of each tag of an entry.

    Raises:
        ValueError: a tag names no column, or a day that is no date.
    """
    columns = entry["columns"]
    for tag in map(str, entry.get("tags", [])):
        kind, _, rest = tag.partition(":")
        if kind not in _TAGS:
            raise ValueError(
                f"{entry['name']}: there is no tag {tag!r}; expected one of {', '.join(_TAGS)}"
                f"{near(kind, _TAGS)}"
            )
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
            if kind in _BOUND_TAGS or kind == "zone":
                _check_said(entry["name"], tag, kind, rest, _type(columns[name]))
            if kind in _DATE_TAGS and _type(columns[name]) != "DATE":
                raise ValueError(
                    f"{entry['name']}: tag {tag!r} names a column of type {columns[name]}, "
                    "expected date"
                )
        yield kind, rest


def _check_said(table: str, tag: str, kind: str, rest: str, type_: str) -> None:
    """Refuse a zone or a bound that is none, or of a column that has no such thing.

    Raises:
        ValueError: names the tag.
    """
    said, expected = rest.partition("=")[2], "timestamp" if kind == "zone" else "date"
    if type_.lower() != expected:
        raise ValueError(f"{table}: tag {tag!r} is for a column of type {expected}")
    try:
        ZoneInfo(said) if kind == "zone" else date.fromisoformat(said)
    except (ValueError, OSError, KeyError):
        example = "Europe/Paris" if kind == "zone" else "2022-01-01"
        raise ValueError(f"{table}: tag {tag!r} is to end in something like ={example}") from None


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
        if kind in _SAYING_TAGS
    }
    for name, declared in columns.items():
        type_ = _type(declared)
        if not (DECIMAL.fullmatch(type_) or type_ in TYPES):
            raise ValueError(
                f"{entry['name']}: column {name} has type {declared}, expected one of "
                f"{', '.join(map(str.lower, TYPES))}, decimal(p, s)"
            )
        yield Column(
            name,
            type_,
            name not in required,
            descriptions.get(name, ""),
            said.get(("default", name)),
            said.get(("was", name)),
            said.get(("zone", name)),
            *(
                date.fromisoformat(day) if (day := said.get((kind, name))) else None
                for kind in _BOUND_TAGS
            ),
        )


def read_contract(project_dir: Path) -> Contract:
    """Read the contract of a project.

    Raises:
        PlatformError: the file is missing or is no contract.
    """
    path = project_dir / CONTRACT_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise PlatformError(
            f"{path} does not exist: {project_dir} is not a project of the data platform"
        ) from None
    return parse_contract(content, path)


def parse_contract(content: bytes, path: Path) -> Contract:
    """The contract that a file's content states.

    Raises:
        PlatformError: it states none.
    """
    try:
        entries = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if not isinstance(entries, list):
            raise ValueError("expected a list of tables, each with its name, columns and tags")
        tables = {
            entry["name"].removeprefix(f"{SCHEMA}."): SourceTable(
                name=entry["name"].removeprefix(f"{SCHEMA}."),
                description=entry.get("description", ""),
                columns=tuple(_columns(entry)),
                dates=_dates(entry),
                keeps_history=_KEEP_HISTORY in entry.get("tags", []),
            )
            for entry in entries
        }
        _check_kept_tables(tables)
        for name, table in tables.items():
            if table.keeps_history:
                bounded = tables[table.log_name].bounded_columns
                tables[name] = replace(table, bounded_by_its_log=bounded)
    except (yaml.YAMLError, ValueError) as error:
        raise PlatformError(f"{path}: {one_line(str(error))}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise PlatformError(f"{path} is not a contract of sources: {error!r}") from error
    return Contract(tables)


def _check_kept_tables(tables: Mapping[str, SourceTable]) -> None:
    """A log holds what its table shows, and since when; the table of loads is the platform's.

    Raises:
        ValueError: one of them is missing, or has other columns.
    """
    wanted_of = {EXTRACTS: ([*_OF_EXTRACTS], "the columns that the platform writes")}
    for table in tables.values():
        if table.keeps_history:
            logged = [(c.name, c.type, c.nullable) for c in table.columns]
            what = f"the columns of {SCHEMA}.{table.name}, then {_SEEN_AS_OF}"
            wanted_of[table.log_name] = ([*logged, (_SEEN_AS_OF, "DATE", False)], what)
    for name, (wanted, what) in wanted_of.items():
        if name not in tables:
            raise ValueError(f"{SCHEMA}.{name} is missing, which the platform keeps: {what}")
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
