"""The lakehouse: one DuckDB file, and what the platform has written down in it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb

from data_platform.changes import Change
from data_platform.errors import LakehouseInUseError, PlatformError
from data_platform.files import writable_folder
from data_platform.manifest import Batch


@contextmanager
def writing(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that writes; a file that the block creates and fails to fill is removed.

    Raises:
        PlatformError: the file is locked by another process, is no database or cannot be written.
    """
    writable_folder(path.parent)
    is_new = not path.exists()
    try:
        with _connect(path, False, {}) as connection:
            yield connection
    except BaseException:
        if is_new:
            path.unlink(missing_ok=True)
        raise


@contextmanager
def reading(path: Path, locked_down: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that cannot write to the lakehouse.

    Args:
        locked_down: it cannot read or write any other file either, nor load an extension or reach
            the network, and nothing can be done about it from SQL.

    Raises:
        PlatformError: there is no lakehouse yet, or another process is writing to it.
    """
    require(path)
    with _connect(path, True, _LOCKED_DOWN if locked_down else {}) as connection:
        yield connection


def require(path: Path) -> None:
    """Refuse to go on without a lakehouse.

    Raises:
        PlatformError: there is none.
    """
    if not path.exists():
        raise PlatformError(f"there is no lakehouse yet at {path}; run: data-platform run")


_LOCKED_DOWN: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
}


@contextmanager
def _connect(
    path: Path, read_only: bool, config: dict[str, str | bool | int | float | list[str]]
) -> Iterator[duckdb.DuckDBPyConnection]:
    try:
        connection = duckdb.connect(str(path), read_only=read_only, config=config)
    except duckdb.Error as error:
        raise refusal(path, error) from error
    try:
        yield connection
    finally:
        connection.close()


def refusal(path: Path, error: duckdb.Error) -> PlatformError:
    """What to say when DuckDB does not open the lakehouse."""
    message = one_line(str(error))
    if holder := re.search(r"Conflicting lock is held in (.*?)\.? See also", message):
        return LakehouseInUseError(
            f"the lakehouse {path} is in use by {holder[1]}; wait for it to end, then try again"
        )
    return PlatformError(f"cannot open the lakehouse {path}: {message}")


def is_in_use(error: BaseException) -> bool:
    """Whether DuckDB does not open a file because another process writes to it."""
    return isinstance(error, duckdb.Error) and "Conflicting lock" in str(error)


def one_line(message: str) -> str:
    """A message without its line breaks."""
    return " ".join(message.split())


@dataclass(frozen=True)
class LastLoad:
    """The load that the lakehouse reflects."""

    load_number: int
    batch_id: str
    as_of: date
    random_seed: int
    scale: float
    loaded_at: datetime


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def has_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether a table or view of that name exists."""
    found = connection.execute(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
        [schema, table],
    ).fetchone()
    return found is not None and found[0] > 0


def last_load(connection: duckdb.DuckDBPyConnection) -> LastLoad | None:
    """The last load that changed something, None where nothing was loaded."""
    if not has_table(connection, "sources", "platform__extracts"):
        return None
    row = connection.execute(
        "SELECT load_number, batch_id, as_of, random_seed, scale, loaded_at "
        "FROM sources.platform__extracts ORDER BY load_number DESC LIMIT 1"
    ).fetchone()
    return None if row is None else LastLoad(*row)


@dataclass(frozen=True)
class LoadedTable:
    """What the lakehouse holds of a source table."""

    batch: Batch
    rows: int


def loaded_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, LoadedTable]:
    """What the lakehouse holds of the applications' tables, by the table's name (app__users)."""
    if not has_table(connection, "ops", "loaded_files"):
        return {}
    rows = connection.execute(
        "SELECT table_name, batch_id, random_seed, scale, as_of, variant, number_of_rows "
        "FROM ops.loads "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY table_name ORDER BY load_number DESC) = 1"
    ).fetchall()
    return {
        name: LoadedTable(Batch(batch_id, seed, scale, as_of, variant), number_of_rows)
        for name, batch_id, seed, scale, as_of, variant, number_of_rows in rows
    }


def last_transformed(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The number of the last load that all of production reflected, None if there was none."""
    if not has_table(connection, "ops", "transforms"):
        return None
    row = connection.execute("SELECT MAX(load_number) FROM ops.transforms").fetchone()
    return None if row is None else row[0]


def change_number(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of production's last change, 0 where it never changed."""
    if not has_table(connection, "ops", "exports"):
        return 0
    row = connection.execute("SELECT MAX(change_number) FROM ops.transforms").fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def exported_files(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The export files in the platform's own folder, and which change of production each shows."""
    if not has_table(connection, "ops", "exports"):
        return {}
    return dict(connection.execute("SELECT file_name, change_number FROM ops.exports").fetchall())


def environments(connection: duckdb.DuckDBPyConnection) -> dict[str, datetime | None]:
    """The environments beside production and when each expires, as of the last plan or run."""
    if not has_table(connection, "ops", "environments"):
        return {}
    rows = connection.execute(
        "SELECT environment, expires_at AT TIME ZONE 'UTC' FROM ops.environments ORDER BY ALL"
    ).fetchall()
    return dict(rows)


def promotion_in_force(connection: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """The last change of production's code, None before the first."""
    if not has_table(connection, "ops", "promotions"):
        return None
    row = connection.execute(
        "SELECT promotion_number, action, environment, promoted_at AT TIME ZONE 'UTC' "
        "FROM ops.promotions ORDER BY promotion_number DESC LIMIT 1"
    ).fetchone()
    names = ("promotion_number", "action", "environment", "promoted_at")
    return dict(zip(names, row, strict=True)) if row else None


def environments_behind(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """The models of each environment beside production that do not reflect the last load."""
    if not has_table(connection, "ops", "environments_behind"):
        return {}
    rows = connection.execute("SELECT environment, models FROM ops.environments_behind").fetchall()
    return {environment: tuple(models) for environment, models in rows}


def changes_since(connection: duckdb.DuckDBPyConnection, load_number: int) -> list[Change]:
    """What the loads after `load_number` changed in each source table, taken together."""
    rows = connection.execute(
        "SELECT table_name, SUM(rows_added)::BIGINT, SUM(rows_removed)::BIGINT, MIN(first_day), "
        "CASE WHEN COUNT(*) = COUNT(last_day) THEN MAX(last_day) END "
        "FROM ops.loads WHERE load_number > ? AND rows_added + rows_removed > 0 "
        "GROUP BY table_name ORDER BY table_name",
        [load_number],
    ).fetchall()
    return [Change(*row) for row in rows]


def latest_as_of_since(connection: duckdb.DuckDBPyConnection, load_number: int | None) -> date:
    """The latest as-of date of a load and those after it, of all loads where None."""
    row = connection.execute(
        "SELECT MAX(as_of) FROM sources.platform__extracts WHERE load_number >= ?",
        [load_number or 0],
    ).fetchone()
    assert row is not None
    latest: date = row[0]
    return latest
