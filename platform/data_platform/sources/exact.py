"""Values that fit a contract's column exactly, or an error that says where and how many do not.

Nothing is coerced: no digit is rounded away, no text becomes a null, no time is cut off.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from data_platform.errors import PlatformError
from data_platform.settings import SOURCES_FILE
from data_platform.sources.column import Column
from data_platform.sources.contract import SourceTable

# What a text has to be, in a column of a type.
_WHOLE = r"^[+-]?\d{1,19}$"
_FLOAT = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_MOMENT = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
_OFFSET = r"(Z|[+-]\d{2}(:?\d{2})?)$"
A_NUMBER, A_DATE, A_VALUE = "a number of at most {} digits and {} decimals", "a date", "a value"


class Misfits:
    """Values that do not fit, counted until all rows of a table were seen.

    Args:
        where: which table, and file, this is, for the error.
    """

    def __init__(self, where: str) -> None:
        self.where, self.rows = where, 0
        self._counts: dict[tuple[str, str, str], int] = {}

    def note(self, column: str, expected: str, found: str, rows: int) -> None:
        """Count values of a column, if there are any."""
        if rows:
            key = column, expected, found
            self._counts[key] = self._counts.get(key, 0) + rows

    @property
    def are_there(self) -> bool:
        """Whether a value was found that does not fit."""
        return bool(self._counts)

    def refuse(self) -> None:
        """Refuse the table if a value does not fit.

        Raises:
            PlatformError: one does not; the values are not shown, they may be personal.
        """
        if self._counts:
            (column, expected, found), rows = next(iter(self._counts.items()))
            others = dict.fromkeys(name for name, *_ in self._counts if name != column)
            also = f"; {', '.join(others)} do not fit either" if others else ""
            raise PlatformError(
                f"{self.where}: column {column} expected {expected}, found {found} in {rows:,} of "
                f"{self.rows:,} rows{also}"
            )


def from_texts(
    frame: pl.DataFrame,
    table: SourceTable,
    misfits: Misfits,
    zones: Mapping[str, str | None],
) -> pl.DataFrame:
    """The rows of a frame of texts, in the types of the contract.

    Args:
        frame: the columns of the table, all of them texts; null where there is no value.
        misfits: is told of values that are not written as their type asks.
        zones: what a time without its zone means, by column.

    Returns:
        Null in the place of a value that does not fit.
    """
    return checked(
        frame.select(
            from_text(frame[c.name], c, misfits, zones.get(c.name)) for c in table.columns
        ),
        table,
        misfits,
    )


def from_text(text: pl.Series, column: Column, misfits: Misfits, zone: str | None) -> pl.Series:
    """A column of texts in the type of the contract; see `from_texts`."""
    type_ = column.polars_type
    if isinstance(type_, pl.String):
        return text
    pattern, expected = _written(type_)
    fits = text.str.contains(pattern)
    wrong = int((~fits).sum())
    misfits.note(column.name, expected, "something else", wrong)
    if wrong:
        text = pl.select(pl.when(fits).then(text)).to_series().alias(column.name)
    found = (
        _moments(text, column.name, misfits, zone)
        if isinstance(type_, pl.Datetime)
        else _converted(text, type_)
    )
    lost = found.null_count() - text.null_count()
    misfits.note(column.name, expected, "one that does not exist", lost)
    return found.alias(column.name)


def _written(type_: pl.DataType) -> tuple[str, str]:
    """(a pattern, in words) of how a value of a type is written."""
    match type_:
        case pl.Decimal():
            digits, scale = (type_.precision or 38) - type_.scale, type_.scale
            some = rf"\.\d{{0,{scale}}}0*" if scale else r"\.0*"
            return rf"^[+-]?0*\d{{1,{max(digits, 1)}}}({some})?$", A_NUMBER.format(digits, scale)
        case pl.Date():
            return _DAY, "a date like 2026-11-22"
        case pl.Datetime():
            return rf"{_MOMENT}({_OFFSET[:-1]})?$", "a time like 2026-11-22 13:45:00"
        case pl.Float64():
            return _FLOAT, "a finite number"
        case _:
            return _WHOLE, "a whole number"


def _converted(text: pl.Series, type_: pl.DataType) -> pl.Series:
    """Texts that are written as they should be, in their type; null where it has no such value."""
    match type_:
        case pl.Date():
            return text.str.to_date("%Y-%m-%d", strict=False)
        case pl.Decimal():
            return text.str.strip_suffix(".").cast(type_, strict=False)
        case _:
            return text.cast(type_, strict=False)


def _moments(text: pl.Series, name: str, misfits: Misfits, zone: str | None) -> pl.Series:
    """Times in UTC; one that a zone has not, or has twice, is null."""
    offset = text.str.extract(_OFFSET, 1)
    plain = text.str.extract(rf"({_MOMENT})", 1).str.replace("T", " ")
    local = plain.str.replace(r"^(.{16})$", "$1:00").str.to_datetime(
        "%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False
    )
    if zone is None:
        bare = int((offset.is_null() & local.is_not_null()).sum())
        misfits.note(
            name, f"a time with its zone, or a time_zone in {SOURCES_FILE}", "one without", bare
        )
    there = local.dt.replace_time_zone(zone or "UTC", ambiguous="null", non_existent="null")
    in_utc = there.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    digits = offset.str.replace("Z", "+0000").str.replace(":", "").str.pad_end(5, "0")
    sign = pl.select(pl.when(digits.str.starts_with("-")).then(-1).otherwise(1)).to_series()
    hours, minutes = digits.str.slice(1, 2).cast(pl.Int64), digits.str.slice(3, 2).cast(pl.Int64)
    shift = (sign * (hours * 60 + minutes) * 60_000_000).cast(pl.Duration("us"))
    return pl.select(pl.when(offset.is_null()).then(in_utc).otherwise(local - shift)).to_series()


def checked(frame: pl.DataFrame, table: SourceTable, misfits: Misfits) -> pl.DataFrame:
    """A frame in the contract's types.

    Args:
        misfits: is told of nulls where none may be, numbers that are infinite or none, and dates
            outside of the years 1 to 9999.
    """
    misfits.rows += len(frame)
    if misfits.are_there:  # nulls may stand for values that did not fit
        return frame
    for column in table.columns:
        values = frame[column.name]
        if not column.nullable:
            misfits.note(column.name, A_VALUE, "none", values.null_count())
        if isinstance(column.polars_type, pl.Float64):
            misfits.note(column.name, "a finite number", "another", _not(values.is_finite()))
        if isinstance(column.polars_type, pl.Date):
            first, last = column.not_before or date.min, column.not_after or date.max
            within = values.is_between(first, last)
            bounds = f" from {first} to {last}" * bool(column.not_before or column.not_after)
            misfits.note(column.name, f"{A_DATE}{bounds}", "one out of range", _not(within))
    return frame


def _not(flags: pl.Series) -> int:
    return int((~flags).sum())


def unknown_and_missing(found: Sequence[str], table: SourceTable, where: str) -> None:
    """Refuse columns that the contract does not know, and the lack of those that it asks for.

    Raises:
        PlatformError: names the first of them.
    """
    wanted = [column.name for column in table.columns]
    for name in wanted:
        if name not in found:
            raise PlatformError(
                f"{where} has no column {name}, which the contract asks for; it has "
                f"{', '.join(found)}"
            )
    for name in found:
        if name not in wanted:
            raise PlatformError(
                f"{where} has column {name}, which the contract does not know; expected "
                f"{', '.join(wanted)}"
            )
