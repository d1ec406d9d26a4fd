"""What a gateway's adapter makes in one transaction is there whole, or an error says that not."""

from collections.abc import Iterator
from contextlib import suppress

import duckdb
import pytest
from sqlglot import exp, parse_one

from data_platform.project.gateways import DuckLakeAdapter

MADE = "SELECT table_name FROM duckdb_tables() ORDER BY 1"


@pytest.fixture
def adapter() -> Iterator[DuckLakeAdapter]:
    # DuckDB's own tables do: its transactions end by the same errors as those of DuckLake.
    found = DuckLakeAdapter(duckdb.connect)
    yield found
    found.close()


def made(adapter: DuckLakeAdapter) -> list[str]:
    return [name for (name,) in adapter.cursor.execute(MADE).fetchall()]


def replace(adapter: DuckLakeAdapter, table: str) -> None:
    adapter.replace_query(
        table, parse_one("SELECT 1 AS n"), target_columns_to_types={"n": exp.DataType.build("int")}
    )


def go_on_after_an_error(adapter: DuckLakeAdapter) -> None:
    """As SQLMesh does after a comment that cannot be made."""
    with suppress(duckdb.Error):
        adapter.cursor.execute("SELECT ERROR('not told')")


def test_an_error_that_is_not_told_undoes_nothing_in_silence(adapter: DuckLakeAdapter) -> None:
    with pytest.raises(duckdb.Error, match="aborted"), adapter.together():
        replace(adapter, "lost")
        go_on_after_an_error(adapter)
    adapter.gather()
    replace(adapter, "lost")
    go_on_after_an_error(adapter)
    with pytest.raises(duckdb.Error, match="aborted"):
        adapter.settle()
    assert made(adapter) == []


def test_after_a_commit_that_failed_each_transaction_is_whole_again(
    adapter: DuckLakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        adapter.cursor.execute("ROLLBACK")
        raise duckdb.TransactionException("both have changed the same")

    with monkeypatch.context() as patch:
        patch.setattr(adapter._connection_pool, "commit", fail)
        with pytest.raises(duckdb.Error, match="the same"), adapter.together():
            replace(adapter, "lost")
    with pytest.raises(KeyError), adapter.together():
        replace(adapter, "undone")
        raise KeyError
    with adapter.together():
        replace(adapter, "one")
        replace(adapter, "two")
    assert made(adapter) == ["one", "two"]
