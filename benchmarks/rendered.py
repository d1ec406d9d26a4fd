"""The project's models and audits as SQL over all of time, for others to run."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlglot import exp
from sqlmesh.core.model import Model

from data_platform.project.context import read_project
from data_platform.sql import short_name


@dataclass(frozen=True)
class RenderedAudit:
    """A query of the rows that break a claim."""

    name: str
    sql: str
    is_blocking: bool


@dataclass(frozen=True)
class RenderedModel:
    """A model after those that it reads."""

    name: str
    is_view: bool
    sql: str
    audits: tuple[RenderedAudit, ...]


# A table's name as another tool writes it: of a source or of a model.
Place = Callable[[str], str]


def render(project_dir: Path, as_of: date, place: Place) -> list[RenderedModel]:
    """Every model of an SQLMesh project, by the names that `place` gives to tables."""
    found = []
    with read_project(project_dir) as context:
        window = {
            "start": context.config.model_defaults.start,
            "end": as_of,
            "execution_time": as_of + timedelta(days=1),
        }
        for fqn in context.dag.sorted:
            model = context.models.get(fqn)
            if model is None or model.kind.is_external:
                continue
            audits = tuple(
                RenderedAudit(
                    f"{audit.name}_{number}",
                    _placed(model.render_audit_query(audit, **window, **arguments), place),
                    audit.blocking,
                )
                for number, (audit, arguments) in enumerate(model.audits_with_args)
            )
            sql = _placed(model.render_query_or_raise(**window), place, model)
            found.append(RenderedModel(short_name(fqn), model.kind.is_view, sql, audits))
    return found


def _placed(rendered: exp.Query, place: Place, extending: Model | None = None) -> str:
    """A query with another tool's words in the place of tables' names.

    Args:
        extending: the model whose query it is; the month before its first is nothing.
    """
    query, places = rendered.copy(), {}
    for table in [table for table in query.find_all(exp.Table) if table.db]:
        read = f"{table.db}.{table.name}"
        words = place(read)
        if extending is not None and read == extending.name:
            columns = ", ".join(
                f"NULL::{type_.sql('duckdb')} AS {column}"
                for column, type_ in (extending.columns_to_types or {}).items()
            )
            words = f"(SELECT {columns} WHERE FALSE)"
        # A name that survives being written as SQL, for the words of another tool.
        marker = f"__place_{len(places)}__"
        places[marker] = words
        table.set("db", None)
        table.set("catalog", None)
        table.set("this", exp.to_identifier(marker, quoted=True))
    sql = str(query.sql(dialect="duckdb"))
    for marker, words in places.items():
        sql = sql.replace(f'"{marker}"', words)
    return sql
