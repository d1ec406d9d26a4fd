"""Who feeds a model or a column, and who depends on it; read from the project alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from sqlmesh.core.lineage import column_dependencies

from data_platform.errors import UsageError
from data_platform.evaluation import short_name
from data_platform.project import read_project


@dataclass(frozen=True)
class Lineage:
    """The direct parents of each model, or of each column, by name (marts.kpi__nps.nps)."""

    parents: Mapping[str, frozenset[str]]

    def upstream(self, name: str) -> list[str]:
        """What `name` is made of, directly, in order."""
        return sorted(self.parents.get(name, ()))

    def downstream(self, name: str) -> list[str]:
        """What is made of `name`, directly, in order."""
        return sorted(child for child, parents in self.parents.items() if name in parents)


def read_lineage(project_dir: Path, name: str) -> Lineage:
    """The lineage of models where `name` is one, of columns where it is a column.

    Raises:
        UsageError: it is neither; near names are told.
        PlatformError: SQLMesh cannot load the project.
    """
    with read_project(project_dir) as context:
        models = {short_name(fqn): model for fqn, model in context.models.items()}
        if name in models:
            return Lineage(
                {
                    short: frozenset(map(short_name, model.depends_on))
                    for short, model in models.items()
                }
            )
        columns = {
            f"{short}.{column}": (short, column)
            for short, model in models.items()
            for column in model.columns_to_types or {}
        }
        if name not in columns:
            model_part = ".".join(name.split(".")[:2])
            known = [c for c in columns if c.startswith(f"{model_part}.")] or [*models]
            near = get_close_matches(name, known, n=3, cutoff=0.3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UsageError(f"there is no model or column {name}{hint}")
        return Lineage(
            {
                key: frozenset(
                    f"{short_name(parent)}.{source}"
                    for parent, sources in column_dependencies(context, short, column).items()
                    for source in sources
                )
                if not models[short].kind.is_external
                else frozenset()
                for key, (short, column) in columns.items()
            }
        )
