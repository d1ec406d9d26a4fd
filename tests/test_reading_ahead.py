"""While a run extracts, a process of its own reads the project and keeps what it finds."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import Platform
from data_platform.project import reading_ahead as room
from data_platform.project.lineage.working_tree import is_lineage_kept
from data_platform.project.reading_ahead import reading_ahead


def children() -> set[int]:
    """The processes that this one has started and that read a project."""
    found = subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "-f", room.__name__], capture_output=True, text=True
    )
    return set(map(int, found.stdout.split()))


@pytest.fixture
def unread(analyst: Platform) -> Path:
    """A project that nobody has read yet."""
    shutil.rmtree(analyst.project / ".cache", ignore_errors=True)
    return analyst.project


def test_a_project_is_read_meanwhile_and_once(unread: Path) -> None:
    with reading_ahead(unread):
        (process,) = children()
        while not is_lineage_kept(unread):
            assert os.waitpid(process, os.WNOHANG) == (0, 0)  # it is still at work
            time.sleep(0.05)
    assert len(list((unread / ".cache" / "optimized_query").iterdir())) > 30
    with reading_ahead(unread):
        assert children() == set()
    query = unread / "models/marts/kpi__nps.sql"
    query.write_text(query.read_text() + "\n-- edited\n")
    with reading_ahead(unread):
        assert len(children()) == 1
    assert children() == set()  # nobody needs it any more


def test_what_is_wrong_with_a_project_is_for_the_run_to_say(unread: Path) -> None:
    (unread / "models/marts/kpi__nps.sql").write_text("MODEL (name marts.kpi__nps); SELECT FROM")
    with reading_ahead(unread):
        (process,) = children()
        assert os.waitpid(process, 0) == (process, 0)
    done = subprocess.run(
        [sys.executable, "-m", "data_platform.project.reading_ahead", str(unread)],
        capture_output=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_module_beside_the_caller_is_none_of_its_own(
    unread: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("open('was-run', 'w')")
    monkeypatch.chdir(tmp_path)
    with reading_ahead(unread):
        (process,) = children()
        os.waitpid(process, 0)
    assert not (tmp_path / "was-run").exists()
    assert is_lineage_kept(unread)


def test_without_an_idle_core_or_memory_for_a_process_nothing_is_read(
    unread: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "sched_getaffinity", lambda _: {0})
        with reading_ahead(unread):
            assert children() == set()

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError("Resource temporarily unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(room.subprocess, "Popen", refuse)
        with reading_ahead(unread):
            assert not is_lineage_kept(unread)

    def forbid(_: Path) -> bool:
        raise PermissionError("a model of somebody else's")

    with monkeypatch.context() as patch:
        patch.setattr(room, "is_lineage_kept", forbid)
        with reading_ahead(unread):
            assert children() == set()
