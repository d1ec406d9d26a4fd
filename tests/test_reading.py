"""Reading a database that lives: writers beside it, kills, rights, and what only changed."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from applications import (
    Database,
    address,  # noqa: F401
    database,  # noqa: F401
    needs_postgres,
    tables_of,
)
from conftest import AS_OF, options_of
from database import execute
from forked import Boundary

pytestmark = needs_postgres
# The first table is read, the others are not.
BETWEEN_TABLES = Boundary("sources.spool", "Spool.parts", is_after=True)
WRITES = (
    "DELETE FROM invoices",
    "UPDATE job_contracts SET entity = 'red'",
    "INSERT INTO clients VALUES ('new', 'New')",
)


def same(found: dict[str, pl.DataFrame], wanted: dict[str, pl.DataFrame]) -> bool:
    return all(found[name].equals(wanted[name]) for name in wanted)


def at_a_gate(database: Database, tmp_path: Path, act: Callable[[], None]) -> tuple[int, str]:
    """Extract, and do something when the first table is read; (exit code, what it complains of)."""
    gate = tmp_path / "gate"
    started = database.platform.start("extract", boundary=BETWEEN_TABLES, gate=gate)
    started.reach(gate)
    act()
    gate.touch()
    return started.join(), started.stderr


def test_writers_beside_a_read_change_nothing_of_it(
    database: Database, simulated: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    code, said = at_a_gate(database, tmp_path, lambda: execute(database.address, *WRITES))
    assert code == 0, said
    assert same(tables_of(database.platform.data / "sources"), simulated)
    database.platform.call("extract")
    assert tables_of(database.platform.data / "sources")["app.invoices"].is_empty()


def test_a_connection_that_breaks_and_a_kill_leave_the_extract_in_force(
    database: Database, simulated: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    platform = database.platform
    platform.call("extract")
    execute(database.address, *WRITES)
    ends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    code, said = at_a_gate(database, tmp_path, lambda: execute(database.address, ends))
    assert code == 1
    assert "source app: app.job_contracts: " in said and said.count("\n") == 1, said
    assert same(tables_of(platform.data / "sources"), simulated)
    started = platform.start("extract", boundary=BETWEEN_TABLES)
    assert started.join() < 0
    assert same(tables_of(platform.data / "sources"), simulated)
    platform.call("extract")
    assert tables_of(platform.data / "sources")["app.invoices"].is_empty()
    assert not list((platform.data / "sources").glob(".reading-*"))


def test_a_right_that_is_missing_is_told(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(
        database.address,
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN PASSWORD 'reads'",
        "GRANT USAGE ON SCHEMA public TO reader",
        "GRANT SELECT ON users, job_contracts, clients TO reader",
    )
    place = database.address.partition("@")[2]
    monkeypatch.setenv("APP_DATABASE_URL", f"postgresql://reader:reads@{place}")
    done = database.platform.call("extract", check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "app.invoices: " in done.stderr and "permission denied for table invoices" in done.stderr
    assert "reads@" not in done.stderr


# --- What only changed ------------------------------------------------------------------------

CURSOR = """app:
  kind: postgres
  url_env: APP_DATABASE_URL
  tables:
    invoices: {cursor: updated_at, key: id, lag_hours: 1, compare_every_days: 7}
"""


@pytest.fixture
def changing(database: Database) -> Database:
    """The application's database, whose invoices say when they changed, read once."""
    execute(
        database.address,
        "ALTER TABLE invoices ADD COLUMN updated_at timestamptz DEFAULT '2024-01-01'",
        "UPDATE invoices SET updated_at = '2024-02-01' WHERE reference = 'JMP00009'",
    )
    database.state(CURSOR)
    done = database.platform.call("extract")
    assert "app.invoices: all " in done.stdout
    return database


def invoices(database: Database, as_of: date) -> tuple[str, pl.DataFrame]:
    """(what the extract as of a day says, the invoices that it has)."""
    done = database.platform.call("extract", options=options_of(as_of))
    return done.stdout, tables_of(database.platform.data / "sources")["app.invoices"]


def change(database: Database, sql: str, updated: str = "now()") -> None:
    """Change one invoice; `{}` stands for when it says that it did."""
    execute(database.address, sql.format(f"updated_at = {updated}"))


