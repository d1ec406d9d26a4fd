"""What is read of one table of PostgreSQL: a SELECT that loses nothing, and what it gives."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from data_platform.errors import PlatformError
from data_platform.sources.column import Column
from data_platform.sources.contract import SourceTable
from data_platform.sources.cursor import Since
from data_platform.sources.databases.query import Query
from data_platform.sources.entries import Entry
from data_platform.sources.exact import A_DATE, Misfits, checked, from_text
from data_platform.sql import literal, quoted

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
_UNFIT_DAY = -(2**31)
_UNFIT_MOMENT = "0001-01-01 00:00:00"


@dataclass(frozen=True)
class Select:
    """What is read of one table: an expression for each column of the contract."""

    table: SourceTable
    rows_of: str
    expressions: Mapping[str, str]
    time_zone: str | None
    as_of: date
    # The types that the database has, by column; each fits.
    types: Mapping[str, str]

    @classmethod
    def of(cls, connection: Any, entry: Entry, table: SourceTable, as_of: date) -> "Select":
        """The statement for a table of an entry.

        Raises:
            PlatformError: a column holds values that the contract's type cannot; names the column,
                the type that was expected and that found.
        """
        query = Query.of(entry, table, entry.option("schema", str, "public"))
        zone = entry.option("time_zone", str)
        types = _types(connection, query, table, zone)
        return cls(table, query.rows_of, query.expressions, zone, as_of, types)

    def rows(
        self, connection: Any, misfits: Misfits, since: Since | None
    ) -> Iterator[pl.DataFrame]:
        """The rows up to the as-of date, in the contract's types, as they arrive.

        Args:
            misfits: is told of values that do not fit.
            since: which rows are enough, later ones among them; all of them without.
        """
        columns = self.table.columns
        chosen = ", ".join(f"{self._sent(c)} AS {quoted(c.name)}" for c in columns)
        sql = f"SELECT {chosen} FROM {self.rows_of}{self._where(since)}"
        for found in frames(connection, sql, copy=True):
            received = [self._received(found, column, misfits) for column in columns]
            yield checked(pl.DataFrame(received), self.table, misfits)

    def _where(self, since: Since | None) -> str:
        # Where a day or a cursor is missing, the row is read: it is refused, not left out.
        day = self.expressions[self.table.begins_on] if self.table.begins_on else None
        if since is None:
            if day is None:
                return ""
            return f" WHERE ({day}) <= DATE {literal(str(self.as_of))} OR ({day}) IS NULL"
        mark = f"{literal(since.mark.value)}::timestamptz - INTERVAL '{since.lag_hours} hours'"
        conditions = [
            f"source.{quoted(since.column)} >= {mark}",
            f"source.{quoted(since.column)} IS NULL",
        ]
        if day is not None:
            conditions.append(f"({day}) > DATE {literal(str(since.after))}")
        return f" WHERE {' OR '.join(conditions)}"

    def latest(self, connection: Any, cursor: str) -> str | None:
        """The greatest value of a cursor, now at the latest: nobody's clock may run ahead.

        Raises:
            PlatformError: the cursor is no time.
        """
        of = f"source.{quoted(cursor)}"
        type_ = value(
            connection,
            f"SELECT pg_typeof({of})::text FROM (SELECT 1) AS one LEFT JOIN "
            f"(SELECT * FROM {self.rows_of} LIMIT 1) AS source ON true",
        )
        if type_ not in _FITTING["TIMESTAMP"]:
            raise PlatformError(
                f"{self.table.key}: the cursor {cursor} is of type {type_}, expected a timestamp"
            )
        return value(
            connection, f"SELECT least(max({of})::timestamptz, now())::text FROM {self.rows_of}"
        )

    def _sent(self, column: Column) -> str:
        """The SQL by which a column is sent: as a type that loses nothing on the way."""
        sql = f"({self.expressions[column.name]})"
        if column.type.startswith("DECIMAL"):
            return f"{sql}::text"  # which is exact, and as fast as a whole number of cents
        if column.type == "DATE":
            days = f"({sql} - DATE '1970-01-01')"
            return (
                f"CASE WHEN {sql} IS NULL THEN NULL WHEN isfinite({sql}) THEN {days} "
                f"ELSE {_UNFIT_DAY} END"
            )
        if column.type == "TIMESTAMP":
            if self.types[column.name] == "timestamp without time zone":
                sql = f"timezone({literal(column.zone or self.time_zone or 'UTC')}, {sql})"
            return (
                f"CASE WHEN {sql} IS NULL THEN NULL WHEN isfinite({sql}) "
                f"THEN timezone('UTC', {sql}) ELSE TIMESTAMP {literal(_UNFIT_MOMENT)} END"
            )
        return f"{sql}::{_AS[column.type]}"

    def _received(self, frame: pl.DataFrame, column: Column, misfits: Misfits) -> pl.Series:
        values = frame[column.name]
        if column.type.startswith("DECIMAL"):
            return from_text(values, column, misfits, None)
        if column.type == "DATE":
            misfits.note(column.name, A_DATE, "infinity", int((values == _UNFIT_DAY).sum()))
            return values.cast(pl.Int32).cast(pl.Date)
        if column.type == "TIMESTAMP":
            unfit = values == pl.Series([_UNFIT_MOMENT]).str.to_datetime(time_unit="us")[0]
            misfits.note(column.name, "a time", "infinity", int(unfit.sum()))
        return values.cast(column.polars_type)


def _types(
    connection: Any, query: Query, table: SourceTable, time_zone: str | None
) -> Mapping[str, str]:
    asked = ", ".join(
        f"pg_typeof(source.{quoted(name)})::text AS {quoted(name)}" for name in query.expressions
    )
    chosen = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in query.expressions.items())
    (found,) = rows(
        connection,
        f"SELECT {asked} FROM (SELECT 1) AS one LEFT JOIN "
        f"(SELECT {chosen} FROM {query.rows_of} LIMIT 1) AS source ON true",
    )
    for column in table.columns:
        fitting = _FITTING[column.type.partition("(")[0]]
        type_ = found[column.name]
        if type_ not in fitting:
            raise PlatformError(
                f"{table.key}: column {column.name} is of type {type_}, expected "
                f"{' or '.join(fitting)}, which {column.type.lower()} holds"
            )
        zone = column.zone or time_zone
        if type_ == "timestamp without time zone" and zone is None:
            raise PlatformError(
                f"{table.key}: column {column.name} is a time without its zone; say in "
                f"the contract what it means, with a tag like zone:{column.name}=Europe/Paris"
            )
    return found


_AS = {"VARCHAR": "text", "INTEGER": "int4", "BIGINT": "int8", "DOUBLE": "float8"}


def frames(connection: Any, sql: str, copy: bool = False) -> Iterator[pl.DataFrame]:
    """The rows of a query, as they arrive; by COPY, which only a SELECT goes through.

    One frame at least, of no rows where there are none.
    """
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": str(copy).lower()})
        cursor.execute(sql)
        with cursor.fetch_record_batch() as reader:
            yield pl.DataFrame(reader.schema.empty_table())
            for batch in reader:
                yield pl.DataFrame(batch)


def names_of(connection: Any, sql: str) -> list[str]:
    """The names of a query's columns, of whatever types."""
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute(sql)
        with cursor.fetch_record_batch() as reader:
            return [str(name) for name in reader.schema.names]


def rows(connection: Any, sql: str) -> list[dict[str, Any]]:
    """The rows of a small query."""
    return pl.concat(frames(connection, sql)).to_dicts()


def value(connection: Any, sql: str) -> str | None:
    """The one value of a query, as a text."""
    ((found,),) = (row.values() for row in rows(connection, sql))
    return None if found is None else str(found)


def run(connection: Any, sql: str) -> None:
    """Run a statement that gives no rows."""
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute(sql)
