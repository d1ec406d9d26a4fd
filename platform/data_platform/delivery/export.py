"""The export step: every view of the exports schema becomes a file for a reader."""

import shutil
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl

from data_platform.delivery.export_query import export_query, view_name
from data_platform.delivery.workbook import check_fits, write_workbook
from data_platform.errors import PlatformError, is_about_values, without_values
from data_platform.files import replacing, writable_folder
from data_platform.lakehouse.connection import reading, require, writing
from data_platform.names import ExportFormat, Layer
from data_platform.record.exports import (
    control_column,
    exported_files,
    forget_export,
    record_export,
)
from data_platform.record.loads import last_load
from data_platform.record.transforms import change_number, last_transformed
from data_platform.settings import Settings
from data_platform.sql import literal, quoted

WORKBOOK = "exports.xlsx"
_LONGEST_LINE = 1 << 30  # of a file that is read back; the reader's own limit is 2 MB
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written."""

    path: Path
    rows: int
    # The amounts of its control column, read back from the file: as much as was invoiced.
    total: Decimal | None = None


def _check_up_to_date(connection: duckdb.DuckDBPyConnection) -> None:
    load, transformed = last_load(connection), last_transformed(connection)
    if load is None:
        raise PlatformError("nothing is loaded yet; run: data-platform run")
    if transformed != load.load_number:
        shown = "no load" if transformed is None else f"load {transformed}"
        raise PlatformError(
            f"the models are behind: they reflect {shown}, but load {load.load_number} "
            f"(as of {load.as_of}) is in the lakehouse; run: data-platform transform export"
        )


@dataclass(frozen=True)
class _Target:
    """A file, and the views whose rows it holds: one, or in a workbook all."""

    path: Path
    views: tuple[str, ...]
    file_format: ExportFormat


def _targets(folder: Path, views: Sequence[str], file_format: ExportFormat) -> list[_Target]:
    if file_format == ExportFormat.XLSX:
        return [_Target(folder / WORKBOOK, tuple(views), file_format)]
    formats = [file_format]
    if file_format == ExportFormat.EXCEL_FR:  # beside the file that it is made for
        formats.insert(0, ExportFormat.CSV)
    return [_Target(folder / f"{view}.{one}", (view,), one) for view in views for one in formats]


def _write(
    connection: duckdb.DuckDBPyConnection, target: _Target, path: Path
) -> tuple[int, Decimal | None]:
    """Write a file: (its rows, the total of its control column as it is read back)."""
    if target.file_format == ExportFormat.XLSX:
        return _write_workbook(connection, target, path)
    (view,) = target.views
    query = export_query(connection, view, target.file_format)
    if target.file_format == ExportFormat.EXCEL_FR:
        plain = path.with_name(f"{path.name}.plain")
        try:
            rows = _copied(connection, query, plain, "FORMAT csv, HEADER true, DELIM ';'")
            with plain.open("rb") as source, path.open("wb") as marked:
                marked.write(_BOM)
                shutil.copyfileobj(source, marked)
        finally:
            plain.unlink(missing_ok=True)
    else:
        is_csv = target.file_format == ExportFormat.CSV
        options = "FORMAT csv, HEADER true" if is_csv else "FORMAT parquet"
        rows = _copied(connection, query, path, options)
    return rows, _read_back(connection, view, target.file_format, path, rows)


def _copied(connection: duckdb.DuckDBPyConnection, query: str, path: Path, options: str) -> int:
    written = connection.execute(f"COPY ({query}) TO {literal(str(path))} ({options})").fetchone()
    return 0 if written is None else int(written[0])


def _write_workbook(
    connection: duckdb.DuckDBPyConnection, target: _Target, path: Path
) -> tuple[int, None]:
    sheets: dict[str, pl.DataFrame] = {}
    totals: dict[str, tuple[str, Decimal]] = {}
    for view in target.views:
        frame = connection.execute(export_query(connection, view, target.file_format)).pl()
        check_fits(view, frame)
        sheets[view] = frame
        control = control_column(connection, view)
        if control:
            amounts = frame[control].str.replace(",", ".").cast(pl.Decimal(38, 2))
            found = Decimal(amounts.sum() or 0)
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
    names = [name for name, *_ in connection.execute(f"DESCRIBE {view_name(view)}").fetchall()]
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    delimiter = ";" if file_format == ExportFormat.EXCEL_FR else ","
    source = (
        "read_parquet($path)"
        if file_format == ExportFormat.PARQUET
        else f"read_csv($path, header = true, auto_detect = false, delim = '{delimiter}', "
        f"quote = '\"', escape = '\"', max_line_size = {_LONGEST_LINE}, columns = {{{columns}}})"
    )
    control = control_column(connection, view)
    amount = "NULL"
    if control:
        amount = f"SUM(CAST(REPLACE({quoted(control)}, ',', '.') AS DECIMAL(18, 2)))"
    found = connection.execute(f"SELECT COUNT(*), {amount} FROM {source}", {"path": str(path)})
    counted, total = found.fetchone() or (0, None)
    if counted != rows:
        raise PlatformError(f"export {view}: {rows:,} rows were written, {counted:,} read back")
    return _as_invoiced(connection, view, control, total or Decimal(0)) if control else None


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


def _failed(
    connection: duckdb.DuckDBPyConnection, target: _Target, error: Exception
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


def _format_of(path: Path) -> ExportFormat | None:
    """The format of a file by its name; None where it is no export."""
    longest_first = sorted(ExportFormat, key=len, reverse=True)
    return next((one for one in longest_first if path.name.endswith(f".{one}")), None)


def _is_kept(
    path: Path, views: Collection[str], unchanged: Collection[str], shown: int | None, since: int
) -> bool:
    file_format = _format_of(path)
    if file_format is None or shown is None or shown < since:
        return False
    of = views if path.name == WORKBOOK else [path.name.removesuffix(f".{file_format}")]
    return {*of} <= {*unchanged}


def export(
    settings: Settings,
    file_format: ExportFormat = ExportFormat.CSV,
    output_dir: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    connection: duckdb.DuckDBPyConnection | None = None,
    unchanged: Collection[str] = (),
    since: int = 0,
) -> list[ExportedFile]:
    """Write every view of the exports schema to a file of its name, all of them or none.

    Each file is read back: its rows are counted, and where a column adds up to the total of the
    invoices, it is compared with that. From the platform's own exports folder
    files are removed whose view is gone, or that were written before production last changed: what
    lies there, in whatever format, shows what the lakehouse shows.

    Args:
        output_dir: where to; `data/exports` by default.
        progress: called with (files done, files in all).
        connection: one that this process has open already.
        unchanged: views that have not changed since production's change number `since`; their
            files are kept if they were written at that change or later.

    Raises:
        PlatformError: there is nothing to export, the models are behind the last load, or a file
            cannot be written.
    """
    folder = output_dir or settings.exports_dir
    require(settings.lakehouse)
    opened = (
        nullcontext(connection)
        if connection
        else writing(settings.lakehouse)
        if output_dir is None  # what its files show is written down
        else reading(settings.lakehouse, locked_down=False)
    )
    with opened as connection:
        _check_up_to_date(connection)
        views = [
            name
            for (name,) in connection.execute(
                "SELECT table_name FROM information_schema.tables "
                "WHERE table_schema = ? ORDER BY table_name",
                [Layer.EXPORTS],
            ).fetchall()
        ]
        writable_folder(folder)
        written: list[ExportedFile] = []
        shows = exported_files(connection)
        kept = [
            path
            for path in folder.iterdir()
            if _is_kept(path, views, unchanged, shows.get(path.name), since)
        ]
        targets = [one for one in _targets(folder, views, file_format) if one.path not in kept]
        with ExitStack() as replacements:
            for done, target in enumerate(targets):
                progress(done, len(targets))
                partial = replacements.enter_context(replacing(target.path))
                try:
                    rows, total = _write(connection, target, partial)
                except PlatformError:
                    raise
                except Exception as error:  # whatever DuckDB or Polars say
                    raise _failed(connection, target, error) from error
                written.append(ExportedFile(target.path, rows, total))
        progress(len(targets), len(targets))
        if output_dir is None:
            current = {path.name for path in (*kept, *(file.path for file in written))}
            _record_files(connection, folder, current, file_format)
    return written


def _record_files(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    current: Collection[str],
    file_format: ExportFormat,
) -> None:
    """Note what the files of the platform's own folder show, and remove what is out of date."""
    change, shows = change_number(connection), exported_files(connection)
    made = {one.file_format for one in _targets(folder, [""], file_format)}
    for path in folder.iterdir():
        found = _format_of(path)
        if path.name in current or found is None:
            continue
        if found in made or shows.get(path.name) != change:
            path.unlink()
            forget_export(connection, path.name)
    for name in current:
        record_export(connection, name, change)
