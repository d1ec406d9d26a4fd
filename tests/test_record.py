"""The record tells what ran, also what failed; a monitor can rely on status."""

import getpass
import json
import os
import shlex
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest

from conftest import PROJECT, Platform, begin, options_of
from data_platform import __version__
from data_platform.lakehouse.lock import writers_lock
from data_platform.names import FaultKind
from data_platform.record.journal import Journal, journals
from data_platform.record.rows import Audited
from data_platform.record.schema import FORMAT
from editing import edit
from faults import status_of
from forked import Boundary

NEXT = ["--scale", "0.2", "--as-of", "2024-03-01"]


def test_a_run_is_recorded_with_its_steps_models_and_audits(begun: Platform) -> None:
    begun.call("run", options=NEXT)
    ((run, *facts),) = begun.rows(
        "SELECT run_number, command, outcome, user_name, version, as_of, load_number, release, "
        "seconds > 0, finished_at > started_at, error IS NULL FROM ops.runs WHERE run_number = 2"
    )
    user = getpass.getuser()
    as_of = date(2024, 3, 1)
    assert facts == ["run", "succeeded", user, __version__, as_of, 2, 2, True, True, True]
    ((commit,),) = begun.rows("SELECT git_commit FROM ops.runs WHERE run_number = 2")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True
    ).stdout.strip()
    assert (commit or "").removesuffix("-dirty") == head

    steps = begun.rows(f"SELECT step, outcome FROM ops.steps WHERE run_number = {run} ORDER BY 1")
    names = ("export", "extract", "load", "report", "transform")
    assert steps == [(name, "succeeded") for name in names]
    ((loaded,),) = begun.rows(
        f"SELECT SUM(rows_added + rows_removed) FROM ops.loads WHERE run_number = {run}"
    )
    assert begun.rows(
        f"SELECT number_of_rows FROM ops.steps WHERE run_number = {run} AND step = 'load'"
    ) == [(loaded,)]
    windows = begun.rows(
        "SELECT kind, first_day, last_day FROM ops.models "
        f"WHERE run_number = {run} AND model_name = 'intermediate.invoices'"
    )
    assert windows == [("INCREMENTAL", date(2024, 3, 1), date(2024, 3, 31))]
    # Each audit's result, also where it found nothing.
    audits = begun.rows(
        "SELECT COUNT(*), COUNT(*) FILTER (number_of_rows = 0 AND is_blocking), "
        "COUNT(DISTINCT environment) "
        f"FROM ops.audits WHERE run_number = {run} AND model_name LIKE 'intermediate.%'"
    )
    assert audits[0][0] >= audits[0][1] > 5
    assert audits[0][2] == 1


def test_a_run_that_fails_is_recorded_and_a_copy_of_it_kept_until_one_succeeds(
    begun: Platform,
) -> None:
    for kind in (FaultKind.NEGATIVE_AMOUNTS, FaultKind.UNKNOWN_ENTITY):
        done = begun.call("run", "--inject", kind.value, check=False)
        assert done.returncode == 1
        hint = done.stderr.partition("to see the rows: just query ")[2]
        words = shlex.split(hint)
        rows = begun.call("query", *words, "--format", "csv").stdout
        assert len(rows.splitlines()) == 1 + 3
    found = status_of(begun)
    last = found["runs"][0]
    assert (last["outcome"], last["steps"][2]["outcome"]) == ("failed", "failed")
    assert "values_are_known" in last["error"]
    assert last["batch_id"]
    assert (found["release"], found["published_by"], found["is_healthy"]) == (1, 1, False)
    assert [one["step"] for one in last["steps"]] == ["extract", "load", "transform"]

    begun.call("export")  # renews nothing: the copy is still of use
    assert found["failed_copy"] == status_of(begun)["failed_copy"] is not None
    begun.call("run")
    assert status_of(begun)["failed_copy"] is None
    assert begun.call("query", "--failed", "SELECT 1", check=False).returncode == 1
    outcomes = "SELECT outcome FROM ops.runs ORDER BY run_number"
    assert [one for (one,) in begun.rows(outcomes)] == [
        *("succeeded", "failed", "failed", "succeeded", "succeeded")
    ]
    stops = begun.rows(
        "SELECT run_number, number_of_rows FROM ops.audits "
        "WHERE is_blocking AND number_of_rows > 0 ORDER BY ALL"
    )
    assert {run for run, _ in stops} == {2, 3}
    assert {rows for _, rows in stops} == {3}


