"""An application as the platform sees it: its tables, in parts that become a Parquet file each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol

import polars as pl

from data_platform.sources.contract import SourceTable


@dataclass(frozen=True)
class Part:
    """A part of a table, named within it; `make` gives its rows, in any thread and order."""

    table: str
    name: str
    make: Callable[[], pl.DataFrame]


@dataclass(frozen=True)
class Kept:
    """A part of a table whose file in the extract in force is what it has to be."""

    table: str
    name: str


@dataclass(frozen=True)
class Mark:
    """How far a table was read by its cursor, for the next extract to go on from."""

    # The greatest value of the cursor that may be relied on, as the database writes it.
    value: str
    # A digest of what was asked; anything else is read whole.
    asked: str
    # The as-of date of the last extract that read the table whole.
    whole_as_of: date


@dataclass(frozen=True)
class EarlierFile:
    """The file of a part in the extract in force."""

    path: Path
    rows: int
    first_date: date | None
    last_date: date | None
    # Whether it is what the manifest says, and has the columns that the contract asks for by now.
    is_intact: bool


@dataclass(frozen=True)
class Earlier:
    """The extract in force of a source, for the next one to go on from."""

    as_of: date
    # The files of a table by the names of their parts.
    files: Callable[[SourceTable], Mapping[str, EarlierFile]]
    marks: Mapping[str, Mark] = field(default_factory=dict)


@dataclass(frozen=True)
class Checked:
    """A table of an application against the contract, without an extract."""

    table: SourceTable
    # None where they were not counted.
    rows: int | None = None
    # Columns of the application that no column of the contract is made of.
    unknown: tuple[str, ...] = ()
    # What does not fit, in a line.
    fault: str | None = None


class Source(Protocol):
    """An application whose tables can be extracted, as of a date."""

    @property
    def position(self) -> str | None:
        """Where the log of a database stood when it was read; None of other applications."""

    @property
    def marks(self) -> Mapping[str, Mark]:
        """How far tables were read by their cursors, by the tables' names in it."""

    @property
    def readings(self) -> Mapping[str, str]:
        """How each table with a cursor was read, in a few words."""

    def parts(self, earlier: Earlier | None, scratch: Path) -> Iterable[Part | Kept]:
        """All parts of its tables.

        Args:
            earlier: the extract in force, where it is of the same company.
            scratch: a private folder, for what does not fit into memory until all parts are made.
        """

    def finish(self, folder: Path) -> None:
        """Leave in the folder of the extracts what belongs beside them; all parts are made."""

    def check(self) -> Iterable[Checked]:
        """Its tables against the contract.

        Raises:
            PlatformError: the application cannot be reached.
        """
