"""What a load finds strange in the sources, against what was loaded before; it stops nothing."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import duckdb

from data_platform.record.loaded_files import SeenFile
from data_platform.record.loads import Batch, LoadedTable, earlier_as_of
from data_platform.record.rows import KEYS_SHOWN, Audited
from data_platform.sources.contract import SCHEMA, SourceTable

# A day is compared with the mean of the days before it.
_USUAL_DAYS = 28
_DAYS_LOOKED_AT = 31
# Half or twice the usual, and no accident: more than three standard deviations.
_FACTOR = 2
_DEVIATIONS = 3


def anomalies(
    connection: duckdb.DuckDBPyConnection,
    seen: Mapping[SourceTable, Sequence[SeenFile]],
    before: Mapping[str, LoadedTable],
    batches: Mapping[str, Batch],
    load_number: int,
) -> tuple[Audited, ...]:
    """The findings of a load that has just written its tables, those that found nothing included.

    Args:
        seen: the verified files of each table that was loaded.
        before: what the lakehouse held of each table before.
        batches: of each source.
    """
    found: list[Audited] = []

    def note(table: SourceTable, claim: str, rows: int, keys: Iterable[str]) -> None:
        name = f"{SCHEMA}.{table.name}"
        found.append(
            Audited(load_number, "", name, claim, "", False, rows, tuple(keys)[:KEYS_SHOWN])
        )

    for table, files in seen.items():
        unknown = sorted({column for file in files for column in file.unknown_columns})
        note(table, "columns_are_in_the_contract", len(unknown), unknown)
        known, batch = before.get(table.name), batches[table.source]
        if known is None or known.batch.company != batch.company or batch.as_of < known.batch.as_of:
            continue
        rows = sum(file.file.rows for file in files)
        lost = max(known.rows - rows, 0)
        told = [f"{known.rows:,} before, {rows:,} now"] if lost else []
        note(table, "rows_do_not_vanish", lost, told)
        before_that = earlier_as_of(connection, batch)
        if table.event_column and before_that:
            days = _unusual_days(connection, table, before_that, batch.as_of)
            note(table, "days_are_usual", len(days), days)
    return tuple(found)


def _unusual_days(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, after: date, last: date
) -> list[str]:
    """The days after `after` with far fewer or far more rows than those before them."""
    first = max(after + timedelta(days=1), last - timedelta(days=_DAYS_LOOKED_AT - 1))
    since = first - timedelta(days=_USUAL_DAYS)
    counts = dict(
        connection.execute(
            f'SELECT "{table.event_column}", COUNT(*) FROM {SCHEMA}."{table.name}" '
            f'WHERE "{table.event_column}" >= ? GROUP BY ALL',
            [since],
        ).fetchall()
    )
    found = []
    for day in (first + timedelta(days=number) for number in range((last - first).days + 1)):
        earlier = [counts.get(day - timedelta(days=n), 0) for n in range(1, _USUAL_DAYS + 1)]
        usual, rows = sum(earlier) / _USUAL_DAYS, counts.get(day, 0)
        if is_unusual(rows, usual):
            found.append(f"{day} has {rows:,}, usually {usual:,.0f}")
    return found


def is_unusual(rows: int, usual: float) -> bool:
    """Whether a number of rows is far from the usual one, and not by accident.

    The square root of a count has nearly the same deviation whatever the count is (Anscombe 1948).
    """
    if usual / _FACTOR < rows < usual * _FACTOR:
        return False
    return abs(2 * (math.sqrt(rows + 3 / 8) - math.sqrt(usual + 3 / 8))) > _DEVIATIONS
