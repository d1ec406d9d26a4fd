"""The manifest of the extracts: their commit point. What it does not list does not exist."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from itertools import combinations
from pathlib import Path

from data_platform.errors import NewerError, PlatformError
from data_platform.files import replace_text
from data_platform.record.loaded_files import ExtractedFile
from data_platform.record.loads import Batch
from data_platform.simulation import recorded_company
from data_platform.sources.source import Mark

SCHEMA_VERSION = 1


FILE_NAME = "manifest.json"
# Where people find it in the data folder; a run reads that of its private copy.
_SHOWN = f"sources/{FILE_NAME}"


@dataclass(frozen=True)
class Manifest:
    """The batch of each source and the files of each `<source>.<table>`."""

    sources: Mapping[str, Batch] = field(default_factory=dict)
    tables: Mapping[str, tuple[ExtractedFile, ...]] = field(default_factory=dict)
    # How far tables were read by their cursors, by source and table.
    marks: Mapping[str, Mapping[str, Mark]] = field(default_factory=dict)

    def files_of(self, table: str) -> tuple[ExtractedFile, ...]:
        """The files of `<source>.<table>`.

        Raises:
            PlatformError: the manifest does not know the table.
        """
        if table not in self.tables:
            raise PlatformError(f"{table} is not in the manifest; extract again")
        return self.tables[table]

    def batches_of(self, sources: tuple[str, ...]) -> dict[str, Batch]:
        """The batches of `sources`, which fit together.

        Raises:
            PlatformError: a source was not extracted, or two are of different batches.
        """
        for source in sources:
            if source not in self.sources:
                raise PlatformError(
                    f"no extract of source {source} in the manifest; "
                    f"run: data-platform extract -s {source}"
                )
        found = {source: self.sources[source] for source in sources}
        for one, other in combinations(sources, 2):
            refuse_mixture(one, found[one], other, found[other])
        return found


def refuse_mixture(one: str, batch: Batch, other: str, other_batch: Batch) -> None:
    """All sources of a lakehouse are as of one date; simulated ones are one company's.

    Raises:
        PlatformError: the two batches differ.
    """
    if batch.as_of != other_batch.as_of or (
        not (batch.is_real or other_batch.is_real) and batch.company != other_batch.company
    ):
        raise PlatformError(
            f"sources would be mixed: {one} is {batch}, but {other} is {other_batch}; "
            "extract and load both as of the same date, seed, scale and variant"
        )


def whole_batch(batches: Mapping[str, Batch]) -> Batch:
    """The batch of a load of several sources: the one that they share, or one of its own."""
    found = list(dict.fromkeys(batches.values()))
    if len(found) == 1:
        return found[0]
    ids = ",".join(f"{source}={batch.batch_id}" for source, batch in sorted(batches.items()))
    digest = hashlib.sha256(ids.encode()).hexdigest()[:8]
    simulated = [batch.company for batch in found if not batch.is_real]
    company = simulated[0] if simulated else found[0].company
    return Batch(f"{found[0].as_of}-{digest}", found[0].as_of, company)


def refuse_other_batch(batch: Batch, asked: Mapping[str, object]) -> None:
    """Refuse extracts that are not of the date, seed or scale that the command line names.

    Args:
        asked: the as_of, random_seed or scale, by these names.

    Raises:
        PlatformError: the extracts are of another date, seed or scale.
    """
    found = (
        {"as_of": batch.as_of} if batch.is_real else {"as_of": batch.as_of, **asdict(batch.company)}
    )
    for name, value in asked.items():
        if name not in found:
            continue
        if found[name] != value:
            option = f"--{name.replace('_', '-')}"
            raise PlatformError(
                f"{option} {value} was asked for, but the extracts are {batch}; extract first: "
                f"data-platform {option} {value} extract load, or do not ask for it"
            )


def _batch_as_json(batch: Batch) -> dict[str, object]:
    return {
        "batch_id": batch.batch_id,
        "random_seed": batch.company.random_seed,
        "scale": batch.company.scale,
        "as_of": batch.as_of,
        "variant": batch.company.variant,
        **({"position": batch.position} if batch.position else {}),
    }


def _file_as_json(file: ExtractedFile) -> dict[str, object]:
    return {name: value for name, value in asdict(file).items() if value is not None}


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write the manifest of a folder, atomically."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "sources": {name: _batch_as_json(one) for name, one in sorted(manifest.sources.items())},
        "tables": {
            name: [_file_as_json(file) for file in files]
            for name, files in sorted(manifest.tables.items())
        },
        "cursors": {
            name: {table: asdict(mark) for table, mark in sorted(marks.items())}
            for name, marks in sorted(manifest.marks.items())
            if marks
        },
    }
    replace_text(folder / FILE_NAME, json.dumps(document, indent=1, default=str) + "\n")


def remove_unlisted(manifest: Manifest, folder: Path) -> None:
    """Remove the files of earlier extracts, and what a killed one left."""
    listed = {folder / file.path for files in manifest.tables.values() for file in files}
    for source in manifest.sources:
        for path in (folder / source).rglob("*"):
            if path.is_file() and path not in listed:
                path.unlink()


def _date(value: str | None) -> date | None:
    return None if value is None else date.fromisoformat(value)


def _count(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no number of rows")
    return value


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder.

    Raises:
        PlatformError: there is none, or it is no manifest of this version.
    """
    path = folder / FILE_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        version = document["schema_version"]
        if version != SCHEMA_VERSION:
            found = f"{_SHOWN} has schema version {version}, expected {SCHEMA_VERSION}"
            if isinstance(version, int) and version > SCHEMA_VERSION:
                raise NewerError(f"{found}: a newer version of the platform wrote it; update yours")
            raise PlatformError(f"{found}; extract again")
        return Manifest(
            sources={
                name: Batch(
                    batch_id=str(batch["batch_id"]),
                    as_of=date.fromisoformat(batch["as_of"]),
                    company=recorded_company(
                        int(batch["random_seed"]), float(batch["scale"]), str(batch["variant"])
                    ),
                    position=batch.get("position"),
                )
                for name, batch in document["sources"].items()
            },
            tables={
                name: tuple(
                    ExtractedFile(
                        path=str(file["path"]),
                        rows=_count(file["rows"]),
                        digest=str(file["digest"]),
                        first_date=_date(file.get("first_date")),
                        last_date=_date(file.get("last_date")),
                    )
                    for file in files
                )
                for name, files in document["tables"].items()
            },
            marks={
                name: {
                    table: Mark(
                        str(mark["value"]),
                        str(mark["asked"]),
                        date.fromisoformat(mark["whole_as_of"]),
                    )
                    for table, mark in marks.items()
                }
                for name, marks in document.get("cursors", {}).items()
            },
        )
    except FileNotFoundError:
        raise PlatformError(
            f"there is no extract: {_SHOWN} does not exist; run: data-platform extract"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlatformError(f"{_SHOWN} is not a manifest ({error!r}); extract again") from error
