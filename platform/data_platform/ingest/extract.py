"""The extract step: from the applications to Parquet files and a manifest."""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import polars as pl

from data_platform.errors import NewerError, PlatformError
from data_platform.files import writable_folder, write_named_by_digest
from data_platform.ingest.earlier import earlier_of, part_name
from data_platform.ingest.manifest import (
    Manifest,
    read_manifest,
    remove_unlisted,
    whole_batch,
    write_manifest,
)
from data_platform.memory import release_memory
from data_platform.record.loaded_files import ExtractedFile
from data_platform.record.loads import Batch
from data_platform.settings import Settings
from data_platform.simulation import RealCompany, Simulation
from data_platform.sources.contract import SourceTable
from data_platform.sources.contract_file import read_contract
from data_platform.sources.entries import chosen_sources, read_entries
from data_platform.sources.registry import SIMULATED, open_source, simulated
from data_platform.sources.source import Kept, Part

_SCRATCH = ".reading-"
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")  # in what Polars says of one
_ZSTD_LEVEL = 1  # half the time of the default, and smaller: hexadecimal digits have no patterns
# As many as in one of DuckDB, which would cut others and join the pieces at later checkpoints;
# fixed, so that the bytes do not depend on the machine.
_ROW_GROUP_ROWS = 122_880


@dataclass(frozen=True)
class Extracted:
    """What an extract did."""

    batch: Batch
    rows: int
    files_written: int
    files_unchanged: int
    # How each table with a cursor was read, in a few words.
    readings: Mapping[str, str]


def companies_of(settings: Settings, company: Simulation) -> dict[str, Simulation | RealCompany]:
    """Whose data each source gives."""
    return {
        name: company if entry.kind == SIMULATED else RealCompany()
        for name, entry in read_entries(settings.project_dir).items()
    }


def _real_batch(as_of: date, files: Iterable[ExtractedFile], position: str | None) -> Batch:
    """The batch id of a real application is a function of what it gave."""
    given = "".join(sorted(file.digest for file in files))
    digest = hashlib.sha256(given.encode()).hexdigest()[:8]
    return Batch(f"{as_of}-{digest}", as_of, RealCompany(), position)


def _refuse_going_back(name: str, before: Batch | None, as_of: date) -> None:
    """A real application shows only what it holds now.

    Raises:
        PlatformError: it was extracted as of a later date already.
    """
    if before is not None and before.is_real and as_of < before.as_of:
        raise PlatformError(
            f"source {name} is a real application, which shows only what it holds now: it cannot "
            f"go back from {before.as_of} to {as_of}; extract as of {before.as_of} or later"
        )


def batch_of(company: Simulation, as_of: date) -> Batch:
    """The batch id is a function of what was asked for: the same extract is the same batch."""
    asked = f"{company.random_seed}/{company.scale!r}/{as_of}/{company.variant}"
    digest = hashlib.sha256(asked.encode()).hexdigest()[:8]
    return Batch(f"{as_of}-{digest}", as_of, company)


def _write(table: SourceTable, part: Part, folder: Path) -> tuple[ExtractedFile, bool] | None:
    """Write a part unless the same file is there; None for a part without rows.

    The file's name carries its digest: a new content never overwrites a file that the manifest in
    force lists.
    """
    frame = _by_contract(table, part.make()).rechunk()
    if frame.is_empty():
        return None
    path, digest, is_new = write_named_by_digest(
        folder / table.source / part.table,
        part.name,
        ".parquet",
        partial(_encode, frame),
    )
    dates = frame[table.event_column] if table.event_column else None
    file = ExtractedFile(
        path=str(path.relative_to(folder)),
        rows=len(frame),
        digest=digest,
        first_date=None if dates is None else dates.min(),  # type: ignore[arg-type]
        last_date=None if dates is None else dates.max(),  # type: ignore[arg-type]
    )
    del frame, dates
    release_memory()
    return file, is_new


