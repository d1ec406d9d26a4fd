"""The extract in force, as the next one goes on from it."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path

import polars as pl

from data_platform.files import file_digest
from data_platform.ingest.manifest import Manifest
from data_platform.record.loaded_files import ExtractedFile
from data_platform.sources.contract import SourceTable
from data_platform.sources.source import Earlier, EarlierFile


def part_name(file: ExtractedFile) -> str:
    """The name of the part of a table that a file holds, like 2024-02."""
    return Path(file.path).name.partition(".")[0]


def earlier_of(name: str, known: Manifest, folder: Path) -> Earlier:
    """The extract in force of a source, as it goes on from it."""

    @cache  # digests of all files
    def files(table: SourceTable) -> Mapping[str, EarlierFile]:
        listed = known.tables.get(table.key, ())
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            intact = pool.map(
                partial(_is_intact, folder=folder, schema=table.polars_schema), listed
            )
            return {
                part_name(file): EarlierFile(
                    folder / file.path, file.rows, file.first_date, file.last_date, is_intact
                )
                for file, is_intact in zip(listed, intact, strict=True)
            }

    return Earlier(known.sources[name].as_of, files, known.marks.get(name, {}))


def _is_intact(file: ExtractedFile, folder: Path, schema: pl.Schema) -> bool:
    """Whether a file is what the manifest says, and what the contract asks for by now."""
    path = folder / file.path
    is_there = path.is_file() and file_digest(path) == file.digest
    return is_there and pl.read_parquet_schema(path) == schema
