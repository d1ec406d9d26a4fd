"""A PostgreSQL database: all of its tables as of one moment, every value exactly as it is there.

app:
  kind: postgres
  url_env: APP_DATABASE_URL     # the variable that holds postgresql://user:password@host/name
  schema: public
  time_zone: Europe/Paris       # what `timestamp without time zone` means there
  tables:
    users: {table: accounts, columns: {email: "lower(mail)"}}
    invoices: {query: "SELECT * FROM invoices WHERE NOT is_draft"}
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

import polars as pl

from data_platform.errors import PlatformError, one_line
from data_platform.simulation import Simulation
from data_platform.sources.contract import SourceTable
from data_platform.sources.cursor import Cursor, Since
from data_platform.sources.databases.address import address_of, password_of
from data_platform.sources.databases.postgres_select import Select, names_of, rows, run, value
from data_platform.sources.databases.query import OF_A_TABLE
from data_platform.sources.entries import Entry
from data_platform.sources.exact import Misfits
from data_platform.sources.real import RealSource

_OPTIONS = ("url_env", "schema", "time_zone", "tables")


def open_source(
    entry: Entry, tables: Sequence[SourceTable], company: Simulation, as_of: date
) -> RealSource:
    """A database, whose address the environment holds.

    Raises:
        PlatformError: the entry lacks url_env, or the variable is not set.
    """
    entry.refuse_unknown(_OPTIONS, OF_A_TABLE, tables)
    url = address_of(entry, "postgresql://user:password@host/database")
    return RealSource(entry, tables, as_of, partial(_session, entry, url, as_of))


@dataclass
class _Session:
    """A transaction that sees the database as it is at its first statement."""

    entry: Entry
    url: str = field(repr=False)
    connection: Any
    as_of: date
    position: str | None = None

    def frames(
        self, table: SourceTable, misfits: Misfits, since: Since | None
    ) -> Iterator[pl.DataFrame]:
        """The rows of a table, as they arrive."""
        with _about(self.entry, self.url, f"{table.key}: "):
            yield from self._select(table).rows(self.connection, misfits, since)

    def latest(self, table: SourceTable, cursor: Cursor) -> str | None:
        """The greatest value of a cursor, now at the latest."""
        with _about(self.entry, self.url, f"{table.key}: "):
            return self._select(table).latest(self.connection, cursor.column)

    def names(self, table: SourceTable) -> Sequence[str]:
        """The columns that the database has there."""
        with _about(self.entry, self.url, f"{table.key}: "):
            select = self._select(table)
            return names_of(self.connection, f"SELECT * FROM {select.rows_of} LIMIT 0")

    def count(self, table: SourceTable) -> int:
        """How many rows a table has."""
        with _about(self.entry, self.url, f"{table.key}: "):
            sql = f"SELECT count(*) FROM {self._select(table).rows_of}"
            return int(value(self.connection, sql) or 0)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with _about(self.entry, self.url, ""):
            return [tuple(row.values()) for row in rows(self.connection, sql)]

    def _select(self, table: SourceTable) -> Select:
        return Select.of(self.connection, self.entry, table, self.as_of)


@contextmanager
def _session(entry: Entry, url: str, as_of: date) -> Iterator[_Session]:
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError as error:
        raise PlatformError(
            f"source {entry.name} is a PostgreSQL database, whose driver is not installed; run: "
            ".venv/bin/uv pip install adbc-driver-postgresql"
        ) from error
    with _about(entry, url, ""), dbapi.connect(url) as connection:
        run(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        run(connection, "SET LOCAL client_encoding = 'UTF8'")
        run(connection, "SET LOCAL search_path = pg_catalog")
        run(connection, "SET LOCAL TimeZone = 'UTC'")
        position = value(
            connection,
            "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
            "ELSE pg_current_wal_lsn() END::text",
        )
        yield _Session(entry, url, connection, as_of, position)
        connection.rollback()


@contextmanager
def _about(entry: Entry, url: str, what: str) -> Iterator[None]:
    """Tell what the driver says in one line, without the address or anybody's data."""
    try:
        yield
    except PlatformError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith(("adbc_driver", "pyarrow")):
            raise
        raise PlatformError(f"source {entry.name}: {what}{_said(url, error)}") from None


def _said(url: str, error: Exception) -> str:
    text = str(error)
    for end in ("\nDETAIL", "\nQuery", "\nLINE"):
        text = text.partition(end)[0]
    text = re.sub(r"Failed to execute query '.*': *(?=ERROR)", "", text, flags=re.DOTALL)
    text = re.sub(r"^[A-Z_]+: (\[libpq\] )?", "", text)
    for secret in (url, password_of(url)):
        text = text.replace(secret, "…") if secret else text
    return one_line(re.sub(r"\. SQLSTATE: .*$|SQLSTATE: \w+", "", text, flags=re.DOTALL))
