"""SQLMesh's own commands, from the root of the project with nothing else set."""

import os
import signal
import socket
import time
import urllib.request

import pytest
from sqlmesh.core.config import Config, load_configs

from conftest import PROJECT, Platform
from data_platform.simulation import FIRST_DAY

NPS = "models/marts/kpi__nps.sql"
EXPECTED = """
test_eight_promotes:
  model: marts.kpi__nps
  inputs:
    intermediate.freelancers:
      rows: [{satisfaction_score: 8}, {satisfaction_score: 7}]
  outputs:
    query:
      rows: [{nps: 50, promoters: 1, passives: 1, detractors: 0, respondents: 2}]
"""


@pytest.mark.slow(reason="SQLMesh's own commands, each of which starts anew")
def test_an_analyst_changes_a_model_without_touching_production(analyst: Platform) -> None:
    analyst.call("run")
    before = analyst.rows("FROM marts.kpi__nps")

    # Nothing has changed yet: an environment all the same, with what production shows.
    analyst.sqlmesh("plan", "dev", "--no-prompts", "--auto-apply")
    assert analyst.rows("FROM marts__dev.kpi__nps") == before

    model = analyst.project / NPS
    model.write_text(
        model.read_text()
        .replace(
            "@count_promoters(satisfaction_score)",
            "COUNT(CASE WHEN satisfaction_score >= 8 THEN 1 END)",
        )
        .replace(
            "@count_passives(satisfaction_score)",
            "COUNT(CASE WHEN satisfaction_score = 7 THEN 1 END)",
        )
    )
    # SQLMesh keeps parsed models by their file's time in whole seconds.
    os.utime(model, (time.time() + 2, time.time() + 2))
    plan = analyst.sqlmesh("plan", "dev", "--no-prompts", "--auto-apply", check=False)
    assert "test_nine_and_ten_promote_seven_and_eight_are_passive" in plan.stdout
    assert analyst.rows("FROM marts__dev.kpi__nps") == before
    (analyst.project / "tests/marts/test_kpi__nps.yaml").write_text(EXPECTED)
    plan = analyst.sqlmesh("plan", "dev", "--no-prompts", "--auto-apply")
    assert "Directly Modified" in plan.stdout and "kpi__nps" in plan.stdout
    assert analyst.rows("FROM marts.kpi__nps") == before
    assert analyst.rows("FROM marts__dev.kpi__nps") != before

    diff = analyst.sqlmesh(
        "table_diff", "prod:dev", "--select-model", "marts.kpi__nps", "--skip-grain-check"
    )
    assert "kpi__nps" in diff.stdout

    # SQLMesh's command counts a warning as an error: the freelancers whom the CRM lacks.
    assert "Finished with 3 audit errors" in analyst.sqlmesh("audit", check=False).stdout
    analyst.sqlmesh("lint")
    analyst.sqlmesh("format", "--check")

    analyst.call("transform", "--deploy", "export")
    assert analyst.rows("FROM marts.kpi__nps") == analyst.rows("FROM marts__dev.kpi__nps")


@pytest.mark.slow(reason="a server of SQLMesh's; changes with its version alone")
def test_the_ui_serves_its_page_and_keeps_nobody_from_writing(analyst: Platform) -> None:
    analyst.call("extract", "load", "transform")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = analyst.start("ui", "--port", str(port))
    try:
        page = ""
        for _ in range(120):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
                    page = answer.read().decode()
                break
            except OSError:
                time.sleep(0.5)
        assert "<title>" in page
        # It looks at a snapshot, so that a run goes on beside it.
        analyst.call("run", options=["--scale", "0.2", "--as-of", "2024-03-01"])
    finally:
        server.send(signal.SIGTERM)
    assert server.join() == 0
    assert not list((analyst.data / "runs/snapshots").iterdir())


def test_the_configuration_names_the_program_s_lakehouse_and_first_day(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_PLATFORM_DATA_DIR", str(platform.data))
    (config,) = load_configs(None, Config, [PROJECT]).values()
    connection = config.gateways["duckdb"].connection
    assert connection.database == str(platform.settings().lakehouse)  # type: ignore[union-attr]
    assert config.model_defaults.start == str(FIRST_DAY) == config.variables["first_day"]
