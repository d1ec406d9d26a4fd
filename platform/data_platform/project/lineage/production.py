"""What production shows, by the code that the record keeps of each of its models.

The working tree may differ from it at any time: a report is of production.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from data_platform.errors import PlatformError
from data_platform.files import cache_folder, replace_text
from data_platform.names import Layer
from data_platform.project.facts import ModelFacts
from data_platform.project.lineage.graph import Lineage, lineage_as_json, lineage_from_json
from data_platform.project.lineage.working_tree import lineage_of, programs, remove_old
from data_platform.record.model_code import recorded_code
from data_platform.record.promotions import identifiers, promotions
from data_platform.sql import has_table

if TYPE_CHECKING:
    from sqlmesh.core.model import Model
    from sqlmesh.core.snapshot import Snapshot


@dataclass(frozen=True)
class ProductionCode:
    """The code that production has."""

    lineage: Lineage
    facts: Mapping[str, ModelFacts]
    # The file of each model that is no source, as SQLMesh writes it.
    sql: Mapping[str, str]
    # A digest of all that these are made of.
    digest: str


def read_production(connection: duckdb.DuckDBPyConnection, project_dir: Path) -> ProductionCode:
    """Read the code of production's models, with the sources that they read.

    What was read once is kept beside SQLMesh's own caches, under its digest: SQLMesh is imported
    only where production's code is a new one.

    Raises:
        PlatformError: an older version published the lakehouse, which kept no code.
    """
    known = promotions(connection) if has_table(connection, "ops", "promotions") else []
    versions = identifiers(connection, known[-1].number) if known else {}
    if not versions:
        raise PlatformError(
            "the lakehouse does not hold the code of its models, as an older version published it; "
            "run: data-platform run"
        )
    digest = hashlib.sha256(json.dumps([programs(), *sorted(versions.items())]).encode())
    for path in [Path(__file__), Path(__file__).parents[1] / "facts.py"]:
        digest.update(path.read_bytes())
    key = digest.hexdigest()
    kept = cache_folder(project_dir) / "lineage" / f"production-{key}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        return _from_json(json.loads(kept.read_bytes()), key)
    read = _parsed(connection, versions)
    with suppress(OSError):  # a project that cannot be written to is read every time
        replace_text(kept, json.dumps(read))
        remove_old(kept.parent, "production-*.json")
    return _from_json(read, key)


def remember_models(snapshots: Iterable["Snapshot"]) -> None:
    """Keep models that this process has read and rendered, so that it need not do so again."""
    _READ.update({(one.name, one.identifier): one.model for one in snapshots if one.is_model})


_READ: dict[tuple[str, str], "Model"] = {}


def _parsed(connection: duckdb.DuckDBPyConnection, versions: Mapping[str, str]) -> dict[str, Any]:
    from sqlmesh.core.dialect import format_model_expressions
    from sqlmesh.core.snapshot import Snapshot

    from data_platform.project.facts import facts_of

    found = connection.execute("SELECT CURRENT_DATABASE()").fetchone()
    catalog = found[0] if found else None
    models, facts, sql = [], {}, {}
    for name, identifier in sorted(versions.items()):
        model = _READ.get((name, identifier))
        if model is None:
            row = recorded_code(connection, name, identifier)
            if row is None:
                raise PlatformError(f"the code of {name} is lost; run: data-platform run --deploy")
            model = Snapshot.parse_raw(row[0]).model
        models.append(model)
        own = facts_of(model)
        facts[own.name] = asdict(own)
        if not model.kind.is_external:
            definition = model.render_definition(include_python=False)
            sql[own.name] = format_model_expressions(definition, model.dialect)
    lineage = lineage_of(models, catalog).models
    order = ["sources", *Layer]
    # As a reader follows them, from the sources to what people read.
    ordered = Lineage(
        dict(sorted(lineage.items(), key=lambda one: (order.index(one[1].layer), one[0])))
    )
    return {"lineage": lineage_as_json(ordered), "facts": facts, "sql": sql}


def _from_json(read: Mapping[str, Any], key: str) -> ProductionCode:
    facts = {
        name: ModelFacts(
            **{
                **of,
                **{part: tuple(of[part]) for part in ("grain", "audits")},
                "columns": tuple((column, type_, said) for column, type_, said in of["columns"]),
            }
        )
        for name, of in read["facts"].items()
    }
    return ProductionCode(lineage_from_json(read["lineage"]), facts, read["sql"], key)
