"""The Justfile hands on what people type, word for word: no shell reads it again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import PROJECT

JUST = Path(sys.executable).with_name("just")
# A program that writes down its arguments.
RECORDER = """#!/bin/sh
for argument in "$@"; do printf '%s\\0' "$argument"; done >> "$RECORD"
"""
WORDS = [
    "SELECT 1; echo x > y; touch z",
    "WHERE nps > 5",
    'say "hi"',
    "it's",
    "$HOME `id` $(id)",
    "a  b",
    "",
    "*",
    "--format",
    "a\\b",
    "{{ bin }}",
]
# Recipes that take words, and what they put before them.
RECIPES = {
    "run": ["run"],
    "extract": ["extract"],
    "load": ["load"],
    "transform": ["transform"],
    "audit": ["audit"],
    "export": ["export"],
    "backfill": ["backfill"],
    "query": ["query"],
    "tables": ["tables"],
    "status": ["status"],
    "report": ["report", "--open"],
    "sources": ["sources"],
    "source": ["source"],
    "lineage": ["lineage"],
    "ui": ["ui"],
    "plan": ["plan"],
    "diff": ["diff"],
    "promote": ["promote"],
    "rollback": ["rollback"],
    "review": ["review"],
    "check": ["check"],
    "move": ["move"],
    "clean": ["clean"],
    "test-slow": ["-n", "2", "-m", "slow"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project in which every program writes down its arguments."""
    shutil.copy(PROJECT / "Justfile", tmp_path)
    for lock in PROJECT.glob("requirements*.lock"):
        shutil.copy(lock, tmp_path)
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    for name in ("data-platform", "sqlmesh", "pytest", "python"):
        (programs / name).write_text(RECORDER)
        (programs / name).chmod(0o755)
    # As `setup` leaves them when there is nothing to do.
    for stamp, sums in (
        ("built-from", 'echo "$(cat requirements-setup.lock requirements.lock | cksum) compiled"'),
        ("built-from-dev", "cksum < requirements-dev.lock"),
    ):
        told = subprocess.run(["sh", "-c", sums], cwd=tmp_path, capture_output=True, text=True)
        (tmp_path / ".venv" / stamp).write_text(told.stdout)
    return tmp_path


def called(folder: Path, *words: str) -> list[str]:
    record = folder / "record"
    record.unlink(missing_ok=True)
    environment = {**os.environ, "RECORD": str(record)}
    done = subprocess.run(
        [str(JUST), *words], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return record.read_text().split("\0")[:-1] if record.exists() else []


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_hands_on_its_words_as_they_are(folder: Path, recipe: str) -> None:
    before = sorted(path.name for path in folder.iterdir())
    assert called(folder, recipe, *WORDS) == [*RECIPES[recipe], *WORDS]
    (folder / "record").unlink()
    assert sorted(path.name for path in folder.iterdir()) == before


def test_every_recipe_that_takes_words_is_among_them() -> None:
    dumped = subprocess.run(
        [str(JUST), "--dump", "--dump-format", "json"], cwd=PROJECT, capture_output=True, check=True
    )
    recipes = json.loads(dumped.stdout)["recipes"]
    taking = {name for name, of in recipes.items() if of["parameters"] and not name.startswith("_")}
    # These call several programs.
    assert (
        taking - {"test", "test-models", "bench", "profile", "bench-sources", "spark-cluster"}
        == RECIPES.keys()
    )
    assert json.loads(dumped.stdout)["settings"]["positional_arguments"] is True


def test_a_plan_is_of_dev_where_nothing_is_said(folder: Path) -> None:
    assert called(folder, "plan") == ["plan", "dev"]
    assert called(folder, "query") == ["query"]


def test_unit_tests_are_of_files_that_exist(folder: Path) -> None:
    (folder / "models/marts").mkdir(parents=True)
    (folder / "tests/marts").mkdir(parents=True)
    (folder / "models/marts/a b.sql").touch()
    (folder / "tests/marts/test_a b.yaml").touch()
    assert called(folder, "test-models", "models/marts/a b.sql") == [
        "test",
        "tests/marts/test_a b.yaml",
    ]
    done = subprocess.run(
        [str(JUST), "test-models", "models/marts/none; touch x.sql"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "models/marts/none; touch x.sql does not exist" in done.stderr
    assert not (folder / "x.sql").exists()
