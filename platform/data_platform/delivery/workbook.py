"""Exports as spreadsheets: numbers that can be added up, and dates that are dates."""

from pathlib import Path

import polars as pl

_AMOUNT, _WHOLE = r"^-?\d{1,13},\d{2}$", r"^-?(0|[1-9]\d{0,14})$"
_MONTH, _DAY = r"^\d{4}/\d{2}$", r"^\d{4}/\d{2}/\d{2}$"


def write_sheet(frame: pl.DataFrame, path: Path, sheet: str) -> None:
    """Write a frame as a workbook of one sheet; texts that are all of one kind become values.

    A number of more digits than a spreadsheet keeps, 15, stays the text that it is.
    """
    typed, formats = [], {}
    for series in frame:
        values, shown_as = _typed(series)
        typed.append(values)
        if shown_as:
            formats[series.name] = shown_as
    pl.DataFrame(typed).write_excel(
        path,
        worksheet=sheet,
        column_formats=formats,  # type: ignore[arg-type]
        freeze_panes=(1, 0),
        autofilter=True,
        autofit=len(frame) < 100_000,  # which looks at each cell
    )


def _typed(series: pl.Series) -> tuple[pl.Series, str | None]:
    """(a column's values, the format in which they are shown as the text was)."""
    if series.dtype != pl.String or series.null_count() == len(series):
        return series, None

    def all_are(pattern: str) -> bool:
        return bool(series.drop_nulls().str.contains(pattern).all())

    if all_are(_AMOUNT):
        amounts = series.str.replace(",", ".", literal=True).cast(pl.Decimal(15, 2))
        return amounts, "#,##0.00"
    if all_are(_MONTH):
        return (series + "/01").str.to_date("%Y/%m/%d", strict=False), "yyyy/mm"
    if all_are(_DAY):
        return series.str.to_date("%Y/%m/%d", strict=False), "yyyy/mm/dd"
    if all_are(_WHOLE):
        return series.cast(pl.Int64), "0"
    return series, None
