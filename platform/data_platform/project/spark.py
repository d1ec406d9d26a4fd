"""Spark as SQLMesh's engine: its session, the raw tables that it reads, what readers get of it."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp
from sqlmesh.core.config.connection import SparkConnectionConfig
from sqlmesh.core.engine_adapter import EngineAdapter, SparkEngineAdapter
from sqlmesh.utils.date import make_inclusive

from data_platform.names import Layer
from data_platform.project.spark_sql import in_spark
from data_platform.settings import Settings
from data_platform.sources.contract import SCHEMA as SOURCES
from data_platform.sql import literal, quoted


class SparkAdapter(SparkEngineAdapter):
    """Restates a window exactly, and says in Spark's words what SQLGlot does not."""

    def _to_sql(self, expression: exp.Expression, *args: Any, **options: Any) -> str:
        sql: str = super()._to_sql(in_spark(expression), *args, **options)
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


class SparkConnection(SparkConnectionConfig):
    """Spark's connection of config.yaml, with the adapter of ours."""

    @property
    def _engine_adapter(self) -> type[EngineAdapter]:
        return SparkAdapter


@contextmanager
def beside_spark(adapter: SparkAdapter, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the record while Spark computes, which reads the raw tables from files."""
    with closing(duckdb.connect(str(settings.lakehouse))) as record:
        try:
            read_raw_tables(adapter, record, settings.lakehouse.parent)
            yield record
        finally:
            stop(adapter)


def read_raw_tables(adapter: SparkAdapter, record: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Let Spark read the raw tables as the last load has left them."""
    place = folder / "raw"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True, mode=0o700)
    adapter.spark.sql(f"CREATE DATABASE IF NOT EXISTS {SOURCES}")
    names = record.execute(
        "SELECT table_name FROM duckdb_tables() WHERE schema_name = ? ORDER BY 1", [SOURCES]
    ).fetchall()
    for (name,) in names:
        (place / name).mkdir(mode=0o700)
        file = place / name / "part-0.parquet"
        record.execute(f"COPY {SOURCES}.{quoted(name)} TO {literal(str(file))} (FORMAT parquet)")
        adapter.spark.sql(f"DROP TABLE IF EXISTS {SOURCES}.`{name}`")
        adapter.spark.sql(
            f"CREATE TABLE {SOURCES}.`{name}` USING parquet LOCATION {literal(str(place / name))}"
        )


def copy_to_readers(
    adapter: SparkAdapter,
    record: duckdb.DuckDBPyConnection,
    copied: Mapping[str, Mapping[str, exp.DataType]],
    shared: Mapping[str, str],
) -> None:
    """Copy what Spark shows into the DuckDB file, where readers and exports find it.

    Args:
        copied: the places, as SQL takes them, and of each the columns in order, with the types that
            they have on DuckDB.
        shared: places that show what another one does.
    """
    row = record.execute("SELECT path FROM duckdb_databases() WHERE NOT internal").fetchone()
    assert row is not None
    folder = Path(row[0]).parent / "shown"
    layers = "|".join(Layer)
    for (schema,) in record.execute(
        "SELECT schema_name FROM duckdb_schemas() WHERE regexp_full_match(schema_name, ?)",
        [f"({layers})(__.*)?"],
    ).fetchall():
        record.execute(f"DROP SCHEMA {quoted(schema)} CASCADE")
    for place in sorted({place.partition(".")[0] for place in (*copied, *shared)}):
        record.execute(f"CREATE SCHEMA {place}")
    for place, columns in copied.items():
        shutil.rmtree(folder, ignore_errors=True)
        adapter.spark.table(place.replace('"', "`")).write.parquet(str(folder))
        selected = ", ".join(
            f"CAST({quoted(column)} AS {type_.sql(dialect='duckdb')}) AS {quoted(column)}"
            for column, type_ in columns.items()
        )
        record.execute(
            f"CREATE TABLE {place} AS SELECT {selected} "
            f"FROM read_parquet({literal(str(folder / '*.parquet'))})"
        )
    shutil.rmtree(folder, ignore_errors=True)
    for place, other in shared.items():
        record.execute(f"CREATE VIEW {place} AS SELECT * FROM {other}")


def stop(adapter: SparkAdapter) -> None:
    """End Spark and its catalogue, so that all that it wrote is in its files."""
    spark = adapter.spark
    with suppress(Exception):  # Derby says by an exception that it has ended
        spark.sparkContext._jvm.java.sql.DriverManager.getConnection("jdbc:derby:;shutdown=true")
    spark.stop()
