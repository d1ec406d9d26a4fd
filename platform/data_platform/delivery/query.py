"""Read the lakehouse: a statement's rows, or what there is to read."""

from collections.abc import Generator, Mapping

import duckdb

from data_platform.errors import PlatformError, with_our_limits
from data_platform.lakehouse.connection import is_there, reading
from data_platform.lakehouse.releases import Releases
from data_platform.lakehouse.stores import store_of
from data_platform.names import Layer
from data_platform.record.standing_warnings import SCHEMA as WARNINGS
from data_platform.record.tables import described
from data_platform.result import Result
from data_platform.settings import Settings
from data_platform.sources.contract import SCHEMA as SOURCES
from data_platform.sources.contract_file import read_contract

# So many rows at a time are made values of Python's: ten million of them would take gigabytes.
_ROWS_OF_A_PIECE = 10_000
# In the order in which a reader looks for something.
SCHEMAS = (
    *(Layer.EXPORTS, Layer.REPORT, Layer.MARTS, Layer.INTERMEDIATE, Layer.STAGING),
    *(SOURCES, WARNINGS, "ops"),
)


def lakehouse(settings: Settings, failed: bool) -> Settings:
    """The published lakehouse, or the copy of the last run that an audit or a model stopped.

    Raises:
        PlatformError: no such copy was kept.
    """
    if not failed:
        return settings
    kept = store_of(settings).kept(settings, Releases(settings.data_dir).failed_dir)
    if not is_there(kept):
        raise PlatformError(
            "no copy of a failed run is kept: no audit or model stopped a run since the last "
            "one that succeeded"
        )
    return kept


def query(settings: Settings, sql: str) -> Generator[Result, None, None]:
    """Run SQL that can only read the lakehouse, and nothing else; what it gives, in pieces.

    There is one at least, and more where there are more rows than it holds.

    Raises:
        PlatformError: there is no lakehouse, or DuckDB refuses the statement, or fails later on.
    """
    with reading(settings) as connection:
        try:
            if (count := len(duckdb.extract_statements(sql))) != 1:
                raise PlatformError(
                    f"the query failed: it holds {count} statements, expected one; the shell takes "
                    "several: just query"
                )
            store_of(settings).refuse_query(sql)
            cursor = connection.execute(sql)
            columns = tuple(column[0] for column in cursor.description or ())
            rows = cursor.fetchmany(_ROWS_OF_A_PIECE) if columns else []
            yield Result(columns, rows)
            while rows and (rows := cursor.fetchmany(_ROWS_OF_A_PIECE)):
                yield Result(columns, rows)
        except duckdb.Error as error:
            raise PlatformError(f"the query failed: {with_our_limits(str(error))}") from error


def tables(settings: Settings) -> Result:
    """What can be read: schema and name, rows where DuckDB knows them, and what one row is.

    Raises:
        PlatformError: there is no lakehouse.
    """
    contract = read_contract(settings.project_dir)
    of_sources = {name: table.description for name, table in contract.tables.items()}
    with reading(settings) as connection:
        rows = connection.execute(
            "SELECT schema_name, table_name, comment, estimated_size FROM duckdb_tables() "
            "WHERE NOT (schema_name LIKE 'sqlmesh%' OR schema_name = 'main') UNION ALL "
            "SELECT schema_name, view_name, comment, NULL FROM duckdb_views() "
            "WHERE NOT (internal OR schema_name LIKE 'sqlmesh%' OR schema_name = 'main')"
        ).fetchall()
    shown = [
        (
            f"{schema}.{name}",
            "" if size is None else f"{size:,}",
            said or _described(schema, name, of_sources),
        )
        for schema, name, said, size in rows
    ]
    place = {schema: number for number, schema in enumerate(SCHEMAS)}

    def in_order(row: tuple[str, str, str]) -> tuple[int, str]:
        return place.get(row[0].partition(".")[0], len(place)), row[0]

    return Result(("name", "rows", "one row is"), sorted(shown, key=in_order))


def _described(schema: str, name: str, of_sources: Mapping[str, str]) -> str:
    """What one row is, of tables that say nothing of it themselves."""
    if schema == WARNINGS:
        return "One row a finding of a warning that stands."
    return of_sources.get(name, "") if schema == SOURCES else described(name)
