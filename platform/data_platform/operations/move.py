"""A lakehouse moves to another gateway, with its record, SQLMesh's state and all environments."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from data_platform.errors import PlatformError, UsageError
from data_platform.lakehouse.connection import is_there, reading, writing
from data_platform.lakehouse.contents import (
    Name,
    carry_comments,
    make_views,
    place_of,
    view_queries,
)
from data_platform.lakehouse.reader_copy import snapshot
from data_platform.lakehouse.run import Run
from data_platform.lakehouse.stores import store_of
from data_platform.names import MOVABLE
from data_platform.project.state import export_state, import_state
from data_platform.record.journal import last_recorded_number
from data_platform.record.loads import last_load
from data_platform.settings import Settings
from data_platform.sql import literal, quoted, transaction

_ORIGIN, _OWN = "origin", "lakehouse"


@dataclass(frozen=True)
class Moved:
    """What has come to another gateway, each table of it compared row for row."""

    tables: int
    views: int
    rows: int


def destination(settings: Settings, gateway: str) -> tuple[Settings, int]:
    """(settings of the gateway that a lakehouse is to move to, number of its last run).

    Raises:
        UsageError: it is no gateway that keeps a lakehouse, or the same.
        PlatformError: there is no lakehouse, or it would take the place of one that knows more.
    """
    if gateway not in MOVABLE or gateway == settings.gateway:
        others = ", ".join(sorted({*MOVABLE} - {settings.gateway}))
        raise UsageError(f"--to {gateway}: choose another gateway, {others}")
    target = replace(settings, gateway=gateway)
    store_of(settings).refuse_folder(settings)
    with reading(settings) as connection:
        ours, number = last_load(connection), last_recorded_number(connection)
    if ours is None:
        raise PlatformError("nothing is loaded yet; run: data-platform run")
    if is_there(target):
        with reading(target) as connection:
            theirs = last_load(connection)
        with reading(settings) as connection:
            known = connection.execute(
                "SELECT COUNT(*) FROM sources.platform__extracts "
                "WHERE load_number = ? AND batch_id = ?",
                [theirs.load_number, theirs.batch_id] if theirs else [0, ""],
            ).fetchone()
        if theirs is not None and not (known and known[0]):
            raise PlatformError(
                f"gateway {gateway} has a lakehouse already, whose load {theirs.load_number} as of "
                f"{theirs.as_of} this one does not know; it would be lost"
            )
    return target, number


def move(
    settings: Settings, run: Run, progress: Callable[[int, int], None] = lambda done, total: None
) -> Moved:
    """Fill a run's private copy with the lakehouse of another gateway, and compare them.

    Args:
        settings: of the lakehouse that moves.
        run: at its new place; publishes it.
        progress: called with (tables done, tables in all).

    Raises:
        PlatformError: a table has not the same rows afterwards, or something cannot be copied.
    """
    store = store_of(run.settings)
    with snapshot(settings) as origin:
        with reading(origin) as connection:
            queries = view_queries(connection, _OWN)
        store.clear(run.settings)
        with writing(run.settings) as connection:
            store_of(origin).attach(connection, origin, _ORIGIN)
            tables = _tables(connection)
            rows = 0
            for done, name in enumerate(tables):
                progress(done, len(tables))
                with transaction(connection):
                    _make_table(connection, name)
                rows += _compared(connection, name)
            with transaction(connection):
                for schema in sorted({schema for schema, _ in queries}):
                    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
                make_views(connection, queries, _ORIGIN)
                carry_comments(connection, [*tables, *queries], _ORIGIN)
            progress(len(tables), len(tables))
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state.json"
            export_state(origin, state)
            import_state(run.settings, state)
    return Moved(len(tables), len(queries), rows)


def _tables(connection: duckdb.DuckDBPyConnection) -> list[Name]:
    """The tables that move; SQLMesh's own state goes by SQLMesh's own way."""
    rows = connection.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = ? "
        "AND NOT internal AND schema_name <> 'sqlmesh' ORDER BY ALL",
        [_ORIGIN],
    ).fetchall()
    return [(schema, name) for schema, name in rows]


def _make_table(connection: duckdb.DuckDBPyConnection, name: Name) -> None:
    columns = connection.execute(
        "SELECT column_name, data_type, is_nullable FROM duckdb_columns() WHERE database_name = ? "
        "AND schema_name = ? AND table_name = ? ORDER BY column_index",
        [_ORIGIN, *name],
    ).fetchall()
    described = ", ".join(
        f"{quoted(column)} {type_}{'' if nullable else ' NOT NULL'}"
        for column, type_, nullable in columns
    )
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(name[0])}")
    connection.execute(f"CREATE OR REPLACE TABLE {place_of(name)} ({described})")
    connection.execute(f"INSERT INTO {place_of(name)} FROM {place_of(name, _ORIGIN)}")


def _compared(connection: duckdb.DuckDBPyConnection, name: Name) -> int:
    """How many rows a table has, here as there.

    Raises:
        PlatformError: they are not the same.
    """
    here, there = place_of(name), place_of(name, _ORIGIN)
    row = connection.execute(
        f"SELECT (SELECT COUNT(*) FROM (FROM {here} EXCEPT ALL FROM {there})), "
        f"(SELECT COUNT(*) FROM (FROM {there} EXCEPT ALL FROM {here})), "
        f"(SELECT COUNT(*) FROM {here})"
    ).fetchone()
    assert row is not None
    if row[0] or row[1]:
        raise PlatformError(
            f"{literal('.'.join(name))} has not the same rows at its new place: {row[0]:,} more, "
            f"{row[1]:,} missing; nothing was moved"
        )
    return int(row[2])
