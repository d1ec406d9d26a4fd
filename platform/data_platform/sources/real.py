"""A real application: read in one session, its tables set down by month, exact or refused."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol

import polars as pl

from data_platform.errors import PlatformError
from data_platform.result import counted
from data_platform.sources.contract import SourceTable
from data_platform.sources.cursor import Cursor, Since, merged
from data_platform.sources.entries import Entry
from data_platform.sources.exact import Misfits
from data_platform.sources.source import Checked, Earlier, Kept, Mark, Part
from data_platform.sources.spool import Spool, until
from data_platform.sql import quoted


@contextmanager
def one_behind(act: Callable[[pl.DataFrame], None]) -> Iterator[Callable[[pl.DataFrame], None]]:
    """Let frames be worked on in order, in a thread beside, while the next one is read."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        last: list[Future[None]] = []

        def hand_over(frame: pl.DataFrame) -> None:
            if last:
                last.pop().result()
            last.append(pool.submit(act, frame))

        yield hand_over
        for one in last:
            one.result()


class Session(Protocol):
    """An application that shows all of its tables as of one moment."""

    @property
    def position(self) -> str | None:
        """Where the log of a database stands; None of other applications."""

    def frames(
        self, table: SourceTable, misfits: Misfits, since: Since | None
    ) -> Iterator[pl.DataFrame]:
        """The rows of a table, some at a time, in the contract's types.

        Rows after the as-of date may be among them.

        Args:
            misfits: is told of values that do not fit.
            since: which rows are enough; all of them without.

        Raises:
            PlatformError: the table, a column or a right is missing, or a type cannot fit.
        """

    def latest(self, table: SourceTable, cursor: Cursor) -> str | None:
        """The greatest value of a cursor that is not in the future; None without rows."""

    def names(self, table: SourceTable) -> Sequence[str]:
        """The columns that the application has there; empty where they have to be the contract's.

        Raises:
            PlatformError: the table, a column or a right is missing, or a type cannot fit.
        """

    def count(self, table: SourceTable) -> int:
        """How many rows a table has, those to come included."""


@dataclass
class RealSource:
    """An application of some kind, as of a date."""

    entry: Entry
    tables: Sequence[SourceTable]
    as_of: date
    opens: Callable[[], AbstractContextManager[Session]]
    position: str | None = None
    marks: dict[str, Mark] = field(default_factory=dict)
    readings: dict[str, str] = field(default_factory=dict)

    def parts(self, earlier: Earlier | None, scratch: Path) -> Iterator[Part | Kept]:
        """The tables, read in one session; see `Source`.

        Raises:
            PlatformError: the application cannot be reached, lacks what the contract asks for, or
                holds values that do not fit.
        """
        with self.opens() as session:
            self.position = session.position
            found = [
                self._read(session, table, earlier, scratch / table.name) for table in self.tables
            ]
        for parts in found:
            yield from parts

    def _read(
        self, session: Session, table: SourceTable, earlier: Earlier | None, scratch: Path
    ) -> Sequence[Part | Kept]:
        cursor = Cursor.of(self.entry, table)
        since = cursor.goes_on(table, earlier, self.as_of) if cursor else None
        if cursor and since and earlier:
            keys = [pl.Series(cursor.key, [], table.polars_schema[cursor.key])]
            changed = self._spooled(session, table, scratch / "changed", since, keys)
            if not cursor.is_too_much(changed.rows, table, earlier):
                self._note(session, table, cursor, since.mark.whole_as_of)
                self.readings[table.part_name] = (
                    f"{counted(changed.rows, 'row')} by {cursor.column} since {since.mark.value}"
                )
                return merged(table, pl.concat(keys), changed.parts(), earlier.files(table))
        spool = self._spooled(session, table, scratch, None, None)
        if cursor:
            self._note(session, table, cursor, self.as_of)
            self.readings[table.part_name] = f"all {counted(spool.rows, 'row')}"
        return [Part(table.part_name, name, make) for name, make in spool.parts().items()]

    def _spooled(
        self,
        session: Session,
        table: SourceTable,
        scratch: Path,
        since: Since | None,
        keys: list[pl.Series] | None,
    ) -> Spool:
        """The rows of a table that count by now.

        Args:
            keys: is given those of all rows that were read.
        """
        misfits, spool = Misfits(table.key), Spool(table, scratch)
        with one_behind(spool.add) as set_down:
            for frame in session.frames(table, misfits, since):
                if misfits.are_there:
                    continue
                if keys is not None:
                    keys.append(frame[keys[0].name])
                set_down(until(frame, table, self.as_of))
        misfits.refuse()
        return spool

    def _note(
        self, session: Session, table: SourceTable, cursor: Cursor, whole_as_of: date
    ) -> None:
        if (value := session.latest(table, cursor)) is not None:
            self.marks[table.part_name] = Mark(value, cursor.asked(table), whole_as_of)

    def finish(self, folder: Path) -> None:
        """Nothing is left to do."""

    def check(self) -> Iterator[Checked]:
        """Its tables against the contract, and how many rows they have; a session each.

        Raises:
            PlatformError: the application cannot be reached.
        """
        with self.opens():
            pass
        for table in self.tables:
            try:
                with self.opens() as session:
                    yield self._checked(session, table)
            except PlatformError as error:
                yield Checked(table, fault=str(error))

    def _checked(self, session: Session, table: SourceTable) -> Checked:
        wanted = {column.name for column in table.columns}
        stated = self.entry.of_table(table, "columns", dict) or {}
        made_of = " ".join(map(str, stated.values()))
        if cursor := Cursor.of(self.entry, table):
            session.latest(table, cursor)
        unknown = [
            name
            for name in session.names(table)
            if name not in wanted and name not in made_of and quoted(name) not in made_of
        ]
        return Checked(table, session.count(table), tuple(unknown))
