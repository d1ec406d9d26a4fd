"""The contract is checked before anything is touched: are the extracts what the manifest says?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from data_platform.contract import SourceTable
from data_platform.errors import PlatformError
from data_platform.files import file_digest
from data_platform.manifest import ExtractedFile


@dataclass(frozen=True)
class SeenFile:
    """A file whose content was verified, and how the file system described it then."""

    file: ExtractedFile
    size: int
    modified_ns: int


def verify_file(
    table: SourceTable,
    file: ExtractedFile,
    folder: Path,
    as_of: date,
    loaded: Mapping[str, SeenFile],
) -> SeenFile:
    """Check a file against the manifest and the contract.

    A file that was loaded before and that nobody has touched since is not read again.

    Args:
        folder: of the manifest.
        as_of: no date may lie after it.
        loaded: the files that the lakehouse holds, by path.

    Raises:
        PlatformError: names the table, the file or column, what was expected and found.
    """
    path = folder / file.path
    where = f"{table.key}: file {file.path}"
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PlatformError(f"{where} lies outside of the extracts' folder {folder}")
    if not path.is_file():
        raise PlatformError(f"{where} is in the manifest but not in {folder}; extract again")
    stat = path.stat()
    seen = SeenFile(file, stat.st_size, stat.st_mtime_ns)
    if loaded.get(file.path) == seen:
        return seen
    if (found := file_digest(path)) != file.digest:
        raise PlatformError(
            f"{where} was changed or cut short: expected digest {file.digest[:12]}…, "
            f"found {found[:12]}…; extract again"
        )
    _verify_content(where, table, file, path, as_of)
    return seen


def _verify_content(
    where: str, table: SourceTable, file: ExtractedFile, path: Path, as_of: date
) -> None:
    try:
        frame = pl.scan_parquet(path)
        _verify_columns(where, table, frame.collect_schema())
        latest = [pl.col(name).max().alias(f"latest {name}") for name in table.date_columns]
        if event := table.event_column:
            latest.append(pl.col(event).min().alias("first"))
        found = frame.select(pl.len().alias("rows"), *latest).collect().row(0, named=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PlatformError(f"{where} is not a Parquet file; extract again") from error
    if found["rows"] != file.rows:
        raise PlatformError(
            f"{where} has {found['rows']} rows, expected {file.rows}; extract again"
        )
    for name in table.date_columns:
        if (day := found[f"latest {name}"]) is not None and day > as_of:
            raise PlatformError(
                f"{where}: column {name} has {day}, expected nothing after the as-of date {as_of}"
            )
    if event:
        first, last = found["first"], found[f"latest {event}"]
        if (first, last) != (file.first_date, file.last_date):
            raise PlatformError(
                f"{where}: column {event} goes from {first} to {last}, "
                f"expected {file.first_date} to {file.last_date}; extract again"
            )


def _verify_columns(where: str, table: SourceTable, found: Mapping[str, pl.DataType]) -> None:
    expected = table.polars_schema
    for name, type_ in expected.items():
        if name not in found:
            raise PlatformError(
                f"{where} lacks column {name}; expected {', '.join(expected)}, "
                f"found {', '.join(found)}"
            )
        if found[name] != type_:
            raise PlatformError(f"{where}: column {name} has type {found[name]}, expected {type_}")
    if added := [name for name in found if name not in expected]:
        raise PlatformError(
            f"{where} has column {added[0]}, which the contract does not know; "
            f"expected {', '.join(expected)}"
        )
    if list(found) != list(expected):
        raise PlatformError(
            f"{where} has its columns in another order: expected {', '.join(expected)}, "
            f"found {', '.join(found)}"
        )
