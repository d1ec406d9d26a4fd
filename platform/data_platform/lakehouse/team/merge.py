"""What one run has changed of a lakehouse, carried over to what others have published meanwhile.

Runs that change production keep each other out from beginning to end; plans, which build
environments beside it, keep nobody out. So of two runs that began from one release, at most one has
changed production: the other's changes are carried over. Of what both have changed, production's
stands; an environment that two plans have built at once is refused to the later.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from data_platform.errors import PlatformError, one_line
from data_platform.lakehouse.contents import Name, carry_comments, make_views, place_of
from data_platform.lakehouse.team.catalogue import Catalogues, state_of
from data_platform.sql import literal, quoted, transaction

# What tells rows of the record apart, where a later row takes the place of an earlier one.
_RECORD_KEYS = {
    "model_tables": "physical_name",
    "environments": "environment",
    "environments_behind": "environment",
    "plans": "environment",
}
# The same of SQLMesh's state; its other tables are its versions.
_STATE_KEYS: Mapping[str, Sequence[str]] = {
    "_snapshots": ("name", "identifier"),
    "_environments": ("name",),
    "_environment_statements": ("environment_name",),
    "_intervals": ("id",),
    "_auto_restatements": ("snapshot_name", "snapshot_version"),
}
_RECORD = "ops"
# How DuckLake keeps the name of a catalogue in its views.
_OWN_CATALOGUE = "{DUCKLAKE_CATALOG}"

_BASE, _CHANGED = "base", "changed"


@dataclass(frozen=True)
class _Content:
    """The tables and views of a catalogue, each with what tells whether it has changed."""

    tables: Mapping[Name, object]
    views: Mapping[Name, str]
    schemas: frozenset[str]

    @classmethod
    def of(cls, found: Catalogues, catalogue: str) -> "_Content":
        tables = found.server.rows(
            "SELECT s.schema_name, t.table_name, t.table_uuid::TEXT, (SELECT "
            "md5(string_agg(f.path, ',' ORDER BY f.path)) FROM (SELECT path FROM "
            "{of}.ducklake_data_file AS d WHERE d.table_id = t.table_id AND d.end_snapshot IS NULL "
            "UNION ALL SELECT path FROM {of}.ducklake_delete_file AS d WHERE d.table_id = "
            "t.table_id AND d.end_snapshot IS NULL) AS f) FROM {of}.ducklake_table AS t "
            "JOIN {of}.ducklake_schema AS s ON s.schema_id = t.schema_id "
            "WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL",
            of=catalogue,
        )
        views = found.server.rows(
            "SELECT s.schema_name, v.view_name, v.sql FROM "
            "{of}.ducklake_view AS v JOIN {of}.ducklake_schema AS s ON s.schema_id = v.schema_id "
            "WHERE v.end_snapshot IS NULL AND s.end_snapshot IS NULL",
            of=catalogue,
        )
        schemas = found.server.rows(
            "SELECT schema_name FROM {of}.ducklake_schema WHERE end_snapshot IS NULL", of=catalogue
        )
        return cls(
            {(schema, name): tuple(said) for schema, name, *said in tables},
            {(schema, name): query for schema, name, query in views},
            frozenset(name for (name,) in schemas),
        )


def carry_over(
    found: Catalogues, connection: duckdb.DuckDBPyConnection, base: str, changed: str, onto: str
) -> None:
    """Carry what differs between `base` and `changed` over to `onto`, which began from `base` too.

    Args:
        connection: writes to `onto`, its own catalogue.

    Raises:
        PlatformError: both have planned the same environment, or what one of them reads is gone in
            the other.
    """
    _refuse_same_environment(found, *map(state_of, (base, changed, onto)))
    for alias, catalogue in ((_BASE, base), (_CHANGED, changed)):
        connection.execute(
            f"ATTACH 'ducklake:postgres:' AS {alias} "
            f"(METADATA_SCHEMA {literal(catalogue)}, READ_ONLY)"
        )
    before, theirs, ours = (_Content.of(found, name) for name in (base, changed, onto))
    try:
        with transaction(connection):
            for schema in sorted(theirs.schemas - before.schemas - ours.schemas):
                connection.execute(f"CREATE SCHEMA {quoted(schema)}")
            for schema, table in sorted(before.tables.keys() | theirs.tables.keys()):
                if schema == _RECORD:
                    _carry_rows(connection, table)
            for place in _differing(before.tables, theirs.tables, ours.tables):
                _carry_table(connection, place, place in theirs.tables)
            views = [*_differing(before.views, theirs.views, ours.views)]
            own = connection.execute("SELECT current_database()").fetchone()
            assert own is not None
            queries = {
                place: query.replace(_OWN_CATALOGUE, quoted(own[0])) if query else None
                for place in views
                for query in [theirs.views.get(place)]
            }
            make_views(connection, queries, _CHANGED)
            for place in views:
                if place in theirs.views:  # what it reads may be gone
                    connection.execute(f"SELECT 1 FROM {place_of(place)} LIMIT 0")
            carry_comments(connection, [one for one in views if one in theirs.views], _CHANGED)
    except duckdb.Error as error:
        raise PlatformError(
            "production has changed meanwhile, so that this does not fit it any longer "
            f"({one_line(str(error))}); run it again"
        ) from error
    with found.server.transaction():
        for table, keys in _STATE_KEYS.items():
            _carry_state(found, table, keys, *map(state_of, (base, changed, onto)))


def _differing(
    before: Mapping[Name, object], theirs: Mapping[Name, object], ours: Mapping[Name, object]
) -> Iterator[Name]:
    """What one side has changed and the other has not; rows of the record apart."""
    for name in sorted(before.keys() | theirs.keys()):
        was, is_ = before.get(name), theirs.get(name)
        if name[0] != _RECORD and was != is_ and ours.get(name) == was:
            yield name


def _carry_table(connection: duckdb.DuckDBPyConnection, name: Name, is_there: bool) -> None:
    connection.execute(f"DROP TABLE IF EXISTS {place_of(name)}")
    if is_there:
        there = place_of(name, _CHANGED)
        connection.execute(f"CREATE TABLE {place_of(name)} AS FROM {there}")
        carry_comments(connection, [name], _CHANGED)


def _carry_rows(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    place = place_of((_RECORD, table))
    was, is_ = (place_of((_RECORD, table), alias) for alias in (_BASE, _CHANGED))
    gone, fresh = f"(FROM {was} EXCEPT ALL FROM {is_})", f"(FROM {is_} EXCEPT ALL FROM {was})"
    columns = connection.execute(f"DESCRIBE {place}").fetchall()
    same = " AND ".join(
        f"mine.{quoted(column[0])} IS NOT DISTINCT FROM gone.{quoted(column[0])}"
        for column in columns
    )
    connection.execute(
        f"DELETE FROM {place} AS mine WHERE EXISTS (SELECT 1 FROM {gone} AS gone WHERE {same})"
    )
    key = _RECORD_KEYS.get(table)
    where = f"WHERE {key} NOT IN (SELECT {key} FROM {place})" if key else ""
    connection.execute(f"INSERT INTO {place} BY NAME FROM {fresh} {where}")


def _carry_state(
    found: Catalogues, table: str, keys: Sequence[str], base: str, changed: str, onto: str
) -> None:
    names = {"base": base, "changed": changed, "onto": onto, "table": table}
    found.server.execute(
        "DELETE FROM {onto}.{table} AS o USING {base}.{table} AS b WHERE o::TEXT = b::TEXT "
        "AND NOT EXISTS (SELECT 1 FROM {changed}.{table} AS c WHERE c::TEXT = b::TEXT)",
        **names,
    )
    same = " AND ".join(f"o.{key} = c.{key}" for key in keys)
    found.server.execute(
        "INSERT INTO {onto}.{table} SELECT c.* FROM {changed}.{table} AS c WHERE NOT EXISTS "
        "(SELECT 1 FROM {base}.{table} AS b WHERE b::TEXT = c::TEXT) AND NOT EXISTS "
        f"(SELECT 1 FROM {{onto}}.{{table}} AS o WHERE {same})",
        **names,
    )


def _refuse_same_environment(found: Catalogues, base: str, changed: str, onto: str) -> None:
    def differing(side: str) -> set[str]:
        rows = found.server.rows(
            "SELECT COALESCE(b.name, s.name) FROM {base}._environments AS b FULL JOIN "
            "{side}._environments AS s ON s.name = b.name WHERE b::TEXT IS DISTINCT FROM s::TEXT",
            base=base,
            side=side,
        )
        return {name for (name,) in rows}

    if both := differing(changed) & differing(onto):
        raise PlatformError(
            f"environment {min(both)} was changed by somebody else meanwhile; look at it, then run "
            "this again"
        )
