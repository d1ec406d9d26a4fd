"""What was parsed once is not parsed again, and what was edited is."""

import os
import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlmesh.core.loader import SqlMeshLoader

from conftest import Platform
from data_platform.project.context import read_project

NPS = "models/marts/kpi__nps.sql"


def owner(project: Path) -> str | None:
    with read_project(project) as context:
        return str(context.get_model("marts.kpi__nps").owner)


def cached(project: Path) -> set[Path]:
    return set((project / ".cache/model_definition").iterdir())


@pytest.mark.slow(reason="loads the project four times")
def test_an_edit_is_seen_whatever_its_time_and_nothing_else_is_parsed(analyst: Platform) -> None:
    model = analyst.project / NPS
    assert owner(analyst.project) == "care"
    before, stat = cached(analyst.project), model.stat()
    assert owner(analyst.project) == "care"
    assert cached(analyst.project) == before

    model.write_text(model.read_text().replace("owner care", "owner sales"))
    os.utime(model, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # within the same instant
    assert owner(analyst.project) == "sales"
    assert len(cached(analyst.project) - before) == 1

    model.write_text(model.read_text().replace("owner sales", "owner finance"))
    os.utime(model, (0, 0))  # as an old backup that was put back
    assert owner(analyst.project) == "finance"


@pytest.mark.slow(reason="two readings; test_rendered.py edits a macro, too")
def test_an_edited_macro_is_seen_by_every_model(analyst: Platform) -> None:
    macro = analyst.project / "macros/numbers.py"
    with read_project(analyst.project) as context:
        before = context.get_model("exports.monthly_turnover").render_query().sql()
    stat = macro.stat()
    macro.write_text(macro.read_text().replace('Literal.string(",")', 'Literal.string(";")'))
    os.utime(macro, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with read_project(analyst.project) as context:
        after = context.get_model("exports.monthly_turnover").render_query().sql()
    assert "';'" in after and "';'" not in before


def test_an_edited_unit_test_is_seen_and_no_other_is_parsed(analyst: Platform) -> None:
    def bodies() -> tuple[int, dict[str, Any]]:
        parse = SqlMeshLoader._load_model_test_file
        with (
            patch.object(
                SqlMeshLoader, "_load_model_test_file", autospec=True, side_effect=parse
            ) as parsing,
            read_project(analyst.project) as context,
        ):
            tests = {test.test_name: test.body for test in context._model_test_metadata}
        return parsing.call_count, tests

    path = analyst.project / "tests/marts/test_kpi__nps.yaml"
    _, before = bodies()
    assert bodies() == (0, before)
    (name,) = [name for name in before if f"\n{name}:" in f"\n{path.read_text()}"][:1]
    stat = path.stat()
    path.write_text(path.read_text().replace(f"{name}:\n", f"{name}:\n  description: seen\n", 1))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    parsed, after = bodies()
    assert parsed == 1
    assert after == {**before, name: {**before[name], "description": "seen"}}


def test_a_unit_test_that_a_variable_decides_is_parsed_every_time(
    analyst: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = analyst.project / "tests/marts/test_kpi__nps.yaml"
    text = path.read_text()
    first = text.partition(":")[0]
    said = 'description: \'{{ env_var("SAID", "nothing") }}\''
    path.write_text(text.replace(f"{first}:\n", f"{first}:\n  {said}\n", 1))
    for said in ("one thing", "another"):
        monkeypatch.setenv("SAID", said)
        with read_project(analyst.project) as context:
            bodies = {test.test_name: test.body for test in context._model_test_metadata}
        assert bodies[first]["description"] == said


@pytest.mark.slow(reason="loads the project until it fails, for each kind of file")
@pytest.mark.parametrize(
    "name",
    [
        "tests/marts/test_kpi__nps.yaml",
        "audits/has_one_row.sql",
        "config.yaml",
        "macros/keys.py",
        NPS,
    ],
)
def test_a_file_that_cannot_be_read_is_named(analyst: Platform, name: str) -> None:
    (analyst.project / name).write_text(": [ )(")
    shutil.rmtree(analyst.project / ".cache" / "lineage", ignore_errors=True)
    # In a process of its own: what SQLMesh has read by then would stay in this one.
    done = analyst.call("lineage", "marts.kpi__nps", options=[], check=False)
    assert done.returncode == 1 and "cannot load the project" in done.stderr
    assert Path(name).name in done.stderr and done.stderr.count("\n") == 1
