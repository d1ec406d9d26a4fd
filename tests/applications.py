"""Applications for tests: what the simulator gives, to be put elsewhere and read from there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from conftest import PROJECT, Platform
from data_platform.ingest.manifest import read_manifest
from data_platform.sources.contract_file import read_contract
from database import fill, programs, server

needs_postgres = pytest.mark.skipif(programs() is None, reason="PostgreSQL is not installed")

TABLES = {table.key: table for table in read_contract(PROJECT).extracted}
SIMULATED = "{0}:\n  kind: simulated\n"


def tables_of(folder: Path, project: Path = PROJECT) -> dict[str, pl.DataFrame]:
    """Every table of a folder of extracts, its rows in the order of their values."""
    tables = {table.key: table for table in read_contract(project).extracted}
    manifest = read_manifest(folder)
    found = {}
    for name, files in manifest.tables.items():
        frames = [pl.read_parquet(folder / file.path) for file in files]
        rows = pl.concat([pl.DataFrame(schema=tables[name].polars_schema), *frames])
        found[name] = rows.sort(rows.columns, nulls_last=True)
    return found


def of_app(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    return {n.partition(".")[2]: f for n, f in tables.items() if n.startswith("app.")}


@dataclass
class Database:
    """The application's database, and a platform that reads it."""

    address: str
    platform: Platform

    def state(self, text: str) -> None:
        (self.platform.project / "sources.yaml").write_text(
            text + "".join(SIMULATED.format(name) for name in ("crm", "billing"))
        )


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with server() as found:
        yield found


@pytest.fixture
def database(
    address: str,
    simulated: dict[str, pl.DataFrame],
    analyst: Platform,
    monkeypatch: pytest.MonkeyPatch,
) -> Database:
    """The simulated application in a database."""
    fill(address, of_app(simulated))
    monkeypatch.setenv("APP_DATABASE_URL", address)
    found = Database(address, analyst)
    found.state("app:\n  kind: postgres\n  url_env: APP_DATABASE_URL\n")
    return found
