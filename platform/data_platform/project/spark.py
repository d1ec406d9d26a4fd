"""Spark as SQLMesh's engine."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import ErrorLevel, exp
from sqlmesh.core.config.connection import SparkConnectionConfig
from sqlmesh.core.engine_adapter import EngineAdapter, SparkEngineAdapter
from sqlmesh.utils.date import make_inclusive

from data_platform.project.spark_sql import in_spark
from data_platform.sources.contract import SCHEMA as SOURCES
from data_platform.sql import literal, quoted


class SparkAdapter(SparkEngineAdapter):
    """Restates a window exactly, and says in Spark's words what SQLGlot does not."""

    def _to_sql(self, expression: exp.Expression, *args: Any, **options: Any) -> str:
        said = in_spark(expression)
        sql: str = super()._to_sql(said, *args, unsupported_level=ErrorLevel.RAISE, **options)
        return sql

    def delete_from(self, table_name: Any, where: Any = None) -> None:
        """Empty a table; Parquet files know no other deletion."""
        if where not in (None, exp.true()):
            raise NotImplementedError(f"delete from {table_name} where {where}")
        self.execute(exp.TruncateTable(expressions=[exp.to_table(table_name)]))

    def _create_table(self, *args: Any, **options: Any) -> None:
        # Invoices would lie in a folder a day.
        super()._create_table(*args, **{**options, "partitioned_by": None})

    def insert_overwrite_by_time_partition(
        self,
        table_name: Any,
        query_or_df: Any,
        start: Any,
        end: Any,
        time_formatter: Any,
        time_column: Any,
        target_columns_to_types: dict[str, exp.DataType] | None = None,
        **options: Any,
    ) -> None:
        """Replace the rows of a window, and those alone.

        Spark's own overwriting by partitions keeps one that gets no row any longer.
        """
        queries, types = self._get_source_queries_and_columns_to_types(
            query_or_df, target_columns_to_types, target_table=table_name
        )
        types = types or self.columns(table_name)
        time = time_column if isinstance(time_column, str) else time_column.column
        low, high = (time_formatter(at, types) for at in make_inclusive(start, end))
        column = exp.column(time) if isinstance(time, str) else time
        is_within = exp.Between(this=column, low=low, high=high)
        kept = exp.select(*map(exp.column, types)).from_(exp.to_table(table_name))
        whole = self._get_temp_table(table_name)
        with queries[0] as query:
            fresh = self._order_projections_and_filter(query, types, where=is_within)
            added = exp.select(*map(exp.column, types)).from_(fresh.subquery("fresh"))
            self.ctas(whole, exp.union(kept.where(exp.not_(is_within)), added, distinct=False))
        self.execute(
            exp.insert(exp.select(*map(exp.column, types)).from_(whole), table_name, overwrite=True)
        )
        self.drop_table(whole)

    def begin(self, record: duckdb.DuckDBPyConnection) -> None:
        """Make the schema of the raw tables."""
        self.spark.sql(f"CREATE DATABASE IF NOT EXISTS {SOURCES}")

    def take(self, record: duckdb.DuckDBPyConnection, folder: Path, table: str) -> None:
        """Let Spark read a raw table from a file."""
        place = folder / table
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, mode=0o700)
        file = literal(str(place / "part-0.parquet"))
        record.execute(f"COPY {SOURCES}.{quoted(table)} TO {file} (FORMAT parquet)")
        self.spark.sql(f"DROP TABLE IF EXISTS {SOURCES}.`{table}`")
        self.spark.sql(
            f"CREATE TABLE {SOURCES}.`{table}` USING parquet LOCATION {literal(str(place))}"
        )

    def give(self, record: duckdb.DuckDBPyConnection, folder: Path, place: str) -> str:
        """Files that Spark writes of a table or view."""
        shutil.rmtree(folder, ignore_errors=True)
        self.spark.table(place.replace('"', "`")).write.parquet(str(folder))
        return f"read_parquet({literal(str(folder / '*.parquet'))})"

    def physical_schemas(self) -> list[str]:
        """The databases that hold SQLMesh's physical tables."""
        return [schema for (schema,) in self.fetchall("SHOW DATABASES LIKE 'sqlmesh__*'")]

    def end(self, record: duckdb.DuckDBPyConnection) -> None:
        """End Spark and its catalogue, so that all that it wrote is in its files."""
        spark = self.spark
        with suppress(Exception):  # Derby says by an exception that it has ended
            spark.sparkContext._jvm.java.sql.DriverManager.getConnection(
                "jdbc:derby:;shutdown=true"
            )
        spark.stop()


class SparkConnection(SparkConnectionConfig):
    """Spark's connection of config.yaml, with the adapter of ours."""

    @property
    def _engine_adapter(self) -> type[EngineAdapter]:
        return SparkAdapter
