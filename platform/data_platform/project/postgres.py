"""PostgreSQL as SQLMesh's engine."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
from psycopg2.extensions import set_wait_callback
from psycopg2.extras import wait_select
from sqlglot import ErrorLevel, exp
from sqlmesh.core.config.connection import PostgresConnectionConfig
from sqlmesh.core.engine_adapter import EngineAdapter, PostgresEngineAdapter

from data_platform.errors import PlatformError
from data_platform.project.postgres_sql import in_postgres
from data_platform.sources.contract import SCHEMA as SOURCES
from data_platform.sql import literal, quoted, transaction

# What SQLMesh calls the database, whichever it is.
_CATALOGUE = "lakehouse"
# What DuckDB calls it.
_ATTACHED = "engine"


class PostgresAdapter(PostgresEngineAdapter):
    """Says in PostgreSQL's words what SQLGlot does not, and works in whichever database it is."""

    def _to_sql(self, expression: exp.Expression, *args: Any, **options: Any) -> str:
        said = in_postgres(expression, _CATALOGUE)
        sql: str = super()._to_sql(said, *args, unsupported_level=ErrorLevel.RAISE, **options)
        return sql

    def get_current_catalog(self) -> str:
        """What SQLMesh calls the database."""
        return _CATALOGUE

    def look_again(self) -> None:
        """Go on after a query that failed, which has ended its transaction."""
        is_active = self._connection_pool.is_transaction_active
        self._connection_pool.rollback()
        if is_active:
            self._connection_pool.begin()

    def begin(self, record: duckdb.DuckDBPyConnection) -> None:
        """Let DuckDB write to the database, and read it; let Ctrl-C end a query."""
        set_wait_callback(wait_select)
        folder = os.environ["DATA_PLATFORM_EXTENSIONS"]
        record.execute(f"SET extension_directory = {literal(folder)}")
        record.execute("SET autoinstall_known_extensions = false")
        database = os.environ["DATA_PLATFORM_POSTGRES_DATABASE"]
        place = literal(f"dbname={database}")  # libpq finds the rest where we did
        record.execute(f"ATTACH {place} AS {_ATTACHED} (TYPE postgres)")
        record.execute(f"CREATE SCHEMA IF NOT EXISTS {_ATTACHED}.{SOURCES}")

    def take(self, record: duckdb.DuckDBPyConnection, folder: Path, table: str) -> None:
        """Make a raw table what the DuckDB file has under its name; views read it meanwhile."""
        here, there = (f"{place}{SOURCES}.{quoted(table)}" for place in ("", f"{_ATTACHED}."))
        with transaction(record):
            record.execute(f"CREATE TABLE IF NOT EXISTS {there} AS FROM {here} LIMIT 0")
        self._follow(record, table)
        with transaction(record):
            record.execute(f"DELETE FROM {there}")
            record.execute(f"INSERT INTO {there} BY NAME FROM {here}")

    def _follow(self, record: duckdb.DuckDBPyConnection, table: str) -> None:
        """Give a raw table the columns that the contract says now.

        Raises:
            PlatformError: a view reads a column that is gone or is of another type.
        """
        record.execute("CALL pg_clear_cache()")
        ours, theirs = (
            dict(
                record.execute(
                    "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = "
                    f"{catalogue} AND schema_name = ? AND table_name = ?",
                    [SOURCES, table],
                ).fetchall()
            )
            for catalogue in ("current_database()", literal(_ATTACHED))
        )
        changes = [f"DROP COLUMN {quoted(name)}" for name in theirs.keys() - ours.keys()]
        for name, type_ in ours.items():
            said = exp.DataType.build(type_, dialect="duckdb").sql(dialect="postgres")
            if name not in theirs:
                changes.append(f"ADD COLUMN {quoted(name)} {said}")
            elif theirs[name] != type_:
                changes.append(f"ALTER COLUMN {quoted(name)} TYPE {said}")
        for change in changes:
            try:
                statement = f"ALTER TABLE {SOURCES}.{quoted(table)} {change}"
                record.execute(f"CALL postgres_execute('{_ATTACHED}', {literal(statement)})")
            except duckdb.Error as error:
                raise PlatformError(
                    f"sources.{table}: PostgreSQL refuses to {change.lower()}, which the contract "
                    "asks for, while a view reads the column; a new --data-dir begins with the new "
                    "contract"
                ) from error
        if changes:
            record.execute("CALL pg_clear_cache()")

    def give(self, record: duckdb.DuckDBPyConnection, folder: Path, place: str) -> str:
        """The table or view itself."""
        record.execute("CALL pg_clear_cache()")
        return f"{_ATTACHED}.{place}"

    def physical_schemas(self) -> list[str]:
        """The schemas that hold SQLMesh's physical tables."""
        rows = self.fetchall(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'sqlmesh\\_\\_%'",
            quote_identifiers=False,
        )
        return [schema for (schema,) in rows]

    def end(self, record: duckdb.DuckDBPyConnection) -> None:
        """Leave the database, of which others can be made only while nobody is connected."""
        with suppress(duckdb.Error):  # after an error, which this must not hide
            record.execute(f"DETACH {_ATTACHED}")
        self.close()


class PostgresConnection(PostgresConnectionConfig):
    """PostgreSQL's connection of config.yaml, with the adapter of ours."""

    @property
    def _engine_adapter(self) -> type[EngineAdapter]:
        return PostgresAdapter

    def get_catalog(self) -> str:
        """What SQLMesh calls the database."""
        return _CATALOGUE
