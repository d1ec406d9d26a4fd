"""A drop folder: an application that delivers its tables as CSV, Parquet or XLSX files.

crm:
  kind: files
  folder: drop/crm              # from the folder of sources.yaml; or folder_env: a variable with it
  deliveries: newest            # the last one that has a file of each table, or `all` of them
  delimiter: ","                # of CSV files; `decimal` and `encoding` too
  time_zone: Europe/Paris       # what a time without its zone means there
  tables:
    customers: {files: "customers_*.csv", columns: {email: mail}, sheet: Clients}
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from data_platform.errors import PlatformError
from data_platform.settings import SOURCES_FILE
from data_platform.simulation import Simulation
from data_platform.sources.column import Column
from data_platform.sources.contract import SourceTable
from data_platform.sources.cursor import Cursor, Since
from data_platform.sources.entries import Entry
from data_platform.sources.exact import Misfits, checked, from_texts, unknown_and_missing
from data_platform.sources.files.csv_text import csv_blocks
from data_platform.sources.files.spreadsheet import sheet_as_texts
from data_platform.sources.real import RealSource, Session

_OPTIONS = (
    "folder", "folder_env", "deliveries", "delimiter", "decimal", "encoding", "time_zone", "tables",
)  # fmt: skip
_OF_A_TABLE = ("files", "columns", "sheet")
_DAY_FIRST = re.compile(r"(?<!\d)\d{1,2}[-_.]\d{1,2}[-_.]\d{4}(?!\d)")
_ENDINGS = (".csv", ".parquet", ".xlsx")


def open_source(
    entry: Entry, tables: Sequence[SourceTable], company: Simulation, as_of: date
) -> RealSource:
    """An application that delivers files.

    Raises:
        PlatformError: the entry lacks a folder, or has what this kind does not know.
    """
    entry.refuse_unknown(_OPTIONS, _OF_A_TABLE, tables)
    named = entry.option("folder", str)
    if (variable := entry.option("folder_env", str)) is not None:
        named = os.environ.get(variable)
        if not named:
            raise PlatformError(
                f"source {entry.name}: the environment variable {variable} is not set; "
                f"{SOURCES_FILE} takes the folder from it"
            )
    if named is None:
        raise PlatformError(f"{SOURCES_FILE}: {entry.name} has no folder, nor a folder_env")
    for name in ("delimiter", "decimal"):
        if len(entry.option(name, str, ",")) != 1:
            raise PlatformError(f"{SOURCES_FILE}: {entry.name}.{name} is to be one character")
    if entry.option("deliveries", str, "newest") not in ("newest", "all"):
        raise PlatformError(f"{SOURCES_FILE}: {entry.name}.deliveries is to be newest or all")
    folder = entry.folder / named

    @contextmanager
    def opens() -> Iterator[Session]:
        if not folder.is_dir():
            raise PlatformError(f"source {entry.name}: folder {folder} does not exist")
        yield DropFolder(entry, folder, tables)

    return RealSource(entry, tables, as_of, opens)


@dataclass(frozen=True)
class DropFolder:
    """A folder in which an application leaves its tables."""

    entry: Entry
    folder: Path
    tables: Sequence[SourceTable]
    position: None = None

    def frames(
        self, table: SourceTable, misfits: Misfits, since: Since | None
    ) -> Iterator[pl.DataFrame]:
        """The rows of a table's files; what does not fit is refused by file."""
        for path in self.deliveries(table):
            where = f"{table.key}: file {path.name}"
            found = Misfits(where)
            try:
                for frame in self._file(table, path, where, found):
                    yield frame
                    misfits.rows += len(frame)
            except OSError as error:
                raise PlatformError(f"{where} cannot be read: {error.strerror}") from error
            except pl.exceptions.PolarsError as error:
                kind = type(error).__name__  # its text may quote values
                raise PlatformError(
                    f"{where} cannot be read whole ({kind}); is it complete?"
                ) from error
            found.refuse()

    def latest(self, table: SourceTable, cursor: Cursor) -> str | None:
        """Files are read whole."""
        return None

    def names(self, table: SourceTable) -> Sequence[str]:
        """None but those that the contract has; another is refused."""
        return ()

    def count(self, table: SourceTable) -> int:
        """How many rows its files have; they are read for it, and have to fit."""
        misfits = Misfits(table.key)
        for _ in self.frames(table, misfits, None):
            pass
        return misfits.rows

    def deliveries(self, table: SourceTable) -> list[Path]:
        """The files of a table: those of the last delivery that is complete, or of all.

        Raises:
            PlatformError: there is none, or two of one delivery.
        """
        own = self._files(table)
        if self.entry.option("deliveries", str, "newest") == "all":
            return [path for _, path in own]
        labels = {label for label, _ in own}
        for other in self.tables:
            theirs = {label for label, _ in self._files(other)}
            if theirs != {""}:  # of a file whose name does not change
                complete = labels & theirs if labels != {""} else labels
                if not complete:
                    raise PlatformError(
                        f"source {self.entry.name}: no delivery in {self.folder} has a file of "
                        f"each table: {table.part_name} has {_told(labels)}, {other.part_name} "
                        f"{_told(theirs)}"
                    )
                labels = complete
        self._refuse_unordered(labels)
        newest = max(labels, key=_natural)
        found = [path for label, path in own if label == newest]
        if len(found) > 1:
            raise PlatformError(
                f"{table.key}: {found[0].name} and {found[1].name} are of one delivery; remove "
                f"one, or say which in {SOURCES_FILE}: files: …"
            )
        return found

    def _refuse_unordered(self, labels: set[str]) -> None:
        """Refuse names of deliveries that do not tell which is the newest.

        Raises:
            PlatformError: they differ in more than numbers, or begin with the day of a date.
        """
        shapes = {re.sub(r"\d+", "0", label) for label in labels}
        day_first = next((label for label in labels if _DAY_FIRST.search(label)), None)
        if len(labels) > 1 and (len(shapes) > 1 or day_first):
            one, other = sorted(labels, key=_natural)[-2:]
            raise PlatformError(
                f"source {self.entry.name}: {one!r} and {other!r} do not tell which delivery is "
                "the newest; name deliveries alike, by numbers that rise or dates like 2026-11-30"
            )

    def _files(self, table: SourceTable) -> list[tuple[str, Path]]:
        """(what a file's name has in the place of the pattern's stars, the file), in order."""
        stated = self.entry.of_table(table, "files", str)
        patterns = [stated] if stated else [f"{table.part_name}*{end}" for end in _ENDINGS]
        found = {}
        for pattern in patterns:
            place = Path(pattern)
            stars = re.compile("(.*)".join(map(re.escape, place.name.split("*"))), re.IGNORECASE)
            for path in (self.folder / place.parent).glob("*"):
                if path.is_file() and (match := stars.fullmatch(path.name)):
                    found[path] = "".join(match.groups())
        if not found:
            raise PlatformError(
                f"{table.key}: no delivery in {self.folder}, expected a file like "
                f"{' or '.join(patterns)}"
            )
        return sorted(((la, path) for path, la in found.items()), key=lambda one: _natural(one[0]))

    def _file(
        self, table: SourceTable, path: Path, where: str, misfits: Misfits
    ) -> Iterator[pl.DataFrame]:
        if path.suffix.lower() == ".parquet":
            yield self._parquet(table, path, where, misfits)
            return
        zone = self.entry.option("time_zone", str)
        zones = {column.name: column.zone or zone for column in table.columns}
        if path.suffix.lower() == ".xlsx":
            sheet = self.entry.of_table(table, "sheet", str)
            texts = iter([sheet_as_texts(path, sheet, where)])
            decimal = "."
        else:
            encoding = self.entry.option("encoding", str, "utf-8")
            texts = csv_blocks(path, encoding, self.entry.option("delimiter", str, ","), where)
            decimal = self.entry.option("decimal", str, ".")
        for frame in texts:
            renamed = self._renamed(frame, table, where)
            written = renamed.select(_written(renamed[c.name], c, decimal) for c in table.columns)
            yield from_texts(written, table, misfits, zones)

    def _renamed(self, frame: pl.DataFrame, table: SourceTable, where: str) -> pl.DataFrame:
        names = self.entry.of_table(table, "columns", dict) or {}
        theirs = {str(there): here for here, there in names.items()}
        frame = frame.rename({n: theirs[n] for n in frame.columns if n in theirs})
        unknown_and_missing(frame.columns, table, where)
        return frame.select(column.name for column in table.columns)

    def _parquet(
        self, table: SourceTable, path: Path, where: str, misfits: Misfits
    ) -> pl.DataFrame:
        frame = self._renamed(pl.read_parquet(path), table, where)
        for column in table.columns:
            found, expected = frame.schema[column.name], column.polars_type
            fits = found == expected or (found.is_integer() and expected.is_integer())
            if isinstance(found, pl.Decimal) and isinstance(expected, pl.Decimal):
                fits = found.scale <= expected.scale
            if not fits:
                raise PlatformError(
                    f"{where}: column {column.name} is {found}, expected {expected}"
                )
        try:
            frame = frame.cast(table.polars_schema)  # widening alone
        except pl.exceptions.PolarsError as error:
            raise PlatformError(f"{where}: a number does not fit its column") from error
        return checked(frame, table, misfits)


def _natural(label: str) -> list[tuple[bool, int, str]]:
    """What orders labels as people do: _9 before _10."""
    pieces = re.split(r"(\d+)", label)
    return [(piece.isdigit(), int(piece) if piece.isdigit() else 0, piece) for piece in pieces]


def _told(labels: set[str]) -> str:
    return ", ".join(sorted(labels, key=_natural, reverse=True)[:3])


def _written(texts: pl.Series, column: Column, decimal: str) -> pl.Series:
    """Texts of a file; null where a column that may be null has an empty one."""
    is_text = column.type == "VARCHAR"
    if column.polars_type.is_numeric() and decimal != ".":
        # A point is none of these numbers': it may part thousands, and is refused.
        pointless = texts.str.replace_all(".", "?", literal=True)
        texts = pointless.str.replace(decimal, ".", literal=True)
    if column.type == "DATE":  # a spreadsheet's days may be times
        texts = texts.str.strip_suffix(" 00:00:00")
    if column.nullable or not is_text:
        return texts.replace("", None)
    return texts.fill_null("")  # an empty text is one
