"""Names and texts as SQL takes them, whatever they hold."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


def literal(text: str) -> str:
    """A text as a quoted SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def has_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether a table of that name exists."""
    try:
        connection.execute(f"SELECT 1 FROM {quoted(schema)}.{quoted(table)} LIMIT 0")
    except duckdb.CatalogException:  # listing the catalogue would take far longer
        return False
    return True


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """What the block does happens in one step or not at all."""
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def short_name(fully_qualified: str) -> str:
    """A model's name without its catalog and quotes, like marts.kpi__nps."""
    return fully_qualified.replace('"', "").partition(".")[2]


def silence(connection: duckdb.DuckDBPyConnection) -> None:
    """Have no progress drawn among an answer's rows.

    DuckDB does so after two seconds where the program that runs has no file, as in a notebook.
    """
    connection.execute("SET enable_progress_bar = false")
