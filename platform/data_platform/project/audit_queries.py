"""What is asked of an engine for an audit: how many rows break its claim, and the first of them."""

import re
from collections.abc import Mapping
from typing import Any

from sqlglot import exp, select
from sqlmesh.core.audit import Audit
from sqlmesh.core.snapshot import Snapshot
from sqlmesh.utils.date import to_date

from data_platform.record.rows import KEYS_SHOWN

# The column by which an audit that stops nothing says in a sentence what it found, the same in each
# row: what an audit says beside its query is no part of a model's fingerprint.
_WARNING = "warning"

# What an audit has found, by a name that no audit has; and the engines that are told to find once.
_ROWS = "rows_that_break_the_claim"
_MATERIALIZING = ("duckdb", "postgres")

_ASKS_FOR_THE_TOTAL = re.compile(r"\{(total|share)\}")

# The arguments of an audit that needs to look at what has changed alone.
_CHANGED = ("changed_from", "changed_to")


def split(query: exp.Query) -> tuple[exp.Query, str | None]:
    """An audit's query without its sentence, and the sentence; None where it has none."""
    found = [one for one in query.selects if one.alias == _WARNING]
    if not (found and isinstance(found[0].unalias(), exp.Literal)):
        return query, None
    kept = [one for one in query.selects if one.alias != _WARNING]
    return query.select(*kept, append=False), str(found[0].unalias().name)


def count(query: exp.Query) -> exp.Query:
    """How many rows a query has."""
    return select("COUNT(*)").from_(query.subquery("audit"))


def count_and_sample(query: exp.Query, dialect: str) -> exp.Query:
    """How many rows a query has, before each of the first few of them, by their first columns.

    One query, which looks once. Not by a window over all rows, which would hold them all, and of
    which DuckDB before 1.5.6 dies now and then (duckdb/duckdb#22352).
    """
    number = select("COUNT(*)").from_(_ROWS).subquery("number_of_rows")
    first = select("*").from_(_ROWS).order_by("1").limit(KEYS_SHOWN).subquery("first")
    counted = select(number, "first.*").from_(first)
    return counted.with_(_ROWS, as_=query, materialized=dialect in _MATERIALIZING or None)


def asks_for_the_total(template: str) -> bool:
    """Whether a sentence tells how many rows the model has."""
    return bool(_ASKS_FOR_THE_TOTAL.search(template))


def changed_days(
    audit: Audit, snapshot: Snapshot, options: Mapping[str, Any]
) -> dict[str, exp.Expression]:
    """The days that a load has changed, for an audit of a view that asks for them."""
    if not (snapshot.model.kind.is_view and {*_CHANGED} <= {*audit.defaults}):
        return {}
    days = (to_date(options["start"]), to_date(options["end"]))
    return {
        name: exp.cast(exp.Literal.string(str(day)), "date")
        for name, day in zip(_CHANGED, days, strict=True)
    }
