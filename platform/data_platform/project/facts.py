"""What a project says of its models."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlmesh.core.model import Model


@dataclass(frozen=True)
class ModelFacts:
    """What the project says of a model or source; `columns` are (name, type, description)."""

    name: str
    schema: str
    description: str
    kind: str
    owner: str
    grain: tuple[str, ...]
    audits: tuple[str, ...]
    columns: tuple[tuple[str, str, str], ...]


def facts_of(model: "Model") -> ModelFacts:
    """What a SQLMesh model says of itself."""
    kind = "source" if model.kind.is_external else "view" if model.kind.is_view else "table"
    *_, schema, name = (part.strip('"') for part in model.fqn.split('"."'))
    return ModelFacts(
        name=f"{schema}.{name}",
        schema=schema,
        description=model.description or "",
        kind=kind,
        owner=model.owner or "",
        grain=tuple(grain.sql(dialect="duckdb") for grain in model.grains),
        audits=tuple(dict.fromkeys(name for name, _ in model.audits)),
        columns=tuple(
            (name, type_.sql(dialect="duckdb"), model.column_descriptions.get(name, ""))
            for name, type_ in (model.columns_to_types or {}).items()
        ),
    )
