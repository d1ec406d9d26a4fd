"""Readers and writers beside a run: who reads goes on, who writes is told who is at work."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from conftest import AS_OF, Platform, options_of
from faults import recorded_outcomes, status_of
from forked import Boundary, Started

FIRST, NEXT = AS_OF, date(2024, 3, 1)
SHOWN = "SELECT as_of_date FROM intermediate.as_of"
# In the middle of a run: everything is computed, nothing is published.
MIDDLE = Boundary("delivery.export_files", "_read_back")


@contextmanager
def at_work(
    platform: Platform, gate: Path, *words: str, at: Boundary = MIDDLE
) -> Iterator[Started]:
    """A run that stands still during the block, and ends well after it."""
    running = platform.start(*words, options=options_of(NEXT), boundary=at, gate=gate)
    try:
        running.reach(gate)
        yield running
    finally:
        gate.touch()
    assert running.join() == 0, running.stderr


def open_to_write(database: Path) -> str:
    """What DuckDB says to another process that opens the lakehouse as SQLMesh's commands do."""
    code = f"import duckdb; duckdb.connect({str(database)!r}).execute('CREATE TABLE t AS SELECT 1')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.stderr


def test_readers_see_what_is_published_while_a_run_is_at_work(
    begun: Platform, tmp_path: Path
) -> None:
    database = begun.settings().lakehouse
    shell = subprocess.Popen(
        [str(Path(sys.executable).with_name("data-platform")), "-d", str(begun.data), "query"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    opened = duckdb.connect(str(database), read_only=True)
    file = (begun.data / "exports/monthly_turnover.csv").open(encoding="utf-8")
    exported = (begun.data / "exports/monthly_turnover.csv").read_text(encoding="utf-8")
    with at_work(begun, tmp_path / "gate", "run"):
        assert str(FIRST) in begun.call("query", SHOWN, "--format", "csv").stdout
        assert begun.rows(SHOWN) == [(FIRST,)]
        found = status_of(begun)
        assert (found["load"]["as_of"], found["runs"][0]["outcome"]) == (str(FIRST), "running")
        assert (begun.data / "exports/monthly_turnover.csv").read_text("utf-8") == exported
    # What they opened before stays readable afterwards.
    assert opened.execute(SHOWN).fetchone() == (FIRST,)
    assert file.read() == exported
    told, _ = shell.communicate(f"{SHOWN};\n")
    assert str(FIRST) in told
    assert begun.rows(SHOWN) == [(NEXT,)]
    opened.close()
    file.close()
    assert not list((begun.data / "runs/snapshots").iterdir())


@pytest.mark.slow(reason="a run and a plan beside readers, whom other tests have as well")
def test_open_readers_hold_up_neither_a_run_nor_a_plan(begun: Platform) -> None:
    with duckdb.connect(str(begun.settings().lakehouse), read_only=True) as reader:
        begun.call("run", options=options_of(NEXT))
        assert reader.execute(SHOWN).fetchone() == (FIRST,)
        with duckdb.connect(str(begun.settings().lakehouse.resolve()), read_only=True):
            begun.call("plan", "dev", options=options_of(NEXT))
    assert begun.rows(SHOWN.replace("intermediate", "intermediate__dev")) == [(NEXT,)]


@pytest.mark.slow(reason="three runs")
def test_a_lakehouse_that_is_gone_is_not_made_anew(begun: Platform) -> None:
    begun.call("extract", "load", "transform", options=options_of("2024-03-01"))
    database = begun.settings().lakehouse
    database.resolve().rename(begun.data / "aside")
    done = begun.call("run", check=False)
    assert done.returncode == 1 and f"{database} is gone" in done.stderr
    way = re.search(r"put it back with: (cp -p .*/) and see", done.stderr)
    assert way is not None
    subprocess.run(way[1].split(), check=True)
    begun.call("run", options=options_of("2024-03-01"))
    loads = "SELECT COUNT(DISTINCT load_number) FROM ops.loads"
    assert begun.rows(loads) == [(2,)]  # the history is there


def test_a_second_writer_is_told_who_is_at_work_or_waits(begun: Platform, tmp_path: Path) -> None:
    with at_work(begun, tmp_path / "gate", "run") as running:
        for words in (["run"], ["load"], ["plan", "dev"], ["transform", "--deploy"], ["extract"]):
            done = begun.call(*words, check=False)
            assert done.returncode == 1
            assert re.fullmatch(
                rf"Error: run 2 \(`run`, process {running.process.pid}\) has been writing since "
                r"[-\d]+ [:\d]+ UTC; wait for it to end, or let --wait SECONDS do so\n",
                done.stderr,
            ), done.stderr
        waiting = begun.start("--wait", "100", "export", options=options_of(NEXT))
        time.sleep(0.5)
        assert waiting.process.is_alive()
        assert re.match(
            rf"Waiting: run 2 \(`run`, process {running.process.pid}\) has been writing since ",
            waiting.stdout,
        )
    assert waiting.join() == 0, waiting.stderr
    # Those that were refused did nothing: there is nothing to record.
    assert recorded_outcomes(begun.data) == ["succeeded"] * 3


@pytest.mark.slow(reason="two programs that wait for each other")
@pytest.mark.parametrize(
    "at",
    [
        Boundary("lakehouse.duckdb_file", "Copying.wait", is_after=True),
        MIDDLE,
    ],
    ids=str,
)
def test_sqlmesh_s_own_commands_are_kept_out_during_a_run(
    begun: Platform, tmp_path: Path, at: Boundary
) -> None:
    """DuckDB's lock is lost when the same process opens and closes the file once more."""
    with at_work(begun, tmp_path / "gate", "run", at=at):
        assert "Conflicting lock is held in" in open_to_write(begun.settings().lakehouse)
        raw = begun.start_sqlmesh("plan", "dev", "--no-prompts")
        assert raw.join() != 0
        assert "Conflicting lock is held in" in raw.stdout + raw.stderr
    assert open_to_write(begun.settings().lakehouse) == ""


@pytest.mark.slow(reason="waits for others to end")
def test_a_run_waits_for_sqlmesh_s_own_commands_or_says_who_is_at_work(begun: Platform) -> None:
    code = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); "
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(begun.settings().lakehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None and other.stdin is not None
        other.stdout.readline()
        done = begun.call("run", options=options_of(NEXT), check=False)
        assert done.returncode == 1
        assert re.fullmatch(
            rf"Error: the lakehouse .* is in use by .*\(PID {other.pid}\); wait .*\n", done.stderr
        )
        waiting = begun.start("--wait", "100", "run", options=options_of(NEXT))
        time.sleep(0.5)
        assert waiting.process.is_alive()
        assert re.match(
            rf"Waiting: the lakehouse .* is in use by .*\(PID {other.pid}\)\n", waiting.stdout
        )
        other.stdin.close()
    assert waiting.join() == 0, waiting.stderr
    assert begun.rows(SHOWN) == [(NEXT,)]


def test_what_a_killed_writer_left_in_its_log_is_published_with_the_next_run(
    begun: Platform,
) -> None:
    code = (
        "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); "
        "c.execute('CREATE TABLE main.note AS SELECT 42 AS answer'); os.kill(os.getpid(), 9)"
    )
    database = begun.settings().lakehouse
    subprocess.run([sys.executable, "-c", code, str(database)])
    log = database.with_name(f"{database.name}.wal")
    assert log.exists()
    assert begun.rows("FROM main.note") == [(42,)]  # readers see it, too
    begun.call("run", options=options_of(NEXT))
    assert not log.exists()
    assert begun.rows("FROM main.note") == [(42,)]
    assert begun.rows(SHOWN) == [(NEXT,)]


@pytest.mark.slow(reason="waits for locks; changes with DuckDB's version alone")
def test_the_lock_of_a_process_that_died_holds_up_nobody(begun: Platform) -> None:
    boundary = Boundary("lakehouse.run", "writing")
    assert begun.start("run", options=options_of(NEXT), boundary=boundary).join() < 0
    assert (begun.data / "runs/lock").exists()
    begun.call("run", options=options_of(NEXT))
    assert recorded_outcomes(begun.data) == ["succeeded", "killed", "succeeded"]


def test_the_snapshot_of_a_shell_that_was_killed_is_removed_by_the_next_run(
    begun: Platform,
) -> None:
    command = [str(Path(sys.executable).with_name("data-platform")), "-d", str(begun.data), "query"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        snapshots = begun.data / "runs/snapshots"
        while not list(snapshots.glob("*/lakehouse/lakehouse.duckdb")):
            time.sleep(0.05)
        begun.call("export", options=options_of(FIRST))
        assert len(list(snapshots.glob("*/lakehouse"))) == 1  # it is in use
        shell.kill()
    begun.call("export", options=options_of(FIRST))
    assert list(snapshots.iterdir()) == []


@pytest.mark.slow(reason="twenty runs under four readers")
def test_four_readers_see_no_error_through_twenty_runs(begun: Platform) -> None:
    """Each look is at one release: its lakehouse, extracts and exports agree."""
    stop, looks, errors = threading.Event(), [0] * 4, []

    def look() -> None:
        with duckdb.connect(str(begun.data / "lakehouse/lakehouse.duckdb"), read_only=True) as one:
            one.execute("SELECT SUM(turnover) FROM marts.finance__turnover_by_cohort").fetchall()
        folder = (begun.data / "current").resolve()
        with duckdb.connect(str(folder / "lakehouse/lakehouse.duckdb"), read_only=True) as one:
            ((total, manifest),) = one.execute(
                "SELECT (SELECT SUM(amount) FROM marts.kpi__monthly_turnover), "
                "(SELECT CAST(as_of_date AS VARCHAR) FROM intermediate.as_of)"
            ).fetchall()
            ((exported,),) = one.execute(
                "SELECT SUM(CAST(REPLACE(\"Turnover (in €)\", ',', '.') AS DECIMAL(18, 2))) "
                "FROM read_csv($path, all_varchar = true)",
                {"path": str(folder / "exports/monthly_turnover.csv")},
            ).fetchall()
        assert total == exported
        assert f'"as_of": "{manifest}"' in (folder / "sources/manifest.json").read_text()

    def read(number: int) -> None:
        while not stop.is_set():
            try:
                if number == 0:
                    begun.call("query", SHOWN)
                    assert status_of(begun)["release"] >= 1
                else:
                    look()
                looks[number] += 1
            except Exception as error:  # whatever a reader may see
                errors.append(repr(error))

    readers = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for reader in readers:
        reader.start()
    try:
        for number in range(20):
            begun.call("run", options=options_of(NEXT + timedelta(days=number)))
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    print(f"looks of each reader: {looks}")
    assert errors == []
    assert min(looks) > 20
