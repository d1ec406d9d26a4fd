"""Lineage in a browser and in an editor, beside everything else that goes on."""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from playwright.sync_api import Route, sync_playwright
from pygls.lsp.client import BaseLanguageClient

from conftest import PROJECT, Platform
from forked import Started

NEXT_DAY = ["--scale", "0.2", "--as-of", "2024-03-02"]


def chromium() -> str:
    """Debian's Chromium, or what goes for it elsewhere; CI has to have it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None and "CI" not in os.environ:
        pytest.skip("there is no chromium here")
    assert found, "CI lacks the package chromium"
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(started: Started, port: int) -> None:
    for _ in range(600):
        assert started.is_running, started.stderr
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the UI never answered")


@pytest.mark.slow(reason="a server, a plan and a run side by side; changes with SQLMesh's version")
def test_the_ui_shows_columns_offline_while_others_plan_and_publish(begun: Platform) -> None:
    program, port = chromium(), free_port()
    started = begun.start("ui", "--port", str(port))
    wait_for(started, port)
    outside: list[str] = []

    def only_here(route: Route) -> None:
        if route.request.url.startswith((f"http://127.0.0.1:{port}/", "data:", "blob:")):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.route("**/*", only_here)
        model = "%22lakehouse%22.%22marts%22.%22kpi__monthly_turnover%22"
        page.goto(f"http://127.0.0.1:{port}/data-catalog/models/{model}")
        for column in ("issue_month_date", "amount", "Turnover (in €)", "job_contract_sk"):
            page.locator(".react-flow__node").get_by_text(column).first.wait_for(timeout=60_000)
        page.screenshot(path=str(begun.data.parent / "lineage.png"))
        # Nobody waits for the UI: its snapshot is its own.
        begun.call("run", options=NEXT_DAY)
        begun.call("plan", "dev", options=NEXT_DAY)
        browser.close()
    # What it would fetch: an interpreter that formats SQL in the browser, and icons.
    assert {re.sub(r"(net/(npm/)?\w+).*", r"\1", url) for url in outside} <= {
        "https://cdn.jsdelivr.net/pyodide",
        "https://cdn.jsdelivr.net/npm/heroicons",
    }
    started.send(signal.SIGINT)
    assert started.join() == 0
    assert f"http://127.0.0.1:{port}" in started.stdout
    socket.create_server(("127.0.0.1", port)).close()
    assert not any((begun.data / "runs/snapshots").iterdir())


def test_the_ui_says_that_a_port_is_taken(begun: Platform) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = begun.call("ui", "--port", str(port), check=False)
    assert done.returncode == 1
    assert f"nothing can listen at 127.0.0.1:{port}" in done.stderr


def settings() -> dict[str, Any]:
    text = (PROJECT / ".vscode/settings.json").read_text()
    found: dict[str, Any] = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    return found


async def ask_the_language_server(begun: Platform) -> list[str]:
    """Speak to the server that the editor's settings name, while a run publishes."""
    words = shlex.split(settings()["sqlmesh.lspEntrypoint"])
    model = PROJECT / "models/marts/kpi__nps.sql"
    document = lsp.TextDocumentIdentifier(model.as_uri())
    client = BaseLanguageClient("test", "1")
    # It logs all that is said, and nobody would read it: a pipe that is full holds it up.
    log = shlex.quote(str(begun.data.parent / "server.log"))
    command = f"exec {shlex.join(words)} 2> {log}"
    await client.start_io("sh", "-c", command, cwd=PROJECT, env={**os.environ, **data_dir(begun)})
    try:
        folder = lsp.WorkspaceFolder(PROJECT.as_uri(), "project")
        await client.initialize_async(
            lsp.InitializeParams(capabilities=lsp.ClientCapabilities(), workspace_folders=[folder])
        )
        client.initialized(lsp.InitializedParams())
        text = model.read_text()
        client.text_document_did_open(
            lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(document.uri, "sql", 1, text))
        )
        run = begun.start("run", options=NEXT_DAY)
        line = next(n for n, t in enumerate(text.splitlines()) if "FROM intermediate." in t)
        there = lsp.Position(line, text.splitlines()[line].index("intermediate.") + 3)
        asked = 0
        while run.is_running or not asked:
            hover = await client.text_document_hover_async(lsp.HoverParams(document, there))
            assert hover is not None and "One row per person" in str(hover.contents)
            places = await client.text_document_definition_async(
                lsp.DefinitionParams(document, there)
            )
            assert "models/intermediate/freelancers.sql" in str(places)
            asked += 1
            await asyncio.sleep(0.2)
        assert run.join() == 0, run.stderr
        completed = await client.text_document_completion_async(
            lsp.CompletionParams(document, there)
        )
        assert completed is not None
        items = completed.items if isinstance(completed, lsp.CompletionList) else completed
        return [item.label for item in items]
    finally:
        await client.shutdown_async(None)
        client.exit(None)
        await client.stop()


def data_dir(platform: Platform) -> dict[str, str]:
    return {"DATA_PLATFORM_DATA_DIR": str(platform.data)}


@pytest.mark.slow(reason="an editor's server beside a run; changes with SQLMesh's version alone")
def test_the_editor_s_language_server_answers_while_a_run_publishes(begun: Platform) -> None:
    names = asyncio.run(asyncio.wait_for(ask_the_language_server(begun), 240))
    assert "marts.kpi__nps_monthly" in names and "intermediate.freelancers" in names
    assert begun.rows("SELECT MAX(as_of)::TEXT FROM sources.platform__extracts") == [
        ("2024-03-02",)
    ]


def test_the_recommended_extensions_are_named_once() -> None:
    found = json.loads((PROJECT / ".vscode/extensions.json").read_text())["recommendations"]
    assert "tobikodata.sqlmesh" in found and len(found) == len(set(found))
    assert Path(PROJECT / shlex.split(settings()["sqlmesh.lspEntrypoint"])[-1]).exists()
