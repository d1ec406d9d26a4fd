"""A SQLite file. Its values have types of their own, whatever the column says: each has to fit.

app:
  kind: sqlite
  file: drop/app.db             # from the folder of sources.yaml
  time_zone: Europe/Paris       # what a time without its zone means there
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from data_platform.errors import one_line
from data_platform.simulation import Simulation
from data_platform.sources.column import Column
from data_platform.sources.contract import SourceTable
from data_platform.sources.databases.query import OF_A_TABLE, Query
from data_platform.sources.databases.texts import (
    ROWS_AT_ONCE,
    TextSession,
    as_texts,
    database_file,
    told,
)
from data_platform.sources.entries import Entry
from data_platform.sources.real import RealSource
from data_platform.sql import literal

_OPTIONS = ("file", "time_zone", "tables")


def open_source(
    entry: Entry, tables: Sequence[SourceTable], company: Simulation, as_of: date
) -> RealSource:
    """A SQLite database.

    Raises:
        PlatformError: the entry lacks a file, or it does not exist.
    """
    entry.refuse_unknown(_OPTIONS, OF_A_TABLE, tables)
    return RealSource(entry, tables, as_of, partial(_session, entry, database_file(entry)))


@dataclass(frozen=True)
class _Sqlite:
    connection: sqlite3.Connection

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"  # "…" would be a text where no column is

    def text_of(self, expression: str, column: Column) -> str:
        # SQLite writes a REAL with 15 digits; where that is another number, 17 say which it is.
        sql = f"({expression})"
        return (
            f"CASE typeof{sql} WHEN 'blob' THEN {sql} WHEN 'real' THEN "
            f"CASE WHEN CAST(CAST({sql} AS TEXT) AS REAL) = {sql} THEN CAST({sql} AS TEXT) "
            f"ELSE printf('%!.17g', {sql}) END ELSE CAST({sql} AS TEXT) END"
        )

    def frames(self, sql: str) -> Iterator[pl.DataFrame]:
        cursor = self.connection.execute(sql)
        names = [column[0] for column in cursor.description]
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield as_texts(names, rows)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def names(self, sql: str) -> Sequence[str]:
        return [column[0] for column in self.connection.execute(f"{sql} LIMIT 0").description]

    def zones(self, query: Query, table: SourceTable) -> Mapping[str, str | None]:
        chosen = ", ".join(query.expressions.values())
        self.connection.execute(f"SELECT {chosen} FROM {query.rows_of} LIMIT 0")  # all are there
        return {}

    def not_before(self, cursor: str, mark: str, hours: int) -> str:
        return (
            f"datetime({cursor}) >= datetime({literal(mark)}, '-{hours} hours') "
            f"OR datetime({cursor}) IS NULL"
        )

    def latest(self, cursor: str, rows_of: str) -> str:
        return f"SELECT MIN(MAX(datetime({cursor})), datetime('now')) FROM {rows_of}"


@contextmanager
def _session(entry: Entry, file: str) -> Iterator[TextSession]:
    with (
        told(entry, _said),
        closing(sqlite3.connect(f"{Path(file).as_uri()}?mode=ro", uri=True)) as connection,
    ):
        connection.isolation_level = None
        connection.execute("PRAGMA query_only = 1")
        connection.execute("BEGIN")
        yield TextSession(entry, _Sqlite(connection), _said)
        connection.execute("ROLLBACK")


def _said(error: Exception) -> str | None:
    if not isinstance(error, sqlite3.Error):
        return None
    message = one_line(str(error))
    if "decode to UTF-8" in message:  # it quotes the text
        return message.partition(" with text")[0].replace(
            "Could not decode to UTF-8", "invalid UTF-8 in"
        )
    return message
