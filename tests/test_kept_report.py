"""A promotion's report fetches what has changed, and shows what one that fetches all would show."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from conftest import Platform, begin
from data_platform.delivery.report import kept, render
from data_platform.delivery.report.catalogue import sizes
from data_platform.delivery.report.charts import read_charts
from data_platform.delivery.report.kept import Unchanged
from data_platform.delivery.report.scripts import assigned_value
from data_platform.lakehouse.connection import reading
from data_platform.project.lineage.production import read_production
from data_platform.record.transforms import change_number
from editing import double_the_turnover, edit

CHANGED = "report.overview__turnover"


def data_of(platform: Platform) -> dict[str, object]:
    """What the report's charts and its catalogue show; of samples, any rows will do."""
    folder = platform.data / "report/data"
    shown: dict[str, object] = {path.name: path.read_text() for path in folder.glob("*.js")}
    sizes = assigned_value(str(shown["sizes.js"]), "sizes")
    for of in sizes.values():
        of["sample"] = sorted(map(str, of["sample"])) if len(of["sample"]) < 5 else "any"
    return {**shown, "sizes.js": sizes}


def fetched(platform: Platform, later: int = 0, changed: str = CHANGED) -> set[str]:
    """The charts that a report fetches after a change of one of them, that much later."""
    settings = platform.settings()
    with reading(settings) as connection:
        models = read_production(connection, settings.project_dir).lineage.models.keys()
        since = change_number(connection) + later
    unchanged = Unchanged(models - {changed}, since)
    with patch.object(render, "fetch", side_effect=render.fetch) as fetching:
        render.report(settings, unchanged=unchanged)
    return {call.args[1].model for call in fetching.call_args_list}


# The program, which tells the charts that it fetches.
TELLING = """
from data_platform.delivery.report import render
fetch = render.fetch
def told(connection, chart):
    print("fetched", chart.model)
    return fetch(connection, chart)
render.fetch = told
from data_platform.cli.program import main
main()
"""


def told(platform: Platform, *words: str) -> set[str]:
    """The charts that a command fetches."""
    places = ["-p", str(platform.project), "-d", str(platform.data), *platform.options]
    command = [sys.executable, "-c", TELLING, *places, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    return {line.split()[1] for line in lines if line.startswith("fetched ")}


def every_chart(platform: Platform) -> set[str]:
    return {chart.model for chart in read_charts(platform.project)}


@pytest.mark.slow(reason="a plan, a promotion and a rollback; what is kept is tried each time")
def test_a_promotion_and_its_rollback_show_what_a_report_that_asks_all_shows(
    analyst: Platform,
) -> None:
    begin(analyst)
    before = data_of(analyst)
    double_the_turnover(analyst)
    analyst.call("plan")
    analyst.call("promote")
    promoted = data_of(analyst)
    changed = {name for name in before if promoted[name] != before[name]}
    assert {"overview__turnover.js", "lineage.js"} <= changed
    analyst.call("report")
    assert data_of(analyst) == promoted
    assert told(analyst, "rollback") == {CHANGED}
    assert data_of(analyst) == before
    assert told(analyst, "report") == every_chart(analyst)


def test_charts_of_models_that_have_not_changed_are_not_fetched(begun: Platform) -> None:
    before = data_of(begun)
    assert fetched(begun) == {CHANGED}
    assert data_of(begun) == before


def test_a_report_from_before_another_change_is_no_help(begun: Platform) -> None:
    assert fetched(begun, later=1) == every_chart(begun)


def spoil(platform: Platform, name: str) -> None:
    path = platform.data / f"report/data/{name}.js"
    path.write_text(path.read_text().replace("1", "2"), encoding="utf-8")


def spoil_a_chart(platform: Platform) -> None:
    spoil(platform, "overview__nps")


def shorten_a_chart(platform: Platform) -> None:
    edit(platform, "models/report/overview__nps.yaml", "order: ", "most: 7\norder: ")


def forget_the_data(platform: Platform) -> None:
    (platform.data / "report/data/overview__nps.js").unlink()


@pytest.mark.parametrize("spoils", [spoil_a_chart, shorten_a_chart, forget_the_data])
def test_a_chart_whose_data_is_not_what_was_fetched_is_fetched(
    analyst: Platform, spoils: Callable[[Platform], None]
) -> None:
    begin(analyst)
    assert fetched(analyst) == {CHANGED}
    before = data_of(analyst)
    spoils(analyst)
    assert fetched(analyst) == {CHANGED, "report.overview__nps"}
    assert (data_of(analyst) == before) == (spoils is not shorten_a_chart)


def test_sizes_that_somebody_edited_are_counted_again(begun: Platform) -> None:
    fetched(begun)
    before = data_of(begun)
    spoil(begun, "sizes")
    fetched(begun)
    assert data_of(begun) == before


def test_a_size_is_counted_where_a_view_on_the_way_has_become_a_table(begun: Platform) -> None:
    settings, table = begun.settings(), "intermediate.customers"
    with reading(settings) as connection:
        lineage = read_production(connection, settings.project_dir).lineage
        known = sizes(connection, lineage, [])[table]
        as_a_view = {table: {**known, "rows": None}}
        assert sizes(connection, lineage, [], as_a_view)[table]["rows"] == known["rows"] is not None


def test_a_report_elsewhere_or_for_the_public_asks_all(begun: Platform, tmp_path: Path) -> None:
    for options in ({"output": tmp_path / "other"}, {"is_public": True}):
        with patch.object(render, "fetch", side_effect=render.fetch) as fetching:
            for _ in range(2):
                render.report(begun.settings(), **options, unchanged=Unchanged({CHANGED}, 0))
        models = [call.args[1].model for call in fetching.call_args_list]
        assert models.count(CHANGED) == 2


def test_what_another_version_has_fetched_is_no_help(
    begun: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_programs", lambda: "another")
    assert fetched(begun) == every_chart(begun)
    assert fetched(begun) == {CHANGED}
