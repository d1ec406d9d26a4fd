"""Exports as a workbook: a sheet each, numbers that can be added up, and dates that are dates."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl

from data_platform.errors import PlatformError

_AMOUNT, _WHOLE = r"^-?\d{1,13},\d{2}$", r"^-?(0|[1-9]\d{0,14})$"
_MONTH, _DAY = r"^\d{4}/\d{2}$", r"^\d{4}/\d{2}/\d{2}$"
_ROWS = 1_048_576  # of a sheet
_CHARACTERS = 32_767  # of a cell
_DIGITS = 15  # of a number
_FIRST_DAY = date(1900, 3, 1)  # before it, spreadsheets disagree
_NAME = 31  # characters of a sheet's


def check_fits(view: str, frame: pl.DataFrame) -> None:
    """Refuse what a sheet does not hold.

    Raises:
        PlatformError: it has too many rows, or a text that is too long for a cell.
    """
    most = _ROWS - 2  # the header, and the total
    if len(frame) > most:
        raise PlatformError(
            f"export {view} has {len(frame):,} rows, a sheet holds {most:,}; "
            "export it as csv or parquet"
        )
    for name, type_ in frame.schema.items():
        longest = frame[name].str.len_chars().max() if type_ == pl.String else None
        if isinstance(longest, int) and longest > _CHARACTERS:
            raise PlatformError(
                f"export {view}: column {name} has a text of {longest:,} characters, a sheet's "
                f"cell holds {_CHARACTERS:,}; export it as csv or parquet"
            )


def write_workbook(
    sheets: Mapping[str, pl.DataFrame], totals: Mapping[str, tuple[str, Decimal]], path: Path
) -> None:
    """Write frames as the sheets of a workbook; texts that are all of one kind become values.

    Args:
        totals: the column whose total stands below a sheet, by the sheet's name, and the total.
    """
    from xlsxwriter import Workbook
    from xlsxwriter.utility import xl_range

    with Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        if not sheets:
            book.add_worksheet("nothing")
        strong = book.add_format({"bold": True})
        for number, (name, frame) in enumerate(sheets.items()):
            title = name if len(name) <= _NAME else f"{name[: _NAME - 4]}~{number:03}"
            typed, formats = [], {}
            for series in frame:
                values, shown_as = _typed(series)
                typed.append(values)
                if shown_as:
                    formats[series.name] = shown_as
            sheet = (
                pl.DataFrame(typed)
                .write_excel(
                    book,
                    worksheet=title,
                    table_name=f"Export{number}",
                    column_formats=formats,  # type: ignore[arg-type]
                    freeze_panes=(1, 0),
                    autofilter=True,
                    autofit=len(frame) < 100_000,  # which looks at each cell
                )
                .get_worksheet_by_name(title)
            )
            column, total = totals.get(name, ("", Decimal(0)))
            if column in formats and len(frame):
                at = frame.columns.index(column)
                amount = book.add_format({"bold": True, "num_format": formats[column]})
                if at:
                    sheet.write_string(len(frame) + 1, 0, "Total", strong)
                # Of the rows that a filter leaves, without one of all.
                cells = xl_range(1, at, len(frame), at)
                formula = f"=SUBTOTAL(109,{cells})"
                sheet.write_formula(len(frame) + 1, at, formula, amount, float(total))


def _typed(series: pl.Series) -> tuple[pl.Series, str | None]:
    """(a column's values, the format in which they are shown as the text was).

    What a cell does not keep as a number or day stays the text that it is.
    """
    if series.null_count() == len(series):
        return series, None
    if series.dtype.is_numeric():
        is_whole = series.dtype.is_integer()
        too_large = (series.cast(pl.Float64).abs() >= 10**_DIGITS).any() if is_whole else False
        if series.dtype.is_decimal():
            digits = series.cast(pl.String).str.replace_all(r"^-?0*|\.", "").str.len_chars()
            too_large = (digits > _DIGITS).any()
        if series.dtype.is_float():
            too_large = not series.drop_nulls().is_finite().all()
        return (series.cast(pl.String), None) if too_large else (series, None)
    if series.dtype in (pl.Date, pl.Datetime):
        days = series.cast(pl.Date)
        fits = (days >= _FIRST_DAY).all() and (days.dt.year() <= 9999).all()
        return (series, None) if fits else (series.cast(pl.String), None)
    if series.dtype != pl.String:
        return series, None

    def all_are(pattern: str) -> bool:
        return bool(series.drop_nulls().str.contains(pattern).all())

    if all_are(_AMOUNT):
        amounts = series.str.replace(",", ".", literal=True).cast(pl.Decimal(15, 2))
        return amounts, "#,##0.00"
    for pattern, parsed, shown_as in (
        (_MONTH, series + "/01", "yyyy/mm"),
        (_DAY, series, "yyyy/mm/dd"),
    ):
        if all_are(pattern):
            days = parsed.str.to_date("%Y/%m/%d", strict=False)
            is_day = days.null_count() == series.null_count() and (days >= _FIRST_DAY).all()
            return (days, shown_as) if is_day else (series, None)
    if all_are(_WHOLE):
        return series.cast(pl.Int64), "0"
    return series, None
