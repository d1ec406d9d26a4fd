"""The files of exports: what each holds, how it is written, and read back."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl

from data_platform.delivery.export_query import export_query, view_name
from data_platform.delivery.few_values import columns_of_few_values
from data_platform.delivery.workbook import check_fits, write_workbook
from data_platform.errors import PlatformError, is_about_values, without_values
from data_platform.names import ExportFormat
from data_platform.record.exports import control_column
from data_platform.sql import literal, quoted

WORKBOOK = "exports.xlsx"
_LONGEST_NAME = 200  # bytes of a file's, less what stands around it while it is written
# Bytes of a line of a file that is read back, at most: mostly, and in any file; and of a buffer,
# which is 16 times a line where nothing is said.
_USUAL_LINE, _LONGEST_LINE, _BUFFER = 2_000_000, 1 << 28, 32_000_000
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Target:
    """A file, and the views whose rows it holds: one, or in a workbook all."""

    path: Path
    views: tuple[str, ...]
    file_format: ExportFormat


def targets_of(folder: Path, views: Sequence[str], formats: Sequence[ExportFormat]) -> list[Target]:
    """The files to write.

    Raises:
        PlatformError: an export's name cannot be a file's, or a folder is in a file's place.
    """
    found: dict[Path, Target] = {}
    for file_format in formats:
        if file_format == ExportFormat.XLSX:
            found[folder / WORKBOOK] = Target(folder / WORKBOOK, tuple(views), file_format)
            continue
        for view in views:
            path = folder / f"{view}.{file_format}"
            if path.parent != folder or len(path.name.encode()) > _LONGEST_NAME:
                raise PlatformError(f"export {view!r}: its name cannot be a file's; name it anew")
            if path in found:
                taken = found[path].views[0]
                raise PlatformError(f"exports {taken} and {view} would both be {path.name}")
            found[path] = Target(path, (view,), file_format)
    for path, target in found.items():
        if path.is_dir():
            raise PlatformError(f"export {target.views[0]}: {path} is a folder; remove it")
    return [*found.values()]


def format_of(path: Path) -> ExportFormat | None:
    """The format of a file by its name; None where it is no export."""
    longest_first = sorted(ExportFormat, key=len, reverse=True)
    return next((one for one in longest_first if path.name.endswith(f".{one}")), None)


def shown_by(path: Path, views: Sequence[str]) -> tuple[str, ...]:
    """Which of the exports' views a file shows, by its name."""
    if path.name == WORKBOOK:
        return tuple(views)
    file_format = format_of(path)
    view = path.name.removesuffix(f".{file_format}")
    return (view,) if file_format and view in views else ()


def write(
    connection: duckdb.DuckDBPyConnection, target: Target, path: Path
) -> tuple[int, Decimal | None]:
    """Write a file: (its rows, the total of its control column as it is read back)."""
    if target.file_format == ExportFormat.XLSX:
        return _write_workbook(connection, target, path)
    (view,), file_format = target.views, target.file_format
    if file_format == ExportFormat.PARQUET:
        query = export_query(connection, view, file_format)
        rows = _copied(connection, query, path, "FORMAT parquet")
    else:
        with columns_of_few_values(connection, view_name(view)) as few:
            query = export_query(connection, view, file_format, few)
            rows = _write_text(connection, query, file_format, path)
    return rows, _read_back(connection, view, file_format, path, rows)


def _write_text(
    connection: duckdb.DuckDBPyConnection, query: str, file_format: ExportFormat, path: Path
) -> int:
    if file_format != ExportFormat.EXCEL_FR:
        return _copied(connection, query, path, "FORMAT csv, HEADER true")
    plain = path.with_name(f"{path.name}.plain")
    try:
        rows = _copied(connection, query, plain, "FORMAT csv, HEADER true, DELIM ';'")
        with plain.open("rb") as source, path.open("wb") as marked:
            marked.write(_BOM)
            shutil.copyfileobj(source, marked)
    finally:
        plain.unlink(missing_ok=True)
    return rows


def _copied(connection: duckdb.DuckDBPyConnection, query: str, path: Path, options: str) -> int:
    written = connection.execute(f"COPY ({query}) TO {literal(str(path))} ({options})").fetchone()
    return 0 if written is None else int(written[0])


