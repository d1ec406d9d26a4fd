"""What is read of one table of PostgreSQL: a SELECT that loses nothing, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from data_platform.errors import PlatformError
from data_platform.settings import SOURCES_FILE
from data_platform.sources.column import Column
from data_platform.sources.contract import SourceTable
from data_platform.sources.entries import Entry
from data_platform.sources.exact import checked, refuse
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
_UNFIT_INTEGER, _UNFIT_DAY = -(2**63), -(2**31)
_MOST_DIGITS = 18  # of a decimal that is sent as a whole number of its smallest unit


@dataclass(frozen=True)
class Select:
    """What is read of one table: an expression for each column of the contract."""

    table: SourceTable
    rows_of: str
    expressions: Mapping[str, str]
    time_zone: str | None
    as_of: date

    @classmethod
    def of(cls, entry: Entry, table: SourceTable, as_of: date) -> "Select":
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
        found = frame(
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
        if event := self.table.begins_on:
            day = self.expressions[event]
            # One without a day is refused, not left out.
            where = f" WHERE ({day}) <= DATE {literal(str(self.as_of))} OR ({day}) IS NULL"
        found = frame(connection, f"SELECT {chosen} FROM {self.rows_of}{where}", copy=True)
        return checked(
            found.select(self._received(found, column) for column in columns),
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


def frame(connection: Any, sql: str, copy: bool = False) -> pl.DataFrame:
    """The rows of a query; by COPY, which only a SELECT goes through."""
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": str(copy).lower()})
        cursor.execute(sql)
        found = pl.from_arrow(cursor.fetch_arrow_table())
    assert isinstance(found, pl.DataFrame)
    return found


def value(connection: Any, sql: str) -> str:
    """The one value of a query, as a text."""
    return str(frame(connection, sql).item())


def run(connection: Any, sql: str) -> None:
    """Run a statement that gives no rows."""
    with connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute(sql)