def test_the_journal_gives_back_whatever_characters_a_key_holds(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "1.jsonl", 1)
    keys = ("a\u2028b\u2029c\x85d", "e\nf\r\x1c\x0bg")
    journal.note(Audited(1, "prod", "staging.app__users", "primary_key", "", True, 1, keys))
    (row,) = journal.rows()["audits"]
    assert tuple(row["keys"]) == keys
    # A line that is none of ours is left out, as one is that was cut short.
    with journal.path.open("a", encoding="utf-8") as file:
        file.write('{}\n[]\n7\n{"table": "strangers"}\n{"table": "audi')
    (tmp_path / "notes.jsonl").write_text("mine")
    (tmp_path / "2.jsonl").mkdir()
    assert journal.rows()["audits"] == [row]
    assert journals(tmp_path) == [journal]


@pytest.mark.slow(reason="a killed run and one after it, as in test_transaction.py")
def test_a_run_that_was_killed_is_told_by_the_status_and_later_by_the_record(
    begun: Platform,
) -> None:
    boundary = Boundary("transform.production", "compute")
    begun.start("run", options=NEXT, boundary=boundary).join()
    for _ in range(2):
        last = status_of(begun)["runs"][0]
        assert (last["outcome"], last["steps"][-1]["outcome"]) == ("killed", "killed")
    assert "run 2 (`run`) killed" in begun.call("status", check=False).stderr
    # Its process's number may be another one's by now; at work is who holds the lock.
    journal = begun.data / "runs" / "2.jsonl"
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    rows = [row | {"process_id": os.getpid()} if "process_id" in row else row for row in rows]
    journal.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert status_of(begun)["runs"][0]["outcome"] == "killed"
    with writers_lock(begun.data / "runs", 0):
        assert status_of(begun)["runs"][0]["outcome"] == "running"
    begun.call("run", options=NEXT)
    killed = "SELECT step, outcome FROM ops.steps WHERE run_number = 2 ORDER BY step_number"
    assert begun.rows(killed)[-1] == ("transform", "killed")


@pytest.mark.slow(reason="runs of each kind for an exit code")
def test_the_status_fails_for_stale_data_and_for_a_failed_run_but_not_for_a_plan(
    analyst: Platform,
) -> None:
    begin(analyst)
    stale = analyst.call("status", check=False)
    assert stale.returncode == 1
    assert "source app is as of 2024-02-29" in stale.stderr
    edit(analyst, "sources.yaml", "max_age_days: 1", "max_age_days: 99999")
    assert analyst.call("status").returncode == 0
    assert status_of(analyst)["is_healthy"]

    edit(
        analyst,
        "models/marts/kpi__nps.sql",
        "respondents::BIGINT AS respondents",
        "CAST('many' AS BIGINT) AS respondents",
    )
    assert analyst.call("plan", "dev", check=False).returncode == 1
    assert analyst.call("status").returncode == 0

    assert analyst.call("transform", "--deploy", check=False).returncode == 1
    done = analyst.call("status", check=False)
    assert done.returncode == 1
    assert "(`transform --deploy`) failed: SQLMesh failed: " in done.stderr


def test_the_status_tells_of_runs_before_anything_was_published(platform: Platform) -> None:
    assert platform.call("load", check=False).returncode == 1
    done = platform.call("status", check=False)
    assert done.returncode == 1
    assert "Nothing is loaded yet." in done.stdout
    assert "run 1 (`load`) failed: there is no extract" in done.stderr
    assert "sources/manifest.json does not exist" in done.stderr
    document = json.loads(platform.call("status", "--format", "json", check=False).stdout)
    assert document["load"] is None
    assert document["runs"][0]["outcome"] == "failed"


