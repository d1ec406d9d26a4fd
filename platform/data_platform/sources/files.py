"""A drop folder: an application that delivers its tables as CSV or Parquet files.

crm:
  kind: files
  folder: drop/crm              # from the folder of sources.yaml; or folder_env: a variable with it
  deliveries: newest            # the last file of a table by its name, or `all` of them
  delimiter: ","                # of CSV files; `decimal` and `encoding` too
  tables:
    customers: {files: "customers_*.csv", columns: {email: mail}}
"""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl

from data_platform.errors import PlatformError
from data_platform.settings import SOURCES_FILE
from data_platform.simulation import Simulation
from data_platform.sources.contract import SourceTable
from data_platform.sources.entries import Entry
from data_platform.sources.exact import checked, from_texts, unknown_and_missing
from data_platform.sources.months import monthly_parts, until
from data_platform.sources.source import Part, Settled

_OPTIONS = ("folder", "folder_env", "deliveries", "delimiter", "decimal", "encoding", "tables")
_OF_A_TABLE = ("files", "columns")
_ENDINGS = (".csv", ".parquet")


def open_source(
    entry: Entry, tables: Sequence[SourceTable], company: Simulation, as_of: date
) -> "DropFolder":
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
    if entry.option("deliveries", str, "newest") not in ("newest", "all"):
        raise PlatformError(f"{SOURCES_FILE}: {entry.name}.deliveries is to be newest or all")
    return DropFolder(entry, entry.folder / named, tables, as_of)


@dataclass(frozen=True)
class DropFolder:
    """A folder in which an application leaves its tables, as of a date."""

    entry: Entry
    folder: Path
    tables: Sequence[SourceTable]
    as_of: date
    position: None = None

    def settled_parts(self, before: date) -> Mapping[str, date]:
        """None: what was delivered may have changed."""
        return {}

    def parts(self, settled: Settled) -> Iterator[Part]:
        """The tables, those of events a month each; every file is read whole."""
        for table in self.tables:
            files = self.deliveries(table)
            if table.event_column is None:
                yield Part(table.part_name, table.part_name, partial(self._table, table, files))
            else:
                yield from monthly_parts(table, [self._table(table, files)])

    def finish(self, folder: Path) -> None:
        """Nothing is left to do."""

    def deliveries(self, table: SourceTable) -> list[Path]:
        """The files of a table, those of the last delivery or of all.

        Raises:
            PlatformError: there is none.
        """
        if not self.folder.is_dir():
            raise PlatformError(f"source {self.entry.name}: folder {self.folder} does not exist")
        stated = self.entry.of_table(table, "files", str)
        patterns = [stated] if stated else [f"{table.part_name}*{end}" for end in _ENDINGS]
        found = sorted(
            {path for pattern in patterns for path in self.folder.glob(pattern) if path.is_file()},
            key=lambda path: path.name,
        )
        if not found:
            raise PlatformError(
                f"{table.key}: no delivery in {self.folder}, expected a file like "
                f"{' or '.join(patterns)}"
            )
        is_all = self.entry.option("deliveries", str, "newest") == "all"
        return found if is_all else found[-1:]

    def _table(self, table: SourceTable, files: Sequence[Path]) -> pl.DataFrame:
        rows = until(pl.concat([self._file(table, path) for path in files]), table, self.as_of)
        return rows.sort(rows.columns, nulls_last=True)

    def _file(self, table: SourceTable, path: Path) -> pl.DataFrame:
        where = f"{table.key}: file {path.name}"
        try:
            if path.suffix == ".parquet":
                return self._parquet(table, path, where)
            return from_texts(self._csv(table, path, where), table, where)
        except OSError as error:
            raise PlatformError(f"{where} cannot be read: {error.strerror}") from error
        except pl.exceptions.PolarsError as error:
            kind = type(error).__name__  # its text may quote values
            raise PlatformError(
                f"{where} cannot be read whole ({kind}); is it complete?"
            ) from error

    def _renamed(self, frame: pl.DataFrame, table: SourceTable, where: str) -> pl.DataFrame:
        names = self.entry.of_table(table, "columns", dict) or {}
        theirs = {str(there): here for here, there in names.items()}
        frame = frame.rename({n: theirs[n] for n in frame.columns if n in theirs})
        unknown_and_missing(frame.columns, table, where)
        return frame.select(column.name for column in table.columns)

    def _parquet(self, table: SourceTable, path: Path, where: str) -> pl.DataFrame:
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
        return checked(frame, table, where)

    def _csv(self, table: SourceTable, path: Path, where: str) -> pl.DataFrame:
        """The texts of a file; null where a column that may be null has an empty one."""
        encoding = self.entry.option("encoding", str, "utf-8")
        try:
            text = path.read_bytes().decode(encoding)
        except (UnicodeDecodeError, LookupError) as error:
            raise PlatformError(
                f"{where} is not written in {encoding}; say in {SOURCES_FILE}: encoding: …"
            ) from error
        text = text.removeprefix("\ufeff")
        if not text.strip():
            raise PlatformError(f"{where} is empty; expected a line of names at least")
        if not text.endswith("\n"):
            raise PlatformError(
                f"{where} ends within a line; it is still being written, or was cut short"
            )
        delimiter = self.entry.option("delimiter", str, ",")
        frame = pl.read_csv(
            io.BytesIO(text.encode()),
            separator=delimiter,
            infer_schema=False,
        )
        frame = self._renamed(frame, table, where)
        decimal = self.entry.option("decimal", str, ".")
        return frame.select(
            _value(frame[column.name], column.nullable, decimal, column.type)
            for column in table.columns
        )


def _value(texts: pl.Series, is_nullable: bool, decimal: str, type_: str) -> pl.Series:
    is_text = type_ == "VARCHAR"
    if not is_text and decimal != ".":
        texts = texts.str.replace(decimal, ".", literal=True)
    if is_nullable or not is_text:
        return texts.replace("", None)
    return texts.fill_null("")  # an empty text is one
