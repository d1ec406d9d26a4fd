"""DuckDB's memory has a limit on every connection, and what does not fit a place."""

import pytest

from conftest import PROJECT, Platform
from data_platform.lakehouse.limits import DEFAULTS
from data_platform.project.context import open_project

ASKED = "SELECT CURRENT_SETTING('memory_limit'), CURRENT_SETTING('temp_directory')"


def limited(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """Processes that are started have a limit."""
    given = {"DATA_PLATFORM_MEMORY_LIMIT": limit}
    monkeypatch.setattr(Platform, "environment", lambda platform: given)


def test_config_yaml_says_what_the_program_says() -> None:
    text = (PROJECT / "config.yaml").read_text()
    for name, value in DEFAULTS.items():
        assert text.count(name) == text.count(f'env_var("{name}", "") or "{value}"') > 0


def test_models_are_computed_within_the_limit_and_spill_beside_the_lakehouse(
    begun: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_PLATFORM_MEMORY_LIMIT", "100MiB")
    with open_project(begun.settings(), computes=False) as project:
        limit, place = project.cursor.execute(ASKED).fetchall()[0]
        assert limit == "100.0 MiB"
        assert place == f"{begun.settings().lakehouse.resolve()}.tmp"


def test_readers_have_the_limit_too(begun: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, "200MiB")
    assert "200.0 MiB" in begun.call("query", ASKED, "--format", "csv").stdout


def test_what_does_not_fit_is_spilled_and_leaves_nothing(
    begun: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(monkeypatch, "40MiB")
    sorting = "SELECT MAX(a) FROM (SELECT a, ROW_NUMBER() OVER (ORDER BY HASH(a)) AS place "
    sorting += "FROM RANGE(3000000) AS t(a)) WHERE place > 5"
    assert "2999999" in begun.call("query", sorting, "--format", "csv").stdout
    folder = begun.settings().lakehouse.resolve().parent
    assert [path.name for path in folder.iterdir()] == ["lakehouse.duckdb"]
