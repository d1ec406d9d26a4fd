"""The rows of an export, as each format of file takes them: sorted, neutral in a spreadsheet."""

import re
from collections.abc import Mapping
from types import MappingProxyType

import duckdb

from data_platform.delivery.few_values import FewValues
from data_platform.names import ExportFormat, Layer
from data_platform.sql import literal, quoted

# A spreadsheet runs a cell that starts like this, unless it is a number. One that reads a CSV file
# with another separator than it was written with, as a French Excel does by double click, sees
# cells begin within a text.
_STARTS_A_FORMULA = r"[=+\-@＝＋－＠]"
_UNSEEN = r"[\s\"'\x00\x0B\x{A0}\x{AD}\x{200B}-\x{200F}\x{202F}\x{2060}\x{3000}\x{FEFF}]*"
# Without any of these there is none: most texts are looked through once.
_MAY_START_A_FORMULA = r"[\t\r\n=+\-@＝＋－＠]"
_FORMULA = rf"^[\t\r\n]|^{_UNSEEN}{_STARTS_A_FORMULA}"
_FORMULA_WITHIN = rf"([,;|\t\r\n]{_UNSEEN})({_STARTS_A_FORMULA})"
_NUMBER = r"^[+-]?[0-9][0-9 .,]*$"

_DECIMAL = re.compile(r"DECIMAL\(\d+,(\d+)\)")
_WHOLE = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
_MOMENT = re.compile(r"TIMESTAMP(_S|_MS|_NS)?")
# Whose texts are no formulas, whatever they say; those of all other types are looked at.
_HARMLESS = re.compile(
    rf"{_DECIMAL.pattern}|{_WHOLE.pattern}|DOUBLE|FLOAT|BOOLEAN|DATE|INTERVAL|UUID"
    r"|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?|TIME( WITH TIME ZONE)?"
)
_DIGITS = 15  # that a sheet's number keeps
# Spreadsheets disagree on the days before, and know none after.
_DAYS = "BETWEEN '1900-03-01' AND '9999-12-31'"


def view_name(view: str) -> str:
    """The qualified name of an export's view."""
    return f"{Layer.EXPORTS}.{quoted(view)}"


def export_query(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    file_format: ExportFormat,
    few: Mapping[str, FewValues] = MappingProxyType({}),
) -> str:
    """A query of the view's rows, sorted by its columns from left to right.

    Args:
        few: the text columns of few values, of a file of text.
    """
    columns = connection.execute(f"DESCRIBE {view_name(view)}").fetchall()
    texts = set()
    if file_format == ExportFormat.XLSX:
        texts = _texts_in_a_sheet(connection, view, {name: type_ for name, type_, *_ in columns})
    harmless = {name for name, one in few.items() if _is_harmless(connection, one, file_format)}
    cells, sources = [], []
    for name, type_, *_ in columns:
        column, source = quoted(name), f"source.{quoted(name)}"
        sources.append(f"CAST({column} AS {few[name].type}) AS {column}" if name in few else column)
        if name in few and name not in harmless:
            source = f"CAST({source} AS VARCHAR)"
        cell = source if name in harmless else _cell(source, type_, file_format, name in texts)
        cells.append(f"{cell} AS {column}")
    order = ", ".join(f"{quoted(name)} NULLS FIRST" for name, *_ in columns)
    # Cells are made of sorted rows, in whose order DuckDB keeps them: a sort of cells would carry
    # the columns that they are sorted by besides.
    rows = f"SELECT {', '.join(sources)} FROM {view_name(view)}"
    return f"SELECT {', '.join(cells)} FROM (SELECT * FROM ({rows}) ORDER BY {order}) AS source"


def _is_harmless(
    connection: duckdb.DuckDBPyConnection, column: FewValues, file_format: ExportFormat
) -> bool:
    """Whether a file of text has the values of a column as they are."""
    changed = f"SELECT 1 FROM ({column.values}) WHERE {_neutral('value', file_format)} <> value"
    return not connection.execute(f"{changed} LIMIT 1").fetchall()


