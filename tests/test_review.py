"""What a reviewer reads, in CI and at home; and what is checked before a commit."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import PROJECT, Platform
from editing import double_the_turnover, edit

SLOW = pytest.mark.slow(reason="builds a base and a branch as processes of their own")

# An edit of the model of the NPS that its unit tests find.
OTHER_PROMOTERS = (
    "@count_promoters(satisfaction_score)",
    "COUNT(CASE WHEN satisfaction_score >= 8 THEN 1 END)",
)


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Test", "-c", "user.email=test@mail.example")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def committed(platform: Platform) -> None:
    """The platform's working tree as a repository with one commit."""
    (platform.project / ".gitignore").write_text((PROJECT / ".gitignore").read_text())
    git(platform.project, "init", "--quiet", "--initial-branch", "main")
    git(platform.project, "add", "--all")
    git(platform.project, "commit", "--quiet", "--message", "first")


@SLOW
def test_a_review_tells_plan_impact_and_data_and_leaves_nothing(analyst: Platform) -> None:
    committed(analyst)
    double_the_turnover(analyst)
    # Whatever a team's lakehouse is, the review builds on files of its own.
    text = analyst.call("review", "main", "--gateway", "team").stdout
    assert text.startswith("<!-- data-platform review -->")
    assert "| `marts.kpi__monthly_turnover` | changed, breaking | amount is computed" in text
    assert "- `exports.monthly_turnover`: in Turnover (in €)" in text
    assert "**3 models differ, turnover total changed: " in text
    assert "Everything was built." in text
    # Neither data of its own nor a worktree is left.
    assert not analyst.data.exists()
    assert not list((analyst.project / ".cache").glob("review-*"))
    listed = subprocess.run(
        ["git", "worktree", "list"], cwd=analyst.project, capture_output=True, text=True
    )
    assert len(listed.stdout.splitlines()) == 1

    # A branch that fails its unit tests is told as well, and fails.
    edit(analyst, "models/marts/kpi__nps.sql", *OTHER_PROMOTERS)
    output = analyst.project / "review.md"
    done = analyst.call("review", "main", "--output", str(output), check=False)
    assert done.returncode == 1
    assert "**This branch does not build.**" in output.read_text()
    assert "unit test test_nine_and_ten_promote" in output.read_text()

    done = analyst.call("review", "nowhere", check=False)
    assert done.returncode == 2
    assert "nowhere" in done.stderr or "Needed a single revision" in done.stderr


def test_what_ci_posts_is_what_the_recipe_writes() -> None:
    workflow = yaml.safe_load((PROJECT / ".github/workflows/pipeline.yml").read_text())
    steps = [step.get("run", "") for step in workflow["jobs"]["review"]["steps"]]
    assert 'just review "$BASE" --output review.md' in steps
    assert any("GITHUB_STEP_SUMMARY" in step for step in steps)
    # What comes from a pull request reaches no shell but as a variable.
    assert not any("${{" in step for step in steps)


@SLOW
def test_a_commit_is_checked_by_what_it_touches(analyst: Platform) -> None:
    locks = [path.name for path in PROJECT.glob("requirements*.lock")]
    for name in (".pre-commit-config.yaml", "Justfile", "pyproject.toml", *locks):
        shutil.copy(PROJECT / name, analyst.project / name)
    (analyst.project / ".venv").symlink_to(PROJECT / ".venv")
    committed(analyst)

    def check(path: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PROJECT / ".venv/bin/pre-commit"), "run", "--files", path],
            cwd=analyst.project,
            capture_output=True,
            text=True,
        )

    model = "models/marts/kpi__nps.sql"
    done = check(model)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Passed") == 3 and done.stdout.count("Skipped") == 2
    edit(analyst, model, *OTHER_PROMOTERS)
    git(analyst.project, "add", "--all")
    done = check(model)
    assert done.returncode == 1
    assert "test_nine_and_ten_promote" in done.stdout
    assert "test_a_window_computes" not in done.stdout  # another model's
    edit(analyst, model, ">= 8", ">=   8")
    git(analyst.project, "add", "--all")
    assert "models are formatted" in check(model).stdout.partition("Failed")[0]
