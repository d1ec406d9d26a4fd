"""The rows of two tables compared by key: which only one has, and which differ in what."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
from sqlglot.expressions import DataType

from data_platform.sql import quoted

MASK = "•••"
_SAMPLES = 5
Pair = tuple[Any, Any]  # production's, the environment's
# Types of one kind are compared as they are; any others by what they look like.
_KINDS = (DataType.NUMERIC_TYPES, DataType.TEMPORAL_TYPES)


@dataclass(frozen=True)
class Sample:
    """A row that differs: its key, and what differs in it; empty where one side lacks it."""

    where: str  # "in both", "only in production" or "only in <environment>"
    key: Mapping[str, Any]
    values: Mapping[str, Pair]


def compare_rows(
    cursor: duckdb.DuckDBPyConnection,
    places: tuple[str, str],
    keys: Mapping[str, str],
    others: Mapping[str, str],
    only: tuple[str, str],
    masked: frozenset[str],
) -> dict[str, Any]:
    """Compare two tables by their keys; a key that comes several times is numbered first.

    Without keys, each table has one row. Without any columns, no row is in both. A column whose
    type is of another kind on the other side is compared as text.
    """
    columns = {**keys, **others}
    if not columns:
        ((before, after),) = cursor.execute(
            f"SELECT (SELECT COUNT(*) FROM {places[0]}), (SELECT COUNT(*) FROM {places[1]})"
        ).fetchall()
        return {"rows_only": (before, after)} if before or after else {}
    if _digest(cursor, places[0], columns) == _digest(cursor, places[1], columns.values()):
        return {}
    is_unique = _is_unique(cursor, places[0], keys) and _is_unique(cursor, places[1], keys.values())

    labels = {here: f"k{n}" for n, here in enumerate(keys)}
    labels |= {here: f"c{n}" for n, here in enumerate(others)}
    were, are = (types_of(cursor, place) for place in places)
    as_text = {label for here, label in labels.items() if _differ(were[here], are[columns[here]])}

    def side(place: str, names: Sequence[tuple[str, str]], keys: Sequence[str]) -> str:
        shown = ", ".join(
            f"{quoted(name)}{'::TEXT' if label in as_text else ''} AS {quoted(label)}"
            for name, label in names
        )
        by = ", ".join(map(quoted, keys))
        order = ", ".join(quoted(name) for name, _ in names)
        number = f"ROW_NUMBER() OVER ({f'PARTITION BY {by} ' if by else ''}ORDER BY {order})"
        return f"""SELECT {shown}, TRUE AS "@", {1 if is_unique else number} AS "#" FROM {place}"""

    left = side(places[0], [(here, labels[here]) for here in columns], list(keys))
    right = side(
        places[1], [(columns[here], labels[here]) for here in columns], list(keys.values())
    )
    on = " AND ".join(
        f"p.{label} IS NOT DISTINCT FROM e.{label}"
        for label in [*(labels[here] for here in keys), '"#"']
    )
    joined = f"FROM ({left}) AS p FULL JOIN ({right}) AS e ON {on}"
    differs = {here: f"p.{labels[here]} IS DISTINCT FROM e.{labels[here]}" for here in others}
    both = 'p."@" AND e."@"'
    changed = f"{both} AND ({' OR '.join(differs.values())})" if others else "FALSE"
    counts = [
        'COUNT(*) FILTER (WHERE e."@" IS NULL)',
        'COUNT(*) FILTER (WHERE p."@" IS NULL)',
        f"COUNT(*) FILTER (WHERE {changed})",
        *(f"COUNT(*) FILTER (WHERE {both} AND {test})" for test in differs.values()),
    ]
    row = cursor.execute(f"SELECT {', '.join(counts)} {joined}").fetchone()
    assert row is not None
    samples: list[Sample] = []
    shown = ", ".join(
        [
            *(f"COALESCE(p.{labels[here]}, e.{labels[here]})" for here in keys),
            *(f"p.{labels[here]}, e.{labels[here]}" for here in others),
        ]
    )
    order = ", ".join(str(place) for place in range(1, len(columns) + 1))
    for where, test, count in (
        ("in both", changed, row[2]),
        (only[0], 'e."@" IS NULL', row[0]),
        (only[1], 'p."@" IS NULL', row[1]),
    ):
        if not count:
            continue
        sql = f"SELECT {shown} {joined} WHERE {test} ORDER BY {order} LIMIT {_SAMPLES}"
        for values in cursor.execute(sql).fetchall():
            samples.append(_sample(where, values, keys, others, masked))
    return {
        "rows_only": (row[0], row[1]),
        "rows_changed": row[2],
        "changed_by_column": {
            there: count for there, count in zip(others.values(), row[3:], strict=True) if count
        },
        "samples": tuple(samples),
    }


def types_of(cursor: duckdb.DuckDBPyConnection, place: str) -> dict[str, DataType]:
    """The type of each column of a table or view."""
    rows = cursor.execute(f"DESCRIBE {place}").fetchall()
    return {name: DataType.build(type_, dialect="duckdb") for name, type_, *_ in rows}


def _differ(one: DataType, other: DataType) -> bool:
    """Whether two types are not the same, nor of the same kind."""
    return one != other and not any(one.is_type(*k) and other.is_type(*k) for k in _KINDS)


def _sample(
    where: str,
    values: Sequence[Any],
    keys: Mapping[str, str],
    others: Mapping[str, str],
    masked: frozenset[str],
) -> Sample:
    def shown(names: tuple[str, str], value: Any) -> Any:
        return MASK if masked.intersection(names) and value is not None else value

    key = {
        there: shown((here, there), v)
        for (here, there), v in zip(keys.items(), values, strict=False)
    }
    pairs = zip(values[len(keys) :: 2], values[len(keys) + 1 :: 2], strict=True)
    found = {
        there: (shown((here, there), before), shown((here, there), after))
        for (here, there), (before, after) in zip(others.items(), pairs, strict=True)
        if where == "in both" and before != after
    }
    return Sample(where, key, found)


def _digest(cursor: duckdb.DuckDBPyConnection, place: str, columns: Iterable[str]) -> Any:
    """How many rows there are, and two sums over them that differ when any value does.

    Of 64 bits each, and neither minds the order: that both agree for other rows does not happen.
    """
    of_row = ", ".join(f"COALESCE({quoted(name)}::TEXT, '∅')" for name in columns)
    row = f"SELECT HASH({of_row}) AS one, HASH({of_row}, 1) AS other FROM {place}"
    return cursor.execute(f"SELECT COUNT(*), SUM(one), SUM(other) FROM ({row})").fetchone()


def _is_unique(cursor: duckdb.DuckDBPyConnection, place: str, keys: Iterable[str]) -> bool:
    """Whether no key comes twice; two that hash alike count as the same, which does no harm."""
    key = ", ".join(map(quoted, keys)) or "0"
    sql = f"SELECT COUNT(*) = COUNT(DISTINCT HASH({key})) FROM {place}"
    return bool((cursor.execute(sql).fetchone() or (False,))[0])
