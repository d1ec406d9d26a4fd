"""What axe-core finds in the report's pages: nothing, in both themes."""

import json
import os
import shutil
import subprocess

import pytest

from conftest import Platform
from data_platform.delivery.report.charts import PAGES
from pages import browser, url

NO_NPM = pytest.mark.skipif(
    not shutil.which("npm") and "CI" not in os.environ, reason="no npm here, which brings axe-core"
)
OF_EACH_KIND = [
    *(f"en/{page}.html" for page in PAGES), "fr/overview.html", "fr/changes.html",
    "en/catalogue.html#q=amount", "en/model/marts.finance__receivables.html",
    "en/model/sources.app__invoices.html", "en/lineage.html#at=sources.app__invoices.amount",
    "fr/lineage.html#at=marts.kpi__nps", "index.html",
]  # fmt: skip


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("axe")
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder)]
    subprocess.run([*install, "axe-core@4"], check=True, capture_output=True, timeout=300)
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


@NO_NPM
@pytest.mark.slow(reason="brings axe-core from the npm registry")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(finished: Platform, axe: str, theme: str) -> None:
    found = {}
    # The page's own policy lets no other script in: the browser is told to look away.
    with browser(color_scheme=theme, bypass_csp=True) as page:
        for name in OF_EACH_KIND:
            page.goto("about:blank")
            page.goto(url(finished, name))
            page.wait_for_timeout(300)
            page.evaluate(
                "document.querySelectorAll('details').forEach(one => { one.open = true; })"
            )
            page.evaluate(axe)
            said = page.evaluate("axe.run({preload: false}).then(done => done.violations)")
            for one in said:
                places = [node["html"][:120] for node in one["nodes"][:3]]
                found[f"{name} {one['id']}"] = places
    assert not found, json.dumps(found, indent=1, ensure_ascii=False)


@pytest.mark.slow(reason="opens each kind of page; a phone's width is tried each time")
def test_a_page_at_twice_its_size_needs_no_scrolling_sideways(finished: Platform) -> None:
    # 200 % of a window of 1,280 pixels is one of 640.
    with browser(viewport={"width": 640, "height": 400}, device_scale_factor=2) as page:
        for name in OF_EACH_KIND:
            page.goto("about:blank")
            page.goto(url(finished, name))
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, name
