"""A run that would only do again what an earlier one has done: proven, or done."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import time_machine

from conftest import AS_OF, COMPANY, PROJECT, Platform, begin
from data_platform.lakehouse.releases import Releases
from data_platform.operations import standing as module
from data_platform.operations.standing import Standing
from data_platform.record.rows import RunRow
from faults import status_of

ASKED = ("options",)


def standing(platform: Platform, **changes: Any) -> Standing:
    found = Standing(platform.settings(), COMPANY, ASKED, {"DATA_PLATFORM_A": "1", "HOME": "here"})
    return replace(found, **changes)


def noted(platform: Platform) -> Standing:
    """What stands after a run that has done all."""
    found = standing(platform)
    connection = duckdb.connect(str(platform.settings().lakehouse), read_only=True)
    with connection:
        row = connection.execute(
            "SELECT run_number, command, outcome, started_at, user_name, host, process_id, version,"
            " git_commit, random_seed, scale, as_of, finished_at FROM ops.runs"
        ).fetchone()
    assert row is not None
    found.note(RunRow(*row, release=Releases(platform.data).current), ("marts.one",))
    return found


@pytest.fixture
def done(tmp_path: Path) -> Platform:
    """A platform with a working tree of its own, after a run that has done all."""
    platform = Platform(tmp_path / "data", tmp_path / "project")
    platform.copy_project()
    begin(platform)
    noted(platform)
    return platform


def append(name: str) -> Callable[[Platform], None]:
    def change(platform: Platform) -> None:
        with (platform.project / name).open("a", encoding="utf-8") as file:
            file.write("\n")

    return change


def add(name: str) -> Callable[[Platform], None]:
    def change(platform: Platform) -> None:
        (platform.project / name).parent.mkdir(parents=True, exist_ok=True)
        (platform.project / name).write_text("")

    return change


def remove(name: str) -> Callable[[Platform], None]:
    return lambda platform: (platform.project / name).unlink()


def rewrite(pattern: str) -> Callable[[Platform], None]:
    """The same bytes, written again."""

    def change(platform: Platform) -> None:
        path = sorted(platform.data.glob(pattern))[0].resolve()
        path.write_bytes(path.read_bytes())

    return change


def lose(pattern: str) -> Callable[[Platform], None]:
    return lambda platform: sorted(platform.data.glob(pattern))[0].unlink()


def write_to_the_lakehouse(platform: Platform) -> None:
    platform.write("CREATE TABLE marts.another AS SELECT 1 AS one")


CHANGES: dict[str, Callable[[Platform], None]] = {
    "a model": append("models/marts/kpi__nps.sql"),
    "another model": add("models/marts/another.sql"),
    "a model less": remove("models/report/care__stagnant_freelancers.sql"),
    "a macro": append("macros/keys.py"),
    "an audit": append("audits/primary_key.sql"),
    "a rule of the linter": append("linter/layers.py"),
    "a unit test": append("tests/marts/test_kpi__nps.yaml"),
    "the configuration": append("config.yaml"),
    "the contract": append("external_models.yaml"),
    "the list of sources": append("sources.yaml"),
    "variables in a file": add(".env"),
    "a seed": add("seeds/names.csv"),
    "an extract that was written": rewrite("sources/app/*/*.parquet"),
    "an extract that is gone": lose("sources/app/*/*.parquet"),
    "the manifest": rewrite("sources/manifest.json"),
    "the lakehouse": write_to_the_lakehouse,
    "an export": rewrite("exports/*.csv"),
    "an export that is gone": lose("exports/*.csv"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changes_is_noticed(done: Platform, name: str) -> None:
    assert standing(done).settled() is not None
    time.sleep(0.01)  # a clock of some milliseconds is enough
    CHANGES[name](done)
    assert standing(done).settled() is None


def test_so_is_what_is_asked_for_and_the_surroundings(
    done: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = standing(done).settled()
    assert settled is not None and settled.undeployed == ("marts.one",)
    variables = standing(done).environment
    (elsewhere := tmp_path / "sources.yaml").write_text((PROJECT / "sources.yaml").read_text())
    for changes in (
        {"asked": ("others",)},
        {"settings": done.settings(AS_OF - timedelta(1))},
        {"settings": replace(done.settings(), gateway="team")},
        {"company": replace(COMPANY, scale=0.3)},
        {"company": replace(COMPANY, is_pristine=True)},
        {"environment": {**variables, "DATA_PLATFORM_A": "2"}},
        {"environment": {**variables, "TZ": "Asia/Tokyo"}},
        {"environment": {**variables, "SQLMESH__GATEWAY": "x"}},
        {"environment": {**variables, "DATA_PLATFORM_SOURCES": str(elsewhere)}},
        {"environment": {"HOME": "here"}},
    ):
        assert standing(done, **changes).settled() is None, changes
    # What nothing reads makes no difference.
    assert standing(done, environment={**variables, "HOME": "there"}).settled() is not None

    tomorrow = date.today() + timedelta(1)
    with time_machine.travel(tomorrow):
        assert standing(done).settled() is None

    (packages := tmp_path / "packages").mkdir()
    monkeypatch.syspath_prepend(str(packages))
    assert standing(done).settled() is not None
    (packages / "something-1.2.dist-info").mkdir()
    assert standing(done).settled() is None
    (packages / "something-1.2.dist-info").rmdir()

    zones = tmp_path / "zones"
    zones.mkdir()
    (zones / "tzdata.zi").write_text("# version 2026a")
    monkeypatch.setattr(module.zoneinfo, "TZPATH", (str(zones),))
    noted(done)
    assert standing(done).settled() is not None
    (zones / "tzdata.zi").write_text("# version 2026b")
    assert standing(done).settled() is None

    program = tmp_path / "data_platform"
    shutil.copytree(module._PACKAGE, program, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "_PACKAGE", program)
    noted(done)
    assert standing(done).settled() is not None
    with (program / "transform/restatement.py").open("a") as file:
        file.write("\n")
    assert standing(done).settled() is None


def test_a_variable_that_the_configuration_asks_for_counts(done: Platform) -> None:
    with (done.project / "config.yaml").open("a") as file:
        file.write("# {{ env_var('WHATEVER') }}\n")
    noted(done)
    variables = standing(done).environment
    assert standing(done).settled() is not None
    assert standing(done, environment={**variables, "WHATEVER": "1"}).settled() is None


def test_what_changed_while_a_run_was_at_work_is_not_proven(done: Platform) -> None:
    (done.data / "runs/standing.json").unlink()
    found = standing(done)
    assert found.begun
    append("models/marts/kpi__nps.sql")(done)
    row = RunRow(1, "run", "succeeded", *[None] * 9, release=Releases(done.data).current)  # type: ignore
    found.note(row, ())
    assert not (done.data / "runs/standing.json").exists()


def test_nothing_is_proven_of_a_real_application_or_a_broken_note(done: Platform) -> None:
    place = done.data / "runs/standing.json"
    for text in ("", "{}", "[]", "null", '{"given": 1, "made": 2}'):
        place.write_text(text)
        assert standing(done).settled() is None
    listed = (done.project / "sources.yaml").read_text()
    (done.project / "sources.yaml").write_text(
        listed.replace("kind: simulated", "kind: files\n  path: drop", 1)
    )
    assert standing(done).begun is None


def test_a_run_with_nothing_to_do_says_so_and_is_recorded(
    platform: Platform, tmp_path: Path
) -> None:
    first = platform.call("run")
    assert "extract:" in first.stdout
    before = {path: path.stat().st_mtime_ns for path in platform.data.rglob("*") if path.is_file()}
    again = platform.call("run")
    assert "nothing to do, all stands since run 1" in again.stdout
    assert "warnings stand since" in again.stdout
    assert "extract:" not in again.stdout
    # What stands is told each time.
    stale = [line for line in first.stderr.splitlines() if "behind yesterday" in line]
    assert stale and [x for x in again.stderr.splitlines() if "behind yesterday" in x] == stale
    changed = {
        str(path.relative_to(platform.data / "runs"))
        for path in platform.data.rglob("*")
        if path.is_file() and before.get(path) != path.stat().st_mtime_ns
    }
    assert changed == {"2.jsonl", "holder.json"}
    last = status_of(platform)["runs"][0]
    assert (last["run_number"], last["outcome"]) == (2, "succeeded")


@pytest.mark.slow(reason="five runs; fingerprints of what is asked for are tried each time")
def test_another_option_asks_for_something_else_and_a_chain_is_taken_each_time(
    platform: Platform,
) -> None:
    platform.call("run")
    assert "extract:" in platform.call("run", "--format", "parquet").stdout
    assert "extract:" in platform.call("run").stdout
    assert "all stands since run 3" in platform.call("run").stdout
    assert "extract:" in platform.call("extract", "load", "transform", "export").stdout
    assert "extract:" in platform.call("run", "--deploy").stdout
    (number,) = platform.rows("SELECT COUNT(*) FROM ops.runs WHERE outcome = 'succeeded'")
    assert number == (6,)  # of which the last does not know itself yet
