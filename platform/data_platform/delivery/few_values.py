"""Text columns of few values, like months, entities and first names, as numbers in their order.

A file of fifteen million lines is sorted in half the time, and each text is looked at once: as an
enumeration of DuckDB's, whose values are numbered in the order in which their texts sort.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import duckdb

from data_platform.sql import quoted

# Fewer rows are sorted in a moment. Of some of them, so many differing values are many of all.
_MANY_ROWS, _SAMPLED_ROWS, _MOST_IN_SAMPLE, _MOST_VALUES = 1_000_000, 200_000, 10_000, 65_000
_VALUES = "values_of_an_export"


@dataclass(frozen=True)
class FewValues:
    """A text column of few values: its type, and a query of the values, each once, as `value`."""

    type: str
    values: str


@contextmanager
def columns_of_few_values(
    connection: duckdb.DuckDBPyConnection, view: str
) -> Iterator[Mapping[str, FewValues]]:
    """The text columns of few values of a view of many rows; types last as long as the block.

    Args:
        view: its name, quoted.
    """
    found: dict[str, FewValues] = {}
    try:
        for name in _few_in_a_sample(connection, view):
            column = f"{_VALUES}.{quoted(name)}"
            values = f"SELECT value FROM (SELECT UNNEST({column}) AS value FROM {_VALUES})"
            known = FewValues(f"{_VALUES}_{len(found)}", f"{values} WHERE value IS NOT NULL")
            # DuckDB writes an enumeration as SQL text, in which this character ends it.
            asked = f"SELECT COUNT(*), BOOL_OR(CONTAINS(value, CHR(0))) FROM ({known.values})"
            number, has_nul = connection.execute(asked).fetchall()[0]
            if 0 < number <= _MOST_VALUES and not has_nul:
                ordered = f"{known.values} ORDER BY value"
                connection.execute(f"CREATE TEMP TYPE {known.type} AS ENUM ({ordered})")
                found[name] = known
        yield found
    finally:
        with suppress(duckdb.TransactionException):  # one that a query has ended, with all of them
            for one in found.values():
                connection.execute(f"DROP TYPE IF EXISTS {one.type}")
            connection.execute(f"DROP TABLE IF EXISTS temp.{_VALUES}")


def _few_in_a_sample(connection: duckdb.DuckDBPyConnection, view: str) -> list[str]:
    """The text columns that seem to have few values, whose values then are in a temporary table."""
    texts = [
        str(name)
        for name, type_, *_ in connection.execute(f"DESCRIBE {view}").fetchall()
        if type_ == "VARCHAR"
    ]
    (rows,) = connection.execute(f"SELECT COUNT(*) FROM {view}").fetchall()[0]
    if rows < _MANY_ROWS or not texts:
        return []
    each = ", ".join(f"APPROX_COUNT_DISTINCT({quoted(name)})" for name in texts)
    sample = f"(FROM {view} LIMIT {_SAMPLED_ROWS})"
    numbers = connection.execute(f"SELECT {each} FROM {sample}").fetchall()[0]
    few = [name for name, n in zip(texts, numbers, strict=True) if n <= _MOST_IN_SAMPLE]
    if few:
        lists = ", ".join(f"LIST(DISTINCT {quoted(name)}) AS {quoted(name)}" for name in few)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {_VALUES} AS SELECT {lists} FROM {view}")
    return few
