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
from data_platform.sources.contract import Column, SourceTable
from data_platform.sources.entries import Entry
from data_platform.sources.exact import checked, refuse
from data_platform.sources.months import monthly_parts
from data_platform.sources.source import Part, Settled
from data_platform.sql import literal, quoted

_OPTIONS = ("url_env", "schema", "time_zone", "tables")
_OF_A_TABLE = ("table", "query", "columns")
# The types of PostgreSQL whose values a column of the contract holds, every one of them.
_FITTING = {
    "VARCHAR": ("text", "character varying", "character", "uuid", "citext", "name"),
    "DATE": ("date",),
    "INTEGER": ("integer", "smallint"),
    "BIGINT": ("bigint", "integer", "smallint"),
    "DOUBLE": ("double precision", "real"),
    "TIMESTAMP": ("timestamp with time zone", "timestamp without time zone"),
    "DECIMAL": ("numeric", "bigint", "integer", "smallint"),
}
# In the place of values that do not fit; each lies outside of what fits.
_UNFIT_INTEGER, _UNFIT_DAY = -(2**63), -(2**31)
_MOST_DIGITS = 18  # of a decimal that is sent as a whole number of its smallest unit


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
                select = _Select.of(self.entry, table, self.as_of)
                select.check_types(connection)
                frame = select.rows(connection)
            if table.event_column is not None:
                yield from monthly_parts(table, [frame], self.as_of)
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
            _run(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            _run(connection, "SET LOCAL client_encoding = 'UTF8'")
            _run(connection, "SET LOCAL search_path = pg_catalog")
            self.position = _value(
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


@dataclass(frozen=True)
class _Select:
    """What is read of one table: an expression for each column of the contract."""

    table: SourceTable
    rows_of: str
    expressions: Mapping[str, str]
    time_zone: str | None
    as_of: date

    @classmethod
    def of(cls, entry: Entry, table: SourceTable, as_of: date) -> "_Select":
        """The statement for a table of an entry."""
        query = entry.of_table(table, "query", str)
        name = entry.of_table(table, "table", str) or table.part_name
        schema = entry.option("schema", str, "public")
        stated = entry.of_table(table, "columns", dict) or {}
        return cls(
            table,
            f"({query}) AS source" if query else f"{quoted(schema)}.{quoted(name)} AS source",
            {c.name: str(stated.get(c.name, quoted(c.name))) for c in table.columns},
            entry.option("time_zone", str),
            as_of,
        )

    def check_types(self, connection: Any) -> None:
        """Refuse columns that hold values which the contract's type cannot.

        Raises:
            PlatformError: names the column, the type that was expected and that found.
        """
        asked = ", ".join(
            f"pg_typeof(source.{quoted(name)})::text AS {quoted(name)}" for name in self.expressions
        )
        chosen = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in self.expressions.items())
        found = _frame(
            connection,
            f"SELECT {asked} FROM (SELECT 1) AS one LEFT JOIN "
            f"(SELECT {chosen} FROM {self.rows_of} LIMIT 1) AS source ON true",
        ).row(0, named=True)
        for column in self.table.columns:
            fitting = _FITTING[column.type.partition("(")[0]]
            type_ = found[column.name]
            if type_ not in fitting:
                raise PlatformError(
                    f"{self.table.key}: column {column.name} is of type {type_}, expected "
                    f"{' or '.join(fitting)}, which {column.type.lower()} holds"
                )
            if type_ == "timestamp without time zone" and self.time_zone is None:
                raise PlatformError(
                    f"{self.table.key}: column {column.name} is a time without its zone; say in "
                    f"{SOURCES_FILE} what it means, like time_zone: Europe/Paris"
                )

    def rows(self, connection: Any) -> pl.DataFrame:
        """The rows up to the as-of date, in the contract's types.

        Raises:
            PlatformError: a value does not fit; names table, column, expected, found, how many.
        """
        columns = self.table.columns
        chosen = ", ".join(f"{self._sent(c)} AS {quoted(c.name)}" for c in columns)
        where = ""
        if event := self.table.event_column:
            day = self.expressions[event]
            # One without a day is refused, not left out.
            where = f" WHERE ({day}) <= DATE {literal(str(self.as_of))} OR ({day}) IS NULL"
        frame = _frame(connection, f"SELECT {chosen} FROM {self.rows_of}{where}", copy=True)
        return checked(
            frame.select(self._received(frame, column) for column in columns),
            self.table,
            self.table.key,
        )

    def _sent(self, column: Column) -> str:
        """The SQL by which a column is sent: as a type that loses nothing on the way."""
        sql = f"({self.expressions[column.name]})"
        if decimal := _decimal(column):
            digits, scale = decimal
            if digits > _MOST_DIGITS:
                return f"{sql}::text"
            fits = (
                f"{sql} = round({sql}::numeric, {scale}) AND abs({sql}) < {10 ** (digits - scale)}"
            )
            return (
                f"CASE WHEN {sql} IS NULL THEN NULL WHEN {fits} "
                f"THEN ({sql}::numeric * {10**scale})::bigint ELSE {_UNFIT_INTEGER} END"
            )
        if column.type == "DATE":
            days = f"({sql} - DATE '1970-01-01')"
            return (
                f"CASE WHEN {sql} IS NULL THEN NULL WHEN isfinite({sql}) THEN {days} "
                f"ELSE {_UNFIT_DAY} END"
            )
        if column.type == "TIMESTAMP":
            zone = literal(self.time_zone or "UTC")
            return (
                f"timezone('UTC', timezone({zone}, {sql}))"
                if self.time_zone
                else (f"timezone('UTC', {sql})")
            )
        return f"{sql}::{_AS[column.type]}"

    def _received(self, frame: pl.DataFrame, column: Column) -> pl.Series:
        values, where = frame[column.name], self.table.key
        if decimal := _decimal(column):
            digits, scale = decimal
            expected = f"a number of at most {digits - scale} digits and {scale} decimals"
            if digits > _MOST_DIGITS:
                pattern = rf"^-?\d{{1,{digits - scale}}}(\.\d{{0,{scale}}}0*)?$"
                wrong = int((~values.str.contains(pattern)).sum())
                exact = values
            else:
                wrong = int((values == _UNFIT_INTEGER).sum())
                exact = values.cast(pl.Decimal(38, 0)) * pl.Series(
                    [f"{10**-scale:.{scale}f}"]
                ).cast(pl.Decimal(38, scale))
            if wrong:
                refuse(where, column.name, expected, "another", wrong, len(values))
            return exact.cast(column.polars_type).alias(column.name)
        if column.type == "DATE":
            if wrong := int((values == _UNFIT_DAY).sum()):
                refuse(where, column.name, "a date", "infinity", wrong, len(values))
            return values.cast(pl.Int32).cast(pl.Date)
        return values.cast(column.polars_type)


_AS = {"VARCHAR": "text", "INTEGER": "int4", "BIGINT": "int8", "DOUBLE": "float8"}


def _decimal(column: Column) -> tuple[int, int] | None:
    """(digits, decimals) of a column of decimals."""
    type_ = column.polars_type
    return (type_.precision or 38, type_.scale) if isinstance(type_, pl.Decimal) else None


def _frame(connection: Any, sql: str, copy: bool = False) -> pl.DataFrame:
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": str(copy).lower()})
        cursor.execute(sql)
        found = pl.from_arrow(cursor.fetch_arrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


def _value(connection: Any, sql: str) -> str:
    return str(_frame(connection, sql).item())


def _run(connection: Any, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute(sql)
