"""A run is published whole or not at all, whatever ends it, and the next one needs no help."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from conftest import COMPANY, SCALE, Platform, begin, template
from data_platform.ingest.extract import extract
from data_platform.ingest.load import load
from data_platform.names import FaultKind
from data_platform.operations.status import status
from faults import differences, recorded_outcomes, state
from forked import Boundary

DAY = ["--scale", str(SCALE), "--as-of", "2024-03-01"]


@dataclass(frozen=True)
class Days:
    """What the template shows, what it shows after the next day's steps, how long those take."""

    words: tuple[str, ...]
    before: dict[str, object]
    after: dict[str, object]
    seconds: float


def lived(folder: Path, *words: str) -> Days:
    before = state(template())
    undisturbed = Platform(folder / "data", options=DAY)
    begin(undisturbed)
    started = time.perf_counter()
    undisturbed.call(*words)
    seconds = time.perf_counter() - started
    after = state(undisturbed.data)
    assert "sources/manifest.json" in differences(before, after)
    return Days(words, before, after, seconds)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Days:
    """Two days, the second by a run."""
    days = lived(tmp_path_factory.mktemp("run"), "run")
    assert "exports/turnover_by_cohort.csv" in differences(days.before, days.after)
    return days


@pytest.fixture(scope="module")
def loads(tmp_path_factory: pytest.TempPathFactory) -> Days:
    """Two days, the second by an extract and a load: they are published as a run is, in no time."""
    return lived(tmp_path_factory.mktemp("load"), "extract", "load")


def begun_in(folder: Path) -> Platform:
    platform = Platform(folder / "data", options=DAY)
    begin(platform)
    return platform


def assert_nothing_is_lost(
    platform: Platform, days: Days, outcome: str, expected: dict[str, object] | None = None
) -> None:
    """Readers see one of both days, and the next run succeeds and shows the second."""
    found = state(platform.data)
    if expected is None:
        expected = days.after if found == days.after else days.before
    assert differences(found, expected) == []
    was_published = expected is days.after
    assert status(platform.settings()).published_by == 1 + was_published

    again = platform.call(*days.words)
    assert differences(state(platform.data), days.after) == []
    releases = {path.name for path in (platform.data / "releases").iterdir()}
    assert len(releases) == 2
    left = {path.name for path in (platform.data / "runs").iterdir()}
    if "all stands since run 2" in again.stdout:  # which that one had done whole
        assert was_published
        left.remove("3.jsonl")
    assert left - {"standing.json", "spare-lakehouse.duckdb"} == {"lock", "holder.json"}
    outcomes = recorded_outcomes(platform.data)
    assert outcomes[-1] == "succeeded"
    if len(outcomes) == 3:  # else the run ended before it began, or was never recorded
        assert outcomes[1] == ("succeeded" if was_published else outcome)


# What happens in a run, in order, and whether it is published then.
EARLIER = [
    Boundary("lakehouse.run", "write_holder"),
    Boundary("files", "sync_file"),  # who holds the lock is half written
    Boundary("lakehouse.run", "Journal.note"),
    Boundary("lakehouse.releases", "Releases.tidy"),
    Boundary("lakehouse.releases", "Releases.begin"),
    Boundary("lakehouse.duckdb_file", "Copying.start"),
    Boundary("lakehouse.duckdb_file", "Copying.wait"),
    Boundary("ingest.extract", "write_manifest"),
    Boundary("ingest.extract", "remove_unlisted"),
    Boundary("ingest.load", "record_load"),
    Boundary("ingest.load", "renew_warnings"),
    Boundary("transform.production", "compute"),
    Boundary("transform.model_tables", "Tables.mark_as_reflecting"),
    Boundary("transform.production", "Production.tidy"),
    Boundary("delivery.export", "write", call=2),
    Boundary("delivery.export_files", "_read_back", call=4),
    Boundary("delivery.report.render", "replace_text", call=3),
    Boundary("lakehouse.run", "fold"),
    Boundary("lakehouse.run", "writing"),
    Boundary("lakehouse.releases", "sync_folders"),
]
LATER = [Boundary("lakehouse.releases", "Releases._point_to")]
BOUNDARIES = [
    (replaced, not (replaced.function.endswith("_point_to") and replaced.is_after))
    for one in EARLIER + LATER
    for replaced in (one, Boundary(one.module, one.function, True, one.call))
]
# Those of every test run; the others are slow tests, since each costs a run and its repetition.
OFTEN = [
    number
    for number, (boundary, _) in enumerate(BOUNDARIES)
    if boundary.function in {"record_load", "Releases._point_to"}
    or str(boundary) in {"before lakehouse.run.fold", "before files.sync_file"}
]