@pytest.mark.slow(reason="a backfill; those of test_time record theirs too")
def test_a_backfill_is_one_run_with_a_step_a_day(platform: Platform) -> None:
    words = ["backfill", "--from", "2024-01-30", "--to", "2024-02-02"]
    platform.call("--scale", "0.03", *words, options=[])
    assert platform.rows("SELECT command, outcome, load_number FROM ops.runs") == [
        ("backfill 2024-01-30 to 2024-02-02", "succeeded", 4)
    ]
    days = platform.rows("SELECT step, outcome FROM ops.steps ORDER BY step_number")
    steps = ("2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02", "report")
    assert days == [(step, "succeeded") for step in steps]
    assert platform.rows("SELECT COUNT(DISTINCT load_number) FROM ops.audits") == [(4,)]
    assert platform.rows("SELECT DISTINCT run_number FROM ops.loads") == [(1,)]


@pytest.mark.slow(reason="a run over a format that no current version writes")
def test_a_lakehouse_of_format_2_keeps_what_it_holds_and_gets_a_record(begun: Platform) -> None:
    database = begun.settings().lakehouse
    code = (
        "DROP TABLE ops.runs; DROP TABLE ops.steps; DROP TABLE ops.models; DROP TABLE ops.audits; "
        "DROP TABLE ops.control_totals; ALTER TABLE ops.loads DROP run_number; "
        "ALTER TABLE ops.loaded_files DROP unknown_columns; UPDATE ops.format SET number = 2"
    )
    with duckdb.connect(str(database)) as connection:
        connection.execute(code)
    done = begun.call("run")
    assert "nothing to do, production reflects load 1" in done.stdout
    assert begun.rows("SELECT MAX(number) FROM ops.format") == [(FORMAT,)]
    assert begun.rows("SELECT outcome FROM ops.runs") == [("succeeded",)]


def test_the_tables_of_the_status_are_legible_at_80_columns(begun: Platform) -> None:
    begun.call("run", "--inject", "overlapping-contracts", check=False)
    done = subprocess.run(
        [str(Path(sys.executable).with_name("data-platform")), "-d", str(begun.data), "status"],
        env={**os.environ, "TTY_COMPATIBLE": "1", "COLUMNS": "80", "NO_COLOR": "1"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    tables = [line for line in done.stdout.splitlines() if line.startswith("│")]
    assert "2024-02-29" in tables[0] and "failed" in tables[0] and "succeeded" in tables[1]
    assert len(tables) > 5
    assert max(map(len, tables)) <= 80
    assert not [line for line in tables if "…" in line]


@pytest.mark.slow(reason="a run and exports by hand")
def test_the_exports_that_lie_there_show_what_the_lakehouse_shows(begun: Platform) -> None:
    def formats() -> set[str]:
        return {path.suffix for path in (begun.data / "exports").iterdir()}

    begun.call("export", "--format", "parquet")
    assert formats() == {".csv", ".parquet"}  # of the same state of production
    assert status_of(begun)["exports_are_current"]
    begun.call("extract", "load", "transform", options=NEXT)
    assert not status_of(begun)["exports_are_current"]
    told = begun.call("status", check=False).stderr
    assert "production has changed since the exports; run: data-platform export" in told
    begun.call("export", options=NEXT)
    assert formats() == {".csv"}
    assert status_of(begun)["exports_are_current"]


def test_the_record_says_which_audits_read_the_period_alone(begun: Platform) -> None:
    """One that compares a whole table with another names the table itself."""
    begun.call("run", options=options_of("2024-03-01"))
    found = begun.rows(
        "SELECT DISTINCT split_part(audit, '(', 1), period <> '' FROM ops.audits "
        "WHERE run_number = (SELECT MAX(run_number) FROM ops.audits) "
        "AND model_name = 'intermediate.turnover_by_contract_month'"
    )
    assert {("primary_key", True), ("totals_agree", False)} <= {*found}, found
