"""What keeps a team's lakehouse small: compaction, and what no catalogue names goes."""

from collections.abc import Callable
from math import inf
from pathlib import Path

import duckdb

from data_platform.errors import PlatformError
from data_platform.files import replace_text, writable_folder
from data_platform.lakehouse.team.catalogue import Catalogues
from data_platform.lakehouse.team.locks import is_held
from data_platform.sql import literal

# How far the clocks of two machines may be apart, in seconds.
_CLOCKS_APART = 600
# The file that says whose a folder of Parquet files is.
_MARK = "lakehouse.id"
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


def owner_of(folder: Path) -> str | None:
    """The identity of the lakehouse whose Parquet files lie in a folder, None where none does."""
    mark = folder / _MARK
    return mark.read_text(encoding="utf-8").strip() if mark.is_file() else None


def claim(folder: Path, identity: str) -> None:
    """Mark a folder as a lakehouse's.

    Raises:
        PlatformError: it is another's, or holds files of somebody else's.
    """
    owner = owner_of(folder)
    if owner is None and folder.is_dir() and any(folder.iterdir()):
        raise PlatformError(
            f"the folder {folder} is to hold the team's Parquet files, but holds others; choose an "
            "empty one"
        )
    if owner not in (None, identity):
        raise PlatformError(
            f"the folder {folder} holds the Parquet files of another lakehouse; give this one a "
            "folder of its own"
        )
    writable_folder(folder)
    if owner is None:
        replace_text(folder / _MARK, f"{identity}\n")


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
    if owner_of(place) != found.identity:
        return  # somebody has put another lakehouse's folder there
    for file in place.rglob("ducklake-*.parquet"):
        if file.name not in named and file.stat().st_mtime < oldest:
            file.unlink(missing_ok=True)


def file_faults(
    found: Catalogues,
    catalogue: str,
    connection: duckdb.DuckDBPyConnection,
    look_again: Callable[[], None],
) -> list[str]:
    """Files that are missing, or have not the size and rows that a catalogue says.

    Args:
        look_again: lets the connection go on after a query that failed.
    """
    place, faults = Path(found.data_path(catalogue)), []
    rows = found.server.rows(
        "SELECT s.path || t.path || f.path, f.file_size_bytes, f.number_of_rows FROM ("
        "SELECT table_id, path, file_size_bytes, record_count AS number_of_rows FROM "
        "{of}.ducklake_data_file WHERE end_snapshot IS NULL UNION ALL SELECT table_id, path, "
        "file_size_bytes, delete_count FROM {of}.ducklake_delete_file "
        "WHERE end_snapshot IS NULL) AS f JOIN {of}.ducklake_table AS t "
        "ON t.table_id = f.table_id AND t.end_snapshot IS NULL JOIN {of}.ducklake_schema AS s "
        "ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL",
        of=catalogue,
    )
    for path, size, number in rows:
        file = place / path
        if not file.is_file():
            faults.append(f"{path} is missing")
            continue
        if file.stat().st_size != size:
            faults.append(f"{path} has {file.stat().st_size:,} bytes, its catalogue says {size:,}")
            continue
        try:
            row = connection.execute(
                "SELECT SUM(num_rows)::BIGINT FROM parquet_file_metadata(?)", [str(file)]
            ).fetchone()
        except duckdb.Error:
            faults.append(f"{path} is no Parquet file any longer")
            look_again()
            continue
        if row is not None and row[0] != number:
            faults.append(f"{path} has {row[0]:,} rows, its catalogue says {number:,}")
    return faults
