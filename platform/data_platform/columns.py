"""What the columns of one model are made of, from its query."""

import hashlib
from collections.abc import Iterable, Iterator

from sqlglot import exp
from sqlglot.lineage import lineage as sqlglot_lineage
from sqlglot.optimizer.scope import Scope
from sqlmesh.core import lineage as sqlmesh_lineage
from sqlmesh.core.dialect import normalize_model_name
from sqlmesh.core.model import Model

from data_platform.evaluation import short_name
from data_platform.lineage import ModelLineage

# The parts of a SELECT that decide which rows there are, not what they say.
_CHOOSING = ("joins", "where", "group", "having", "qualify", "distinct", "laterals")


def extract(model: Model, catalog: str | None) -> ModelLineage:
    """The lineage of a model; a source table's columns are made of nothing."""
    types = {
        name: type_.sql(dialect="duckdb") for name, type_ in (model.columns_to_types or {}).items()
    }
    made_of: dict[str, tuple[str, ...]] = {}
    definitions: dict[str, str] = {}
    rows_by: set[str] = set()
    rows: list[str] = []
    if not model.kind.is_external:
        # SQLMesh remembers a query by where its model lay in memory, where another may lie now.
        sqlmesh_lineage.CACHE.pop(model.name, None)
        for column in types:
            node = sqlmesh_lineage.lineage(exp.column(column, quoted=True), model, False)
            made_of[column] = tuple(sorted({*_leaves(node, model, catalog)}))
            steps = {_sql(step.expression.unalias()) for step in node.walk() if step.downstream}
            definitions[column] = _digest([*sorted(steps), *made_of[column]])
        # The qualified query that SQLMesh has just made.
        *_, scope = sqlmesh_lineage.CACHE[model.name]
        for inner in scope.traverse():
            rows_by |= set(_rows_by(inner, model, catalog))
            rows.append(_without_columns(inner.expression))
    kind = "source" if model.kind.is_external else "view" if model.kind.is_view else "table"
    return ModelLineage(
        name=short_name(model.fqn),
        kind=kind,
        owner=model.owner or "",
        description=model.description or "",
        types=types,
        made_of=made_of,
        rows_by=tuple(sorted(rows_by)),
        definitions=definitions,
        rows=_digest(sorted(rows)),
        reads=tuple(sorted(short_name(parent) for parent in model.depends_on)),
        tags=tuple(model.tags),
    )


def _sql(expression: exp.Expression) -> str:
    return str(expression.sql(dialect="duckdb", comments=False))


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _without_columns(query: exp.Expression) -> str:
    """A SELECT without what it says of a row: where rows come from, and which there are."""
    if not isinstance(query, exp.Select):
        return type(query).__name__
    bare = query.copy()
    for name in ("expressions", "with_"):
        bare.set(name, None)
    return _sql(bare)


def _leaves(node: sqlmesh_lineage.Node, model: Model, catalog: str | None) -> Iterator[str]:
    for leaf in node.walk():
        table = None if leaf.downstream else leaf.expression.find(exp.Table)
        if table is not None:
            yield _named(table, exp.to_column(leaf.name).name, model, catalog)


def _named(table: exp.Table, column: str, model: Model, catalog: str | None) -> str:
    name = normalize_model_name(table, default_catalog=catalog, dialect=model.dialect)
    return f"{short_name(name)}.{column}"


def _rows_by(scope: Scope, model: Model, catalog: str | None) -> Iterator[str]:
    """The columns of models that choose, match or group the rows of one SELECT."""
    query = scope.expression
    if not isinstance(query, exp.Select):
        return
    parts: list[exp.Expression] = []
    for name in _CHOOSING:
        part = query.args.get(name)
        parts += part if isinstance(part, list) else [part] if part is not None else []
    seen: set[tuple[str, str]] = set()
    for part in parts:
        for column in part.find_all(exp.Column):
            source = scope.sources.get(column.table)
            if source is None or (column.table, column.name) in seen:
                continue
            seen.add((column.table, column.name))
            if isinstance(source, exp.Table):
                yield _named(source, column.name, model, catalog)
            elif column.name in source.expression.named_selects:
                node = sqlglot_lineage(
                    exp.column(column.name, quoted=True),
                    sql=source.expression,
                    scope=source,
                    trim_selects=False,
                    dialect=model.dialect,
                    copy=False,
                )
                yield from _leaves(node, model, catalog)
