"""A lakehouse that an earlier version of the program made goes on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import PROJECT, Platform, options_of
from editing import double_the_turnover, invoiced, total
from faults import status_of

# Before the package was cut into rooms: record of format 5, code without SQLMesh's version.
EARLIER = "e2ac641"


def git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True)


@pytest.mark.slow(reason="a run of an earlier version's program, from a worktree of its commit")
@pytest.mark.skipif(
    bool(git("cat-file", "-e", f"{EARLIER}^{{commit}}").returncode),
    reason=f"this clone does not have the commit {EARLIER}",
)
def test_a_lakehouse_of_an_earlier_version_is_planned_promoted_and_rolled_back(
    analyst: Platform, tmp_path: Path
) -> None:
    earlier = tmp_path / "earlier"
    git("worktree", "add", "--detach", str(earlier), EARLIER)
    try:
        words = [*options_of("2024-02-29"), "-p", str(earlier), "-d", str(analyst.data), "run"]
        subprocess.run(
            [sys.executable, "-c", "from data_platform.cli import main; main()", *words],
            env={**os.environ, "PYTHONPATH": str(earlier / "platform")},
            cwd=earlier,
            check=True,
            capture_output=True,
        )
    finally:
        git("worktree", "remove", "--force", str(earlier))
    assert status_of(analyst)["load"]["load_number"] == 1

    done = analyst.call("run", options=options_of("2024-03-01"))
    assert "load 2" in done.stdout
    assert total(analyst, "marts") == invoiced(analyst)
    # Production follows the program's models; then an analyst goes on as ever.
    analyst.call("run", "--deploy", options=options_of("2024-03-01"))
    assert total(analyst, "marts") == invoiced(analyst)
    double_the_turnover(analyst)
    analyst.call("plan", "dev", options=options_of("2024-03-01"))
    analyst.call("promote", "dev", options=options_of("2024-03-01"))
    assert total(analyst, "marts") == 2 * invoiced(analyst)  # type: ignore[operator]
    analyst.call("rollback", options=options_of("2024-03-01"))
    assert total(analyst, "marts") == invoiced(analyst)
    assert {run["outcome"] for run in status_of(analyst)["runs"]} == {"succeeded"}
