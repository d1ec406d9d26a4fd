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

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from data_platform.errors import PlatformError, one_line
from data_platform.settings import SOURCES_FILE
from data_platform.simulation import Simulation
from data_platform.sources.contract import SourceTable
from data_platform.sources.entries import Entry
from data_platform.sources.months import monthly_parts
from data_platform.sources.postgres_select import Select, run, value
from data_platform.sources.source import Part, Settled

_OPTIONS = ("url_env", "schema", "time_zone", "tables")
_OF_A_TABLE = ("table", "query", "columns")


def open_source(
    entry: Entry, tables: Sequence[SourceTable], company: Simulation, as_of: date
) -> "PostgresSource":
    """A database, whose address the environment holds.

    Raises:
        PlatformError: the entry lacks url_env, the variable is not set, or the driver is missing.
    """
    entry.refuse_unknown(_OPTIONS, _OF_A_TABLE, tables)
    variable = entry.option("url_env", str)
    if not variable:
        raise PlatformError(
            f"{SOURCES_FILE}: {entry.name} has no url_env, the environment variable that holds the "
            "address of its database"
        )
    url = os.environ.get(variable)
    if not url:
        raise PlatformError(
            f"source {entry.name}: the environment variable {variable} is not set; expected an "
            "address like postgresql://user:password@host/database"
        )
    return PostgresSource(entry, url, tables, as_of)


@dataclass
class PostgresSource:
    """The tables of a database, as of a date."""

    entry: Entry
    url: str = field(repr=False)
    tables: Sequence[SourceTable]
    as_of: date
    # Where the database's log stood when it was read.
    position: str | None = None

    def settled_parts(self, before: date) -> Mapping[str, date]:
        """None: any row may have changed."""
        return {}

    def parts(self, settled: Settled) -> Iterator[Part]:
        """The tables, read in one transaction that sees one moment.

        Raises:
            PlatformError: the database cannot be reached, lacks what the contract asks for, or
                holds values that do not fit.
        """
        with self._transaction() as connection:
            found = list(self._read(connection))
        yield from found

    def finish(self, folder: Path) -> None:
        """Nothing is left to do."""

    def _read(self, connection: Any) -> Iterator[Part]:
        for table in self.tables:
            with self._about(f"{table.key}: "):
                select = Select.of(self.entry, table, self.as_of)
                select.check_types(connection)
                frame = select.rows(connection)
            if table.event_column is not None:
                yield from monthly_parts(table, [frame])
            else:
                rows = frame.sort(frame.columns, nulls_last=True)
                yield Part(table.part_name, table.part_name, partial(pl.DataFrame, rows))

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """A read-only transaction that sees the database as it is at its first statement."""
        try:
            from adbc_driver_postgresql import dbapi
        except ImportError as error:
            raise PlatformError(
                f"source {self.entry.name} is a PostgreSQL database, whose driver is not "
                "installed; run: pip install '.[postgres]'"
            ) from error
        with self._about(""), dbapi.connect(self.url) as connection:
            run(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            run(connection, "SET LOCAL client_encoding = 'UTF8'")
            run(connection, "SET LOCAL search_path = pg_catalog")
            self.position = value(
                connection,
                "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
                "ELSE pg_current_wal_lsn() END::text",
            )
            yield connection
            connection.rollback()

    @contextmanager
    def _about(self, what: str) -> Iterator[None]:
        """Tell what the driver says in one line, without the address or anybody's data."""
        try:
            yield
        except PlatformError:
            raise
        except Exception as error:
            if not type(error).__module__.startswith("adbc_driver"):
                raise
            raise PlatformError(f"source {self.entry.name}: {what}{self._said(error)}") from None

    def _said(self, error: Exception) -> str:
        text = str(error).partition("\nDETAIL")[0].partition("\nQuery")[0]
        text = re.sub(r"^[A-Z_]+: (\[libpq\] )?", "", text)
        for secret in (self.url, _password(self.url)):
            text = text.replace(secret, "…") if secret else text
        return one_line(re.sub(r"\. SQLSTATE: .*$|SQLSTATE: \w+", "", text, flags=re.DOTALL))


def _password(url: str) -> str:
    found = re.match(r"\w+://[^:/@]*:([^@]*)@", url)
    return found[1] if found else ""
