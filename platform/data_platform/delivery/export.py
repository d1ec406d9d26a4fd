"""The export step: every view of the exports schema becomes a file for a reader."""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

import duckdb

from data_platform.delivery.export_files import (
    WORKBOOK,
    Target,
    failure_of,
    format_of,
    shown_by,
    targets_of,
    write,
)
from data_platform.delivery.workbook import sheet_names, sheets_of
from data_platform.errors import PlatformError
from data_platform.files import remove_left, replacing, writable_folder
from data_platform.lakehouse.connection import reading, require, writing
from data_platform.lakehouse.limits import within_memory
from data_platform.lakehouse.stores import store_of
from data_platform.names import ExportFormat, Layer
from data_platform.record.exports import (
    exported_files,
    forget_export,
    record_export,
)
from data_platform.record.transforms import change_number, require_up_to_date
from data_platform.settings import Settings
from data_platform.sql import transaction


@dataclass(frozen=True)
class Exported:
    """What an export wrote, and which files it removed, as they showed an earlier state."""

    files: tuple["ExportedFile", ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportedFile:
    """A file that was written."""

    path: Path
    rows: int
    # The amounts of its control column, read back from the file: as much as was invoiced.
    total: Decimal | None = None


def _is_kept(
    path: Path, views: Collection[str], unchanged: Collection[str], shown: int | None, since: int
) -> bool:
    if shown is None or shown < since:
        return False
    if path.name == WORKBOOK:  # which has a sheet too of an export that is gone
        return {*views} <= {*unchanged} and sheets_of(path) == sheet_names(views)
    return bool(shown_by(path, [*unchanged]))


def export(
    settings: Settings,
    formats: Sequence[ExportFormat] = (ExportFormat.CSV,),
    output_dir: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    connection: duckdb.DuckDBPyConnection | None = None,
    unchanged: Collection[str] = (),
    since: int = 0,
) -> Exported:
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
    if store_of(settings).is_shared:  # the record tells of the files of whoever exported last
        unchanged = ()
    require(settings)
    with ExitStack() as opened:
        if connection is None and output_dir is not None:
            connection = opened.enter_context(reading(settings, locked_down=False))
        else:  # what its files show is written down
            connection = connection or opened.enter_context(writing(settings))
        require_up_to_date(connection)
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
        targets = [one for one in targets_of(folder, views, formats) if one.path not in kept]
        for target in targets:
            remove_left(target.path)
        with ExitStack() as replacements:
            for done, target in enumerate(targets):
                progress(done, len(targets))

                place = replacements.enter_context(replacing(target.path))
                attempt = partial(_write, settings, connection, target, place)
                try:
                    rows, total = within_memory(connection, attempt)
                except PlatformError:
                    raise
                except Exception as error:  # whatever DuckDB or Polars say
                    raise failure_of(connection, target, error) from error
                written.append(ExportedFile(target.path, rows, total))
        progress(len(targets), len(targets))
        removed: tuple[str, ...] = ()
        if output_dir is None:
            current = {path.name for path in (*kept, *(file.path for file in written))}
            with transaction(connection):
                removed = _record_files(connection, folder, current, formats)
    return Exported(tuple(written), removed)


def _write(
    settings: Settings, connection: duckdb.DuckDBPyConnection, target: Target, place: Path
) -> tuple[int, Decimal | None]:
    """Write a file; where that fails, the connection can go on."""
    try:
        return write(connection, target, place)
    except Exception:  # whatever DuckDB or Polars say
        store_of(settings).look_again(connection)
        raise


def _record_files(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    current: Collection[str],
    formats: Sequence[ExportFormat],
) -> tuple[str, ...]:
    """Note what the files of the platform's own folder show, and remove what is out of date.

    The files of other formats that were removed.
    """
    removed = []
    change, shows = change_number(connection), exported_files(connection)
    for path in folder.iterdir():
        found = format_of(path)
        if path.name in current or found is None or path.is_dir():
            continue
        if found in formats or shows.get(path.name) != change:
            path.unlink()
            forget_export(connection, path.name)
            if found not in formats:
                removed.append(path.name)
    for name in current:
        record_export(connection, name, change)
    return tuple(sorted(removed))
