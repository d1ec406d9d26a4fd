"""Values that fit a contract's column exactly, or an error that says where and how many do not.

Nothing is coerced: no digit is rounded away, no text becomes a null, no time is cut off.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from data_platform.errors import PlatformError
from data_platform.sources.column import Column
from data_platform.sources.contract import SourceTable

# What a text has to be, in a column of a type.
_WHOLE = r"^[+-]?\d{1,18}$"
_FLOAT = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_DAY = r"^\d{4}-\d{2}-\d{2}$"
_MOMENT = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$"


def refuse(where: str, column: str, expected: str, found: str, rows: int, total: int) -> None:
    """Refuse values of a column.

    Raises:
        PlatformError: always; the values themselves are not shown, they may be personal.
    """
    raise PlatformError(
        f"{where}: column {column} expected {expected}, found {found} in {rows:,} of {total:,} rows"
    )


def from_texts(frame: pl.DataFrame, table: SourceTable, where: str) -> pl.DataFrame:
    """The rows of a frame of texts, in the types of the contract.

    Args:
        frame: the columns of the table, all of them texts; null where there is no value.
        where: which table and file this is, for errors.

    Raises:
        PlatformError: a value is not written as its type asks, or a null stands where none may.
    """
    return checked(
        frame.select(_from_text(frame, column, where) for column in table.columns), table, where
    )


def _from_text(frame: pl.DataFrame, column: Column, where: str) -> pl.Series:
    text, type_ = frame[column.name], column.polars_type
    if isinstance(type_, pl.String):
        return text
    pattern, expected = _written(type_)
    if wrong := int((~text.str.contains(pattern)).sum()):
        refuse(where, column.name, expected, "something else", wrong, len(frame))
    found = _converted(text, type_)
    if lost := found.null_count() - text.null_count():
        refuse(where, column.name, expected, "one that does not exist", lost, len(frame))
    return found


def _written(type_: pl.DataType) -> tuple[str, str]:
    """(a pattern, in words) of how a value of a type is written."""
    match type_:
        case pl.Decimal():
            digits, scale = (type_.precision or 38) - type_.scale, type_.scale
            pattern = rf"^[+-]?0*\d{{1,{max(digits, 1)}}}(\.\d{{1,{max(scale, 1)}}}0*)?$"
            return pattern, f"a number of at most {digits} digits and {scale} decimals"
        case pl.Date():
            return _DAY, "a date like 2026-11-22"
        case pl.Datetime():
            return _MOMENT, "a time like 2026-11-22 13:45:00"
        case pl.Float64():
            return _FLOAT, "a finite number"
        case _:
            return _WHOLE, "a whole number"


def _converted(text: pl.Series, type_: pl.DataType) -> pl.Series:
    """Texts that are written as they should be, in their type; null where it has no such value."""
    match type_:
        case pl.Date():
            return text.str.to_date("%Y-%m-%d", strict=False)
        case pl.Datetime():
            seconds = text.str.replace("T", " ").str.replace(r"^(.{16})$", "$1:00")
            return seconds.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
        case _:
            return text.cast(type_, strict=False)


def checked(frame: pl.DataFrame, table: SourceTable, where: str) -> pl.DataFrame:
    """A frame in the contract's types whose values a contract lets through.

    Raises:
        PlatformError: a null where none may be, a number that is infinite or none, a date outside
            of the years 1 to 9999.
    """
    for column in table.columns:
        values = frame[column.name]
        if not column.nullable and (nulls := values.null_count()):
            refuse(where, column.name, "a value", "none", nulls, len(frame))
        if isinstance(column.polars_type, pl.Float64):
            wrong = int((~values.is_finite()).sum())
            if wrong:
                refuse(where, column.name, "a finite number", "another", wrong, len(frame))
        if isinstance(column.polars_type, pl.Date):
            outside = int((~values.is_between(date.min, date.max)).sum())
            if outside:
                refuse(where, column.name, "a date", "one out of range", outside, len(frame))
    return frame


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
