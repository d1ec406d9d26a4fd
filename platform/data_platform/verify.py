"""The contract is checked before anything is touched: are the extracts what the manifest says?"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
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
    # Those that the contract does not know, and that the load was told to accept.
    unknown_columns: tuple[str, ...] = field(default=(), compare=False)


def refuse_unlisted(
    sources: Collection[str], listed: Collection[ExtractedFile], folder: Path
) -> None:
    """Refuse Parquet files that the manifest does not list: somebody has put them there.

    Args:
        sources: the sources that are loaded.
        listed: the manifest's files of these sources.
        folder: of the manifest.

    Raises:
        PlatformError: names the table and the file.
    """
    known = {folder / file.path for file in listed}
    for source in sources:
        for path in sorted((folder / source).rglob("*.parquet")):
            if path not in known and not path.name.startswith("."):
                file = path.relative_to(folder)
                raise PlatformError(
                    f"{'.'.join(file.parts[:2])}: file {file} is not in the manifest; expected "
                    "nothing but what it lists: remove the file, or extract again"
                )


def verify_file(
    table: SourceTable,
    file: ExtractedFile,
    folder: Path,
    as_of: date,
    loaded: Mapping[str, SeenFile],
    accepts_new_columns: bool = False,
) -> SeenFile:
    """Check a file against the manifest and the contract.

    A file that was loaded before and that nobody has touched since is not read again.

    Args:
        folder: of the manifest.
        as_of: no date may lie after it.
        loaded: the files that the lakehouse holds, by path.
        accepts_new_columns: a column that the contract does not know is noted, not refused.

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
    if (known := loaded.get(file.path)) == seen:
        return known
    if (found := file_digest(path)) != file.digest:
        raise PlatformError(
            f"{where} was changed or cut short: expected digest {file.digest[:12]}…, "
            f"found {found[:12]}…; extract again"
        )
    unknown = _verify_content(where, table, file, path, as_of, accepts_new_columns)
    return replace(seen, unknown_columns=unknown)


def _verify_content(
    where: str,
    table: SourceTable,
    file: ExtractedFile,
    path: Path,
    as_of: date,
    accepts_new_columns: bool,
) -> tuple[str, ...]:
    """Check a file's columns, rows and days; the columns that the contract does not know."""
    try:
        frame = pl.scan_parquet(path)
        unknown = _verify_columns(where, table, frame.collect_schema(), accepts_new_columns)
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
    return unknown


def _verify_columns(
    where: str, table: SourceTable, found: Mapping[str, pl.DataType], accepts_new_columns: bool
) -> tuple[str, ...]:
    expected = table.polars_schema
    for name, type_ in expected.items():
        if name not in found:
            raise PlatformError(
                f"{where} lacks column {name}; expected {', '.join(expected)}, "
                f"found {', '.join(found)}"
            )
        if found[name] != type_:
            raise PlatformError(f"{where}: column {name} has type {found[name]}, expected {type_}")
    added = tuple(name for name in found if name not in expected)
    if added and not accepts_new_columns:
        raise PlatformError(
            f"{where} has column {added[0]}, which the contract does not know; expected "
            f"{', '.join(expected)}; to load it without this column: --accept-new-columns"
        )
    if [name for name in found if name in expected] != list(expected):
        raise PlatformError(
            f"{where} has its columns in another order: expected {', '.join(expected)}, "
            f"found {', '.join(found)}"
        )
    return added
