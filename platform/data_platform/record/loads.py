"""The loads that the lakehouse holds: their batch, and what each changed in which table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import duckdb

from data_platform.names import EXTRACTS
from data_platform.simulation import RealCompany, Simulation, recorded_company
from data_platform.sql import has_table


@dataclass(frozen=True)
class Batch:
    """Which company, as of which date, a source was extracted from."""

    batch_id: str
    as_of: date
    company: Simulation | RealCompany
    # Where the log of a database stood when it was read.
    position: str | None = field(default=None, compare=False)

    @property
    def is_real(self) -> bool:
        """Whether a real application gave the data."""
        return isinstance(self.company, RealCompany)

    def __str__(self) -> str:
        return f"as of {self.as_of}, {self.company}"


@dataclass(frozen=True)
class Change:
    """How the rows of one source table changed, and the days that this can reach.

    `first_day` is None where the rows carry no date; `last_day` is None where a row reaches every
    day from `first_day` on.
    """

    table: str
    added: int = 0
    removed: int = 0
    first_day: date | None = None
    last_day: date | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether not a row changed."""
        return not (self.added or self.removed)

    @property
    def kind(self) -> str:
        """`nothing`, `new rows` or `rewritten rows`."""
        if self.removed:
            return "rewritten rows"
        return "new rows" if self.added else "nothing"

    def __str__(self) -> str:
        parts = [f"{self.added:,} new"] if self.added else []
        parts += [f"{self.removed:,} gone"] if self.removed else []
        days = ""
        if self.first_day is not None:
            days = f" from {self.first_day}"
            if self.last_day == self.first_day:
                days = f" on {self.first_day}"
            elif self.last_day is not None:
                days += f" to {self.last_day}"
        return f"{self.table}: {' and '.join(parts) or 'nothing'}{days}"


@dataclass(frozen=True)
class LastLoad:
    """The load that the lakehouse reflects."""

    load_number: int
    batch_id: str
    as_of: date
    random_seed: int
    scale: float
    loaded_at: datetime

    @property
    def execution_time(self) -> date:
        """The execution time that SQLMesh is given: the day after the as-of date."""
        return self.as_of + timedelta(days=1)


def last_load(connection: duckdb.DuckDBPyConnection) -> LastLoad | None:
    """The last load that changed something, None where nothing was loaded."""
    if not has_table(connection, "sources", EXTRACTS):
        return None
    row = connection.execute(
        "SELECT load_number, batch_id, as_of, random_seed, scale, loaded_at "
        f"FROM sources.{EXTRACTS} ORDER BY load_number DESC LIMIT 1"
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
        name: LoadedTable(
            Batch(batch_id, as_of, recorded_company(seed, scale, variant)), number_of_rows
        )
        for name, batch_id, seed, scale, as_of, variant, number_of_rows in rows
    }


def changes_since(connection: duckdb.DuckDBPyConnection, load_number: int) -> list[Change]:
    """What the loads after `load_number` changed in each source table, taken together."""
    # Where one of them has rewritten rows without telling of which days, it can be any.
    rows = connection.execute(
        "SELECT table_name, SUM(rows_added)::BIGINT, SUM(rows_removed)::BIGINT, "
        "CASE WHEN NOT BOOL_OR(rows_removed > 0 AND first_day IS NULL) THEN MIN(first_day) END, "
        "CASE WHEN COUNT(*) = COUNT(last_day) THEN MAX(last_day) END "
        "FROM ops.loads WHERE load_number > ? AND rows_added + rows_removed > 0 "
        "GROUP BY table_name ORDER BY table_name",
        [load_number],
    ).fetchall()
    return [Change(*row) for row in rows]


def latest_as_of_since(connection: duckdb.DuckDBPyConnection, load_number: int | None) -> date:
    """The latest as-of date of a load and those after it, of all loads where None."""
    row = connection.execute(
        f"SELECT MAX(as_of) FROM sources.{EXTRACTS} WHERE load_number >= ?",
        [load_number or 0],
    ).fetchone()
    assert row is not None
    latest: date = row[0]
    return latest


def record_load(
    connection: duckdb.DuckDBPyConnection,
    number: int,
    batches: Mapping[str, Batch],
    whole: Batch,
    changes: Sequence[Change],
) -> None:
    """Record what a load made of each table.

    Args:
        batches: of each source.
        whole: of the load, for tables that the platform keeps itself.
    """
    for change in changes:
        batch = batches.get(change.table.partition("__")[0], whole)
        connection.execute(
            "INSERT INTO ops.loads SELECT ?, ?, ?, ?, ?, ?, ?, COUNT(*), ?, ?, ?, ?, ?, NULL "
            f"FROM sources.{change.table}",
            [
                number,
                change.table,
                batch.batch_id,
                batch.company.random_seed,
                batch.company.scale,
                batch.as_of,
                batch.company.variant,
                change.kind,
                change.added,
                change.removed,
                change.first_day,
                change.last_day,
            ],
        )


def earlier_as_of(connection: duckdb.DuckDBPyConnection, batch: Batch) -> date | None:
    """The last date before the batch's as of which the same company was loaded."""
    company = batch.company
    row = connection.execute(
        "SELECT MAX(as_of) FROM ops.loads "
        "WHERE as_of < ? AND random_seed = ? AND scale = ? AND variant = ?",
        [batch.as_of, company.random_seed, company.scale, company.variant],
    ).fetchone()
    return row[0] if row else None


def last_loads(
    connection: duckdb.DuckDBPyConnection, limit: int
) -> list[tuple[int, date, frozenset[Simulation | RealCompany]]]:
    """(load number, as-of date, whose data its sources gave) of the last loads, the latest last."""
    rows = connection.execute(
        "SELECT load_number, MAX(as_of), LIST(DISTINCT {a: random_seed, b: scale, c: variant}) "
        "FROM ops.loads GROUP BY load_number ORDER BY load_number DESC LIMIT ?",
        [limit],
    ).fetchall()
    return [
        (number, as_of, frozenset(recorded_company(*one.values()) for one in companies))
        for number, as_of, companies in rows[::-1]
    ]


def record_schema_changes(
    connection: duckdb.DuckDBPyConnection, number: int, differences: Sequence[tuple[str, str]]
) -> None:
    """Record the differences, (table, difference), by which raw tables followed the contract."""
    for table, difference in differences:
        connection.execute(
            "INSERT INTO ops.schema_changes VALUES (?, ?, ?)", [number, table, difference]
        )