def kills(numbers: Sequence[int]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("boundary", "is_before"), [BOUNDARIES[number] for number in numbers], ids=str
    )


def kill_at(platform: Platform, days: Days, boundary: Boundary, is_before: bool) -> None:
    assert platform.start(*days.words, boundary=boundary).join() == -signal.SIGKILL
    assert_nothing_is_lost(platform, days, "killed", days.before if is_before else days.after)


@kills(OFTEN)
def test_a_run_that_is_killed_at_a_boundary_loses_nothing(
    loads: Days, tmp_path: Path, boundary: Boundary, is_before: bool
) -> None:
    kill_at(begun_in(tmp_path), loads, boundary, is_before)


@pytest.mark.slow(reason="two runs a boundary; a load is killed at some each time")
@kills(range(len(BOUNDARIES)))
def test_a_run_that_is_killed_at_any_boundary_loses_nothing(
    runs: Days, tmp_path: Path, boundary: Boundary, is_before: bool
) -> None:
    kill_at(begun_in(tmp_path), runs, boundary, is_before)


def end_at_random(folder: Path, days: Days, times: int, number: signal.Signals) -> None:
    for turn in range(times):
        platform = begun_in(folder / str(turn))
        delay = random.uniform(0.05, days.seconds)  # it has begun to listen by then
        run = platform.start(*days.words)
        time.sleep(delay)
        run.send(number)
        code = run.join()
        print(f"{number.name} after {delay:.2f} s of {days.seconds:.2f}: exit code {code}")
        if number == signal.SIGKILL:
            assert_nothing_is_lost(platform, days, "killed")
        else:
            assert code in {0, 128 + number}, run.stderr
            assert not list((platform.data / "runs").glob("work*"))
            assert_nothing_is_lost(platform, days, "interrupted")
        shutil.rmtree(folder / str(turn))


@pytest.mark.parametrize("batch", [1])
def test_a_run_that_is_killed_at_random_loses_nothing(
    runs: Days, tmp_path: Path, batch: int
) -> None:
    end_at_random(tmp_path, runs, 1, signal.SIGKILL)


@pytest.mark.slow(reason="a hundred killed runs; one is killed each time")
@pytest.mark.parametrize("batch", range(1, 11))
def test_a_run_that_is_killed_at_random_again_and_again_loses_nothing(
    runs: Days, tmp_path: Path, batch: int
) -> None:
    end_at_random(tmp_path, runs, 10, signal.SIGKILL)


@pytest.mark.slow(reason="two of the hundred boundaries at which runs are killed")
def test_a_run_that_is_killed_when_it_has_noted_that_all_stands(runs: Days, tmp_path: Path) -> None:
    for is_after in (False, True):
        noting = Boundary("operations.standing", "Standing.note", is_after)
        kill_at(begun_in(tmp_path / str(is_after)), runs, noting, is_before=False)


def test_a_run_that_is_interrupted_cleans_up_at_once(runs: Days, tmp_path: Path) -> None:
    end_at_random(tmp_path, runs, 1, random.choice([signal.SIGINT, signal.SIGTERM]))


@pytest.mark.slow(reason="many interrupted runs; one is interrupted each time")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_interrupted_at_many_moments_cleans_up_at_once(
    runs: Days, tmp_path: Path, number: signal.Signals
) -> None:
    end_at_random(tmp_path, runs, 12, number)


# Has the program that copies wait until its parent has started SQLMesh, for half a minute at most.
COPIES_LATE = """import subprocess

class Popen(subprocess.Popen):
    def __init__(self, words, *others, **options):
        is_copier = any(str(word).endswith("copier.py") for word in words)
        super().__init__([SLOW, *words] if is_copier else words, *others, **options)

subprocess.Popen = Popen
"""


@pytest.mark.slow(reason="a run for when a module is imported, not for what comes of it")
@pytest.mark.skipif(sys.platform != "linux", reason="looks at what a process has in memory")
def test_sqlmesh_starts_while_the_lakehouse_is_copied(begun: Platform, tmp_path: Path) -> None:
    """It imports pydantic, which nothing else does that waits for the copy."""
    seen, slow = tmp_path / "seen", tmp_path / "slow"
    slow.write_text(
        "#!/bin/sh\ni=0\nuntil grep -q pydantic_core /proc/$PPID/maps; do\n"
        '  i=$((i+1)); [ $i -lt 300 ] || exec "$@"; sleep 0.1\n'
        f'done\ntouch {seen}\nexec "$@"\n'
    )
    slow.chmod(0o755)
    (tmp_path / "sitecustomize.py").write_text(COPIES_LATE.replace("SLOW", repr(str(slow))))
    program = Path(sys.executable).with_name("data-platform")
    for words in (["load", "transform"], ["audit"]):
        seen.unlink(missing_ok=True)
        command = [str(program), "-p", str(begun.project), "-d", str(begun.data)]
        subprocess.run(
            [*command, *begun.options, *words],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            check=True,
        )
        assert seen.exists(), words


