"""Sheets of XLSX files as texts: each cell as exactly as the file holds it."""

import re
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from data_platform.errors import PlatformError

_ERROR = re.compile(rb"<c\b[^>]*\bt=[\"']e[\"']")


def sheet_as_texts(path: Path, sheet: str | None, where: str) -> pl.DataFrame:
    """The rows of a sheet below its line of names.

    Args:
        sheet: its name; without one, the file is to have one alone.
        where: which table and file this is, for errors.

    Raises:
        PlatformError: there is no such sheet, or it has no line of names, or the reader is missing.
    """
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError as error:
        raise PlatformError(
            f"{where} is a spreadsheet, whose reader is not installed; run: "
            ".venv/bin/uv pip install python-calamine"
        ) from error
    try:
        with CalamineWorkbook.from_path(path) as book:
            names = book.sheet_names
            if sheet is None and len(names) > 1:
                raise PlatformError(
                    f"{where} has the sheets {', '.join(names)}; say which: sheet: {names[0]}"
                )
            if sheet is not None and sheet not in names:
                raise PlatformError(f"{where} has no sheet {sheet}; it has {', '.join(names)}")
            rows = book.get_sheet_by_name(sheet or names[0]).to_python(skip_empty_area=True)
    except CalamineError as error:
        raise PlatformError(f"{where} cannot be read as a spreadsheet; is it complete?") from error
    if errors := _cells_in_error(path):
        raise PlatformError(
            f"{where} has {errors:,} cells in error, like #DIV/0! or #REF!; mend them in the sheet"
        )
    if not rows:
        raise PlatformError(f"{where} is empty; expected a line of names at least")
    header, *body = rows
    columns = zip(*body, strict=True) if body else [()] * len(header)
    return pl.DataFrame(
        [
            pl.Series(str(name), [_text(value) for value in values], dtype=pl.String)
            for name, values in zip(header, columns, strict=True)
        ]
    )


def _cells_in_error(path: Path) -> int:
    """How many cells of a workbook are errors, which the reader gives as empty ones."""
    with zipfile.ZipFile(path) as book:
        sheets = [name for name in book.namelist() if name.startswith("xl/worksheets/")]
        return sum(len(_ERROR.findall(book.read(name))) for name in sheets)


def _text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        case datetime():
            return value.isoformat(" ")
        case date():
            return value.isoformat()
        case _:
            return str(value)
