"""The lakehouse: one DuckDB file, and what the platform itself writes down in it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb

from data_platform.errors import PlatformError
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
    if not path.exists():
        raise PlatformError(f"there is no lakehouse yet at {path}; run: data-platform run")
    with _connect(path, True, _LOCKED_DOWN if locked_down else {}) as connection:
        yield connection


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
        return PlatformError(
            f"the lakehouse {path} is in use by {holder[1]}; wait for it to end, then try again"
        )
    return PlatformError(f"cannot open the lakehouse {path}: {message}")


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


_BOOKKEEPING = """
CREATE SCHEMA IF NOT EXISTS sources;
CREATE SCHEMA IF NOT EXISTS ops;
-- A row for each table of each load that changed something.
CREATE TABLE IF NOT EXISTS ops.loads (
  load_number INTEGER NOT NULL,
  table_name VARCHAR NOT NULL,
  batch_id VARCHAR NOT NULL,
  random_seed BIGINT NOT NULL,
  scale DOUBLE NOT NULL,
  as_of DATE NOT NULL,
  variant VARCHAR NOT NULL,
  number_of_rows BIGINT NOT NULL,
  digest VARCHAR NOT NULL,
  is_changed BOOLEAN NOT NULL
);
-- Which load each physical version of a model reflects; a version that is not here is unknown.
CREATE TABLE IF NOT EXISTS ops.model_versions (
  model_name VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  load_number INTEGER NOT NULL,
  PRIMARY KEY (model_name, version)
);
-- The non-blocking audits that found rows when their model was last audited.
CREATE TABLE IF NOT EXISTS ops.standing_warnings (
  load_number INTEGER NOT NULL,
  model_name VARCHAR NOT NULL,
  audit VARCHAR NOT NULL,
  number_of_rows BIGINT NOT NULL,
  keys VARCHAR[] NOT NULL
);
-- A row for each transform after which all of production reflected a load.
CREATE TABLE IF NOT EXISTS ops.transforms (
  load_number INTEGER NOT NULL,
  finished_at TIMESTAMPTZ NOT NULL
);
"""


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what the platform keeps in the lakehouse, where it is missing."""
    connection.execute(_BOOKKEEPING)


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
    digest: str


def loaded_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, LoadedTable]:
    """What the lakehouse holds, by the table's name (app__users)."""
    if not has_table(connection, "ops", "loads"):
        return {}
    rows = connection.execute(
        "SELECT table_name, batch_id, random_seed, scale, as_of, variant, number_of_rows, digest "
        "FROM ops.loads "
        "QUALIFY ROW_NUMBER() OVER (PARTITION BY table_name ORDER BY load_number DESC) = 1"
    ).fetchall()
    return {
        name: LoadedTable(Batch(batch_id, seed, scale, as_of, variant), number_of_rows, digest)
        for name, batch_id, seed, scale, as_of, variant, number_of_rows, digest in rows
    }


@dataclass(frozen=True)
class FailedAudit:
    """An audit that found rows; `keys` are a few of them, never personal data."""

    model: str
    audit: str
    rows: int
    keys: tuple[str, ...]

    def __str__(self) -> str:
        counted = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        if not self.keys:
            return f"{self.model}: {self.audit} failed for {counted}"
        more = ", …" if self.rows > len(self.keys) else ""
        return f"{self.model}: {self.audit} failed for {counted}: {', '.join(self.keys)}{more}"


def standing_warnings(connection: duckdb.DuckDBPyConnection) -> tuple[FailedAudit, ...]:
    """The non-blocking audits that found rows when their model was last audited."""
    if not has_table(connection, "ops", "standing_warnings"):
        return ()
    rows = connection.execute(
        "SELECT model_name, audit, number_of_rows, keys FROM ops.standing_warnings "
        "ORDER BY model_name, audit"
    ).fetchall()
    return tuple(FailedAudit(name, audit, count, tuple(keys)) for name, audit, count, keys in rows)


def last_transformed(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The number of the last load that all of production reflected, None if there was none."""
    if not has_table(connection, "ops", "transforms"):
        return None
    row = connection.execute("SELECT MAX(load_number) FROM ops.transforms").fetchone()
    return None if row is None else row[0]
