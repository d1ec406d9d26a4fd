"""What the columns of one model are made of, from its query.

What cannot be read, a Python model's columns above all, counts as made of all that the model reads.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.lineage import lineage as sqlglot_lineage
from sqlglot.optimizer.scope import Scope
from sqlmesh.core import lineage as sqlmesh_lineage
from sqlmesh.core.dialect import normalize_model_name
from sqlmesh.core.model import Model, SqlModel

from data_platform.project.lineage.graph import ModelLineage
from data_platform.sql import short_name

# A name that SQL takes without quotes.
_PLAIN = re.compile("[a-z_][a-z0-9_]*")

# The parts of a SELECT that decide which rows there are, not what they say.
_CHOOSING = ("joins", "where", "group", "having", "qualify", "distinct", "laterals")


@dataclass
class _Read:
    """What a query says of a model's columns and rows."""

    made_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    rows_by: set[str] = field(default_factory=set)
    rows: list[str] = field(default_factory=list)
    steps: dict[str, tuple[str, ...]] = field(default_factory=dict)
    conditions: list[str] = field(default_factory=list)


def lineage_of_model(
    model: Model, catalog: str | None, columns_of: Mapping[str, Iterable[str]]
) -> ModelLineage:
    """The lineage of a model; a source table's columns are made of nothing.

    Args:
        catalog: of names without one.
        columns_of: the columns of the models that it reads, by their short names.
    """
    types = {
        name: type_.sql(dialect="duckdb") for name, type_ in (model.columns_to_types or {}).items()
    }
    reads = tuple(sorted(short_name(parent) for parent in model.depends_on))
    everything = tuple(
        f"{parent}.{column}" for parent in reads for column in columns_of.get(parent, ())
    )
    code, read = _code(model), _Read()
    if isinstance(model, SqlModel):
        try:
            read = _read(model, catalog, types, everything)
        except Exception:  # a query that SQLGlot cannot take apart; the plan says what is wrong
            read = _unread(types, everything, code)
    elif not model.kind.is_external:
        read = _unread(types, everything, code)
    kind = "source" if model.kind.is_external else "view" if model.kind.is_view else "table"
    return ModelLineage(
        name=short_name(model.fqn),
        kind=kind,
        owner=model.owner or "",
        description=model.description or "",
        types=types,
        made_of=read.made_of,
        rows_by=tuple(sorted(read.rows_by)),
        definitions=read.definitions,
        rows=_digest(sorted(read.rows)),
        code=code,
        reads=reads,
        tags=tuple(model.tags),
        steps=read.steps,
        conditions=tuple(dict.fromkeys(read.conditions)),
    )


def _code(model: Model) -> str:
    """A digest of what computes a model's rows: its query, or its Python."""
    if isinstance(model, SqlModel):
        try:
            return _digest([_sql(model.render_query_or_raise())])
        except Exception:  # the plan says what is wrong
            return _digest([_sql(model.query)])
    functions = (f"{name} {one.payload}" for name, one in sorted(model.python_env.items()))
    return _digest(functions)


def _read(
    model: SqlModel, catalog: str | None, types: Iterable[str], everything: tuple[str, ...]
) -> _Read:
    read, is_clear = _Read(), _is_clear(model, [*types])
    # SQLMesh remembers a query by where its model lay in memory, where another may lie now.
    sqlmesh_lineage.CACHE.pop(model.name, None)
    for column in types:
        node = sqlmesh_lineage.lineage(exp.column(column, quoted=True), model, False)
        leaves = tuple(sorted({*_leaves(node, model, catalog)}))
        read.made_of[column] = leaves if is_clear and _is_readable(node) else everything
        steps = {_sql(step.expression.unalias()) for step in node.walk() if step.downstream}
        read.definitions[column] = _digest([*sorted(steps), *read.made_of[column]])
        read.steps[column] = tuple(dict.fromkeys(_steps(node)))
    # The qualified query that SQLMesh has just made.
    *_, scope = sqlmesh_lineage.CACHE[model.name]
    for inner in scope.traverse():
        read.rows_by |= set(_rows_by(inner, model, catalog))
        read.rows.append(_without_columns(inner.expression))
        read.conditions += _conditions(inner.expression)
    return read


def _steps(node: sqlmesh_lineage.Node) -> Iterator[str]:
    """How a column is computed, for a person; steps that only hand a value on are left out."""
    # SQLGlot walks what a step is made of in any order.
    grow = [node]
    while grow:
        step = grow.pop()
        grow += sorted(step.downstream, key=lambda one: one.name, reverse=True)
        computed = step.expression.unalias()
        if step.downstream and (step is node or not isinstance(computed, exp.Column)):
            yield f"{step.name} = {_plain(computed)}"


def _unread(types: Iterable[str], everything: tuple[str, ...], code: str) -> _Read:
    return _Read(
        made_of=dict.fromkeys(types, everything),
        definitions={column: _digest([code, column]) for column in types},
        rows_by={*everything},
        rows=[code],
    )


def _is_clear(model: SqlModel, columns: list[str]) -> bool:
    """Whether a query says by itself which column is which: not by name, pattern or header."""
    query = model.render_query_or_raise()
    if any(node.args.get("by_name") for node in query.find_all(exp.SetOperation)):
        return False
    return not query.find(exp.Columns) and query.named_selects == columns


def _is_readable(node: sqlmesh_lineage.Node) -> bool:
    """Whether each end of a column's lineage is a table's column or a constant.

    A subquery that tells whether there are rows is made of what chooses them.
    """
    return all(
        (leaf.downstream or leaf.expression.find(exp.Table) or not _asks_for_more(leaf.expression))
        and not leaf.expression.find(exp.Exists)
        for leaf in node.walk()
    )


def _asks_for_more(expression: exp.Expression) -> bool:
    """Whether an expression has columns, which a count of rows has not."""
    unknown = expression.find_all(exp.Column, exp.UDTF, exp.Star, exp.Placeholder)
    return any(not isinstance(node.parent, exp.Count) for node in unknown)


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


def _conditions(query: exp.Expression) -> Iterator[str]:
    """How the rows of a SELECT are joined, filtered and grouped, for a person."""
    if isinstance(query, exp.Select):
        for part in _parts(query):
            yield _plain(part).strip()


def _plain(expression: exp.Expression) -> str:
    """SQL without the quotes that it does not need."""
    plain = expression.copy()
    for name in plain.find_all(exp.Identifier):
        if _PLAIN.fullmatch(name.name):
            name.set("quoted", False)
    return _sql(plain)


def _parts(query: exp.Select) -> list[exp.Expression]:
    """The parts of a SELECT that decide which rows there are."""
    parts: list[exp.Expression] = []
    for name in _CHOOSING:
        part = query.args.get(name)
        parts += part if isinstance(part, list) else [part] if part is not None else []
    return parts


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
    seen: set[tuple[str, str]] = set()
    for part in _parts(query):
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
