"""The report's graph of lineage, in a real browser: what it draws, says and lets one do."""

import csv
import io
import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page

from conftest import PROJECT, Platform
from data_platform.project.lineage.graph import model_of
from data_platform.project.lineage.working_tree import read_lineage
from pages import browser, url

AMOUNT = "sources.app__invoices.amount"


def opened(page: Page, platform: Platform, name: str, language: str = "en") -> None:
    page.goto("about:blank")
    page.goto(url(platform, f"{language}/lineage.html#at={name}"))
    assert page.locator("#here").inner_text() == name


def drawn(page: Page) -> set[str]:
    boxes = page.locator("#graph g[data-model]")
    return set(boxes.evaluate_all("boxes => boxes.map(one => one.dataset.model)"))


def listed(page: Page, term: str) -> set[str]:
    """What a line of the summary names."""
    found = page.locator(f"#impact dt:text-is('{term}') + dd a")
    return set(found.all_inner_texts())


def test_a_model_opens_with_what_it_reads_and_what_reads_it(finished: Platform) -> None:
    lineage = read_lineage(PROJECT)
    name = "marts.finance__receivables"
    near = {name, *lineage.upstream(name), *lineage.downstream(name)}
    with browser() as page:
        opened(page, finished, name)
        assert drawn(page) == near
        assert page.locator("#graph a[data-name]").count() == len(near)  # columns are folded
        box = page.locator(f"#graph g[data-model='{name}']")
        box.locator("[role=button]", has_text="▸").press("Enter")
        columns = box.locator("a[data-name]").all_inner_texts()
        assert len(columns) == 1 + len(lineage.models[name].types)
        clients = page.locator("#graph g[data-model='intermediate.clients']")
        clients.locator("[role=button]", has_text="+").last.click()
        assert {*lineage.downstream("intermediate.clients")} <= drawn(page)
        # The rows of the table are the same steps.
        rows = page.locator("#steps tbody tr").all_inner_texts()
        assert len(rows) == len(near) - 1 + 1 and any("filters or joins" in row for row in rows)


@pytest.mark.parametrize("name", [
    AMOUNT, "sources.crm__customers.satisfaction_score", "intermediate.invoices.issue_date",
    "sources.app__job_contracts.end_date", "marts.kpi__nps_monthly.nps",
])  # fmt: skip
def test_a_column_shows_its_whole_path_and_what_depends_on_it(
    finished: Platform, name: str
) -> None:
    lineage = read_lineage(PROJECT)
    path = {*lineage.reach(name, lineage.upstream), *lineage.reach(name, lineage.downstream)}
    impact = lineage.impact([name])
    with browser() as page:
        opened(page, finished, name)
        assert {model_of(one) for one in path} <= drawn(page)
        columns = page.locator("#graph a[data-name]")
        names = set(columns.evaluate_all("links => links.map(one => one.dataset.name)"))
        assert {one for one in names if one not in lineage.models} == path
        values = {model_of(one) for one in impact.columns}
        for layer, kind in (("exports", "Exports"), ("report", "Charts")):
            of = {one for one in impact.models if one.startswith(f"{layer}.")}
            assert listed(page, f"{kind} made of it") == of & values
            assert listed(page, f"{kind} whose rows it decides") == of - values
        up = len(lineage.reach(name, lineage.upstream)) - 1
        down = len(lineage.reach(name, lineage.downstream)) - 1
        assert f"{up} upstream, {down} downstream" in page.locator("#status").inner_text()


def test_each_step_says_its_sql_and_comes_as_csv(finished: Platform) -> None:
    with browser() as page:
        opened(page, finished, "intermediate.receivables.paid")
        row = page.locator("#steps tr", has_text="marts.finance__receivables.outstanding").first
        assert row.count() == 1
        own = page.locator("#steps tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
        )
        (sql,) = {r[3] for r in own if r[1:3] == ["makes", "intermediate.receivables.paid"]}
        assert "paid.amount = SUM(payments.amount)" in sql
        page.locator("a[data-csv=steps]").evaluate(
            "link => link.addEventListener('click', event => event.preventDefault())"
        )
        page.locator("a[data-csv=steps]").click()
        link = page.locator("a[data-csv=steps]").get_attribute("href")
        assert link
        written = [*csv.reader(io.StringIO(unquote(link).partition(",")[2].lstrip("\ufeff")))]
        assert written[1:] == [[cell.replace("\n", "\r\n").replace("\r\n", "\n").strip()
                                for cell in r] for r in own]  # fmt: skip


