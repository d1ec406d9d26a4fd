"""An engine that does not restate a month exactly is refused before it computes anything."""

from typing import Any

import pytest
from sqlmesh.core.config.connection import DuckDBConnectionConfig
from sqlmesh.core.engine_adapter import EngineAdapter

from data_platform.errors import PlatformError
from data_platform.project.canary import refuse_untrue


@pytest.fixture
def engine() -> EngineAdapter:
    return DuckDBConnectionConfig().create_engine_adapter()


def test_an_engine_that_restates_a_month_passes_and_nothing_is_left(engine: EngineAdapter) -> None:
    refuse_untrue(engine, "duckdb")
    assert (
        engine.fetchall("SELECT schema_name FROM duckdb_schemas() WHERE schema_name = 'canary'")
        == []
    )


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("TRUE", "holds nothing, expected 2022-01: 1, 2022-02: 10, 2022-04: 1"),  # wipes all
        (
            "FALSE",
            "holds 2022-01: 1, 2022-02: 1, 2022-02: 10, 2022-03: 1, 2022-04: 1, expected",
        ),  # keeps all
    ],
)
def test_an_engine_that_wipes_or_keeps_what_it_should_not_is_refused(
    engine: EngineAdapter, monkeypatch: pytest.MonkeyPatch, condition: str, told: str
) -> None:
    delete = engine.delete_from

    def deleting(table: Any, where: Any) -> None:
        delete(table, condition)

    monkeypatch.setattr(engine, "delete_from", deleting)
    with pytest.raises(
        PlatformError, match="gateway sail does not restate a month exactly"
    ) as told_:
        refuse_untrue(engine, "sail")
    assert told in str(told_.value)
    assert (
        engine.fetchall("SELECT schema_name FROM duckdb_schemas() WHERE schema_name = 'canary'")
        == []
    )
