"""Tags by which a model by month says which other months than its own a change reaches.

A model by month vouches that a month's rows are made of what happened in that month. Where they are
made of a little more, one of these tags says what, and the platform finds the months.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from sqlglot import exp
from sqlmesh.core.model import Model, SqlModel

from data_platform.sql import short_name

_ANY_MONTH_OF, _LOOKS_BACK, _MONTHS_OF = "any_month_of:", "looks_back:", "months_of:"
REACH_PREFIXES = (_ANY_MONTH_OF, _LOOKS_BACK, _MONTHS_OF)
# What a tag looks like, and what it says.
REACH_TAGS: Mapping[str, str] = {
    f"{_ANY_MONTH_OF}<source table>": "Its new rows may reach any month.",
    f"{_LOOKS_BACK}<days>": "What happens on a day may change rows that are up to so many days "
    "older, as an invoice becomes overdue.",
    f"{_MONTHS_OF}<model>.<column>=<model>.<column>": "A new row of the first model changes the "
    "months of the rows of the second that have the column's value, as a payment changes the month "
    "of its invoice. The first is a source table of events, or a view that takes rows of one as "
    "they are; the second is, too, or it is by time range. Where one of the events is gone, all "
    "months are computed again.",
}
_DAYS = re.compile("[0-9]{1,5}")
_COLUMN = r"([a-z][a-z0-9_]*\.[a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)"
_POINTS = re.compile(f"{_COLUMN}={_COLUMN}")


@dataclass(frozen=True)
class Pointer:
    """The rows of a model point to rows of another, which has a time column."""

    model: str
    column: str
    pointed: str
    pointed_column: str


@dataclass(frozen=True)
class FurtherReach:
    """What a change reaches of a model besides the months in which it happened."""

    any_month_of: frozenset[str] = frozenset()
    looks_back_days: int = 0
    months_of: tuple[Pointer, ...] = ()


def further_reach(model: Model) -> FurtherReach:
    """What the tags of a model say, which are right."""
    pointers = (_POINTS.fullmatch(value) for value in _values(model, _MONTHS_OF))
    return FurtherReach(
        frozenset(_values(model, _ANY_MONTH_OF)),
        max((int(days) for days in _values(model, _LOOKS_BACK)), default=0),
        tuple(Pointer(*found.groups()) for found in pointers if found),
    )


def event_of(model: Model, known: Mapping[str, Model]) -> tuple[str, str] | None:
    """(source table, its column of the day) of the one table of events that a model shows.

    None where it is made of more than that, may hold something else than the table at a time (only
    a view does not), or has no such column of days. A source table shows itself.

    Args:
        known: models and source tables, by their short names.
    """
    source, queries = model, []
    while not source.kind.is_external:
        parents = [known[name] for name in map(short_name, source.depends_on) if name in known]
        query = _query_of_rows(source)
        if query is None or len(parents) != 1:
            return None
        queries.append(query)
        (source,) = parents
    day = next((tag.removeprefix("on:") for tag in source.tags if tag.startswith("on:")), "")
    is_told = _is_date(model, day) and all(_takes(query, day) for query in queries)
    return (short_name(source.fqn), day) if is_told else None


def _query_of_rows(model: Model) -> exp.Select | None:
    """The query of a view that takes rows of one table, each by itself; None of another model."""
    does = ("with_", "joins", "group", "having", "qualify", "distinct", "limit", "offset")
    if not model.kind.is_view or not isinstance(model, SqlModel):
        return None
    query = model.query
    if not isinstance(query, exp.Select) or any(query.args.get(name) for name in does):
        return None
    is_more = query.find(exp.AggFunc, exp.Window) or len(list(query.find_all(exp.Select))) > 1
    return None if is_more else query


def _takes(query: exp.Select, name: str) -> bool:
    """Whether a query shows a column of what it reads under its own name, of whatever type."""
    for column in query.selects:
        if column.alias_or_name == name:
            taken = column.unalias()
            taken = taken.this if isinstance(taken, exp.Cast) else taken
            return isinstance(taken, exp.Column) and taken.name == name
    return False


def _is_date(model: Model, column: str) -> bool:
    type_ = (model.columns_to_types or {}).get(column)
    return bool(type_ and type_.is_type("date"))


def day_of(model: Model, known: Mapping[str, Model]) -> str | None:
    """The column of the day of a model's rows: its time column, or that of the events it shows.

    Args:
        known: models and source tables, by their short names.
    """
    if model.time_column is None:
        event = event_of(model, known)
        return event[1] if event else None
    column = str(model.time_column.column.name)
    return column if _is_date(model, column) else None


def misread_tags(model: Model, known: Mapping[str, Model], is_by_month: bool) -> Iterator[str]:
    """What is wrong with the tags of a model that say what a change reaches, a sentence each.

    Args:
        known: models and source tables, by their short names.
    """
    read = {short_name(name) for name in model.depends_on}
    for tag in model.tags:
        kind = next((k for k in REACH_PREFIXES if tag.startswith(k)), "")
        value = tag.removeprefix(kind)
        wrong = ""
        if not kind:
            word = tag.partition(":")[0].lower()
            if close := get_close_matches(word, [k[:-1] for k in REACH_PREFIXES], 1, 0.8):
                yield f"tag {tag}: it would do nothing; meant is {close[0]}:…"
            continue
        if not is_by_month:
            wrong = "it says something of models by month, which this one is not"
        elif kind == _ANY_MONTH_OF:
            if value not in known or not known[value].kind.is_external:
                wrong = f"there is no source table {value}"
            elif value not in _sources(model, known):
                wrong = f"nothing that the model reads is made of {value}"
        elif kind == _LOOKS_BACK:
            if not _DAYS.fullmatch(value):
                wrong = "expected a number of days"
        elif not (found := _POINTS.fullmatch(value)):
            wrong = "expected <model>.<column>=<model>.<column>"
        else:
            wrong = _wrong_pointer(Pointer(*found.groups()), known, read)
        if wrong:
            yield f"tag {tag}: {wrong}"


def _wrong_pointer(pointer: Pointer, known: Mapping[str, Model], read: set[str]) -> str:
    for name, column in (
        (pointer.model, pointer.column),
        (pointer.pointed, pointer.pointed_column),
    ):
        if name not in read:
            return f"the model does not read {name}"
        if name not in known:
            return f"there is no model {name}"
        if column not in (known[name].columns_to_types or {}):
            return f"{name} has no column {column}"
    if event_of(known[pointer.model], known) is None:
        return (
            f"{pointer.model} is neither a source table of events (tag on:) nor a view that takes "
            "rows of one as they are, with their day"
        )
    if day_of(known[pointer.pointed], known) is None:
        return f"{pointer.pointed} has no day: no time column of type DATE, and no day of an event"
    return ""


def months_query(
    pointer: Pointer, days: tuple[str, str], tables: tuple[str, str], first: str
) -> exp.Select:
    """A query of the first and last day to which rows point that happened from a day on.

    Args:
        days: the column of the day of a row of the model, and of the one that is pointed to.
        tables: of the model and of the one that is pointed to.
    """
    model, pointed = tables
    day, pointed_day = days
    rows = (
        exp.select(exp.column(pointer.column))
        .from_(exp.to_table(model))
        .where(exp.column(day) >= exp.cast(exp.Literal.string(first), "date"))
    )
    when = exp.column(pointed_day)
    return (
        exp.select(exp.Min(this=when), exp.Max(this=when.copy()))
        .from_(exp.to_table(pointed))
        .where(exp.column(pointer.pointed_column).isin(query=rows))
    )


def _values(model: Model, kind: str) -> list[str]:
    return [tag.removeprefix(kind) for tag in model.tags if tag.startswith(kind)]


def _sources(model: Model, known: Mapping[str, Model]) -> set[str]:
    found: set[str] = set()
    for parent in (short_name(name) for name in model.depends_on):
        if parent not in known:
            continue
        external = known[parent].kind.is_external
        found |= {parent} if external else _sources(known[parent], known)
    return found
