"""The lineage of the working tree: one graph of the project, extracted once and kept.

It is read from the project's code alone, without a lakehouse. The lineage command, plans, diffs,
the linter, OpenLineage events and the documentation all ask this graph.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

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
    folder = cache_folder(project_dir) / "lineage"
    kept = folder / f"{code_digest(project_dir)}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        return lineage_from_json(json.loads(kept.read_bytes()))
    from data_platform.project.context import read_project

    with read_project(project_dir) as context:
        lineage = lineage_of(context.models.values(), context.default_catalog)
    with suppress(OSError):  # a project that cannot be written to is read every time
        replace_text(kept, json.dumps(lineage_as_json(lineage)))
        remove_old(folder, "[0-9a-f]*.json")
    return lineage


def remove_old(folder: Path, pattern: str) -> None:
    """Remove what was kept beside the newest few of its kind."""
    for old in sorted(folder.glob(pattern), key=lambda path: -path.stat().st_mtime)[_KEPT:]:
        old.unlink(missing_ok=True)


def code_digest(project_dir: Path) -> str:
    """A digest of the project's code, and of the programs that read it."""
    digest = hashlib.sha256(version("sqlmesh").encode())
    found = (path for pattern in _CODE for path in project_dir.glob(pattern))
    code = sorted(path for path in found if path.is_file())
    optional = [path for name in ("config.py", ".env") if (path := project_dir / name).is_file()]
    for path in [*PROGRAMS, *code, *optional]:
        name = os.path.relpath(path, project_dir) if path in code else path.name
        content = path.read_bytes()
        digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    # A variable may decide as well.
    for name in sorted(name for name in os.environ if name.startswith("SQLMESH__")):
        digest.update(f"\0{name}={os.environ[name]}".encode())
    return digest.hexdigest()


def lineage_of(models: Iterable["Model"], catalog: str | None) -> Lineage:
    """The lineage of SQLMesh models; `catalog` is that of names without one.

    What is the same in production and in the working tree is extracted once a process.
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
        read = str(model.mapping_schema) if model.is_sql else str(sorted(columns_of.items()))
        key = (catalog, model.fqn, model.data_hash, model.metadata_hash, read)
        if key not in _EXTRACTED:
            _EXTRACTED[key] = lineage_of_model(model, catalog, columns_of)
        found[_EXTRACTED[key].name] = _EXTRACTED[key]
    return Lineage(found)


_EXTRACTED: dict[tuple[str | None, ...], ModelLineage] = {}
