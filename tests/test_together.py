"""A model's table or view is there with its comments, or not at all."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import duckdb
import pytest
from sqlglot import exp, select
from sqlmesh.core.engine_adapter import DuckDBEngineAdapter, EngineAdapter

from conftest import Platform
from data_platform.project.context import open_project
from data_platform.project.gateways import TogetherAdapter

TYPES = {"a": exp.DataType.build("int")}
MADE: dict[str, Callable[[EngineAdapter], None]] = {
    "a view": lambda adapter: adapter.create_view(
        "made", select("1 AS a"), column_descriptions={"a": "One."}, target_columns_to_types=TYPES
    ),
    "an empty table": lambda adapter: adapter.create_table(
        "made", TYPES, column_descriptions={"a": "One."}
    ),
    "a table": lambda adapter: adapter.replace_query(
        "made", select("1 AS a"), TYPES, column_descriptions={"a": "One."}
    ),
}


@pytest.mark.parametrize("kind", MADE)
def test_what_cannot_be_described_is_not_there(kind: str, tmp_path: Path) -> None:
    place = str(tmp_path / "lakehouse.duckdb")
    adapter = TogetherAdapter(partial(duckdb.connect, place), "duckdb")
    with (
        patch.object(DuckDBEngineAdapter, "_create_column_comments", side_effect=OSError),
        pytest.raises(OSError),
    ):
        MADE[kind](adapter)
    assert adapter.fetchall("SELECT * FROM duckdb_columns() WHERE NOT internal") == []
    MADE[kind](adapter)
    described = "SELECT column_name, comment FROM duckdb_columns() WHERE NOT internal"
    assert adapter.fetchall(described) == [("a", "One.")]
    adapter.close()


def test_production_is_made_so(begun: Platform) -> None:
    with open_project(begun.settings(), computes=False) as project:
        assert isinstance(project.evaluator.adapter, TogetherAdapter)
