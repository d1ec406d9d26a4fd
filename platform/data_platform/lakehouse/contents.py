"""Tables and views with their comments, taken from one catalogue to another."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

import duckdb

from data_platform.sql import literal, quoted

# Schema and name.
Name = tuple[str, str]
# A statement up to the query of the view: what stands between quotes may hold anything.
_BEFORE_QUERY = re.compile(r'(?:[^"]|"(?:[^"]|"")*")*?\sAS\s', re.S)


def place_of(name: Name, catalogue: str = "") -> str:
    """A name as SQL takes it."""
    return ".".join(map(quoted, (catalogue, *name) if catalogue else name))


def view_queries(connection: duckdb.DuckDBPyConnection, catalogue: str) -> dict[Name, str]:
    """The query of each view of a catalogue that is attached under its own name."""
    rows = connection.execute(
        "SELECT schema_name, view_name, sql FROM duckdb_views() "
        "WHERE database_name = ? AND NOT internal",
        [catalogue],
    ).fetchall()
    return {(schema, name): _BEFORE_QUERY.sub("", sql, count=1) for schema, name, sql in rows}


def make_views(
    connection: duckdb.DuckDBPyConnection, queries: Mapping[Name, str | None], origin: str
) -> None:
    """Make views as they are in another catalogue, each after those that it reads.

    Args:
        queries: of each view; None drops it.
        origin: the catalogue that has them, whose columns they get.
    """
    left = dict(queries)
    while left:
        waiting: dict[Name, str | None] = {}
        for name, query in left.items():
            try:
                _make_view(connection, name, query, origin)
            except duckdb.CatalogException:
                waiting[name] = query
        if len(waiting) == len(left):  # says which it lacks
            _make_view(connection, *waiting.popitem(), origin)
        left = waiting


def _make_view(
    connection: duckdb.DuckDBPyConnection, name: Name, query: str | None, origin: str
) -> None:
    if query is None:
        connection.execute(f"DROP VIEW IF EXISTS {place_of(name)}")
        return
    rows = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = ? "
        "AND schema_name = ? AND table_name = ? ORDER BY column_index",
        [origin, *name],
    ).fetchall()
    columns = f" ({', '.join(quoted(column) for (column,) in rows)})" if rows else ""
    connection.execute(f"CREATE OR REPLACE VIEW {place_of(name)}{columns} AS {query}")


def carry_comments(
    connection: duckdb.DuckDBPyConnection, names: Sequence[Name], origin: str
) -> None:
    """Give tables and views, and their columns, the comments that they have elsewhere."""
    for name in names:
        for kind in ("TABLE", "VIEW"):
            rows = connection.execute(
                f"SELECT comment FROM duckdb_{kind.lower()}s() WHERE database_name = ? AND "
                f"schema_name = ? AND {kind.lower()}_name = ? AND comment IS NOT NULL",
                [origin, *name],
            ).fetchall()
            for (comment,) in rows:
                connection.execute(f"COMMENT ON {kind} {place_of(name)} IS {literal(comment)}")
        for column, comment in connection.execute(
            "SELECT column_name, comment FROM duckdb_columns() WHERE database_name = ? AND "
            "schema_name = ? AND table_name = ? AND comment IS NOT NULL",
            [origin, *name],
        ).fetchall():
            with suppress(duckdb.BinderException):  # DuckLake takes none for columns of views
                connection.execute(
                    f"COMMENT ON COLUMN {place_of(name)}.{quoted(column)} IS {literal(comment)}"
                )
