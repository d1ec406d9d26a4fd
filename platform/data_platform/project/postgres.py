"""PostgreSQL as SQLMesh's engine."""

import os
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp
from sqlmesh.core.config.connection import PostgresConnectionConfig
from sqlmesh.core.engine_adapter import EngineAdapter, PostgresEngineAdapter

from data_platform.project.postgres_sql import in_postgres
from data_platform.sources.contract import SCHEMA as SOURCES
from data_platform.sql import literal, quoted

# What SQLMesh calls the database, whichever it is.
_CATALOGUE = "lakehouse"
# What DuckDB calls it.
_ATTACHED = "engine"


class PostgresAdapter(PostgresEngineAdapter):
    """Says in PostgreSQL's words what SQLGlot does not, and works in whichever database it is."""

    def _to_sql(self, expression: exp.Expression, *args: Any, **options: Any) -> str:
        said = in_postgres(expression, _CATALOGUE)
        sql: str = super()._to_sql(said, *args, **options)
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
        """Let DuckDB write to the database, and read it."""
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
        record.begin()
        record.execute(f"CREATE TABLE IF NOT EXISTS {there} AS FROM {here} LIMIT 0")
        record.execute(f"DELETE FROM {there}")
        record.execute(f"INSERT INTO {there} FROM {here}")
        record.commit()

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