def _encode(frame: pl.DataFrame, path: Path) -> None:
    """Write a Parquet file.

    Raises:
        OSError: the disk is full, or whatever else the system says.
    """
    try:
        frame.write_parquet(
            path,
            compression="zstd",
            compression_level=_ZSTD_LEVEL,
            row_group_size=_ROW_GROUP_ROWS,
            statistics=True,
        )
    except pl.exceptions.PolarsError as error:
        if (number := _SYSTEM_ERROR.search(str(error))) is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def _by_contract(table: SourceTable, frame: pl.DataFrame) -> pl.DataFrame:
    """The columns that the contract asks for, in its types.

    Raises:
        PlatformError: the application has no such column, or not in that type.
    """
    columns: list[pl.Expr] = []
    for column in table.columns:
        type_ = column.polars_type
        if found := next((n for n in (column.name, column.was) if n in frame.columns), None):
            columns.append(pl.col(found).cast(type_).alias(column.name))
        elif column.nullable or column.default is not None:
            columns.append(pl.lit(column.default).cast(type_).alias(column.name))
        else:
            raise PlatformError(
                f"{table.key}: the application has no column {column.name}, which the contract "
                f"asks for; it has {', '.join(frame.columns)}; let it be null, or give it a "
                f"default with a tag like default:{column.name}=value"
            )
    try:
        return frame.select(columns)
    except pl.exceptions.PolarsError as error:
        for column, expression in zip(table.columns, columns, strict=True):
            try:
                frame.select(expression)
            except pl.exceptions.PolarsError:
                raise PlatformError(
                    f"{table.key}: column {column.name} cannot be {column.type} as the contract "
                    f"asks: the application has {frame.schema.get(column.name, 'a default')} that "
                    "does not fit"
                ) from error
        raise


def _known(folder: Path) -> Manifest:
    """The manifest in force; an unreadable one is replaced as if there were none."""
    try:
        return read_manifest(folder)
    except NewerError:
        raise
    except PlatformError:
        return Manifest()


def written(
    work: Sequence[tuple[SourceTable, Part | Kept]],
    known: Manifest,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[dict[str, list[ExtractedFile]], int]:
    """(the files of each table, how many of them were written) once all parts are made."""
    files: dict[str, list[ExtractedFile]] = {table.key: [] for table, _ in work}
    number = 0
    fresh = []
    for table, part in work:
        if isinstance(part, Part):
            fresh.append((table, part))
        else:
            files[table.key] += [f for f in known.tables[table.key] if part_name(f) == part.name]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        done = pool.map(lambda item: _write(item[0], item[1], folder), fresh)
        for place, ((table, _), result) in enumerate(zip(fresh, done, strict=True), start=1):
            if result is not None:
                files[table.key].append(result[0])
                number += result[1]
            progress(place, len(fresh))
    return files, number


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A private folder beside the extracts; what a killed extract has left there goes."""
    for left in folder.glob(f"{_SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as scratch:
        yield Path(scratch)


def extract(
    settings: Settings,
    company: Simulation,
    sources: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Extracted:
    """Extract sources (all of them by default) as of the settings' date, and commit the manifest.

    Args:
        company: what the simulated sources are to give.
        progress: called with (files done, files in all).

    Raises:
        UsageError: an injected error does not belong to the extracted sources.
        PlatformError: the folder cannot be written, or an error cannot be planted.
    """
    entries = read_entries(settings.project_dir)
    chosen = chosen_sources(entries, sources)
    company.refuse_faults_elsewhere(simulated(entries, chosen))
    contract = read_contract(settings.project_dir)
    contract.refuse_other_sources(entries)
    folder = writable_folder(settings.sources_dir)
    known = _known(folder)

    whose = companies_of(settings, company)
    batch = batch_of(company, settings.as_of)
    for name in chosen:
        if isinstance(whose[name], RealCompany):
            _refuse_going_back(name, known.sources.get(name), settings.as_of)
    opened = {
        name: open_source(entries[name], contract.of_sources((name,)), company, settings.as_of)
        for name in chosen
    }
    with _scratch(folder) as scratch:
        work: list[tuple[SourceTable, Part | Kept]] = []
        for name, source in opened.items():
            before = known.sources.get(name)
            is_same = before is not None and before.company == whose[name]
            earlier = earlier_of(name, known, folder) if is_same else None
            parts = source.parts(earlier, scratch)
            work += [(contract.tables[f"{name}__{part.table}"], part) for part in parts]
        files, number_written = written(work, known, folder, progress)
    tables = {
        **known.tables,
        **{table.key: () for table in contract.of_sources(chosen)},
        **{key: tuple(sorted(own, key=lambda file: file.path)) for key, own in files.items()},
    }

    for source in opened.values():
        source.finish(folder)
    batches = {
        name: _real_batch(
            settings.as_of,
            (file for table in contract.of_sources((name,)) for file in tables[table.key]),
            source.position,
        )
        if isinstance(whose[name], RealCompany)
        else batch
        for name, source in opened.items()
    }
    marks = {**known.marks, **{name: source.marks for name, source in opened.items()}}
    manifest = Manifest({**known.sources, **batches}, tables, marks)
    write_manifest(manifest, folder)
    remove_unlisted(manifest, folder)
    return Extracted(
        whole_batch(batches),
        rows=sum(file.rows for own in files.values() for file in own),
        files_written=number_written,
        files_unchanged=sum(map(len, files.values())) - number_written,
        readings={
            f"{name}.{table}": told
            for name, source in opened.items()
            for table, told in source.readings.items()
        },
    )