def test_the_graph_is_walked_by_keyboard_zoomed_and_saved(finished: Platform) -> None:
    with browser() as page:
        opened(page, finished, "marts.finance__receivables")
        page.locator("a[data-name='marts.finance__receivables']").focus()
        focused = "document.activeElement.dataset.name"
        page.keyboard.press("ArrowRight")
        assert page.evaluate(focused) == "exports.receivables"
        page.keyboard.press("ArrowDown")
        assert page.evaluate(focused) == "report.finance__owed"
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
        assert page.evaluate(focused) == "marts.finance__receivables"
        page.keyboard.press("ArrowLeft")
        assert page.evaluate(focused).startswith("intermediate.")
        # What is not near what is pointed at steps back.
        assert page.locator("#graph path.near").count() > 0
        page.keyboard.press("Enter")
        page.wait_for_function("location.hash.includes('intermediate')")
        width = "document.querySelector('#graph svg').getBoundingClientRect().width"
        before = page.evaluate(width)
        page.click("#larger")
        assert page.evaluate(width) > before
        page.click("#fit")
        assert page.evaluate(width) <= page.evaluate("document.getElementById('graph').clientWidth")
        link = page.locator("a[data-svg='#graph svg']")
        link.evaluate("one => one.addEventListener('click', event => event.preventDefault())")
        link.click()
        saved = unquote(str(link.get_attribute("href")))
        assert saved.startswith("data:image/svg+xml") and "<style>" in saved and "</svg>" in saved


def test_a_name_that_is_none_opens_a_model_all_the_same(finished: Platform) -> None:
    with browser() as page:
        page.goto(url(finished, "fr/lineage.html#at=marts.nothing"))
        assert page.locator("#here").inner_text().startswith("marts.")
        assert page.locator("#missing").inner_text() == "Il n'y a pas de marts.nothing."
        page.fill("#at", "marts.kpi__nps.nps")
        page.dispatch_event("#at", "change")
        page.wait_for_function("document.getElementById('here').textContent.endsWith('.nps')")
        assert page.locator("html").get_attribute("lang") == "fr"


@pytest.mark.parametrize(
    "name", ["constructor", "__proto__", "marts.kpi__nps.constructor", "a" * 9_999]
)
def test_a_name_that_scripts_know_is_no_model(finished: Platform, name: str) -> None:
    with browser() as page:
        page.goto(url(finished, f"en/lineage.html#at={name}"))
        assert page.locator("#missing").inner_text().startswith("There is no ")
        assert page.locator("#graph g[data-model]").count() > 1


def test_what_filters_and_joins_says_how(finished: Platform) -> None:
    with browser() as page:
        opened(page, finished, "intermediate.receivables.overdue")
        row = page.locator("#steps tr", has_text="filters or joins").last.inner_text()
        assert "payments.paid_on" in row.replace("staging.billing__payments.paid_on", "", 1)
        assert "JOIN" in row


def test_the_page_of_a_model_tells_its_size_tests_and_a_few_rows(finished: Platform) -> None:
    with browser() as page:
        page.goto(url(finished, "en/model/intermediate.freelancers.html"))
        main = page.locator("main").inner_text()
        (count,) = finished.rows("SELECT COUNT(*) FROM intermediate.freelancers")[0]
        assert f"{count} rows." in main and "Unit tests" in main
        sample = page.locator("#sample")
        assert sample.locator("th").all_inner_texts() == ["sk"]  # the rest is personal
        assert sample.locator("tbody tr").count() == 5
        page.goto(url(finished, "en/model/exports.receivables.html"))
        link = page.locator("main a", has_text="receivables.csv").get_attribute("href")
        assert link and (finished.data / "report/en/model" / link).resolve().is_file()


def test_a_public_graph_has_no_sql_and_no_personal_column(
    finished: Platform, tmp_path: Path
) -> None:
    finished.call("report", "--output", str(tmp_path / "public"), "--public")
    text = (tmp_path / "public/data/lineage.js").read_text()
    found = json.loads(text.split("lineage = ", 1)[1].rstrip(";\n"))
    personal = read_lineage(PROJECT).marked("personal")
    for name, model in found.items():
        for column, of in model["columns"].items():
            assert f"{name}.{column}" not in personal and of["sql"] == []
            assert not personal & {*of["of"]}
        assert not personal & {*model["rows_by"]}
    assert not (tmp_path / "public/data/sizes.js").exists()
