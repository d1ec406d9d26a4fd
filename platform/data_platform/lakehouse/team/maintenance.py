"""What keeps a team's lakehouse small: compaction, and what no catalogue names goes."""

from math import inf
from pathlib import Path

import duckdb

from data_platform.lakehouse.team.catalogue import Catalogues
from data_platform.lakehouse.team.locks import is_held
from data_platform.sql import literal

# How far the clocks of two machines may be apart, in seconds.
_CLOCKS_APART = 600
# A table of this many files is written anew as few.
_MANY_FILES = 24


def compact(connection: duckdb.DuckDBPyConnection, alias: str) -> None:
    """Forget the history within a catalogue, and write tables of many small files anew.

    Releases are the history: within one, only its last state is ever read.
    """
    of = literal(alias)
    many = connection.execute(
        f"SELECT table_name, schema_name FROM ducklake_table_info({of}) AS info "
        "JOIN duckdb_tables() USING (table_name) "
        f"WHERE file_count + delete_file_count >= {_MANY_FILES} AND database_name = {of}"
    ).fetchall()
    for table, schema in many:
        where = f"{of}, {literal(table)}, schema => {literal(schema)}"
        connection.execute(f"CALL ducklake_rewrite_data_files({where})")
        connection.execute(f"CALL ducklake_merge_adjacent_files({where})")
    connection.execute(f"CALL ducklake_expire_snapshots({of}, older_than => NOW())")


def remove_old_releases(found: Catalogues) -> None:
    """Drop the releases that nobody needs, but for the last two, and the files that none names.

    A release is needed by who reads it, and by who has begun from it and is to publish yet. What a
    run is writing just now is named nowhere yet: files that may be such stay.
    """
    current, server = found.current or 0, found.server
    begun = server.rows("SELECT release, began_at FROM {of}.copies", of=found.name)
    numbers = sorted(int(name.rpartition("_r")[2]) for name in found.schemas("r"))
    for number in numbers[:-2]:
        is_base = any(number == base for base, _ in begun)
        if number < current and not is_base and not is_held(server, found.name, number):
            found.drop(found.release(number))
    kept = [*found.schemas("r"), *found.schemas("w"), found.failed]
    catalogues = [name for name in kept if found.is_there(name)]
    named = set().union(*(found.files(name) for name in catalogues))
    oldest = min((at.timestamp() for _, at in begun), default=inf) - _CLOCKS_APART
    place = Path(found.data_path(found.release(current)))
    for file in place.rglob("ducklake-*.parquet"):
        if file.name not in named and file.stat().st_mtime < oldest:
            file.unlink(missing_ok=True)
