"""Databases whose values are read as the texts that they write, each of which has to fit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from data_platform.errors import PlatformError
from data_platform.settings import SOURCES_FILE
from data_platform.sources.column import Column
from data_platform.sources.contract import SourceTable
from data_platform.sources.cursor import Cursor, Since
from data_platform.sources.databases.query import Query
from data_platform.sources.entries import Entry
from data_platform.sources.exact import Misfits, from_texts
from data_platform.sql import literal

ROWS_AT_ONCE = 50_000


class Database(Protocol):
    """What differs from one kind of database to the other."""

    def quote(self, name: str) -> str:
        """A name as the database quotes it."""

    def text_of(self, expression: str, column: Column) -> str:
        """The SQL by which a value is sent as the text that says all of it."""

    def frames(self, sql: str) -> Iterator[pl.DataFrame]:
        """The rows of a query, some at a time, as texts; the first frame may have none.

        Raises:
            NotTextError: a value is none.
        """

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query, few enough for memory."""

    def names(self, sql: str) -> Sequence[str]:
        """The names of a query's columns."""

    def zones(self, query: Query, table: SourceTable) -> Mapping[str, str | None]:
        """The zone of columns of which the database knows it.

        Raises:
            PlatformError: a column's texts do not say all that it holds; names the column, its
                type, and what was expected.
        """

    def not_before(self, cursor: str, mark: str, hours: int) -> str:
        """The condition on rows whose cursor is at most some hours before a mark, or is none."""

    def latest(self, cursor: str, rows_of: str) -> str:
        """The query of the greatest value of a cursor that is not in the future."""


class NotTextError(Exception):
    """A column that holds bytes which are no text."""


def as_texts(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    """Rows of texts and nulls as a frame.

    Raises:
        NotTextError: names the column that holds something else.
    """
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    series = []
    for name, values in zip(names, columns, strict=True):
        try:
            series.append(pl.Series(name, values, dtype=pl.String, strict=True))
        except (TypeError, pl.exceptions.PolarsError):
            raise NotTextError(name) from None
    return pl.DataFrame(series)


@dataclass
class TextSession:
    """A transaction in a database, whose values arrive as texts."""

    entry: Entry
    database: Database
    # Tells what the driver says in one line, without the address or anybody's data.
    said: Callable[[Exception], str | None]
    schema: str | None = None
    position: None = None

    def frames(
        self, table: SourceTable, misfits: Misfits, since: Since | None
    ) -> Iterator[pl.DataFrame]:
        """The rows of a table, as they arrive."""
        with self._about(table):
            query = self._query(table)
            known = self.database.zones(query, table)
            stated = self.entry.option("time_zone", str)
            zones = {c.name: known.get(c.name) or c.zone or stated for c in table.columns}
            chosen = ", ".join(
                f"{self.database.text_of(query.expressions[column.name], column)} AS "
                f"{self.database.quote(column.name)}"
                for column in table.columns
            )
            where = self._where(query, table, since) if since else ""
            for texts in self.database.frames(f"SELECT {chosen} FROM {query.rows_of}{where}"):
                yield from_texts(texts, table, misfits, zones)

    def latest(self, table: SourceTable, cursor: Cursor) -> str | None:
        """The greatest value of a cursor, now at the latest."""
        with self._about(table):
            quoted = self.database.quote(cursor.column)
            return self._value(self.database.latest(quoted, self._query(table).rows_of))

    def names(self, table: SourceTable) -> Sequence[str]:
        """The columns that the database has there."""
        with self._about(table):
            query = self._query(table)
            self.database.zones(query, table)
            return self.database.names(f"SELECT * FROM {query.rows_of}")

    def count(self, table: SourceTable) -> int:
        """How many rows a table has."""
        with self._about(table):
            counted = f"SELECT CAST(COUNT(*) AS CHAR) FROM {self._query(table).rows_of}"
            return int(self._value(counted) or 0)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with told(self.entry, self.said):
            return self.database.ask(sql)

    def _query(self, table: SourceTable) -> Query:
        return Query.of(self.entry, table, self.schema, self.database.quote)

    def _where(self, query: Query, table: SourceTable, since: Since) -> str:
        cursor = self.database.quote(since.column)
        condition = self.database.not_before(cursor, since.mark.value, since.lag_hours)
        if table.begins_on:
            day = query.expressions[table.begins_on]
            condition += f" OR ({day}) > {literal(str(since.after))}"
        return f" WHERE {condition}"

    def _value(self, sql: str) -> str | None:
        ((found,),) = self.database.ask(sql)
        return None if found is None else str(found)

    @contextmanager
    def _about(self, table: SourceTable) -> Iterator[None]:
        try:
            with told(self.entry, self.said, f"{table.key}: "):
                yield
        except NotTextError as error:
            raise PlatformError(
                f"{table.key}: column {error} holds bytes that are no text; in {SOURCES_FILE}, "
                "give it an expression that makes a text of them"
            ) from None


@contextmanager
def told(entry: Entry, said: Callable[[Exception], str | None], what: str = "") -> Iterator[None]:
    """Make errors of a driver, of which `said` tells in a line, errors of the platform."""
    try:
        yield
    except PlatformError:
        raise
    except Exception as error:
        if (message := said(error)) is None:
            raise
        raise PlatformError(f"source {entry.name}: {what}{message}") from None


def database_file(entry: Entry) -> str:
    """The file of a database that is one.

    Raises:
        PlatformError: none is stated, or there is none.
    """
    named = entry.option("file", str)
    if named is None:
        raise PlatformError(f"{SOURCES_FILE}: {entry.name} has no file, that of its database")
    path = entry.folder / named
    if not path.is_file():
        raise PlatformError(f"source {entry.name}: file {path} does not exist")
    return str(path)
