"""The report in a real browser, from disk: every page, both languages, figures as they are."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import PROJECT, Platform, options_of
from data_platform.delivery.report.charts import PAGES, read_charts
from data_platform.delivery.report.languages import LanguagePages
from data_platform.delivery.report.render import report
from data_platform.delivery.report.wording import shown
from data_platform.project.lineage.working_tree import read_lineage
from editing import edit
from pages import browser, url

NASTY = [
    "<b>Zoé</b>",
    "</script><script>alert(1)</script>",
    "a\u2028b",
    "\u202eevil",
    'O\'Neil & "Co"',
]

# The colours of a chart's lines.
COLOURS = """[...new Set(
  [...document.querySelectorAll('#finance__turnover_by_entity .drawn .mark-line path')]
    .map(one => one.getAttribute('stroke')))]"""


@pytest.mark.slow(reason="opens a hundred pages; those with charts are opened each time")
def test_every_page_loads_from_disk_in_both_languages(finished: Platform) -> None:
    folder = (finished.data / "report").resolve()
    pages = sorted(path.relative_to(folder) for path in folder.rglob("*.html"))
    english = {path.relative_to("en") for path in pages if path.parts[0] == "en"}
    assert english == {path.relative_to("fr") for path in pages if path.parts[0] == "fr"}
    assert {f"{page}.html" for page in (*PAGES, "changes", "catalogue")} <= {*map(str, english)}
    assert len(english) == len(PAGES) + 3 + len(read_lineage(PROJECT).models)
    with browser() as page:
        for path in pages:
            page.goto(url(finished, str(path)))
            language = path.parts[0] if len(path.parts) > 1 else page.url.split("/report/")[1][:2]
            assert page.locator("html").get_attribute("lang") == language
            assert page.locator("h1").inner_text()
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 5_000_000
    assert max((folder / path).stat().st_size for path in pages) < 150_000
    assert {oct(p.stat().st_mode & 0o777) for p in folder.rglob("*") if p.is_file()} == {"0o600"}


def test_the_figures_are_those_of_the_lakehouse(finished: Platform) -> None:
    with browser() as page:
        for chart in read_charts(PROJECT):
            for language in ("fr",) if chart.order == 1 else ("en",):
                page.goto(url(finished, f"{language}/{chart.page}.html"))
                place = page.locator(f"#{chart.name}")
                names = [column.name for column in chart.columns]
                order = ", ".join(f"{one} NULLS FIRST" for one in (chart.sort or tuple(names)))
                wanted = [
                    [
                        shown(column, None if v is None else str(v), language)
                        for v, column in zip(row, chart.columns, strict=True)
                    ]
                    for row in finished.rows(
                        f"SELECT {', '.join(names)} FROM {chart.model} ORDER BY {order} "
                        f"LIMIT {chart.most}"
                    )
                ]
                found = place.locator("tbody tr").evaluate_all(
                    "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
                )
                spaces = re.compile(r"\s")
                assert [[spaces.sub(" ", c) for c in row] for row in found] == [
                    [spaces.sub(" ", c) for c in row] for row in wanted
                ], (chart.name, language)
                if chart.vega and wanted:
                    assert place.locator(".drawn svg").count() == 1
    october = finished.rows("SELECT amount FROM report.overview__turnover "
                            "WHERE month = '2023-10-01'")  # fmt: skip
    assert october == [(0,)]


@pytest.mark.slow(reason="a browser that goes back and forth")
def test_filters_are_kept_in_the_address_and_a_reader_finds_the_way(finished: Platform) -> None:
    with browser() as page:
        page.goto(url(finished, "en/finance.html"))
        rows = page.locator("#finance__turnover_by_entity tbody tr")
        everything = rows.count()
        page.select_option("select[name=entity]", "blue")
        page.wait_for_function("location.hash.includes('entity=blue')")
        assert rows.count() == everything // 2
        page.fill("input[name=from]", "2024-01")
        page.dispatch_event("input[name=from]", "change")
        page.wait_for_function("location.hash.includes('from=2024-01')")
        assert rows.count() == 2
        # A colour stays with its entity.
        blue = page.evaluate(COLOURS)
        page.select_option("select[name=entity]", "green")
        page.wait_for_function("location.hash.includes('entity=green')")
        page.wait_for_function(f"JSON.stringify({COLOURS}) !== JSON.stringify({json.dumps(blue)})")
        page.select_option("select[name=entity]", "blue")
        page.wait_for_function("location.hash.includes('entity=blue')")
        # Months in which there is nothing draw nothing, and nothing complains.
        page.fill("input[name=from]", "2030-01")
        page.dispatch_event("input[name=from]", "change")
        page.wait_for_function("location.hash.includes('from=2030-01')")
        assert rows.count() == 0
        page.fill("input[name=from]", "2024-01")
        page.dispatch_event("input[name=from]", "change")
        page.wait_for_function("location.hash.includes('from=2024-01')")
        page.locator("a.language").click()
        page.wait_for_url("**/fr/finance.html#*")
        assert page.input_value("input[name=from]") == "2024-01"
        assert page.locator("#finance__turnover_by_entity tbody tr").count() == 2
        # Words of what was filtered out go; what cannot be filtered says so.
        page.goto(url(finished, "en/overview.html#entity=blue"))
        words = page.locator("#overview__joined_and_left .words:visible").all_inner_texts()
        assert len(words) == 1 and "blue" in words[0]
        turnover = page.locator("#overview__turnover .unfiltered")
        assert turnover.inner_text() == "Shows all: it is not told apart by entity."
        assert page.locator("#overview__joined_and_left .unfiltered").is_hidden()
        page.locator("nav a", has_text="Finance").click()  # the choice goes along
        page.wait_for_url("**/en/finance.html#entity=blue")
        assert page.input_value("select[name=entity]") == "blue"
        page.goto(url(finished, "en/overview.html#from=2024-02&to=2022-01"))
        nothing = page.locator(".nothing:visible")
        nothing.first.wait_for()
        assert nothing.count() > 3
        page.goto("about:blank")
        page.goto(url(finished, "en/overview.html#from=zz"))
        assert page.locator("#overview__turnover tbody tr").count() > 12
        page.goto(url(finished, "fr/finance.html#from=2024-01"))
        # Sorting by a column, both ways.
        table = page.locator("#finance__receivables")
        table.locator("summary").click()
        table.locator("th button").nth(0).click()
        assert table.locator("th").nth(0).get_attribute("aria-sort") == "ascending"
        names = table.locator("tbody tr td:first-child").all_inner_texts()
        table.locator("th button").nth(0).click()
        assert table.locator("tbody tr td:first-child").all_inner_texts() == names[::-1]
        # From a chart to its model, to what it reads, to a source's column and who uses it.
        page.locator("#finance__receivables .badge a").last.click()
        assert page.locator("h1").inner_text() == "report.finance__receivables"
        page.locator("svg.lineage a", has_text="marts.finance__receivables").click()
        assert page.locator("h1").inner_text() == "marts.finance__receivables"
        page.goto(url(finished, "en/catalogue.html"))
        page.fill("#search", "app__invoices.amount")
        page.locator("#found a", has_text="sources.app__invoices.amount").click()
        assert page.locator("#here:not(:empty)").inner_text() == "sources.app__invoices.amount"
        assert "exports.turnover_by_cohort" in page.locator("#impact").inner_text()
        page.locator("#page-of a").click()
        assert page.locator("h1").inner_text() == "sources.app__invoices"
        page.goto(url(finished, "en/catalogue.html#q=promoters"))
        assert page.locator("#found li").count() > 0 and page.locator("#all").is_hidden()


AGAIN = pytest.mark.slow(reason="the same pages once more")


@pytest.mark.parametrize("options", [
    {"viewport": {"width": 360, "height": 800}},
    pytest.param({"color_scheme": "dark", "reduced_motion": "reduce"}, marks=AGAIN),
    pytest.param({"forced_colors": "active", "device_scale_factor": 2}, marks=AGAIN),
], ids=["a phone", "dark", "forced colours"])  # fmt: skip
def test_pages_fit_and_name_what_they_show(finished: Platform, options: dict) -> None:
    with browser(**options) as page:
        for name in (*PAGES, "changes", "catalogue", "lineage", "model/marts.kpi__nps"):
            page.goto(url(finished, f"fr/{name}.html"))
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, (name, wide)
            assert page.locator("h1").count() == 1 and page.locator("main").count() == 1
            nameless = page.evaluate(
                "[...document.querySelectorAll('input, select, a, button')].filter(one => "
                "!(one.innerText || one.labels?.length || one.getAttribute('aria-label') || "
                "one.textContent.trim())).length"
            )
            assert nameless == 0, name
        page.goto(url(finished, "fr/overview.html"))
        assert page.pdf()[:5] == b"%PDF-"


@pytest.mark.slow(reason="a run for which pages stay as they are")
def test_a_day_renders_again_only_what_it_changes(begun: Platform) -> None:
    folder = (begun.data / "report").resolve()
    before = {p.relative_to(folder): p.stat().st_mtime_ns for p in folder.rglob("*.html")}
    begun.call("run", options=options_of("2024-03-01"))
    folder = (begun.data / "report").resolve()
    after = {p.relative_to(folder): p.stat().st_mtime_ns for p in folder.rglob("*.html")}
    assert before.keys() == after.keys()
    changed = {str(path) for path in after if after[path] != before[path]}
    assert "en/overview.html" in changed
    assert not [path for path in changed if "model/" in path or "catalogue" in path]
    said = (folder / "en/changes.html").read_text()
    assert "Since the report as of 29 Feb 2024, load 1:" in said
    assert "1 Mar 2024" in (folder / "en/overview.html").read_text()
    # A run without a report leaves it as it is.
    begun.call("run", "--no-report", options=options_of("2024-03-02"))
    assert "1 Mar 2024" in (begun.data / "report/en/overview.html").read_text()
    begun.call("report", options=[])
    assert "2 Mar 2024" in (begun.data / "report/en/overview.html").read_text()


def test_a_public_report_tells_nothing_of_a_person(begun: Platform, tmp_path: Path) -> None:
    out = tmp_path / "public"
    begun.call("report", "--output", str(out), "--public")
    text = "".join(path.read_text() for path in out.rglob("*") if path.is_file()
                   and path.name != "vega.js")  # fmt: skip
    shown = begun.rows("SELECT last_name FROM report.care__stagnant_freelancers")
    assert shown
    own = (begun.data / "report/data/care__stagnant_freelancers.js").read_text()
    for (name,) in shown:
        assert name in own
        assert not re.search(rf"\b{re.escape(name)}\b", text), name
    assert "SELECT" not in text and "last_name" not in (out / "en/search.js").read_text()
    assert "BETWEEN" not in text and "COALESCE" not in text
    # Rows of single people are recognised without their names.
    assert {path.name for path in (out / "data").iterdir()} == {
        "lineage.js",
        *(
            f"{one.name}.js"
            for one in read_charts(PROJECT)
            if not read_lineage(PROJECT).personal(one.model)
        ),
    }
    done = begun.call("report", "--output", str(begun.data / "mine"), check=False)
    assert done.returncode == 2 and "lies in the data folder" in done.stderr
    done = begun.call("report", "--public", check=False)
    assert done.returncode == 2 and "--public needs --output" in done.stderr
    (tmp_path / "used").mkdir()
    (tmp_path / "used/notes.txt").write_text("mine")
    done = begun.call("report", "--output", str(tmp_path / "used"), check=False)
    assert done.returncode == 1 and "holds files that are no report" in done.stderr
    assert [p.name for p in (tmp_path / "used").iterdir()] == ["notes.txt"]


def test_names_that_look_like_code_are_shown_as_they_are(begun: Platform) -> None:
    union = " UNION ALL ".join(
        f"SELECT '{number:032x}'::UUID, $${name}$$, 1.00, 1.00, 90071992547409931234.05"
        for number, name in enumerate(NASTY, start=1)
    )
    begun.write(f"CREATE OR REPLACE VIEW report.finance__receivables(client_sk, client_name, "
                f"invoiced, outstanding, overdue) AS {union}")  # fmt: skip
    begun.call("report", options=[])
    with browser() as page:
        page.goto(url(begun, "en/finance.html"))
        names = page.locator("#finance__receivables tbody tr td:first-child").evaluate_all(
            "cells => cells.map(cell => cell.textContent)"
        )
        assert sorted(names) == sorted(NASTY)
        amount = page.locator("#finance__receivables tbody tr td:last-child").first.text_content()
        assert amount == "€90,071,992,547,409,931,234.05"


def test_a_title_that_looks_like_code_stays_a_title(
    begun: Platform, analyst: Platform, tmp_path: Path
) -> None:
    title = "</script><i>&amp; \u2028"
    edit(
        analyst,
        "models/report/overview__turnover.yaml",
        "title: {en: Turnover by month",
        f"title: {{en: {json.dumps(title)}",
    )
    report(replace(begun.settings(), project_dir=analyst.project), tmp_path / "out")
    page = (tmp_path / "out/en/overview.html").read_text()
    (inline,) = re.findall(r'<script type="application/json" id="page">(.*?)</script>', page)
    assert json.loads(inline)["charts"][0]["title"] == title
    assert "<i>" not in page and "\u2028" not in inline


def test_the_catalogue_is_not_rendered_again_over_the_same_code(
    begun: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(begun.settings(), tmp_path / "out")
    monkeypatch.delattr(LanguagePages, "_catalogue")
    report(begun.settings(), tmp_path / "out")
    assert (tmp_path / "out/en/model/marts.kpi__nps.html").exists()


def test_an_empty_company_and_a_missing_lakehouse_are_told(platform: Platform) -> None:
    done = platform.call("report", check=False)
    assert done.returncode == 1 and "run: data-platform run" in done.stderr
    assert not (platform.data / "report").exists() or not [*(platform.data / "report").iterdir()]


@pytest.mark.slow(
    reason="a first run of its own in a browser; rows that are none are tried by YAML"
)
def test_a_company_of_a_few_days_has_sensible_pages(platform: Platform) -> None:
    platform.call("run", options=["--scale", "0.01", "--as-of", "2022-01-02"])
    with browser() as page:
        for name in (*PAGES, "changes", "catalogue"):
            page.goto(url(platform, f"en/{name}.html"))
            assert page.locator("h1").inner_text()
        page.goto(url(platform, "en/finance.html"))
        assert "There is nothing to show." in page.locator("main").inner_text()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("page: overview", "page: people", "page is people, expected one of overview"),
        ("as: month", "as: year", "month is shown as year, expected month"),
        ("order: 1", "ordre: 1", "it has ordre, expected"),
        ("order: 1", "order: first", "order is first, expected a number from 1"),
        ("order: 1", "order: 1\nmost: -5", "most is -5, expected a number from 1"),
        ("title: {en:", "title: {de:", "title lacks its words in 'en'"),
        ("row: last complete month", "row: previous month", "row is previous month, expected"),
        ('"{month}: {amount}', '"{month}: {amuont}', "words: there is no column 'amuont'"),
        ("{field: amount,", "{field: amuont,", "chart draws amuont, which is none of its columns"),
        ('"{month}: {amount}', '"{month}: {amount:,}', "words: amount is shown as its column is"),
        ("of: amount", "of: month", "words: zero is of month, which is no column of numbers"),
        ("order: 1", "order: 1\nsort: month", "sort is month, expected a list of columns"),
        ("order: 1", "order: 1\ndownload: ../../etc/passwd", "download is ../../etc/passwd"),
    ],
)
def test_a_specification_that_is_none_is_told_before_anything_is_extracted(
    analyst: Platform, old: str, new: str, said: str
) -> None:
    edit(analyst, "models/report/overview__turnover.yaml", old, new)
    done = analyst.call("run", check=False)
    assert done.returncode == 1 and "overview__turnover.yaml specifies no chart" in done.stderr
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert not analyst.data.exists()


def test_charts_are_in_the_lineage_and_impact_names_them(platform: Platform) -> None:
    done = platform.call("lineage", "sources.app__invoices.amount", "--impact")
    assert "report.overview__turnover" in done.stdout and "exports.receivables" in done.stdout
    for chart in read_charts(PROJECT):
        assert {column.name for column in chart.columns} <= {
            *read_lineage(PROJECT).models[chart.model].types
        }


@pytest.mark.slow(reason="two runs for one page")
def test_what_changed_since_yesterday_is_still_told_by_a_second_run_today(begun: Platform) -> None:
    tomorrow = options_of("2024-03-01")
    begun.call("run", options=tomorrow)
    told = (begun.data / "report/en/changes.html").read_text()
    begun.call("run", options=tomorrow)
    assert (begun.data / "report/en/changes.html").read_text() == told
    assert "Since the report as of 29 Feb 2024" in told


def test_a_chart_of_stale_data_says_so_by_what_sources_yaml_allows(begun: Platform) -> None:
    # The as-of date lies years back: more than each source allows.
    page = (begun.data / "report/en/finance.html").read_text()
    assert page.count('<span class="bad">out of date</span>') == 6  # the page's and its charts'


def test_columns_of_sources_are_described_as_the_contract_does(begun: Platform) -> None:
    page = (begun.data / "report/en/model/sources.app__invoices.html").read_text()
    assert "Amount in euros." in page and "Day of issue." in page


@pytest.mark.slow(reason="every chart without its rows")
def test_charts_without_a_row_say_so_and_an_nps_without_answers_is_none(begun: Platform) -> None:
    lineage = read_lineage(PROJECT)
    for chart in read_charts(PROJECT):
        types = lineage.models[chart.model].types.items()
        nothing = ", ".join(f"NULL::{type_} AS {name}" for name, type_ in types)
        begun.write(f"CREATE OR REPLACE VIEW {chart.model} AS SELECT {nothing} WHERE FALSE")
    begun.write(
        "CREATE OR REPLACE VIEW report.overview__nps AS SELECT DATE '2024-02-01' AS month, "
        "NULL::DECIMAL(5, 2) AS nps, 0::BIGINT AS respondents"
    )
    begun.call("report", options=[])
    with browser() as page:
        for name in PAGES:
            page.goto(url(begun, f"en/{name}.html"))
            of_page = [chart for chart in read_charts(PROJECT) if chart.page == name]
            empty = page.locator("main").inner_text().count("There is nothing to show.")
            assert empty == len(of_page) - (name == "overview")
        page.goto(url(begun, "en/overview.html"))
        assert "February 2024: –, on 0 answers." in page.locator("main").inner_text()


@pytest.mark.slow(reason="three runs; that links are of files that are there is tried by each run")
def test_links_to_rows_lead_to_files_that_are_there(begun: Platform) -> None:
    def links() -> set[str]:
        page = (begun.data / "report/en/finance.html").read_text()
        return set(re.findall(r"href=.(../../exports/[^\"]+)", page))

    folder = begun.data / "report/en"
    assert links() and all((folder / link).resolve().is_file() for link in links())
    begun.call("run", "--format", "xlsx", options=options_of("2024-03-01"))
    assert links() == {"../../exports/exports.xlsx"}
    begun.call("run", "--format", "parquet", options=options_of("2024-03-02"))
    assert links() == set()


@pytest.mark.slow(reason="two runs for one sentence")
def test_a_warning_that_stands_with_other_numbers_is_no_new_one(begun: Platform) -> None:
    begun.call("run", options=options_of("2024-03-01"))
    before = json.loads((begun.data / "report/figures.json").read_text())["before"]
    now = json.loads((begun.data / "report/figures.json").read_text())
    assert before["warnings"] and before["warnings"].keys() == now["warnings"].keys()
    said = (begun.data / "report/en/changes.html").read_text()
    trust = (begun.data / "report/en/trust.html").read_text()
    assert re.search(r"crm_knows_freelancers: .*held in 0 of \d; not in run 1", trust)
    assert re.search(r"scores_in_range: .*held in (\d) of \1<", trust)
    assert "New warnings" not in said and "Warnings that have ended" not in said
    assert "What is owed in all: Outstanding" in said
    page = (begun.data / "report/en/overview.html").read_text()
    assert "March 2024 is not over: it holds what there is up to 1 Mar 2024." in page
    assert "October 2023: nothing was invoiced." in page


@pytest.mark.slow(reason="two runs and two reports; a public report alone is tried each time")
def test_a_public_report_in_the_place_of_a_private_one_keeps_nothing_of_it(
    begun: Platform, tmp_path: Path
) -> None:
    out = tmp_path / "site"
    begun.call("report", "--output", str(out))
    (out / ".git").mkdir()
    for own in (".git/config", "CNAME", "en.txt"):
        (out / own).write_text("mine")
    begun.call("run", options=options_of("2024-03-01"))
    begun.call("report", "--output", str(out), "--public", options=[])
    text = "".join(path.read_text() for path in out.rglob("*")
                   if path.is_file() and path.name != "vega.js")  # fmt: skip
    for (name,) in begun.rows("SELECT last_name FROM report.care__stagnant_freelancers"):
        assert not re.search(rf"\b{re.escape(name)}\b", text), name
    assert "This is the first report." in (out / "en/changes.html").read_text()
    assert not (out / "data/sizes.js").exists()
    # What is no part of a report is somebody else's.
    assert all((out / own).read_text() == "mine" for own in (".git/config", "CNAME", "en.txt"))


def test_a_unit_test_that_is_half_written_stops_no_report(
    begun: Platform, analyst: Platform, tmp_path: Path
) -> None:
    (analyst.project / "tests/marts/wip.yaml").write_text("test_a: {model: [")
    (analyst.project / "tests/marts/wip2.yaml").write_text("test_a: {}")
    report(replace(begun.settings(), project_dir=analyst.project), tmp_path / "out")
    assert "Unit tests" in (tmp_path / "out/en/model/marts.kpi__nps.html").read_text()
