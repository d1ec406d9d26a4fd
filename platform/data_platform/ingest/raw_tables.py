"""The raw tables: they hold the rows of their files, and a load touches only what differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from data_platform.record.loaded_files import ExtractedFile
from data_platform.record.loads import Change
from data_platform.sources.contract import SourceTable
from data_platform.sql import has_table


@dataclass(frozen=True)
class Difference:
    """The files of a table in the manifest against those that the raw table holds."""

    fresh: tuple[ExtractedFile, ...]
    gone: tuple[ExtractedFile, ...]
    kept: tuple[ExtractedFile, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether the raw table holds what the manifest lists."""
        return not (self.fresh or self.gone)


def differ(listed: Sequence[ExtractedFile], held: Sequence[ExtractedFile]) -> Difference:
    """Compare files by path and content."""
    known, wanted = set(held), set(listed)
    return Difference(
        fresh=tuple(file for file in listed if file not in known),
        gone=tuple(file for file in held if file not in wanted),
        kept=tuple(file for file in listed if file in known),
    )


def update_table(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    difference: Difference,
    folder: Path,
    replace: bool,
) -> Change:
    """Make a raw table hold the rows of its files, which were verified.

    Args:
        folder: of the manifest.
        replace: write the whole table, since next to nothing of it will be left.
    """
    is_new = not has_table(connection, "sources", table.name)
    if is_new:
        connection.execute(f"CREATE TABLE {_name(table)} ({table.ddl})")
    scope = None if is_new or replace else _scope(table, difference)
    files = difference.fresh if scope else difference.fresh + difference.kept
    paths = [str(folder / file.path) for file in files]
    if is_new or replace:
        return _replace(connection, table, paths)
    return _apply_difference(connection, table, paths, scope or "TRUE")


def append_new_states(
    connection: duckdb.DuckDBPyConnection,
    log: SourceTable,
    states: SourceTable,
    as_of: date,
    replace: bool,
) -> Change:
    """Add the rows of `states` that its log does not hold yet, value for value.

    Args:
        log: the columns of `states`, and the as-of date of the load that saw them first.
        replace: forget what the log holds.
    """
    removed, first_removed, _ = _bounds(connection, log, _name(log))
    if replace:
        connection.execute(f"DELETE FROM {_name(log)}")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE added AS SELECT DISTINCT {states.column_list}, "
        f"CAST($as_of AS DATE) AS seen_as_of FROM {_name(states)} AS mine "
        f"WHERE NOT EXISTS (SELECT 1 FROM {_name(log)} AS theirs WHERE {_same(states)})",
        {"as_of": as_of},
    )
    connection.execute(f"INSERT INTO {_name(log)} ({log.column_list}) FROM added")
    added, first, _ = _bounds(connection, log, "added")
    if not replace:
        return Change(log.name, added, first_day=first)
    firsts = [day for day in (first, first_removed) if day]
    return Change(log.name, added, removed, min(firsts, default=None))


def _name(table: SourceTable) -> str:
    return f'sources."{table.name}"'


def _same(table: SourceTable, but: str | None = None) -> str:
    return " AND ".join(
        f'mine."{column.name}" IS NOT DISTINCT FROM theirs."{column.name}"'
        if column.nullable
        else f'mine."{column.name}" = theirs."{column.name}"'
        for column in table.columns
        if column.name != but
    )


def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row


def _scope(table: SourceTable, difference: Difference) -> str | None:
    """The condition on the raw table's rows that belong to changed files, by their days.

    None where no condition tells: the rows carry no day, or files overlap in time.
    """
    event, changed = table.event_column, difference.gone + difference.fresh
    if event is None:
        return None
    for file in changed:
        for kept in difference.kept:
            if _starts(kept) <= _ends(file) and _starts(file) <= _ends(kept):
                return None
    return " OR ".join(
        f"\"{event}\" BETWEEN DATE '{_starts(file)}' AND DATE '{_ends(file)}'" for file in changed
    )


def _starts(file: ExtractedFile) -> date:
    return file.first_date or date.min


def _ends(file: ExtractedFile) -> date:
    return file.last_date or date.max


