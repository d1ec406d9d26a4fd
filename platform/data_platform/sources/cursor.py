"""Reading only what changed of a table: by a column that rises with each change of a row.

    tables:
      invoices: {cursor: updated_at, key: id, lag_hours: 24, compare_every_days: 7}

A row that was deleted, or committed later than the lag with an earlier value, is not seen by its
cursor. So the table is read whole every few days, which finds both.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

import polars as pl

from data_platform.errors import PlatformError
from data_platform.settings import SOURCES_FILE
from data_platform.sources.contract import SourceTable
from data_platform.sources.entries import Entry
from data_platform.sources.source import Earlier, EarlierFile, Kept, Mark, Part
from data_platform.sources.spool import by_values

OPTIONS = ("cursor", "key", "lag_hours", "compare_every_days")
_LAG_HOURS, _COMPARE_EVERY_DAYS = 24, 7
# More changed rows than these are not put into the files one by one: the table is read whole.
_FEW_ROWS, _MOST_OF_ALL = 100_000, 0.1


@dataclass(frozen=True)
class Since:
    """Which rows are enough: those whose cursor is not older, and those whose day has come."""

    column: str
    mark: Mark
    lag_hours: int
    # The as-of date of the extract to go on from: rows of later days have waited.
    after: date


@dataclass(frozen=True)
class Cursor:
    """How a table is read by its changes."""

    column: str
    key: str
    lag_hours: int
    compare_every_days: int
    entry: Entry

    @classmethod
    def of(cls, entry: Entry, table: SourceTable) -> "Cursor | None":
        """The cursor of a table, None where it is read whole.

        Raises:
            PlatformError: an option is none, or the key is no column of the contract.
        """
        column = entry.of_table(table, "cursor", str)
        if column is None:
            for name in OPTIONS[1:]:
                if entry.of_table(table, name, (str, int)) is not None:
                    raise PlatformError(
                        f"{SOURCES_FILE}: {entry.name}.tables.{table.part_name} has {name}, but no "
                        "cursor"
                    )
            return None
        key = entry.of_table(table, "key", str)
        names = [column.name for column in table.columns if not column.nullable]
        if key not in names:
            raise PlatformError(
                f"{SOURCES_FILE}: {entry.name}.tables.{table.part_name}.key is {key!r}, expected "
                f"the column that tells rows apart, never null; {', '.join(names) or 'none'} may be"
            )
        lag, every = (
            entry.of_table(table, name, int)
            if entry.of_table(table, name, int) is not None
            else default
            for name, default in zip(OPTIONS[2:], (_LAG_HOURS, _COMPARE_EVERY_DAYS), strict=True)
        )
        if lag < 0 or every < 1:
            raise PlatformError(
                f"{SOURCES_FILE}: {entry.name}.tables.{table.part_name}: lag_hours is {lag}, "
                f"compare_every_days {every}; expected 0 or more, and 1 or more"
            )
        return cls(column, key, lag, every, entry)

    def asked(self, table: SourceTable) -> str:
        """A digest of what is asked of the table, by the contract and sources.yaml."""
        stated = self.entry.option("tables", dict, {}).get(table.part_name)
        options = sorted((k, str(v)) for k, v in self.entry.options.items() if k != "tables")
        said = f"{table.ddl}/{stated}/{options}"
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    def is_too_much(self, rows: int, table: SourceTable, earlier: Earlier) -> bool:
        """Whether so many rows have changed that reading all of them is less work."""
        known = sum(file.rows for file in earlier.files(table).values())
        return rows > max(_FEW_ROWS, known * _MOST_OF_ALL)

    def goes_on(self, table: SourceTable, earlier: Earlier | None, as_of: date) -> Since | None:
        """Which rows are enough; None where all of them have to be read."""
        mark = earlier.marks.get(table.part_name) if earlier else None
        if earlier is None or mark is None or mark.asked != self.asked(table):
            return None
        if (as_of - mark.whole_as_of).days >= self.compare_every_days:
            return None
        if not all(file.is_intact for file in earlier.files(table).values()):
            return None
        return Since(self.column, mark, self.lag_hours, earlier.as_of)


def merged(
    table: SourceTable,
    keys: pl.Series,
    makes: Mapping[str, Callable[[], pl.DataFrame]],
    files: Mapping[str, EarlierFile],
) -> list[Part | Kept]:
    """The parts of a table of which some rows were read again.

    Args:
        keys: of all rows read, those that wait for their day included; it bears the key's name.
        makes: what makes the rows read, by part.
        files: of all parts in the extract in force.
    """
    read, key = keys.unique(), keys.name
    parts: list[Part | Kept] = []
    for name in sorted({*files, *makes}):
        if name not in files:
            parts.append(Part(table.part_name, name, makes[name]))
            continue
        old, make = files[name], makes.get(name)
        keys_there = pl.read_parquet(old.path, columns=[key])[key]
        is_same = make is None and not keys_there.is_in(read.implode()).any()
        parts.append(
            Kept(table.part_name, name)
            if is_same
            else Part(table.part_name, name, partial(_merge, old, read, key, make))
        )
    return parts


def _merge(
    file: EarlierFile, read: pl.Series, key: str, make: Callable[[], pl.DataFrame] | None
) -> pl.DataFrame:
    kept = pl.read_parquet(file.path).filter(~pl.col(key).is_in(read.implode()))
    return by_values(pl.concat([kept, make()])) if make else kept
