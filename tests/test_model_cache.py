"""What was parsed once is not parsed again, and what was edited is."""

import os
from pathlib import Path

import pytest

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
