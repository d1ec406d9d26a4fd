"""Extracts that are loaded, and changed behind the loader's back."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from conftest import COMPANY, Platform
from data_platform.ingest.extract import extract
from data_platform.ingest.load import Loaded, load
from data_platform.ingest.manifest import read_manifest, write_manifest
from data_platform.simulation import Simulation

EARLIER, LATER = date(2023, 3, 31), date(2023, 4, 30)


def extract_and_load(
    platform: Platform,
    as_of: date = EARLIER,
    company: Simulation = COMPANY,
    starts_over: bool = False,
) -> Loaded:
    settings = platform.settings(as_of)
    extract(settings, company)
    return load(settings, starts_over=starts_over)


def file_of(platform: Platform, table: str, number: int = 0) -> Path:
    sources = platform.data / "sources"
    return sources / read_manifest(sources).tables[table][number].path


def rewrite(
    platform: Platform,
    table: str,
    change: Callable[[pl.DataFrame], pl.DataFrame],
    number: int = 0,
    tells_rows: bool = True,
) -> None:
    """Change one file of a table, and the manifest with it: the contract alone can notice."""
    folder, path = platform.data / "sources", file_of(platform, table, number)
    frame = change(pl.read_parquet(path))
    frame.write_parquet(path)
    manifest = read_manifest(folder)
    files = list(manifest.tables[table])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rows = len(frame) if tells_rows else files[number].rows
    files[number] = replace(files[number], digest=digest, rows=rows)
    write_manifest(replace(manifest, tables={**manifest.tables, table: tuple(files)}), folder)


def everything(platform: Platform) -> dict[str, list[tuple]]:
    """The rows of every table, read over one connection."""
    with duckdb.connect(str(platform.settings().lakehouse), read_only=True) as connection:
        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL"
        ).fetchall()
        return {
            f"{schema}.{name}": sorted(
                connection.execute(f'FROM "{schema}"."{name}"').fetchall(), key=repr
            )
            for schema, name in names
        }


def edit_manifest(platform: Platform, change: Callable[[dict], object]) -> None:
    path = platform.data / "sources/manifest.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
