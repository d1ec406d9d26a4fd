"""The rows of an export, as each format of file takes them: sorted, neutral in a spreadsheet."""

import duckdb

from data_platform.names import ExportFormat, Layer
from data_platform.sql import literal, quoted

# A spreadsheet runs a cell that starts like this, unless it is a number. One that reads a CSV file
# with another separator than it was written with, as a French Excel does by double click, sees
# cells begin within a text.
_STARTS_A_FORMULA = r"[=+\-@＝＋－＠]"
_UNSEEN = r"[\s\"'\x00\x0B\x{A0}\x{AD}\x{200B}-\x{200F}\x{202F}\x{2060}\x{3000}\x{FEFF}]*"
_FORMULA = rf"^[\t\r\n]|^{_UNSEEN}{_STARTS_A_FORMULA}"
_FORMULA_WITHIN = rf"([,;|\t\r\n]{_UNSEEN})({_STARTS_A_FORMULA})"
_NUMBER = r"^[+-]?[0-9][0-9 .,]*$"

_FRACTIONS = ("DECIMAL", "DOUBLE", "FLOAT")
# What a sheet's cell holds as what it is; anything else is written as its text.
_IN_CELLS = (
    *_FRACTIONS, "VARCHAR", "BOOLEAN", "DATE",
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
)  # fmt: skip


def view_name(view: str) -> str:
    """The qualified name of an export's view."""
    return f"{Layer.EXPORTS}.{quoted(view)}"


def export_query(
    connection: duckdb.DuckDBPyConnection, view: str, file_format: ExportFormat
) -> str:
    """A query of the view's rows, sorted by its columns from left to right."""
    columns = connection.execute(f"DESCRIBE {view_name(view)}").fetchall()
    selected = ", ".join(
        f"{_cell(f'source.{quoted(name)}', type_, file_format)} AS {quoted(name)}"
        for name, type_, *_ in columns
    )
    order = ", ".join(f"source.{quoted(name)} NULLS FIRST" for name, *_ in columns)
    return f"SELECT {selected} FROM {view_name(view)} AS source ORDER BY {order}"


def _cell(column: str, type_: str, file_format: ExportFormat) -> str:
    """A column as a format takes it."""
    match file_format:
        case ExportFormat.PARQUET:
            return column
        case ExportFormat.EXCEL_FR if type_.startswith(_FRACTIONS) and not type_.endswith("]"):
            return f"REPLACE(CAST({column} AS VARCHAR), '.', ',')"
        case ExportFormat.EXCEL_FR if type_ == "BOOLEAN":
            return f"CASE WHEN {column} THEN 'VRAI' WHEN NOT {column} THEN 'FAUX' END"
        case ExportFormat.XLSX if type_.partition("(")[0] not in _IN_CELLS and type_ != "TIMESTAMP":
            return _neutral(f"CAST({column} AS VARCHAR)", file_format)
    return _neutral(column, file_format) if type_ == "VARCHAR" else column


def _neutral(column: str, file_format: ExportFormat) -> str:
    """A text with an apostrophe before whatever a spreadsheet would run."""
    neutral = column
    if file_format != ExportFormat.XLSX:
        neutral = f"REGEXP_REPLACE({column}, {literal(_FORMULA_WITHIN)}, '\\1''\\2', 'g')"
    return (
        f"CASE WHEN REGEXP_MATCHES({column}, {literal(_NUMBER)}) THEN {column} "
        f"WHEN REGEXP_MATCHES({column}, {literal(_FORMULA)}) THEN '''' || {neutral} "
        f"ELSE {neutral} END"
    )
