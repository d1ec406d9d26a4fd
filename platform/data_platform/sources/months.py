"""Tables of events in months, as real applications give them: any row may come late or change."""

from collections.abc import Iterable, Iterator
from datetime import date
from functools import partial

import polars as pl

from data_platform.sources.contract import SourceTable
from data_platform.sources.source import Part


def until(frame: pl.DataFrame, table: SourceTable, as_of: date) -> pl.DataFrame:
    """The rows that count by a date: later events and starts are left for the days to come."""
    if table.begins_on is None:
        return frame
    return frame.filter((pl.col(table.begins_on) <= as_of).fill_null(True))


def monthly_parts(table: SourceTable, frames: Iterable[pl.DataFrame]) -> Iterator[Part]:
    """The parts of a table of events: its months, in order, each sorted by all columns."""
    assert table.event_column is not None
    day = pl.col(table.event_column)
    months: dict[str, list[pl.DataFrame]] = {}
    for frame in frames:
        known = frame.with_columns(day.dt.strftime("%Y-%m").alias("_month"))
        for (month,), rows in known.partition_by("_month", as_dict=True).items():
            months.setdefault(str(month), []).append(rows.drop("_month"))
    for month in sorted(months):
        yield Part(table.part_name, month, partial(_sorted, months[month]))


def _sorted(frames: list[pl.DataFrame]) -> pl.DataFrame:
    rows = pl.concat(frames)
    return rows.sort(rows.columns, nulls_last=True)
