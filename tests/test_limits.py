"""DuckDB's memory has a limit on every connection, and what does not fit a place."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pytest
from sqlmesh.core.engine_adapter import DuckDBEngineAdapter

from comparison import assert_models_equal_the_reference
from conftest import PROJECT, Platform
from data_platform.delivery import few_values
from data_platform.delivery.export import export
from data_platform.delivery.export_files import Target, write
from data_platform.errors import PlatformError
from data_platform.ingest.loaded import loaded
from data_platform.lakehouse.limits import within_memory
from data_platform.lakehouse.stores import store_of
from data_platform.names import LIMITS
from data_platform.project.context import open_project
from data_platform.transform.production import Production

ASKED = "SELECT CURRENT_SETTING('memory_limit'), CURRENT_SETTING('temp_directory')"

# Does not fit into 40 MiB.
SORTING = (
    "SELECT MAX(a) FROM (SELECT a, ROW_NUMBER() OVER (ORDER BY HASH(a)) AS place "
    "FROM RANGE(3000000) AS t(a)) WHERE place > 5"
)


def limited(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    """Processes that are started have a limit."""
    given = {"DATA_PLATFORM_MEMORY_LIMIT": limit}
    monkeypatch.setattr(Platform, "environment", lambda platform: given)


def test_config_yaml_says_what_the_program_says() -> None:
    text = (PROJECT / "config.yaml").read_text()
    for name, value in LIMITS.items():
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
    assert "2999999" in begun.call("query", SORTING, "--format", "csv").stdout
    folder = begun.settings().lakehouse.resolve().parent
    assert [path.name for path in folder.iterdir()] == ["lakehouse.duckdb"]


@pytest.fixture
def scant(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Memory suffices for no query of a model but those that take it sparingly; which did."""
    execute = DuckDBEngineAdapter._execute
    spared: set[str] = set()

    def scantly(adapter: DuckDBEngineAdapter, sql: str, *args: Any, **options: Any) -> None:
        if sql.startswith(("INSERT", "SELECT COUNT")) and "sqlmesh__" in sql:
            if not is_sparing(adapter.cursor):
                raise duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block")
            spared.add(sql.partition(" ")[0])
        execute(adapter, sql, *args, **options)

    monkeypatch.setattr(DuckDBEngineAdapter, "_execute", scantly)
    yield spared


@pytest.mark.slow(reason="a run within a memory that is too little for it")
def test_a_query_that_memory_does_not_suffice_for_is_asked_again_sparingly(
    platform: Platform, scant: set[str]
) -> None:
    platform.call("extract", "load")
    with open_project(platform.settings()) as project:
        production = Production(project)
        production.bring_up_to(loaded(project.cursor, platform.settings()))
        assert_models_equal_the_reference(platform, cursor=project.cursor)
        assert not is_sparing(project.cursor)
    assert {"INSERT", "SELECT"} <= scant


SPARING = "SELECT CURRENT_SETTING('debug_force_external'), CURRENT_SETTING('threads') = 1"


def is_sparing(connection: duckdb.DuckDBPyConnection) -> bool:
    return connection.execute(SPARING).fetchone() == (True, True)


def test_a_run_publishes_and_goes_on_although_it_has_spilled(
    begun: Platform, tmp_path: Path
) -> None:
    settings = begun.settings()
    store, private = store_of(settings), replace(settings, data_dir=tmp_path / "private")
    private.lakehouse.parent.mkdir(parents=True)
    shutil.copy(settings.lakehouse, private.lakehouse)
    release = tmp_path / "release"
    (release / "lakehouse").mkdir(parents=True)
    with store.connect(private, is_read_only=False, is_locked_down=False) as connection:
        connection.execute("SET memory_limit = '40MiB'")
        connection.execute(SORTING)
        assert Path(f"{private.lakehouse}.tmp").is_dir()
        store.put(private, release, is_copied=True)
    assert [path.name for path in (release / "lakehouse").iterdir()] == ["lakehouse.duckdb"]
    assert [path.name for path in private.lakehouse.parent.iterdir()] == ["lakehouse.duckdb"]


def test_a_column_s_values_are_forgotten_whatever_ends_their_transaction() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE VIEW few AS SELECT 'a' AS letter FROM RANGE(9)")
        connection.begin()
        with (
            patch.object(few_values, "_MANY_ROWS", 1),
            pytest.raises(duckdb.InvalidInputException, match="what went wrong"),
            few_values.columns_of_few_values(connection, "few") as few,
        ):
            assert few
            connection.execute("SELECT ERROR('what went wrong')")
        connection.rollback()
        left = "SELECT type_name FROM duckdb_types() WHERE NOT internal"
        assert connection.execute(left).fetchall() == []


def test_what_memory_does_not_suffice_for_is_done_once_more() -> None:
    with duckdb.connect(config={"threads": 3}) as connection:
        done: list[bool] = []

        def do(error: Exception, at_most: int = 1) -> str:
            done.append(is_sparing(connection))
            if len(done) <= at_most:
                raise PlatformError("it failed") from error
            return "done"

        def attempt(*how: Any) -> list[bool]:
            done.clear()
            assert within_memory(connection, lambda: do(*how)) == "done"
            return done

        lacking = duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block")
        ended = duckdb.TransactionException("Failed to commit: Out of Memory Error: …")
        wrong = duckdb.BinderException("Binder Error: no such column")
        assert attempt(lacking) == attempt(ended) == [False, True]
        assert attempt(lacking, 0) == [False]
        for how, tries in (((lacking, 2), 2), ((wrong,), 1)):
            with pytest.raises(PlatformError, match="it failed"):
                attempt(*how)
            assert len(done) == tries
            now = connection.execute("SELECT CURRENT_SETTING('threads')").fetchone()
            assert (is_sparing(connection), now) == (False, (3,))


def test_an_export_that_memory_does_not_suffice_for_is_written_sparingly(
    begun: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scantly(
        connection: duckdb.DuckDBPyConnection, target: Target, path: Path
    ) -> tuple[int, Decimal | None]:
        if not is_sparing(connection):
            path.write_text("half of it")
            raise duckdb.OutOfMemoryException("Out of Memory Error: could not allocate block")
        return write(connection, target, path)

    monkeypatch.setattr("data_platform.delivery.export.write", scantly)
    before = {path.name: path.read_bytes() for path in begun.settings().exports_dir.iterdir()}
    assert len(export(begun.settings()).files) == len(before)
    exported = begun.settings().exports_dir.iterdir()
    assert {path.name: path.read_bytes() for path in exported} == before


def test_a_query_that_needs_more_than_the_limit_says_what_to_do(
    begun: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(monkeypatch, "20MiB")
    listing = "SELECT LENGTH(STRING_AGG(a::VARCHAR, ' ')) FROM RANGE(9000000) AS t(a)"
    done = begun.call("query", listing, check=False)
    assert done.returncode == 1
    assert "Out of Memory Error" in done.stderr
    assert "; give it more by DATA_PLATFORM_MEMORY_LIMIT (20MiB now), and what" in done.stderr
    assert "SET memory_limit" not in done.stderr
