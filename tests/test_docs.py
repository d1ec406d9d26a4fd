"""The documentation cannot lie: generated parts are current, what it tells to try runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import PROJECT, Platform

ENGLISH, FRENCH = (
    (PROJECT / name).read_text(encoding="utf-8") for name in ("README.md", "README.fr.md")
)
EXERCISES = (PROJECT / "docs/exercises.md").read_text(encoding="utf-8")


@pytest.mark.slow(reason="just lint checks the same")
def test_the_generated_parts_are_current() -> None:
    documents = ["README.md", "README.fr.md", "docs/data-dictionary.md", "docs/data-model.md"]
    cog = [str(Path(sys.executable).with_name("cog")), "--check", *documents]
    done = subprocess.run(cog, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr + "\nrun: just docs"


def test_the_french_readme_keeps_step_with_the_english_one() -> None:
    for pattern in (r"^#+ ", r"^\| `[^|]*`", r"^```\w*$", r"^(?:\d\.|-) "):
        english, french = (re.findall(pattern, t, re.MULTILINE) for t in (ENGLISH, FRENCH))
        assert english == french, pattern
    shell = re.compile(r"```sh\n(.*?)```", re.DOTALL)
    # The commands are the same; what is said of them after a # is in the reader's language.
    commands = (
        [re.sub(r" *#.*", "", line) for block in shell.findall(text) for line in block.splitlines()]
        for text in (ENGLISH, FRENCH)
    )
    assert [*next(commands)] == [*next(commands)]


def test_every_link_to_a_file_leads_somewhere() -> None:
    documents = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")]
    for document in documents:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


@pytest.mark.parametrize("sql", re.findall(r"```sql\n(.*?)```", EXERCISES, re.DOTALL))
def test_every_query_of_the_exercises_runs_and_finds_something(
    finished: Platform, sql: str
) -> None:
    assert len(finished.call("query", sql, "--format", "csv").stdout.splitlines()) > 1


def test_the_commands_of_the_readme_name_recipes_that_exist() -> None:
    known = set(re.findall(r"^\| `just (\w+)", ENGLISH, re.MULTILINE))
    assert (
        set(
            re.findall(
                r"\bjust ([a-z]+)\b(?= |`|$)",
                "\n".join(re.findall(r"```sh\n(.*?)```", ENGLISH, re.DOTALL)),
                re.MULTILINE,
            )
        )
        <= known
    )