def test_by_its_cursor_only_what_changed_is_read_and_the_rest_is_found_in_time(
    changing: Database, simulated: dict[str, pl.DataFrame]
) -> None:
    before, day = simulated["app.invoices"], AS_OF + timedelta(days=1)
    change(changing, "UPDATE invoices SET amount = 7.25, {} WHERE reference = 'JMP00001'")
    change(changing, "UPDATE invoices SET issue_date = '2024-02-01', {} "
           "WHERE reference = 'JMP00002'")  # fmt: skip
    change(changing, "UPDATE invoices SET issue_date = '2024-03-02', {} "
           "WHERE reference = 'JMP00003'", "'2024-02-15'")  # fmt: skip
    change(changing, "UPDATE invoices SET amount = 1, {} WHERE reference = 'JMP00004'",
           "'2024-01-31 22:59'")  # fmt: skip
    change(changing, "DELETE FROM invoices WHERE reference = 'JMP00005'")
    told, found = invoices(changing, day)
    # The last one that had changed is within the lag.
    assert "app.invoices: 3 rows by updated_at since 2024-02-01 00:00:00+00" in told
    ref = pl.col("reference")
    wanted = before.filter(ref != "JMP00003").with_columns(
        amount=pl.when(ref == "JMP00001").then(pl.lit("7.25")).otherwise("amount")
        .cast(pl.Decimal(10, 2)),
        issue_date=pl.when(ref == "JMP00002").then(date(2024, 2, 1)).otherwise("issue_date"),
    )  # fmt: skip
    assert found.equals(wanted.sort(wanted.columns, nulls_last=True))
    # A row whose day has come, though nothing of it has changed since.
    told, found = invoices(changing, day + timedelta(days=1))
    assert "by updated_at since 2026" in told
    assert set(found["reference"]) == set(before["reference"])
    # All is compared a week after it was: what was deleted, and what was late, shows.
    told, found = invoices(changing, AS_OF + timedelta(days=7))
    assert "app.invoices: all " in told
    assert set(found["reference"]) == {*before["reference"]} - {"JMP00005"}
    assert found.filter(ref == "JMP00004")["amount"].to_list() == [1]
    # A plain read gives the same.
    changing.state(CURSOR.replace("{cursor: updated_at, key: id, lag_hours: 1, "
                                  "compare_every_days: 7}", "{}"))  # fmt: skip
    told, plain = invoices(changing, AS_OF + timedelta(days=7))
    assert plain.equals(found) and "0 files written" in told


def test_a_clock_that_runs_ahead_hides_nothing_that_comes_after_it(changing: Database) -> None:
    change(changing, "UPDATE invoices SET {} WHERE reference = 'JMP00001'", "'2999-01-01'")
    invoices(changing, AS_OF)
    change(changing, "UPDATE invoices SET amount = 2, {} WHERE reference = 'JMP00002'")
    told, found = invoices(changing, AS_OF)
    assert "by updated_at" in told
    assert found.filter(pl.col("reference") == "JMP00002")["amount"].to_list() == [2]


def test_what_is_asked_otherwise_or_was_touched_is_read_whole(changing: Database) -> None:
    told, before = invoices(changing, AS_OF)
    assert "by updated_at" in told
    changing.state(CURSOR.replace("tables:\n", "tables:\n    users: {columns: {email: email}}\n"))
    assert "by updated_at" in invoices(changing, AS_OF)[0]
    changing.state(CURSOR.replace("{cursor", "{query: SELECT * FROM public.invoices, cursor"))
    assert "app.invoices: all " in invoices(changing, AS_OF)[0]
    file = next((changing.platform.data / "sources/app/invoices").glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-100])
    told, after = invoices(changing, AS_OF)
    assert "app.invoices: all " in told and after.equals(before)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("{cursor: updated_at}", "invoices.key is None, expected the column that tells rows apart"),
        ("{key: id}", "invoices has key, but no cursor"),
        ("{cursor: changed, key: id}", "changed"),
        ("{cursor: reference, key: id}", "the cursor reference is of type text, expected a time"),
        ("{cursor: updated_at, key: id, lag_hours: -1}", "lag_hours is -1"),
        ("{cursor: updated_at, key: id, lag_hours: soon}", "expected a number"),
    ],
)
def test_a_cursor_that_is_none_is_refused_in_a_line(
    database: Database, stated: str, said: str
) -> None:
    database.state(CURSOR.partition("    invoices")[0] + f"    invoices: {stated}\n")
    done = database.platform.call("extract", check=False)
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1
