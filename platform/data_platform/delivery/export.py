"""The export step: every view of the exports schema becomes a file for a reader."""

from collections.abc import Callable, Collection
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl

from data_platform.delivery.workbook import write_sheet
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

SCHEMA = Layer.EXPORTS


_XLSX_ROWS = 1_048_575  # a sheet's rows, less the header


_XLSX_CHARACTERS = 32_767  # of a cell


_LONGEST_LINE = 1 << 30  # of a file that is read back; the reader's own limit is 2 MB


# A spreadsheet runs a cell that starts like this, unless it is a number. One that reads a CSV file
# with another separator than it was written with, as a French Excel does by double click, sees
# cells begin within a text.
_STARTS_A_FORMULA = r"[=+\-@＝＋－＠]"


_UNSEEN = r"[\s\"'\x00\x0B\x{A0}\x{AD}\x{200B}-\x{200F}\x{202F}\x{2060}\x{3000}\x{FEFF}]*"


_FORMULA = rf"^[\t\r\n]|^{_UNSEEN}{_STARTS_A_FORMULA}"


_FORMULA_WITHIN = rf"([,;|\t\r\n]{_UNSEEN})({_STARTS_A_FORMULA})"


_NUMBER = r"^[+-]?[0-9][0-9 .,]*$"


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written."""

    path: Path
    rows: int
    # The amounts of its control column, read back from the file: as much as was invoiced.
    total: Decimal | None = None


def _name(view: str) -> str:
    return f"{SCHEMA}.{quoted(view)}"


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


def _neutral(column: str, file_format: ExportFormat) -> str:
    """A text with an apostrophe before whatever a spreadsheet would run."""
    neutral = column
    if file_format == ExportFormat.CSV:
        neutral = f"REGEXP_REPLACE({column}, {literal(_FORMULA_WITHIN)}, '\\1''\\2', 'g')"
    return (
        f"CASE WHEN REGEXP_MATCHES({column}, {literal(_NUMBER)}) THEN {column} "
        f"WHEN REGEXP_MATCHES({column}, {literal(_FORMULA)}) THEN '''' || {neutral} "
        f"ELSE {neutral} END"
    )


def _select(connection: duckdb.DuckDBPyConnection, view: str, file_format: ExportFormat) -> str:
    """The view's rows, sorted by its columns from left to right, neutral in a spreadsheet."""
    source = _name(view)
    columns = connection.execute(f"DESCRIBE {source}").fetchall()
    selected = []
    for name, type_, *_ in columns:
        column = f"source.{quoted(name)}"
        if type_ == "VARCHAR" and file_format != ExportFormat.PARQUET:
            column = _neutral(column, file_format)
        selected.append(f"{column} AS {quoted(name)}")
    order = ", ".join(f"source.{quoted(name)} NULLS FIRST" for name, *_ in columns)
    return f"SELECT {', '.join(selected)} FROM {source} AS source ORDER BY {order}"


