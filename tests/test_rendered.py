"""Rendered queries are kept from process to process, as long as nothing behind them changes."""

from collections.abc import Callable
from datetime import date
from unittest.mock import patch

import pytest
from sqlmesh.core.model import SqlModel
from sqlmesh.utils.date import to_timestamp

from conftest import Platform, begin
from data_platform.ingest.loaded import loaded
from data_platform.project.context import open_project
from data_platform.project.rendered import period_of
from data_platform.transform.production import Production
from data_platform.transform.recompute import compute
from editing import edit

MODEL = "intermediate.invoices"


def rendered_again(platform: Platform) -> bool:
    """Whether a process that audits and computes a model renders anything; its audits pass."""
    settings = platform.settings()
    render = SqlModel.render_audit_query
    with (
        patch.object(
            SqlModel, "render_audit_query", autospec=True, side_effect=render
        ) as rendering,
        open_project(settings, with_unit_tests=False) as project,
    ):
        tables = Production(project).tables
        assert tables is not None
        load = loaded(project.cursor, settings)
        compute(tables, tables.all_of([MODEL], load), load)
        assert sum(audit.passed for audit in project.evaluation.audits) == 7
        assert not project.evaluation.stops
    return bool(rendering.call_count)


def edit_audit(platform: Platform) -> None:
    edit(platform, "audits/non_negative_amounts.sql", "amount < 0", "amount < 0.00")


def edit_macro(platform: Platform) -> None:
    edit(platform, "macros/keys.py", "# What looks like nothing", "# What looks like  nothing")


def edit_configuration(platform: Platform) -> None:
    edit(platform, "config.yaml", "environment_ttl: in 1 week", "environment_ttl: in 2 weeks")


def spoil(platform: Platform) -> None:
    for kept in (platform.project / ".cache/rendered").glob("*.pickle"):
        kept.write_bytes(kept.read_bytes()[:20])


def test_an_end_that_is_a_moment_is_another_window_than_one_that_is_a_date() -> None:
    start, end = date(2024, 1, 1), date(2024, 1, 31)
    of_day = period_of({"start": start, "end": end}, None)
    # As a plan of SQLMesh's says it: up to a moment, which is not in the window any more.
    until = period_of({"start": start, "end": to_timestamp(end)}, None)
    assert of_day != until
    assert until[1].startswith("2024-01-30")
    assert of_day == period_of({"start": "2024-01-01", "end": "2024-01-31"}, None)
    assert of_day != period_of({"start": start, "end": end}, 1)


def test_a_process_renders_nothing_that_an_earlier_one_has_rendered(analyst: Platform) -> None:
    begin(analyst)
    assert rendered_again(analyst)
    assert not rendered_again(analyst)


OTHERS = pytest.mark.slow(reason="the same of something else that is edited")


@pytest.mark.parametrize(
    "change",
    [
        edit_macro,
        *(pytest.param(one, marks=OTHERS) for one in (edit_audit, edit_configuration, spoil)),
    ],
)
def test_whatever_it_is_made_of_has_it_rendered_again(
    analyst: Platform, change: Callable[[Platform], None]
) -> None:
    begin(analyst)
    rendered_again(analyst)
    change(analyst)
    assert rendered_again(analyst)
