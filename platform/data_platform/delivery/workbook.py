"""Exports as a workbook: a sheet each, numbers that can be added up, and dates that are dates."""

import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

import polars as pl

from data_platform.errors import PlatformError

_AMOUNT, _WHOLE = r"^-?[0-9]{1,13},[0-9]{2}$", r"^-?(0|[1-9][0-9]{0,14})$"
_MONTH, _DAY = r"^[0-9]{4}/[0-9]{2}$", r"^[0-9]{4}/[0-9]{2}/[0-9]{2}$"
_ROWS = 1_048_576  # of a sheet
_CHARACTERS = 32_767  # of a cell, in UTF-16
_HEADER = 255  # characters of a column's name
_FIRST_DAY = date(1900, 3, 1)  # before it, spreadsheets disagree
_NAME = 31  # characters of a sheet's


def check_fits(view: str, frame: pl.DataFrame) -> None:
    """Refuse what a sheet does not hold.

    Raises:
        PlatformError: it has too many rows, a text that is too long for a cell, or columns whose
            names a sheet does not hold.
    """
    most = _ROWS - 2  # the header, and the total
    if len(frame) > most:
        raise PlatformError(
            f"export {view} has {len(frame):,} rows, a sheet holds {most:,}; "
            "export it as csv or parquet"
        )
    alike: dict[str, str] = {}
    for name, type_ in frame.schema.items():
        if len(name) > _HEADER or re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", name):
            raise PlatformError(
                f"export {view}: a sheet's column cannot be called {name[:40]!r}: a name has at "
                f"most {_HEADER} characters, none that is unseen; name it anew"
            )
        other = alike.setdefault(name.lower(), name)
        if other != name:
            raise PlatformError(
                f"export {view}: a sheet takes columns {other} and {name} for one; name one anew"
            )
        if type_ != pl.String:
            continue
        beyond = frame[name].str.count_matches(r"[\x{10000}-\x{10FFFF}]")  # two units each
        longest = (frame[name].str.len_chars() + beyond).max()
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

    # Its parts are set down beside it, not where everybody's temporary files lie.
    parts = path.with_name(f"{path.name}.parts")
    parts.mkdir(mode=0o700)
    options = {"strings_to_formulas": False, "strings_to_urls": False, "tmpdir": str(parts)}
    try:
        with Workbook(path, options) as book:
            if not sheets:
                book.add_worksheet("nothing")
            strong = book.add_format({"bold": True})
            for (name, frame), title in zip(sheets.items(), sheet_names(sheets), strict=True):
                columns = [_typed(series) for series in frame]
                formats = {
                    series.name: shown_as for series, shown_as in columns if shown_as is not None
                }
                sheet = (
                    pl.DataFrame([series for series, _ in columns])
                    .write_excel(
                        book,
                        worksheet=title,
                        column_formats=formats,  # type: ignore[arg-type]
                        freeze_panes=(1, 0),
                        autofilter=True,
                        autofit=len(frame) < 100_000,  # which looks at each cell
                    )
                    .get_worksheet_by_name(title)
                )
                column, total = totals.get(name, ("", Decimal(0)))
                if not column or frame.is_empty():
                    continue
                row, at = len(frame) + 1, frame.columns.index(column)
                if at:
                    sheet.write_string(row, 0, "Total", strong)
                if columns[at][0].dtype == pl.String:
                    sheet.write_string(row, at, f"{total:.2f}".replace(".", ","), strong)
                    continue
                # Of the rows that a filter leaves, without one of all.
                formula = f"=SUBTOTAL(109,{xl_range(1, at, len(frame), at)})"
                amount = book.add_format({"bold": True, "num_format": formats[column]})
                sheet.write_formula(row, at, formula, amount, float(total))
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def sheet_names(names: Iterable[str]) -> list[str]:
    """Names that sheets may have, no two of them the same."""
    found: list[str] = []
    taken = {"history"}  # which Excel keeps for itself
    for number, name in enumerate(names):
        title = re.sub(r"[\[\]:*?/\\\x00-\x1f]", "_", name).strip("'") or "_"
        if len(title) > _NAME or title.lower() in taken:
            title = f"{title[: _NAME - 4]}~{number:03}"
        taken.add(title.lower())
        found.append(title)
    return found


def sheets_of(path: Path) -> list[str]:
    """The names of a workbook's sheets; none where it is no workbook."""
    try:
        with ZipFile(path) as book:
            listed = ElementTree.fromstring(book.read("xl/workbook.xml"))
    except (OSError, KeyError, BadZipFile, ElementTree.ParseError):
        return []
    return [one.attrib["name"] for one in listed.iter() if one.tag.endswith("}sheet")]


def _typed(series: pl.Series) -> tuple[pl.Series, str | None]:
    """(a column's values, the format in which they are shown as their text was)."""
    if series.dtype.is_integer():
        return series, "0"
    if series.dtype.is_decimal():
        scale = getattr(series.dtype, "scale", 0)
        return series, "#,##0.00" if scale == 2 else f"0.{'0' * scale}" if scale else "0"
    if series.dtype.is_float():
        return series, "General"
    if series.dtype != pl.String or series.null_count() == len(series):
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
