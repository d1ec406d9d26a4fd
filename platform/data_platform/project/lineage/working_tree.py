"""The lineage of the working tree: one graph of the project, extracted once and kept.

It is read from the project's code alone, without a lakehouse. The lineage command, plans, diffs,
the linter, OpenLineage events and the documentation all ask this graph.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_platform.files import cache_folder, replace_text
from data_platform.project.lineage.graph import (
    Lineage,
    ModelLineage,
    lineage_as_json,
    lineage_from_json,
)

if TYPE_CHECKING:
    from sqlmesh.core.model import Model

# Whatever decides what SQLMesh makes of the project.
_CODE = (
    *("config.yaml", "external_models.yaml"),
    *("models/**/*.sql", "models/**/*.py", "macros/**/*.py"),
)


# What reads the graph from it; one that is missing is an error, or stale lineage would be served.
PROGRAMS = [
    Path(__file__).with_name(name) for name in ("graph.py", "working_tree.py", "extraction.py")
]
_KEPT = 8


def read_lineage(project_dir: Path) -> Lineage:
    """The lineage of a project's working tree.

    What was extracted once is kept beside SQLMesh's own caches, under a digest of everything that
    it was extracted from, so that it cannot be out of date.

    Raises:
        PlatformError: SQLMesh cannot load the project.
    """
    kept = _kept(project_dir)
    with suppress(OSError, ValueError, TypeError, KeyError):
        return lineage_from_json(json.loads(kept.read_bytes()))
    from data_platform.project.context import read_project

    with read_project(project_dir) as context:
        lineage = lineage_of(context.models.values(), context.default_catalog)
    with suppress(OSError):  # a project that cannot be written to is read every time
        replace_text(kept, json.dumps(lineage_as_json(lineage)))
        remove_old(kept.parent, "[0-9a-f]*.json")
    return lineage


def is_lineage_kept(project_dir: Path) -> bool:
    """Whether `read_lineage` has been asked for the code as it is."""
    return _kept(project_dir).exists()


def _kept(project_dir: Path) -> Path:
    return cache_folder(project_dir) / "lineage" / f"{code_digest(project_dir)}.json"


def remove_old(folder: Path, pattern: str) -> None:
    """Remove what was kept beside the newest few of its kind."""
    for old in sorted(folder.glob(pattern), key=lambda path: -path.stat().st_mtime)[_KEPT:]:
        old.unlink(missing_ok=True)


@cache
def programs() -> str:
    """A digest of the programs that extract, and of those of others that read SQL for them."""
    digest = hashlib.sha256(version("sqlmesh").encode() + version("sqlglot").encode())
    for path in PROGRAMS:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def code_digest(project_dir: Path) -> str:
    """A digest of the project's code, and of the programs that read it."""
    digest = hashlib.sha256(programs().encode())
    found = (path for pattern in _CODE for path in project_dir.glob(pattern))
    code = sorted(path for path in found if path.is_file())
    optional = [path for name in ("config.py", ".env") if (path := project_dir / name).is_file()]
    for path in [*code, *optional]:
        name = os.path.relpath(path, project_dir) if path in code else path.name
        content = path.read_bytes()
        digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    # A variable may decide as well.
    for name in sorted(name for name in os.environ if name.startswith("SQLMESH__")):
        digest.update(f"\0{name}={os.environ[name]}".encode())
    return digest.hexdigest()


def lineage_of(models: Iterable["Model"], catalog: str | None) -> Lineage:
    """The lineage of SQLMesh models; `catalog` is that of names without one.

    What is the same in production and in the working tree is extracted once, and what a project
    keeps (`keeping_lineage`) not again until its code changes.
    """
    from data_platform.project.lineage.extraction import lineage_of_model

    found: dict[str, ModelLineage] = {}
    models = list(models)
    columns_of = {
        ".".join(part.strip('"') for part in model.fqn.split(".")[-2:]): tuple(
            model.columns_to_types or ()
        )
        for model in models
    }
    for model in models:
        read = _in_order(model.mapping_schema) if model.is_sql else sorted(columns_of.items())
        of = (catalog, model.fqn, model.data_hash, model.metadata_hash, read, programs())
        key = hashlib.sha256(repr(of).encode()).hexdigest()
        if key not in _EXTRACTED:
            _EXTRACTED[key] = lineage_of_model(model, catalog, columns_of)
        _ASKED.add(key)
        found[_EXTRACTED[key].name] = _EXTRACTED[key]
    return Lineage(found)


def _in_order(schema: Mapping[str, Any]) -> list[Any]:
    """The columns of each table that a model reads, the tables in an order that is always the same.

    SQLMesh has them in that of a set, which differs from process to process.
    """
    return [
        (
            name,
            _in_order(of)
            if any(isinstance(one, Mapping) for one in of.values())
            else [*of.items()],
        )
        for name, of in sorted(schema.items())
    ]


# The lineage of models by what it was extracted from, and what this process has asked for.
_EXTRACTED: dict[str, ModelLineage] = {}
_ASKED: set[str] = set()


@contextmanager
def keeping_lineage(project_dir: Path) -> Iterator[None]:
    """What was extracted of models before is known in the block, and kept for the next process.

    Extracting all of a project takes as long as SQLMesh takes to load it.
    """
    file = cache_folder(project_dir) / "lineage" / "models.json"
    kept: dict[str, Any] = {}
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        read = json.loads(file.read_bytes())
        models = {key: model for key, one in read.items() for model in _read_model(one)}
        _EXTRACTED.update({key: model for key, model in models.items() if key not in _EXTRACTED})
        kept = read
    try:
        yield
    finally:
        if _ASKED - kept.keys():
            asked = Lineage({key: _EXTRACTED[key] for key in sorted(_ASKED)})
            texts = dict(zip(asked.models, lineage_as_json(asked), strict=True))
            with suppress(OSError):  # a project that cannot be written to is read every time
                replace_text(file, json.dumps(texts))


def _read_model(kept: Mapping[str, Any]) -> Iterable[ModelLineage]:
    return lineage_from_json([kept]).models.values()