def _texts_in_a_sheet(
    connection: duckdb.DuckDBPyConnection, view: str, types: dict[str, str]
) -> set[str]:
    """The columns that a sheet cannot hold as what they are, to the last digit: it gets texts."""
    fits = {name: _fits_a_sheet(quoted(name), type_) for name, type_ in types.items()}
    asked = {name: condition for name, condition in fits.items() if condition not in ("", "FALSE")}
    found = {name for name, condition in fits.items() if condition == "FALSE"}
    if asked:
        each = ", ".join(f"COALESCE(BOOL_AND({one}), TRUE)" for one in asked.values())
        row = connection.execute(f"SELECT {each} FROM {view_name(view)}").fetchone() or ()
        found |= {name for name, is_held in zip(asked, row, strict=True) if not is_held}
    return found


def _fits_a_sheet(column: str, type_: str) -> str:
    """A condition on which a cell holds a value as it is; empty where it always does."""
    if type_ in ("VARCHAR", "BOOLEAN"):
        return ""
    if decimal := _DECIMAL.fullmatch(type_):
        scale = int(decimal[1])
        return f"ABS({column}) < 1e{_DIGITS - scale}" if scale < _DIGITS else "FALSE"
    if _WHOLE.fullmatch(type_):
        return f"{column} BETWEEN -1e{_DIGITS}::HUGEINT AND 1e{_DIGITS}::HUGEINT"
    if type_ in ("DOUBLE", "FLOAT"):
        text = f"CAST({column} AS VARCHAR)"
        short = f"PRINTF('%.{_DIGITS}g', {text}::DOUBLE)::DOUBLE"
        return f"CASE WHEN NOT ISFINITE({column}) THEN FALSE ELSE {short} = {text}::DOUBLE END"
    if type_ == "DATE":
        return f"{column} {_DAYS}"
    if _MOMENT.fullmatch(type_):
        fits = f"{column}::DATE {_DAYS} AND DATE_TRUNC('millisecond', {column}) = {column}"
        return f"CASE WHEN NOT ISFINITE({column}) THEN FALSE ELSE {fits} END"
    return "FALSE"


def _cell(column: str, type_: str, file_format: ExportFormat, is_text: bool) -> str:
    """A column as a format takes it."""
    if file_format == ExportFormat.PARQUET:
        # Which would make a fraction of it.
        return f"CAST({column} AS DECIMAL(38, 0))" if type_ in ("HUGEINT", "UHUGEINT") else column
    text = f"CAST({column} AS VARCHAR)"
    if not _HARMLESS.fullmatch(type_):
        return _neutral(column if type_ == "VARCHAR" else text, file_format)
    is_fraction = type_ in ("DOUBLE", "FLOAT") or bool(_DECIMAL.fullmatch(type_))
    if file_format == ExportFormat.EXCEL_FR and is_fraction:
        return f"REPLACE({text}, '.', ',')"
    if file_format == ExportFormat.EXCEL_FR and type_ == "BOOLEAN":
        return f"CASE WHEN {column} THEN 'VRAI' WHEN NOT {column} THEN 'FAUX' END"
    if is_text:
        return text
    if file_format == ExportFormat.XLSX and type_ == "FLOAT":
        return f"CAST({text} AS DOUBLE)"  # 0.1, not its neighbour of more digits
    if file_format == ExportFormat.XLSX and _WHOLE.fullmatch(type_):
        return f"CAST({column} AS BIGINT)"
    return column


def _neutral(column: str, file_format: ExportFormat) -> str:
    """A text with an apostrophe before whatever a spreadsheet would run."""
    neutral = column
    if file_format != ExportFormat.XLSX:
        neutral = f"REGEXP_REPLACE({column}, {literal(_FORMULA_WITHIN)}, '\\1''\\2', 'g')"
    return (
        f"CASE WHEN NOT REGEXP_MATCHES({column}, {literal(_MAY_START_A_FORMULA)}) THEN {column} "
        f"WHEN REGEXP_MATCHES({column}, {literal(_NUMBER)}) THEN {column} "
        f"WHEN REGEXP_MATCHES({column}, {literal(_FORMULA)}) THEN '''' || {neutral} "
        f"ELSE {neutral} END"
    )
