"""What is around the program does not leak in: homes, users, encodings, limits, clocks."""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conftest import PROJECT, Platform
from data_platform.files import cache_folder
from faults import state, status_of

PROGRAM = str(Path(sys.executable).with_name("data-platform"))
NEXT_DAY = ["--scale", "0.2", "--as-of", "2024-03-02"]
# A configuration of SQLMesh's for another project, as a user may have one.
PERSONAL = """
gateways:
  mine:
    connection: {type: duckdb, database: mine.duckdb}
default_gateway: mine
model_defaults: {dialect: snowflake, start: 2025-01-01, cron: '@hourly'}
default_target_environment: mine
"""


def run(
    platform: Platform, *words: str, environment: dict[str, str], **options: object
) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, "-p", str(platform.project), "-d", str(platform.data), *NEXT_DAY, *words]
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return subprocess.run(
        command,
        cwd=platform.data.parent,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        **options,  # type: ignore[call-overload]
    )


@pytest.mark.slow(reason="a run, and SQLMesh's own command in a home of its own")
def test_a_user_s_own_configuration_of_sqlmesh_is_of_other_projects(
    begun: Platform, tmp_path: Path
) -> None:
    (tmp_path / ".sqlmesh").mkdir()
    (tmp_path / ".sqlmesh/config.yaml").write_text(PERSONAL)
    done = run(begun, "run", environment={"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "keeps its own code" not in done.stderr
    assert sorted(path.name for path in (tmp_path / ".sqlmesh").iterdir()) == ["config.yaml"]


def test_nobody_needs_a_home(begun: Platform) -> None:
    done = run(begun, "transform", environment={})
    assert done.returncode == 0, done.stderr


def others_may_run_this() -> bool:
    """Whether a user without a name can start Python here at all."""
    if os.getuid() != 0:
        return False
    command = [sys.executable, "-c", "import data_platform, sqlmesh"]
    try:
        done = subprocess.run(
            command, user=54_321, group=54_321, env={}, cwd="/", capture_output=True
        )
    except OSError:
        return False
    return done.returncode == 0


def test_a_user_without_a_name_runs_a_project_that_is_read_only(tmp_path: Path) -> None:
    if not others_may_run_this():
        pytest.skip("another user cannot start Python here")
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if not folder.stat().st_mode & 0o001:
            pytest.skip("another user cannot come to the folder of the tests")
    platform = Platform(tmp_path / "own/data", tmp_path / "project")
    platform.copy_project()
    (tmp_path / "own").mkdir()
    os.chown(tmp_path / "own", 54_321, 54_321)
    before = sorted(platform.project.rglob("*"))
    done = run(platform, "run", environment={"TMPDIR": str(tmp_path / "own")}, user=54_321,
               group=54_321)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(platform.project.rglob("*")) == before


def test_caches_go_where_they_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder(tmp_path) == tmp_path / ".cache"
    read_only = {str(tmp_path)}
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) not in read_only)
    monkeypatch.setenv("XDG_CACHE_HOME", "/users/cache")
    elsewhere = cache_folder(tmp_path)
    assert elsewhere.parent == Path("/users/cache/data-platform")
    assert elsewhere != cache_folder(tmp_path / "other")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: Path("/users/me"))
    assert cache_folder(tmp_path).parent == Path("/users/me/.cache/data-platform")
    read_only.add("/users/me")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = tmp_path / f"data-platform-{os.getuid()}"
    assert cache_folder(tmp_path).parent == own
    # What is kept there is read as one's own: not from a folder that others may write to.
    own.chmod(0o777)
    private = cache_folder(tmp_path).parent
    assert private != own and private.stat().st_mode & 0o777 == 0o700
    own.rmdir()
    own.symlink_to(tmp_path)
    assert cache_folder(tmp_path).parent == private


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_without_a_euro_sign_shows_the_rest_and_data_whole(
    finished: Platform, encoding: str
) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [PROGRAM, "-p", str(PROJECT), "-d", str(finished.data)]
    told = subprocess.run(
        [*command, "query", "FROM exports.monthly_turnover"], env=environment, capture_output=True
    )
    assert told.returncode == 0, told.stderr
    assert b"Turnover (in ?)" in told.stdout
    data = subprocess.run(
        [*command, "query", "FROM exports.monthly_turnover", "--format", "csv"],
        env=environment,
        capture_output=True,
    )
    assert "Turnover (in €)" in data.stdout.decode("utf-8")


# Where the lakehouse itself does not fit; the smaller one stops the extract.
LARGE = pytest.param(3_000_000, marks=pytest.mark.slow(reason="a run up to its last step"))


@pytest.mark.parametrize("limit", [20_000, LARGE])
def test_a_limit_on_the_size_of_files_fails_a_run_in_a_line(begun: Platform, limit: int) -> None:
    before = state(begun.data)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = run(begun, "run", environment=dict(os.environ), preexec_fn=limited)
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("Error")]
    assert "Traceback" not in done.stderr
    assert "larger than files may be" in error or "too large" in error, error
    assert state(begun.data) == before


@pytest.mark.slow(reason="a run with a clock that stands wrong")
def test_a_clock_that_was_set_back_does_not_matter(begun: Platform) -> None:
    """What the record says of times lies in the future; numbers tell the order."""
    future = "TIMESTAMPTZ '2199-01-01'"
    begun.write(f"UPDATE ops.transforms SET finished_at = {future}")
    begun.write(f"UPDATE ops.promotions SET promoted_at = {future}")
    begun.write("UPDATE sources.platform__extracts SET loaded_at = TIMESTAMP '2199-01-01'")
    begun.call("run", options=NEXT_DAY)
    found = status_of(begun)
    assert found["exports_are_current"] and found["is_current"]
    for path in (begun.data / "exports").iterdir():
        os.utime(path, (0, 0))
    assert status_of(begun)["exports_are_current"]


@pytest.mark.slow(reason="two plans and promotions under another clock")
def test_an_environment_planned_after_a_promotion_is_promoted_whatever_the_clock_says(
    analyst: Platform,
) -> None:
    shutil.rmtree(analyst.data, ignore_errors=True)
    analyst.call("run")
    model = analyst.project / "models/marts/kpi__monthly_turnover.sql"
    original = model.read_text()
    for description in ("One row a month.", "A row for each month."):
        at = original.index("description '") + len("description '")
        model.write_text(original[:at] + description + original[original.index("'", at) :])
        analyst.call("plan", "dev")
        analyst.call("promote", "dev")
        analyst.write("UPDATE ops.promotions SET promoted_at = TIMESTAMPTZ '2199-01-01'")
    found = status_of(analyst)
    assert found["promotion"]["promotion_number"] == 3
    assert found["environments"].keys() == {"dev"}
