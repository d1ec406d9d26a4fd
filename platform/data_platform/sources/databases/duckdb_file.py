"""A DuckDB file that another application writes.

app:
  kind: duckdb
  file: drop/app.duckdb         # from the folder of sources.yaml
  schema: main
  time_zone: Europe/Paris       # what a TIMESTAMP, which has no zone, means there
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import duckdb
import polars as pl

from data_platform.errors import PlatformError, without_values
from data_platform.simulation import Simulation
from data_platform.sources.column import Column
from data_platform.sources.contract import SourceTable
from data_platform.sources.databases.query import OF_A_TABLE, Query
from data_platform.sources.databases.texts import ROWS_AT_ONCE, TextSession, database_file, told
from data_platform.sources.entries import Entry
from data_platform.sources.real import RealSource
from data_platform.sql import literal, quoted, silence

_OPTIONS = ("file", "schema", "time_zone", "tables")
# Types whose texts are no values that a column of the contract holds.
_OTHER = ("BLOB", "BIT", "STRUCT", "MAP", "UNION", "INTERVAL")


def open_source(
    entry: Entry, tables: Sequence[SourceTable], company: Simulation, as_of: date
) -> RealSource:
    """A DuckDB database.

    Raises:
        PlatformError: the entry lacks a file, or it does not exist.
    """
    entry.refuse_unknown(_OPTIONS, OF_A_TABLE, tables)
    return RealSource(entry, tables, as_of, partial(_session, entry, database_file(entry)))


@dataclass(frozen=True)
class _DuckDB:
    connection: duckdb.DuckDBPyConnection

    def quote(self, name: str) -> str:
        return quoted(name)

    def text_of(self, expression: str, column: Column) -> str:
        return f"CAST(({expression}) AS VARCHAR)"

    def frames(self, sql: str) -> Iterator[pl.DataFrame]:
        for batch in self.connection.execute(sql).to_arrow_reader(ROWS_AT_ONCE):
            yield pl.DataFrame(batch)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def names(self, sql: str) -> Sequence[str]:
        return [row[0] for row in self.connection.execute(f"DESCRIBE {sql}").fetchall()]

    def zones(self, query: Query, table: SourceTable) -> Mapping[str, str | None]:
        chosen = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in query.expressions.items())
        asked = f"DESCRIBE SELECT {chosen} FROM {query.rows_of}"
        for name, type_, *_ in self.connection.execute(asked).fetchall():
            if type_.startswith(_OTHER) or type_.endswith("]"):
                raise PlatformError(
                    f"{table.key}: column {name} is of type {type_}, expected one whose values are "
                    "single texts, numbers, dates or times"
                )
        return {}

    def not_before(self, cursor: str, mark: str, hours: int) -> str:
        earliest = f"CAST({literal(mark)} AS TIMESTAMP) - INTERVAL {hours} HOUR"
        return f"{cursor} >= {earliest} OR {cursor} IS NULL"

    def latest(self, cursor: str, rows_of: str) -> str:
        now = "CAST(NOW() AT TIME ZONE 'UTC' AS TIMESTAMP)"
        return (
            f"SELECT CAST(LEAST(CAST(MAX({cursor}) AS TIMESTAMP), {now}) AS VARCHAR) FROM {rows_of}"
        )


@contextmanager
def _session(entry: Entry, file: str) -> Iterator[TextSession]:
    with told(entry, _said), duckdb.connect(file, read_only=True) as connection:
        silence(connection)
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("BEGIN TRANSACTION READ ONLY")
        schema = entry.option("schema", str, "main")
        yield TextSession(entry, _DuckDB(connection), _said, schema)
        connection.execute("ROLLBACK")


def _said(error: Exception) -> str | None:
    return without_values(str(error)) if isinstance(error, duckdb.Error) else None
