"""A canary for an engine: whether it restates months, and leaves the others as they are.

Engines have wiped the months beside the one that they were to overwrite, or kept what was to go:
a month that gets no row any longer, above all.
"""

from datetime import date
from typing import Any

from sqlglot import exp, parse_one
from sqlmesh.core.engine_adapter import EngineAdapter

from data_platform.errors import PlatformError

_SCHEMA = "canary"
_TABLE = f"{_SCHEMA}.months"
_COLUMNS = {"month": exp.DataType.build("date"), "number": exp.DataType.build("int")}
_MONTHS = tuple(date(2022, month, 1) for month in (1, 2, 3, 4))


def refuse_untrue(adapter: EngineAdapter, gateway: str) -> None:
    """Write four months of a small table, restate the second, empty the third, and compare.

    Raises:
        PlatformError: the engine has not done what it was told; says what.
    """
    adapter.create_schema(_SCHEMA)
    try:
        adapter.create_table(_TABLE, _COLUMNS, partitioned_by=[exp.column("month")])
        _overwrite(adapter, _MONTHS, 1)
        _overwrite(adapter, _MONTHS[1:2], 10)
        _overwrite(adapter, _MONTHS[2:3], None)
        found = sorted(adapter.fetchall(f"SELECT month, number FROM {_TABLE}"))
    finally:
        adapter.drop_schema(_SCHEMA, cascade=True)
    expected = [(_MONTHS[0], 1), (_MONTHS[1], 10), (_MONTHS[3], 1)]
    if [(month, number) for month, number in found] != expected:
        raise PlatformError(
            f"the engine of gateway {gateway} does not restate a month exactly: of four months "
            f"whose second was written again and whose third was emptied it holds {_told(found)}, "
            f"expected {_told(expected)}; "
            "look at its settings, or use another engine (docs/scaling.md)"
        )


def _overwrite(adapter: EngineAdapter, months: tuple[date, ...], number: int | None) -> None:
    """Restate months with a row each, or with none where there is no number."""
    rows = " UNION ALL ".join(
        f"SELECT CAST('{month}' AS DATE) AS month, CAST({number or 0} AS INT) AS number"
        f" WHERE {'TRUE' if number else 'FALSE'}"
        for month in months
    )
    adapter.insert_overwrite_by_time_partition(
        _TABLE,
        parse_one(rows),
        start=str(months[0]),
        end=str(months[-1]),
        time_formatter=lambda moment, types: exp.cast(exp.Literal.string(str(moment)[:10]), "date"),
        time_column="month",
        target_columns_to_types=_COLUMNS,
    )


def _told(rows: list[Any]) -> str:
    return ", ".join(f"{month:%Y-%m}: {number}" for month, number in rows) or "nothing"
