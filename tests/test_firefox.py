"""The report in Firefox, driven by WebDriver BiDi: charts, graph, and no complaint."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from conftest import Platform
from data_platform.delivery.report.charts import PAGES, read_charts
from pages import url

NO_FIREFOX = pytest.mark.skipif(
    not shutil.which("firefox-esr") and "CI" not in os.environ, reason="there is no Firefox here"
)
_LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


class Firefox:
    """A tab of Firefox, and what it complained of or asked for."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._number = socket, 0
        self.complaints: list[str] = []
        self.ask("session.new", capabilities={})
        self.ask("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self._tab = self.ask("browsingContext.getTree")["contexts"][0]["context"]

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            said = json.loads(self._socket.recv(timeout=60))
            if said.get("id") == self._number:
                assert said["type"] == "success", said
                return said["result"]
            if said.get("method") == "log.entryAdded":
                self.complaints.append(str(said["params"].get("text")))
            elif said.get("method") == "network.beforeRequestSent":
                asked = said["params"]["request"]["url"]
                if not asked.startswith(("file:", "data:", "about:")):
                    self.complaints.append(asked)

    def open(self, address: str) -> None:
        self.ask("browsingContext.navigate", context=self._tab, url=address, wait="complete")

    def tell(self, expression: str) -> Any:
        """What an expression comes to, as JSON."""
        found = self.ask(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then(JSON.stringify)",
            target={"context": self._tab},
            awaitPromise=True,
        )
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    (folder / "profile").mkdir()
    program = ["firefox-esr", "--headless", "--remote-debugging-port", "0", "--profile",
               str(folder / "profile"), "about:blank"]  # fmt: skip
    environment = {**os.environ, "HOME": str(folder)}
    log = folder / "firefox.log"
    with (
        log.open("w") as output,
        subprocess.Popen(program, stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            while not (found := _LISTENS.search(log.read_text())):
                assert process.poll() is None, log.read_text()
            with connect(f"{found[1]}/session", max_size=None) as socket:
                yield Firefox(socket)
        finally:
            process.terminate()


DRAWN = """new Promise(done => {
  const look = (left) => {
    const drawn = [...document.querySelectorAll('.drawn')].map(one => !!one.querySelector('svg'));
    if (drawn.every(Boolean) || !left) done(drawn);
    else setTimeout(look, 100, left - 1);
  };
  look(100);
})"""


@NO_FIREFOX
@pytest.mark.slow(reason="starts Firefox")
def test_firefox_opens_the_report_as_chromium_does(finished: Platform, tmp_path: Path) -> None:
    charts = read_charts(finished.project)
    with firefox(tmp_path) as tab:
        for language in ("en", "fr"):
            for page in PAGES:
                tab.open(url(finished, f"{language}/{page}.html"))
                assert tab.tell("document.documentElement.lang") == language
                assert all(tab.tell(DRAWN)), (language, page)
                for chart in (one for one in charts if one.page == page):
                    counted = finished.rows(f"SELECT COUNT(*) FROM {chart.model}")[0][0]
                    shown = f"document.querySelectorAll('#{chart.name} tbody tr').length"
                    assert tab.tell(shown) == min(counted, chart.most)
        tab.open(url(finished, "fr/lineage.html#at=sources.app__invoices.amount"))
        assert tab.tell("document.getElementById('here').textContent").endswith(".amount")
        assert tab.tell("document.querySelectorAll('#graph g[data-model]').length") > 10
        tab.open(url(finished, "en/catalogue.html#q=promoters"))
        assert tab.tell("document.querySelectorAll('#found li').length") > 0
        assert tab.complaints == []
