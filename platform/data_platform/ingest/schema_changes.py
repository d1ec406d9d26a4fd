"""The raw tables follow the contract: a column that came, went, was renamed or retyped."""

from dataclasses import dataclass
from typing import Any

import duckdb

from data_platform.errors import PlatformError
from data_platform.sources.column import Column
from data_platform.sources.contract import SCHEMA, SourceTable
from data_platform.sql import has_table, literal, quoted


@dataclass(frozen=True)
class SchemaChange:
    """How a raw table differs from the contract, in words, a difference each."""

    table: str
    differences: tuple[str, ...]

    def __str__(self) -> str:
        return f"{SCHEMA}.{self.table} follows the contract: {', '.join(self.differences)}"


def schema_change(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> SchemaChange | None:
    """How a raw table differs from the contract; None where it does not, or is not there."""
    found = _columns(connection, table)
    if not found:
        return None
    said, taken = [], set()
    for column in table.columns:
        before = _before(column, found)
        if before is None:
            said.append(f"{column.name} is new")
            continue
        taken.add(before)
        type_, nullable = found[before]
        if before != column.name:
            said.append(f"{before} is now called {column.name}")
        if type_ != column.type:
            said.append(f"{column.name} is {column.type}, was {type_}")
        if nullable != column.nullable:
            said.append(f"{column.name} may {'' if column.nullable else 'no longer '}be null")
    said += [f"{name} is gone" for name in found if name not in taken]
    if not said and [*found] != [column.name for column in table.columns]:
        said.append("its columns are in another order")
    return SchemaChange(table.name, tuple(said)) if said else None


def migrate(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, gives_up_history: bool = False
) -> None:
    """Rebuild a raw table that no file holds, each row of it, by the contract.

    Args:
        gives_up_history: values in columns that are gone may go.

    Raises:
        PlatformError: a value does not fit, one would be lost, or a new column may not be null and
            has no default; names the column, what was expected and found.
    """
    found, name = _columns(connection, table), f"{SCHEMA}.{quoted(table.name)}"
    rows = _number(connection, f"SELECT COUNT(*) FROM {name}")
    taken = {_before(column, found) for column in table.columns}
    for gone in (one for one in found if one not in taken and not gives_up_history):
        values = _number(connection, f"SELECT COUNT({quoted(gone)}) FROM {name}")
        if values:
            raise PlatformError(
                f"{SCHEMA}.{table.name}: column {gone} is gone from the contract, but {values:,} "
                f"of {rows:,} rows hold values that no extract brings back; keep it, say what it "
                f"is called now with a tag like was:new={gone}, or give them up: --start-over"
            )
    selected = []
    for column in table.columns:
        at = f"{SCHEMA}.{table.name}: column {column.name}"
        before = _before(column, found)
        if before is None:
            if rows and column.default is None and not column.nullable:
                raise PlatformError(
                    f"{at} is new and may not be null, but {rows:,} rows were kept before it was "
                    f"there; let it be null, or give it a default with a tag like "
                    f"default:{column.name}=value"
                )
            value = "NULL" if column.default is None else literal(column.default)
            if column.default is not None and _number(
                connection, f"SELECT COUNT(*) WHERE TRY_CAST({value} AS {column.type}) IS NULL"
            ):
                raise PlatformError(f"{at}: its default {column.default!r} is no {column.type}")
            selected.append(f"CAST({value} AS {column.type})")
            continue
        was, is_ = quoted(before), f"TRY_CAST({quoted(before)} AS {column.type})"
        back = f"TRY_CAST({is_} AS {found[before][0]})"
        lost = f"SELECT COUNT(*) FROM {name} WHERE {back} IS DISTINCT FROM {was}"
        if misfits := _number(connection, lost):
            raise PlatformError(
                f"{at} is to be {column.type}, but {misfits:,} of {rows:,} rows hold a "
                f"{found[before][0]} that does not fit; leave the type, or give the column "
                "another name"
            )
        if not column.nullable and (
            nulls := _number(connection, f"SELECT COUNT(*) FROM {name} WHERE {was} IS NULL")
        ):
            raise PlatformError(f"{at} is null in {nulls:,} of {rows:,} rows, expected in none")
        selected.append(is_)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE kept AS SELECT {', '.join(selected)} FROM {name}"
    )
    connection.execute(f"CREATE OR REPLACE TABLE {name} ({table.ddl})")
    connection.execute(f"INSERT INTO {name} FROM kept")
    connection.execute("DROP TABLE kept")


def _before(column: Column, found: dict[str, tuple[str, bool]]) -> str | None:
    """The name under which the raw table holds a column of the contract, None where it does not."""
    return next((name for name in (column.name, column.was) if name in found), None)


def _columns(
    connection: duckdb.DuckDBPyConnection, table: SourceTable
) -> dict[str, tuple[str, bool]]:
    """The type of each column of a raw table, and whether it may be null; none without a table."""
    if not has_table(connection, SCHEMA, table.name):
        return {}
    # To ask DuckDB's list of columns would bind every view first.
    rows = connection.execute(f"DESCRIBE {SCHEMA}.{quoted(table.name)}").fetchall()
    return {name: (type_, nullable == "YES") for name, type_, nullable, *_ in rows}


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row: Any = connection.execute(sql).fetchone()
    return int(row[0])
