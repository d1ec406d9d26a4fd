"""The extract step: from the applications to Parquet files and a manifest."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from io import BytesIO
from pathlib import Path

import polars as pl

from data_platform.errors import NewerError, PlatformError, UsageError
from data_platform.files import file_digest, replace_text, replacing, writable_folder
from data_platform.ingest.manifest import Manifest, read_manifest, write_manifest
from data_platform.names import SourceName
from data_platform.record.loaded_files import ExtractedFile
from data_platform.record.loads import Batch
from data_platform.settings import Settings
from data_platform.sources.contract import Contract, SourceTable, read_contract
from data_platform.sources.registry import SOURCES
from data_platform.sources.simulated.calendar import month_number, month_start
from data_platform.sources.simulated.company import Company
from data_platform.sources.simulated.dirt import Dirt, Truth
from data_platform.sources.simulated.faults import with_faults
from data_platform.sources.source import Part

TRUTH_FILE = "truth.json"
_ROW_GROUP_ROWS = 131_072  # fixed, so that the bytes do not depend on the machine


@dataclass(frozen=True)
class Extracted:
    """What an extract did."""

    batch: Batch
    rows: int
    files_written: int
    files_unchanged: int


def variant_of(pristine: bool, inject: Sequence[str] = ()) -> str:
    """What sets an extract apart from others of the same company and date."""
    names = (["pristine"] if pristine else []) + sorted(set(inject))
    return ",".join(names) or "dirty"


def _batch(settings: Settings, variant: str) -> Batch:
    """The batch id is a function of what was asked for: the same extract is the same batch."""
    asked = f"{settings.random_seed}/{settings.scale!r}/{settings.as_of}/{variant}"
    digest = hashlib.sha256(asked.encode()).hexdigest()[:8]
    return Batch(
        batch_id=f"{settings.as_of}-{digest}",
        random_seed=settings.random_seed,
        scale=settings.scale,
        as_of=settings.as_of,
        variant=variant,
    )


def _write(table: SourceTable, part: Part, folder: Path) -> tuple[ExtractedFile, bool] | None:
    """Write a part unless the same file is there; None for a part without rows.

    The file's name carries its digest: a new content never overwrites a file that the manifest in
    force lists.
    """
    frame = _by_contract(table, part.make())
    if frame.is_empty():
        return None
    buffer = BytesIO()
    frame.rechunk().write_parquet(buffer, row_group_size=_ROW_GROUP_ROWS, statistics=True)
    content = buffer.getbuffer()
    digest = hashlib.sha256(content).hexdigest()
    path = folder / table.source / part.table / f"{part.name}.{digest[:12]}.parquet"
    fresh = not (path.is_file() and file_digest(path) == digest)
    if fresh:
        with replacing(path) as partial:
            partial.write_bytes(content)
    dates = frame[table.event_column] if table.event_column else None
    file = ExtractedFile(
        path=str(path.relative_to(folder)),
        rows=len(frame),
        digest=digest,
        first_date=None if dates is None else dates.min(),  # type: ignore[arg-type]
        last_date=None if dates is None else dates.max(),  # type: ignore[arg-type]
    )
    return file, fresh


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


def _settled(
    contract: Contract, source: str, known: Manifest, batch: Batch, folder: Path
) -> dict[tuple[str, str], ExtractedFile | None]:
    """The months that both the known extract and the new one cover to their end, with their files.

    The history is stable, so such a month need not be drawn again where its file is still what the
    manifest says; None stands for a month without rows.
    """
    before = known.sources.get(source)
    if before is None or before.company != batch.company:
        return {}
    covered = min(before.as_of, batch.as_of) + timedelta(days=1)
    months = [
        f"{month_start(number):%Y-%m}"
        for number in range(month_number(covered))  # the month of `covered` is not over
    ]
    settled: dict[tuple[str, str], ExtractedFile | None] = {}
    for table in contract.of_sources((source,)):
        if table.event_column is None or table.key not in known.tables:
            continue
        files = {f"{file.first_date:%Y-%m}": file for file in known.tables[table.key]}
        if any(not Path(file.path).name.startswith(f"{m}.") for m, file in files.items()):
            continue  # its files are no months
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            is_known = partial(_is_intact, folder=folder, schema=table.polars_schema)
            intact = pool.map(is_known, map(files.get, months))
            for month, is_intact in zip(months, intact, strict=True):
                if is_intact:
                    settled[table.part_name, month] = files.get(month)
    return settled


def _is_intact(file: ExtractedFile | None, folder: Path, schema: pl.Schema) -> bool:
    """Whether a file is what the manifest says, and what the contract asks for by now."""
    if file is None:
        return True
    path = folder / file.path
    is_there = path.is_file() and file_digest(path) == file.digest
    return is_there and pl.read_parquet_schema(path) == schema


def _write_truth(truths: Mapping[str, Truth], folder: Path) -> None:
    """Write what was injected into the extracted sources; what others hold stays as it is."""
    path = folder / TRUTH_FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        kept = {kind: entry for kind, entry in known.items() if entry["source"] not in truths}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        kept = {}
    for source, truth in truths.items():
        kept |= truth.as_json(source)
    replace_text(path, json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def _remove_unlisted(manifest: Manifest, folder: Path) -> None:
    """Remove the files of earlier extracts, and what a killed one left."""
    listed = {folder / file.path for files in manifest.tables.values() for file in files}
    for source in SOURCES:
        for path in (folder / source).rglob("*"):
            if path.is_file() and path not in listed:
                path.unlink()


def extract(
    settings: Settings,
    sources: Sequence[str] = (),
    pristine: bool = False,
    inject: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Extracted:
    """Extract sources (all of them by default) as of the settings' date, and commit the manifest.

    Args:
        pristine: leave out the life-like dirt.
        inject: kinds of real errors to plant, values of `FaultKind`.
        progress: called with (files done, files in all).

    Raises:
        UsageError: an injected error does not belong to the extracted sources.
        PlatformError: the folder cannot be written, or a fault cannot be planted.
    """
    chosen = tuple(dict.fromkeys(sources)) or tuple(SOURCES)
    if inject and SourceName.APP not in chosen:
        raise UsageError("--inject plants errors in source app, which is not extracted; add -s app")
    contract = read_contract(settings.project_dir)
    folder = writable_folder(settings.sources_dir)
    known = _known(folder)

    batch = _batch(settings, variant_of(pristine, inject))
    company = Company(settings.random_seed, settings.scale, settings.as_of)
    batches, tables = dict(known.sources), dict(known.tables)
    work: list[tuple[SourceTable, Part]] = []
    truth_of: dict[str, Truth] = {}
    rows = written = unchanged = 0
    for source in chosen:
        truth = truth_of[source] = Truth()
        simulated = SOURCES[source](company, Dirt(settings.random_seed, pristine, truth))
        kept = {} if inject else _settled(contract, source, known, batch, folder)
        parts = simulated.parts({part: file.rows if file else 0 for part, file in kept.items()})
        if inject and source == SourceName.APP:
            parts = with_faults(parts, inject, truth)
        batches[source] = batch
        for table in contract.of_sources((source,)):
            settled = [file for (name, _), file in kept.items() if name == table.part_name and file]
            tables[table.key] = tuple(settled)
            unchanged += len(settled)
            rows += sum(file.rows for file in settled)
        work += [(contract.tables[f"{source}__{part.table}"], part) for part in parts]

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        done = pool.map(lambda item: _write(item[0], item[1], folder), work)
        for number, ((table, _), result) in enumerate(zip(work, done, strict=True), start=1):
            if result is not None:
                file, fresh = result
                tables[table.key] += (file,)
                rows += file.rows
                written, unchanged = written + fresh, unchanged + (not fresh)
            progress(number, len(work))
    tables = {
        name: tuple(sorted(files, key=lambda file: file.path)) for name, files in tables.items()
    }

    _write_truth(truth_of, folder)
    manifest = Manifest(batches, tables)
    write_manifest(manifest, folder)
    _remove_unlisted(manifest, folder)
    return Extracted(batch, rows, written, unchanged)
