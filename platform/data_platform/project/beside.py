"""An engine that computes beside the DuckDB file of the record: what it reads, what readers get."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

import duckdb
from sqlglot import exp

from data_platform.lakehouse.limits import set_limits
from data_platform.names import Layer
from data_platform.settings import Settings
from data_platform.sources.contract import SCHEMA as SOURCES
from data_platform.sql import quoted, silence


class EngineBeside(Protocol):
    """What an engine's adapter does besides what SQLMesh asks of it."""

    def take(self, record: duckdb.DuckDBPyConnection, folder: Path, table: str) -> None:
        """Make a raw table what the DuckDB file has under its name.

        Args:
            folder: where files may be left for the engine.
        """

    def give(self, record: duckdb.DuckDBPyConnection, folder: Path, place: str) -> str:
        """What DuckDB selects from to read a table or view of the engine.

        Args:
            folder: where files may be left for DuckDB.
        """

    def physical_schemas(self) -> list[str]:
        """The schemas that hold SQLMesh's physical tables."""

    def begin(self, record: duckdb.DuckDBPyConnection) -> None:
        """Prepare a connection to the DuckDB file for what follows."""

    def end(self, record: duckdb.DuckDBPyConnection) -> None:
        """End what was begun, so that all that the engine wrote is safe."""


@contextmanager
def beside(
    adapter: EngineBeside, settings: Settings, computes: bool
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the record while another engine computes, which gets the raw tables.

    Args:
        computes: False where the record alone is asked.
    """
    with closing(duckdb.connect(str(settings.lakehouse))) as record:
        set_limits(record)
        silence(record)
        if not computes:
            yield record
            return
        adapter.begin(record)
        try:
            for (name,) in record.execute(
                "SELECT table_name FROM duckdb_tables() "
                "WHERE database_name = current_database() AND schema_name = ? ORDER BY 1",
                [SOURCES],
            ).fetchall():
                adapter.take(record, settings.lakehouse.parent / "raw", name)
            yield record
        finally:
            adapter.end(record)


def copy_to_readers(
    adapter: EngineBeside,
    record: duckdb.DuckDBPyConnection,
    folder: Path,
    copied: Mapping[str, Mapping[str, exp.DataType]],
    shared: Mapping[str, str],
) -> None:
    """Copy what the engine shows into the DuckDB file, where readers and exports find it.

    Args:
        folder: where files may be left meanwhile.
        copied: the places, as SQL takes them, and of each the columns in order, with the types that
            they have on DuckDB.
        shared: places that show what another one does.
    """
    for (schema,) in record.execute(
        "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database() "
        "AND regexp_full_match(schema_name, ?)",
        [f"({'|'.join(Layer)})(__.*)?"],
    ).fetchall():
        record.execute(f"DROP SCHEMA {quoted(schema)} CASCADE")
    for schema in sorted({place.partition(".")[0] for place in (*copied, *shared)}):
        record.execute(f"CREATE SCHEMA {schema}")
    for place, columns in copied.items():
        selected = ", ".join(
            f"CAST({quoted(column)} AS {type_.sql(dialect='duckdb')}) AS {quoted(column)}"
            for column, type_ in columns.items()
        )
        found = adapter.give(record, folder, place)
        record.execute(f"CREATE TABLE {place} AS SELECT {selected} FROM {found}")
    for place, other in shared.items():
        record.execute(f"CREATE VIEW {place} AS SELECT * FROM {other}")