def _write(
    connection: duckdb.DuckDBPyConnection, view: str, file_format: ExportFormat, path: Path
) -> int:
    query = _select(connection, view, file_format)
    if file_format == ExportFormat.XLSX:
        frame = connection.execute(query).pl()
        if len(frame) > _XLSX_ROWS:
            raise PlatformError(
                f"export {view} has {len(frame):,} rows, a sheet holds {_XLSX_ROWS:,}; "
                "export it as csv or parquet"
            )
        for name, type_ in frame.schema.items():
            longest = frame[name].str.len_chars().max() if type_ == pl.String else None
            if isinstance(longest, int) and longest > _XLSX_CHARACTERS:
                raise PlatformError(
                    f"export {view}: column {name} has a text of {longest:,} characters, a sheet's "
                    f"cell holds {_XLSX_CHARACTERS:,}; export it as csv or parquet"
                )
        write_sheet(frame, path, view[:31])
        return len(frame)
    options = "FORMAT parquet" if file_format == ExportFormat.PARQUET else "FORMAT csv, HEADER true"
    written = connection.execute(f"COPY ({query}) TO {literal(str(path))} ({options})").fetchone()
    return 0 if written is None else int(written[0])


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
    if file_format == ExportFormat.XLSX:
        return None
    names = [name for name, *_ in connection.execute(f"DESCRIBE {_name(view)}").fetchall()]
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    source = (
        f"read_csv($path, header = true, auto_detect = false, delim = ',', quote = '\"', "
        f"escape = '\"', max_line_size = {_LONGEST_LINE}, columns = {{{columns}}})"
        if file_format == ExportFormat.CSV
        else "read_parquet($path)"
    )
    control = control_column(connection, view)
    amount = "NULL"
    if control:
        amount = f"SUM(CAST(REPLACE({quoted(control)}, ',', '.') AS DECIMAL(18, 2)))"
    found = connection.execute(f"SELECT COUNT(*), {amount} FROM {source}", {"path": str(path)})
    counted, total = found.fetchone() or (0, None)
    if counted != rows:
        raise PlatformError(f"export {view}: {rows:,} rows were written, {counted:,} read back")
    if not control:
        return None
    ledger = connection.execute("SELECT SUM(amount) FROM sources.app__invoices").fetchone()
    invoiced = ledger[0] if ledger and ledger[0] is not None else Decimal(0)
    if (total or Decimal(0)) != invoiced:
        raise PlatformError(
            f"export {view}: the amounts in column {control} come to {total or 0:,}, expected "
            f"{invoiced:,}, the total of the invoices"
        )
    return Decimal(invoiced)


def _failed(
    connection: duckdb.DuckDBPyConnection, view: str, path: Path, error: Exception
) -> PlatformError:
    """What to say when an export cannot be written: which, in which column, without values."""
    if isinstance(error, OSError):
        return PlatformError(f"export {view}: cannot write {path}: {error.strerror or error}")
    said = without_values(str(error)) if isinstance(error, duckdb.Error) else type(error).__name__
    if isinstance(error, duckdb.Error) and not is_about_values(str(error)):
        return PlatformError(f"export {view}: cannot write {path}: {said}")
    for name, *_ in connection.execute(f"DESCRIBE {_name(view)}").fetchall():
        try:
            connection.execute(f"SELECT MAX(CAST({quoted(name)} AS VARCHAR)) FROM {_name(view)}")
        except duckdb.Error:
            return PlatformError(f"export {view}: column {name} cannot be written: {said}")
    return PlatformError(f"export {view}: cannot write {path}: {said}")


def _is_kept(path: Path, unchanged: Collection[str], shown: int | None, since: int) -> bool:
    is_export = path.suffix[1:] in list(ExportFormat)
    return is_export and path.stem in unchanged and shown is not None and shown >= since


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
                [SCHEMA],
            ).fetchall()
        ]
        writable_folder(folder)
        written: list[ExportedFile] = []
        shows = exported_files(connection)
        kept = [
            path
            for path in folder.iterdir()
            if _is_kept(path, unchanged, shows.get(path.name), since)
        ]
        views = [view for view in views if folder / f"{view}.{file_format}" not in kept]
        with ExitStack() as replacements:
            for done, view in enumerate(views):
                progress(done, len(views))
                path = folder / f"{view}.{file_format}"
                partial = replacements.enter_context(replacing(path))
                try:
                    rows = _write(connection, view, file_format, partial)
                    total = _read_back(connection, view, file_format, partial, rows)
                except PlatformError:
                    raise
                except Exception as error:  # whatever DuckDB or Polars say
                    raise _failed(connection, view, path, error) from error
                written.append(ExportedFile(path, rows, total))
        progress(len(views), len(views))
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
    for path in folder.iterdir():
        if path.name in current or path.suffix[1:] not in list(ExportFormat):
            continue
        if path.suffix[1:] == file_format or shows.get(path.name) != change:
            path.unlink()
            forget_export(connection, path.name)
    for name in current:
        record_export(connection, name, change)