def test_a_lost_link_is_an_error_and_costs_no_release(begun: Platform) -> None:
    link = begun.data / "current"
    target = link.readlink()
    link.unlink()
    done = begun.call("run", check=False)
    assert done.returncode == 1
    assert re.search(r"is to be a link to one of the releases 0, 1; .*ln -sfn", done.stderr)
    link.symlink_to("releases/7")
    assert "one of the releases 0, 1" in begun.call("run", check=False).stderr
    link.unlink()
    link.symlink_to(target)
    begun.call("export")


def test_a_data_folder_that_was_copied_without_its_links_is_an_error(
    begun: Platform, tmp_path: Path
) -> None:
    shutil.copytree(begun.data, tmp_path / "copy")
    done = Platform(tmp_path / "copy").call("run", check=False)
    assert done.returncode == 1
    assert "was the data folder copied without its links? Copy it with cp -a" in done.stderr


@pytest.mark.slow(reason="a run over data that no current version writes")
def test_data_from_before_there_were_releases_is_taken_in(platform: Platform) -> None:
    settings = platform.settings()
    extract(settings, COMPANY)
    load(settings)  # by themselves the steps work on the folder that they are given
    before = settings.lakehouse.stat()
    assert not (platform.data / "lakehouse").is_symlink()
    platform.call("run")
    assert (platform.data / "lakehouse").is_symlink()
    assert platform.rows("SELECT MAX(load_number) FROM ops.loads") == [(1,)]
    assert (platform.data / "releases/0/lakehouse/lakehouse.duckdb").stat().st_ino == before.st_ino


def disturb(platform: Platform, options: list[str], chance: random.Random) -> str:
    """Something goes wrong on a day before its run; what it was."""
    fault = chance.choice(["nothing", "kill", "boundary", "interrupt", "audit", "file", "writer"])
    if fault in {"kill", "interrupt"}:
        run = platform.start("run", options=options)
        time.sleep(chance.uniform(0, 4))
        run.send(signal.SIGKILL if fault == "kill" else signal.SIGINT)
        run.join()
    elif fault == "boundary":
        boundary, _ = chance.choice(BOUNDARIES)
        fault = str(boundary)
        platform.start("run", options=options, boundary=boundary).join()
    elif fault == "audit":
        kind = chance.choice(list(FaultKind)).value
        done = platform.call("run", "--inject", kind, options=options, check=False)
        assert "an audit stopped the run" in done.stderr
    elif fault == "file":
        chance.choice(list(platform.data.glob("sources/**/*.parquet"))).write_bytes(b"gone")
        assert platform.call("load", options=options, check=False).returncode == 1
    elif fault == "writer":
        code = (
            "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); "
            "c.execute('CREATE OR REPLACE TABLE main.t AS SELECT 1'); os.kill(os.getpid(), 9)"
        )
        database = str(platform.settings().lakehouse)
        subprocess.run([sys.executable, "-c", code, database], check=False)
    return fault


@pytest.mark.slow(reason="thirty days, with kills between them")
def test_thirty_days_with_faults_end_as_an_undisturbed_replay(tmp_path: Path) -> None:
    chance = random.Random()
    platform = Platform(tmp_path / "disturbed" / "data")
    platform.data.parent.mkdir()
    first = date(2024, 2, 15)
    days = [first + timedelta(days=number) for number in range(30)]
    for day in days:
        options = ["--scale", "0.05", "--as-of", str(day)]
        if day != first:
            before = state(platform.data)
            fault = disturb(platform, options, chance)
            print(f"{day}: {fault}")
            if fault not in {"file", "writer"}:
                found = state(platform.data)
                assert found == before or "_point_to" in fault or fault in {"kill", "interrupt"}
        platform.call("run", options=options)
    replayed = Platform(tmp_path / "replayed" / "data")
    replayed.data.parent.mkdir()
    words = ["--scale", "0.05", "backfill", "--from", str(first), "--to", str(days[-1])]
    replayed.call(*words, options=[])
    assert differences(state(platform.data), state(replayed.data)) == []
    outcomes = recorded_outcomes(platform.data)
    assert outcomes.count("succeeded") >= len(days)
    print(
        f"{len(outcomes)} runs, of which {len(outcomes) - outcomes.count('succeeded')} ended badly"
    )
