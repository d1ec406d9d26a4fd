"""The same project on PostgreSQL as the engine: a database a release, beside the DuckDB file."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from conftest import Platform, begin, options_of
from data_platform.errors import PlatformError
from data_platform.lakehouse.postgres_server import Server
from database import PASSWORD, libpq
from forked import Boundary
from parity import NEXT_DAY, assert_follows_duckdb, assert_parity, assert_unit_tests_hold
from test_schema_changes import CHANGES, INVOICES, USERS, edit_contract

pytestmark = pytest.mark.slow(reason="a PostgreSQL server, and runs on it")


@pytest.fixture
def postgres(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    for name, value in libpq(address).items():
        monkeypatch.setenv(name, value)
    platform = Platform(tmp_path / "postgres" / "data", gateway="postgres")
    platform.data.parent.mkdir()
    return platform


def databases(platform: Platform) -> list[str]:
    """Those that a data folder has."""
    with Server() as found:
        rows = found.rows(
            "SELECT datname FROM pg_database WHERE shobj_description(oid, 'pg_database') LIKE %s",
            [f"data-platform: {platform.data.resolve()} on %"],
        )
    return [name for (name,) in rows]


def beside(tmp_path: Path) -> Platform:
    alone = Platform(tmp_path / "alone" / "data")
    alone.data.parent.mkdir()
    return alone


def test_postgresql_shows_what_duckdb_shows_row_for_row(postgres: Platform, tmp_path: Path) -> None:
    alone = beside(tmp_path)
    alone.project = postgres.project = tmp_path / "project"
    alone.copy_project()
    assert_follows_duckdb(postgres, alone)
    assert len(databases(postgres)) == 2  # the one in force, and the one before until the next run


def test_the_models_unit_tests_hold_on_postgresql(postgres: Platform, tmp_path: Path) -> None:
    here = {**os.environ, "DATA_PLATFORM_POSTGRES_DATABASE": "postgres"}
    assert_unit_tests_hold("postgres", tmp_path, here)


@pytest.mark.parametrize(
    "boundary",
    [
        Boundary("lakehouse.postgres_databases", "PostgresDatabases.begin", is_after=True),
        Boundary("transform.production", "compute"),
        Boundary("transform.readers", "copy_to_readers"),
        Boundary("lakehouse.releases", "Releases._point_to"),
        Boundary("lakehouse.releases", "Releases._point_to", is_after=True),
    ],
    ids=str,
)
def test_a_run_that_is_killed_leaves_what_the_next_can_use(
    postgres: Platform, tmp_path: Path, boundary: Boundary
) -> None:
    postgres.call("run", "--no-report")
    killed = postgres.start("run", "--no-report", "--deploy", boundary=boundary)
    assert killed.join() == -signal.SIGKILL
    postgres.call("run", "--no-report")
    assert len(databases(postgres)) <= 2
    alone = beside(tmp_path)
    begin(alone)
    assert_parity(postgres, alone)


def test_a_first_run_that_is_killed_leaves_what_the_next_drops(postgres: Platform) -> None:
    boundary = Boundary("transform.readers", "copy_to_readers")
    assert postgres.start("run", boundary=boundary).join() == -signal.SIGKILL
    (left,) = databases(postgres)
    postgres.call("extract", "load")
    assert len(databases(postgres)) == 1 and left not in databases(postgres)


def test_a_run_that_fails_drops_its_database(postgres: Platform) -> None:
    words = ("run", "--no-report", "--inject", "duplicate-references")
    failed = postgres.call(*words, check=False)
    assert failed.returncode == 1
    assert databases(postgres) == []


def test_a_folder_is_of_one_gateway_and_one_server(
    postgres: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.call("run", "--no-report")
    alone = Platform(postgres.data)
    refused = alone.call("run", check=False)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    assert "is of gateway postgres" in refused.stderr
    # Whoever queries it reads the file alone.
    told = postgres.call("query", "--format", "csv", "SELECT COUNT(*) AS n FROM marts.kpi__nps")
    assert told.stdout.split() == ["n", "1"]

    # Nobody is connected to what the next run's database is made of.
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("PGDATABASE", databases(postgres)[-1])
        with pytest.raises(PlatformError, match="not currently accepting connections"):
            Server()

    with Server() as found:
        for name in databases(postgres):
            found.execute("DROP DATABASE {name}", name=name)
    refused = postgres.call("run", check=False)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    assert "has no database data_platform_" in refused.stderr


def test_raw_tables_follow_the_contract(postgres: Platform, tmp_path: Path) -> None:
    alone = beside(tmp_path)
    alone.project = postgres.project = tmp_path / "project"
    alone.copy_project()
    begin(alone)
    postgres.call("run", "--no-report")

    for name in ("a nullable column", "another order"):
        edit_contract(alone, CHANGES[name][0], USERS)
    for platform in (alone, postgres):
        platform.options = options_of(NEXT_DAY)
        platform.call("run", "--no-report")
    assert_parity(postgres, alone)

    # What a view reads there keeps its type.
    edit_contract(alone, CHANGES["a wider amount"][0], INVOICES)
    refused = postgres.call("run", "--no-report", check=False)
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
    assert "sources.app__invoices: PostgreSQL refuses to alter column" in refused.stderr


def test_a_copy_of_a_folder_drops_nothing_of_the_original_s(postgres: Platform) -> None:
    postgres.call("run", "--no-report")
    copy = Platform(postgres.data.parent / "copy", gateway="postgres")
    shutil.copytree(postgres.data, copy.data, symlinks=True)
    # As a volume that is not mounted looks.
    postgres.data.rename(away := postgres.data.with_name("away"))
    postgres.call("extract", "load")
    shutil.rmtree(postgres.data)
    away.rename(postgres.data)
    postgres.options = options_of(NEXT_DAY)
    postgres.call("run", "--no-report")
    postgres.call("run", "--no-report", "--deploy")
    refused = copy.call("run", check=False)
    assert refused.returncode == 1 and "a copy of a data folder has none" in refused.stderr


def test_what_is_removed_goes_from_the_server_too(postgres: Platform) -> None:
    postgres.call("run", "--no-report")
    other = Platform(postgres.data.parent / "other", gateway="postgres")
    other.call("extract", "load")
    refused = Platform(postgres.data).call("clean", "--yes", check=False)
    assert (refused.returncode, "--gateway postgres clean" in refused.stderr) == (1, True)
    assert databases(postgres) != []
    postgres.call("clean", "--yes")
    assert (databases(postgres), postgres.data.exists()) == ([], False)
    assert len(databases(other)) == 1  # of another folder


def test_no_password_is_told_or_kept(postgres: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    done = postgres.call("-v", "run", "--no-report")
    assert PASSWORD not in done.stdout + done.stderr
    for path in postgres.data.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path
    monkeypatch.setenv("PGPASSWORD", "another")
    refused = postgres.call("run", check=False)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    assert "password authentication failed" in refused.stderr
    assert "another" not in refused.stderr
