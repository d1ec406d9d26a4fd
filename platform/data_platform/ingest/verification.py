"""The contract is checked before anything is touched: are the extracts what the manifest says?"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from data_platform.errors import PlatformError
from data_platform.files import file_digest
from data_platform.record.loaded_files import ExtractedFile, SeenFile
from data_platform.record.loads import Batch
from data_platform.simulation import FIRST_DAY
from data_platform.sources.column import Column
from data_platform.sources.contract import SourceTable

_EPOCH, _FIRST = date(1970, 1, 1), date(1, 1, 1)


_DAY = 24 * 60 * 60 * 1_000_000  # in microseconds, of which a timestamp is a number


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
    paths = [file.path for file in listed]
    if twice := next((path for path, count in Counter(paths).items() if count > 1), None):
        raise PlatformError(f"file {twice} is in the manifest twice; extract again")
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
    batch: Batch,
    loaded: Mapping[str, SeenFile],
    accepts_new_columns: bool = False,
) -> SeenFile:
    """Check a file against the manifest and the contract.

    A file that was loaded before and that nobody has touched since is not read again.

    Args:
        folder: of the manifest.
        batch: no date may lie after its as-of date; of a real application, no event or start.
        loaded: the files that the lakehouse holds, by path.
        accepts_new_columns: a column that the contract does not know is noted, not refused.

    Raises:
        PlatformError: names the table, the file or column, what was expected and found.
    """
    path = folder / file.path
    where = f"{table.key}: file {file.path}"
    is_within = path.resolve().is_relative_to(folder.resolve())
    if not is_within or str(Path(file.path)) != file.path:
        raise PlatformError(
            f"{where} lies outside of the extracts' folder, or has dots in its path"
        )
    if not path.is_file():
        raise PlatformError(
            f"{where} is in the manifest but not in the folder of the extracts; extract again"
        )
    stat = path.stat()
    seen = SeenFile(file, stat.st_size, stat.st_mtime_ns)
    if (known := loaded.get(file.path)) == seen:
        return known
    if (found := file_digest(path)) != file.digest:
        raise PlatformError(
            f"{where} was changed or cut short: expected digest {file.digest[:12]}…, "
            f"found {found[:12]}…; extract again"
        )
    unknown = _verify_content(where, table, file, path, batch, accepts_new_columns)
    return replace(seen, unknown_columns=unknown)


def _verify_content(
    where: str,
    table: SourceTable,
    file: ExtractedFile,
    path: Path,
    batch: Batch,
    accepts_new_columns: bool,
) -> tuple[str, ...]:
    """Check a file's columns, rows and values; the columns that the contract does not know."""
    try:
        frame = pl.scan_parquet(path)
        unknown = _verify_columns(where, table, frame.collect_schema(), accepts_new_columns)
        rows = frame.select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PlatformError(f"{where} is not a Parquet file; extract again") from error
    if rows != file.rows:
        raise PlatformError(f"{where} has {rows} rows, expected {file.rows}; extract again")
    for column in table.columns:
        try:
            _verify_values(where, table, column, frame, rows, batch)
        except pl.exceptions.PolarsError as error:  # what it says may quote the value
            raise PlatformError(
                f"{where}: column {column.name} cannot be read as {column.type}"
                f"{', its text is not valid UTF-8' if column.type == 'VARCHAR' else ''}; "
                "extract again"
            ) from error
    if event := table.event_column:
        day = pl.col(event)
        first, last = frame.select(day.min().alias("a"), day.max().alias("b")).collect().row(0)
        if (first, last) != (file.first_date, file.last_date):
            raise PlatformError(
                f"{where}: column {event} goes from {first} to {last}, "
                f"expected {file.first_date} to {file.last_date}; extract again"
            )
    return unknown


def _verify_values(
    where: str, table: SourceTable, column: Column, frame: pl.LazyFrame, rows: int, batch: Batch
) -> None:
    """Check the values of one column: nulls, days, numbers that are none; texts are decoded."""
    of, at = pl.col(column.name), f"{where}: column {column.name}"
    asked = [of.null_count().alias("nulls")]
    is_bounded = not batch.is_real or column.name == table.begins_on
    lowest, highest = _FIRST, batch.as_of if is_bounded else date.max
    if column.type == "VARCHAR":
        asked.append(of.str.len_bytes().max().alias("bytes"))  # decodes them all
    elif column.type in ("DATE", "TIMESTAMP"):
        lowest = FIRST_DAY if column.name in table.bounded_columns else _FIRST
        lowest = max(lowest, column.not_before or lowest)
        highest = min(highest, column.not_after or highest)
        unit = 1 if column.type == "DATE" else _DAY  # a day, in what is counted
        number = of.to_physical()
        below = number < (lowest - _EPOCH).days * unit
        above = number >= ((highest - _EPOCH).days + 1) * unit
        asked += [below.sum().alias("below"), above.sum().alias("above")]
        asked += [(number // unit).min().alias("first"), (number // unit).max().alias("last")]
    elif column.type == "DOUBLE":
        asked.append((~of.is_finite()).sum().alias("infinite"))
    found = frame.select(asked).collect().row(0, named=True)
    if found["nulls"] and not column.nullable:
        raise PlatformError(
            f"{at} is null in {found['nulls']:,} of {rows:,} rows, expected in none; extract again"
        )
    if found.get("below"):
        what = {FIRST_DAY: "the company's first day", _FIRST: "what a date can be"}.get(
            lowest, "as the contract says"
        )
        raise PlatformError(
            f"{at} has {_day(found['first'])}, expected nothing before {lowest}, {what}; "
            f"{found['below']:,} of {rows:,} rows are earlier"
        )
    if found.get("above"):
        which = "the as-of date" if highest == batch.as_of else "the contract's last day"
        raise PlatformError(
            f"{at} has {_day(found['last'])}, expected nothing after {which} {highest}; "
            f"{found['above']:,} of {rows:,} rows are later"
        )
    if found.get("infinite"):
        raise PlatformError(
            f"{at} is infinite or no number in {found['infinite']:,} of {rows:,} rows, expected in "
            "none"
        )


def _day(number: int) -> str:
    """A day by its number since 1970, in whatever year; Python's own dates begin with year 1."""
    return str(np.datetime64(number, "D"))


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
    lower = [name.lower() for name in found]
    if twice := next((name for name in found if lower.count(name.lower()) > 1), None):
        raise PlatformError(
            f"{where} has column {twice} twice, in another case or the same: expected each name "
            f"once, found {', '.join(found)}"
        )
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
