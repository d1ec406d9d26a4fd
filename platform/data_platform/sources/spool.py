"""The rows of a table as they arrive, set down by month, so that memory does not hold them all."""

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl

from data_platform.sources.contract import SourceTable

# How many rows wait in memory before they are set down.
_WAITING = 500_000
_UNDATED = "undated"


def until(frame: pl.DataFrame, table: SourceTable, as_of: date) -> pl.DataFrame:
    """The rows that count by a date: later events and starts are left for the days to come."""
    if table.begins_on is None:
        return frame
    return frame.filter((pl.col(table.begins_on) <= as_of).fill_null(True))


def by_values(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the order of their values, whatever order an application gives them in."""
    first = rows.columns[0]
    by_first = rows.sort(first, nulls_last=True)
    values = by_first[first]
    if not values.eq_missing(values.shift(1))[1:].any():
        return by_first  # a key most often, which decides alone, and three times as fast
    return rows.sort(rows.columns, nulls_last=True)


class Spool:
    """The rows of a table by part: a month each for events, else all in one.

    Args:
        folder: a private one, made when rows have to be set down.
    """

    def __init__(self, table: SourceTable, folder: Path) -> None:
        self.rows = 0
        self._table, self._folder = table, folder
        self._waiting: list[pl.DataFrame] = []
        self._number_waiting = 0
        self._parts: dict[str, list[Path | pl.DataFrame]] = {}

    def add(self, frame: pl.DataFrame) -> None:
        """Take rows of any months."""
        self.rows += len(frame)
        self._waiting.append(frame)
        self._number_waiting += len(frame)
        if self._number_waiting >= _WAITING:
            self._set_down()

    def parts(self) -> dict[str, Callable[[], pl.DataFrame]]:
        """What makes the rows of each part, sorted, in the order of the months."""
        for name, rows in self._split():
            self._parts.setdefault(name, []).append(rows)
        return {name: partial(_rows, self._parts[name]) for name in sorted(self._parts)}

    def _set_down(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, rows in self._split():
            pieces = self._parts.setdefault(name, [])
            path = self._folder / f"{name}.{len(pieces)}.parquet"
            rows.write_parquet(path, compression="lz4", statistics=False)
            pieces.append(path)

    def _split(self) -> list[tuple[str, pl.DataFrame]]:
        """The waiting rows by part; none wait any longer."""
        if not self._waiting:
            return []
        frame = pl.concat(self._waiting)
        self._waiting, self._number_waiting = [], 0
        if (event := self._table.event_column) is None:
            return [(self._table.part_name, frame)]
        month = pl.col(event).dt.truncate("1mo").alias("_month")
        split = frame.with_columns(month).partition_by("_month", as_dict=True)
        return [
            (f"{first:%Y-%m}" if isinstance(first, date) else _UNDATED, rows.drop("_month"))
            for (first,), rows in split.items()
        ]


def _rows(pieces: list[Path | pl.DataFrame]) -> pl.DataFrame:
    frames = [pl.read_parquet(one) if isinstance(one, Path) else one for one in pieces]
    return by_values(pl.concat(frames))