def _write_workbook(
    connection: duckdb.DuckDBPyConnection, target: Target, path: Path
) -> tuple[int, None]:
    sheets: dict[str, pl.DataFrame] = {}
    totals: dict[str, tuple[str, Decimal]] = {}
    for view in target.views:
        try:
            frame = connection.execute(export_query(connection, view, target.file_format)).pl()
        except Exception as error:
            raise failure_of(connection, replace(target, views=(view,)), error) from error
        check_fits(view, frame)
        sheets[view] = frame
        control = control_column(connection, view)
        if control:
            texts = frame[control].cast(pl.String).str.replace(",", ".")
            found = Decimal(texts.cast(pl.Decimal(38, 2)).sum() or 0)
            totals[view] = control, _as_invoiced(connection, view, control, found)
    write_workbook(sheets, totals, path)
    return sum(len(frame) for frame in sheets.values()), None


def _read_back(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    file_format: ExportFormat,
    path: Path,
    rows: int,
) -> Decimal | None:
    """Read a file again: are its rows all there, and do its amounts come to what was invoiced?

    The total of the view's control column, None where it has none.

    Raises:
        PlatformError: names what was expected and found.
    """
    described = connection.execute(f"DESCRIBE {view_name(view)}").fetchall()
    texts = {name: "VARCHAR" for name, *_ in described}
    control = control_column(connection, view)
    column = quoted(control) if control else "NULL"
    as_text = f"CAST(REPLACE(CAST({column} AS VARCHAR), ',', '.') AS DECIMAL(18, 2))"
    with closing(connection.cursor()) as reader:  # whose errors end no transaction
        if file_format == ExportFormat.PARQUET:
            counted, total = _counted(reader, f"read_parquet({literal(str(path))})", as_text)
        else:
            types = {**texts, control: "DECIMAL(18, 2)"} if control else texts
            try:
                source = _csv(path, file_format, types, _USUAL_LINE)
                counted, total = _counted(reader, source, column)
            except (duckdb.ConversionException, duckdb.InvalidInputException):
                # Decimal points, or a very long text: in twice the time.
                longest = min(max(path.stat().st_size, _USUAL_LINE), _LONGEST_LINE)
                source = _csv(path, file_format, texts, longest)
                counted, total = _counted(reader, source, as_text)
    if counted != rows:
        raise PlatformError(f"export {view}: {rows:,} rows were written, {counted:,} read back")
    return _as_invoiced(connection, view, control, total or Decimal(0)) if control else None


def _counted(
    reader: duckdb.DuckDBPyConnection, source: str, amount: str
) -> tuple[int, Decimal | None]:
    counted, total = reader.execute(f"SELECT COUNT(*), SUM({amount}) FROM {source}").fetchall()[0]
    return counted, total


def _csv(path: Path, file_format: ExportFormat, types: Mapping[str, str], line: int) -> str:
    """What DuckDB selects from to read a file of text, whose lines are at most so many bytes."""
    columns = ", ".join(f"{literal(name)}: '{type_}'" for name, type_ in types.items())
    delimiter = ";" if file_format == ExportFormat.EXCEL_FR else ","
    return (
        f"read_csv({literal(str(path))}, header = true, auto_detect = false, "
        f"delim = '{delimiter}', quote = '\"', escape = '\"', decimal_separator = ',', "
        f"max_line_size = {line}, buffer_size = {max(line, _BUFFER)}, columns = {{{columns}}})"
    )


def _as_invoiced(
    connection: duckdb.DuckDBPyConnection, view: str, control: str, total: Decimal
) -> Decimal:
    """The total of a view's control column.

    Raises:
        PlatformError: it is not what was invoiced.
    """
    ledger = connection.execute("SELECT SUM(amount) FROM sources.app__invoices").fetchone()
    invoiced = ledger[0] if ledger and ledger[0] is not None else Decimal(0)
    if total != invoiced:
        raise PlatformError(
            f"export {view}: the amounts in column {control} come to {total:,}, expected "
            f"{invoiced:,}, the total of the invoices"
        )
    return Decimal(invoiced)


def failure_of(
    connection: duckdb.DuckDBPyConnection, target: Target, error: Exception
) -> PlatformError:
    """What to say when an export cannot be written: which, in which column, without values."""
    path, view = target.path, ", ".join(target.views)
    if isinstance(error, OSError):
        return PlatformError(f"export {view}: cannot write {path}: {error.strerror or error}")
    said = without_values(str(error)) if isinstance(error, duckdb.Error) else type(error).__name__
    if isinstance(error, duckdb.Error) and not is_about_values(str(error)):
        return PlatformError(f"export {view}: cannot write {path}: {said}")
    for one in target.views:
        for name, *_ in connection.execute(f"DESCRIBE {view_name(one)}").fetchall():
            longest = f"SELECT MAX(CAST({quoted(name)} AS VARCHAR)) FROM {view_name(one)}"
            try:
                connection.execute(longest)
            except duckdb.Error:
                return PlatformError(f"export {one}: column {name} cannot be written: {said}")
    return PlatformError(f"export {view}: cannot write {path}: {said}")