def _replace(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, paths: Sequence[str]
) -> Change:
    name = _name(table)
    removed, *days_before = _bounds(connection, table, name)
    connection.execute(f"CREATE OR REPLACE TABLE {name} ({table.ddl})")
    if paths:
        connection.execute(
            f"INSERT INTO {name} ({table.column_list}) "
            f"SELECT {table.column_list} FROM read_parquet($files)",
            {"files": list(paths)},
        )
    added, *days_after = _bounds(connection, table, name)
    firsts, lasts = zip(days_before, days_after, strict=True)
    return Change(
        table.name,
        added,
        removed,
        min((day for day in firsts if day), default=None),
        max((day for day in lasts if day), default=None) if table.event_column else None,
    )


def _bounds(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, relation: str
) -> tuple[int, date | None, date | None]:
    """(rows, first day, last day) of a relation; no days where the rows carry no date."""
    column = table.event_column or table.dates.get("from")
    days = f'MIN("{column}"), MAX("{column}")' if column else "NULL, NULL"
    rows, first, last = _row(connection, f"SELECT COUNT(*), {days} FROM {relation}")
    return rows, first, last


def _apply_difference(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, paths: Sequence[str], scope: str
) -> Change:
    """Replace the rows of `scope` by those of the files, touching only rows that differ.

    Rows are compared as they are, and counted: a source may hold the same row twice.
    """
    name, columns = _name(table), table.column_list
    source = "read_parquet($files)" if paths else f"(FROM {name} LIMIT 0)"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE surplus AS "
        f"SELECT {columns}, SUM(side)::BIGINT AS copies FROM ("
        f"SELECT {columns}, 1 AS side FROM {source} UNION ALL "
        f"SELECT {columns}, -1 AS side FROM {name} WHERE {scope}"
        ") GROUP BY ALL HAVING SUM(side) <> 0",
        {"files": list(paths)} if paths else None,
    )
    for relation, sign in (("added", ""), ("removed", "-")):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {relation} AS SELECT {columns} "
            f"FROM surplus, RANGE({sign}copies)"
        )
    change = _describe(connection, table)
    if change.removed:
        connection.execute(
            f"DELETE FROM {name} WHERE rowid IN (SELECT number FROM ("
            "SELECT mine.number, -theirs.copies AS excess, "
            "ROW_NUMBER() OVER (PARTITION BY theirs.rowid ORDER BY mine.number) AS place "
            f"FROM (SELECT rowid AS number, {columns} FROM {name} WHERE {scope}) AS mine "
            f"JOIN surplus AS theirs ON {_same(table)} WHERE theirs.copies < 0"
            ") WHERE place <= excess)"
        )
    if change.added:
        connection.execute(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM added")
    return change


def _describe(connection: duckdb.DuckDBPyConnection, table: SourceTable) -> Change:
    """The change that the temporary tables `added` and `removed` make."""
    added, *days_added = _bounds(connection, table, "added")
    removed, *days_removed = _bounds(connection, table, "removed")
    firsts, lasts = zip(days_added, days_removed, strict=True)
    first = min((day for day in firsts if day), default=None)
    last = max((day for day in lasts if day), default=None) if table.event_column else None
    if (end := table.dates.get("to")) and added and removed:
        first = _first_day_of_periods(connection, table, table.dates["from"], end)
    return Change(table.name, added, removed, first, last)


def _first_day_of_periods(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, start: str, end: str
) -> date | None:
    """The first day that a changed period reaches.

    A period of which nothing but the end has changed is the same up to the earlier of both ends.
    """
    same = _same(table, but=end)

    def alone(one: str, other: str) -> str:
        return (
            f'SELECT "{start}" AS day FROM {one} AS mine '
            f"WHERE NOT EXISTS (SELECT 1 FROM {other} AS theirs WHERE {same})"
        )

    (first,) = _row(
        connection,
        f'SELECT MIN(day) FROM (SELECT LEAST(mine."{end}", theirs."{end}") AS day '
        f"FROM added AS mine JOIN removed AS theirs ON {same} "
        f"UNION ALL {alone('added', 'removed')} UNION ALL {alone('removed', 'added')})",
    )
    return first  # type: ignore[no-any-return]
