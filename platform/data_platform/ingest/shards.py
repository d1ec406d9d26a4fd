"""A simulated company drawn in shards, by processes or machines that know nothing of each other.

Each shard writes its share of the files, the very files of one extract, and a manifest of its own;
merged, they are the extract that one process would have written.
"""

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from data_platform.errors import PlatformError, UsageError
from data_platform.files import replace_text, writable_folder
from data_platform.ingest.extract import Extracted, batch_of, written
from data_platform.ingest.manifest import (
    FILE_NAME,
    Manifest,
    read_manifest,
    remove_unlisted,
    write_manifest,
)
from data_platform.record.loaded_files import ExtractedFile
from data_platform.settings import Settings
from data_platform.simulation import Simulation
from data_platform.sources.contract import SourceTable
from data_platform.sources.contract_file import read_contract
from data_platform.sources.entries import read_entries
from data_platform.sources.registry import open_source, simulated
from data_platform.sources.simulated.simulated_source import TRUTH_FILE, truth_text
from data_platform.sources.source import Part

_SHARD = re.compile(r"shard-(\d+)-of-(\d+)")


@dataclass(frozen=True)
class Shard:
    """One of a number of shares of the files, counted from 1."""

    number: int
    of: int

    @property
    def folder_name(self) -> str:
        """The folder of its manifest, in that of the extract."""
        return f"shard-{self.number}-of-{self.of}"


def extract_shard(
    settings: Settings,
    company: Simulation,
    shard: Shard,
    folder: Path,
) -> Extracted:
    """Write a shard of all sources as of the settings' date, and its manifest, into a folder.

    The parts go round the shards in turn, so that each gets its share of small and large ones.

    Raises:
        UsageError: a source is real, or errors are to be planted, which takes the whole company.
        PlatformError: the folder cannot be written.
    """
    entries = read_entries(settings.project_dir)
    if real := [name for name in entries if name not in simulated(entries, entries)]:
        raise UsageError(f"source {real[0]} is a real application; shards are of simulated ones")
    if company.faults:
        raise UsageError("errors are planted in a whole company: --inject does not go with --shard")
    contract = read_contract(settings.project_dir)
    contract.refuse_other_sources(entries)
    writable_folder(folder)
    own = writable_folder(folder / shard.folder_name)
    place = count()
    work: list[tuple[SourceTable, Part]] = []
    opened = {}
    for name in entries:
        own_tables = contract.of_sources((name,))
        opened[name] = open_source(entries[name], own_tables, company, settings.as_of)
        for part in opened[name].parts(None, own):
            if isinstance(part, Part) and next(place) % shard.of == shard.number - 1:
                work.append((contract.tables[f"{name}__{part.table}"], part))
    files, number_written = written(work, Manifest(), folder)
    for source in opened.values():
        source.finish(own)
    batch = batch_of(company, settings.as_of)
    all_tables = contract.of_sources(tuple(entries))
    tables = {table.key: tuple(files.get(table.key, ())) for table in all_tables}
    write_manifest(Manifest(dict.fromkeys(entries, batch), tables), own)
    all_files = [file for found in files.values() for file in found]
    rows = sum(file.rows for file in all_files)
    return Extracted(batch, rows, number_written, len(all_files) - number_written, {})


def merge_shards(folder: Path) -> Manifest:
    """Make one extract of the shards in a folder.

    Raises:
        PlatformError: there are none, one is missing, they are of different extracts, or a file
            is.
    """
    found = _shards_in(folder)
    manifests = {shard: read_manifest(folder / shard.folder_name) for shard in found}
    first = manifests[found[0]]
    for shard, manifest in manifests.items():
        if manifest.sources != first.sources or manifest.tables.keys() != first.tables.keys():
            raise PlatformError(
                f"{folder / shard.folder_name} is of another extract than {found[0].folder_name}: "
                f"{_told(manifest)}, expected {_told(first)}; draw it again"
            )
    tables: dict[str, tuple[ExtractedFile, ...]] = {}
    for key in first.tables:
        files = [file for manifest in manifests.values() for file in manifest.tables[key]]
        tables[key] = tuple(sorted(files, key=lambda file: file.path))
        for file in files:
            if not (folder / file.path).is_file():
                raise PlatformError(f"{folder / file.path} is missing, which a shard lists")
    replace_text(folder / TRUTH_FILE, _truth(folder / shard.folder_name for shard in found))
    merged = Manifest(first.sources, tables)
    write_manifest(merged, folder)
    remove_unlisted(merged, folder)
    for shard in found:
        shutil.rmtree(folder / shard.folder_name)
    return merged


def _shards_in(folder: Path) -> list[Shard]:
    """All shards of an extract, in order."""
    names = (_SHARD.fullmatch(path.name) for path in folder.glob("shard-*") if path.is_dir())
    found = sorted((Shard(int(n[1]), int(n[2])) for n in names if n), key=lambda one: one.number)
    if not found:
        raise PlatformError(f"{folder} has no shards; expected folders like shard-1-of-4")
    if len({shard.of for shard in found}) > 1:
        told = ", ".join(shard.folder_name for shard in found)
        raise PlatformError(f"{folder} has shards of different numbers: {told}; draw them again")
    there = {
        shard.number
        for shard in found
        if all((folder / shard.folder_name / one).is_file() for one in (FILE_NAME, TRUTH_FILE))
    }
    if missing := sorted({*range(1, found[0].of + 1)} - there):
        told = ", ".join(map(str, missing))
        raise PlatformError(f"{folder} lacks shard {told} of {found[0].of}; draw it first")
    return found


def _told(manifest: Manifest) -> str:
    return ", ".join(str(batch) for batch in dict.fromkeys(manifest.sources.values()))


def _truth(folders: Iterable[Path]) -> str:
    """What was injected in all shards, as one extract would have listed it."""
    merged: dict[str, dict[str, Any]] = {}
    for folder in folders:
        for kind, one in json.loads((folder / TRUTH_FILE).read_text(encoding="utf-8")).items():
            before = merged.get(kind, {}).get("keys", [])
            # What is drawn beforehand every shard has noted, the rest the shard that drew it.
            keys = sorted((Counter(before) | Counter(one["keys"])).elements())
            merged[kind] = {"source": one["source"], "count": len(keys), "keys": keys}
    return truth_text(merged)
