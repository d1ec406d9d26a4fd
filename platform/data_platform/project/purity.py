"""Finds what makes a model's rows non-deterministic: time, chance, machine, order of rows.

A model's code is SQL, macros in Python, or all of it Python. What cannot be told from it is refused
rather than trusted.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress

from sqlglot import exp
from sqlmesh.core.dialect import JinjaQuery, MacroVar
from sqlmesh.core.model import Model, PythonModel, SqlModel

from data_platform.names import Layer

_SUFFIX = r"_(?:time|dt|dtntz|date|ds|ts|tstz|hour|epoch|millis)"
_MOMENT = re.compile(rf"(?:execution|latest){_SUFFIX}")
_PERIOD = re.compile(rf"(?:start|end){_SUFFIX}")
# A macro variable, also in a text that a macro puts together.
_VARIABLE = re.compile(r"@\{?(\w+)")
# Functions of SQL whose result depends on the moment, on chance, on the machine or on who asks.
_CAPRICIOUS = {
    *("NOW", "TODAY", "GET_CURRENT_TIME", "GET_CURRENT_TIMESTAMP", "TRANSACTION_TIMESTAMP"),
    *("CURRENT_DATE", "CURRENT_TIME", "CURRENT_DATETIME", "CURRENT_TIMESTAMP", "LOCALTIME"),
    *("LOCALTIMESTAMP", "CURRENT_LOCALTIME", "CURRENT_LOCALTIMESTAMP", "UTC_DATE", "UTC_TIME"),
    *("UTC_TIMESTAMP", "SYSDATE", "RANDOM", "RAND", "RANDN", "SETSEED", "GEN_RANDOM_UUID", "UUID"),
    *("UUIDV4", "UUIDV7", "LIST_SHUFFLE", "ARRAY_SHUFFLE", "RESERVOIR_QUANTILE", "NEXTVAL"),
    *("CURRVAL", "CURRENT_SETTING", "GETENV", "GETVARIABLE", "CURRENT_DATABASE", "CURRENT_CATALOG"),
    *("CURRENT_SCHEMA", "CURRENT_SCHEMAS", "CURRENT_QUERY", "CURRENT_USER", "SESSION_USER", "USER"),
    *("CURRENT_ROLE", "TXID_CURRENT", "VERSION", "JSON_EXECUTE_SERIALIZED_SQL"),
}
_READS_FILES = re.compile(
    r"READ_(?:CSV|CSV_AUTO|JSON|JSON_AUTO|JSON_OBJECTS|JSON_OBJECTS_AUTO|NDJSON\w*|PARQUET|TEXT|BLOB|"
    r"XLSX|DUCKDB)|PARQUET_\w+|\w+_SCAN(?:_\w+)?|GLOB|SNIFF_CSV|QUERY|QUERY_TABLE"
)
# Whose result depends on an order of rows that nothing gives.
_ORDERED_WINDOWS = {
    *("ROW_NUMBER", "RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST", "NTILE", "LAG", "LEAD"),
    *("FIRST_VALUE", "LAST_VALUE", "NTH_VALUE"),
}
_ORDERED_AGGREGATES = {
    *("ANY_VALUE", "ARBITRARY", "FIRST", "LAST", "ARRAY_AGG", "LIST", "STRING_AGG", "GROUP_CONCAT"),
    "LISTAGG",
}
# What Python may import: what follows from its arguments alone.
_MODULES = {
    *("__future__", "typing", "collections", "dataclasses", "datetime", "decimal", "enum"),
    *("fractions", "functools", "itertools", "json", "math", "operator", "re", "statistics"),
    *("string", "textwrap", "unicodedata", "numpy", "pandas", "polars", "pyarrow", "sqlglot"),
    *("sqlmesh", "sqlmesh.core"),
}
# Attributes and functions by which Python asks for the moment, chance, files or the machine.
_ASKS_AROUND = re.compile(
    r"now|utcnow|today|random|rand|randint|randn|choice|choices|shuffle|permutation|default_rng|"
    r"sample|read_\w+|scan_\w+|environ|getenv|open|connect|system|locals|globals|hash|id|eval|exec|"
    r"input|compile|__import__|engine_adapter|_engine_adapter|runtime_stage|this_env|snapshots?|"
    r"gateway|urandom|uuid\d?"
)
# What a Python model may ask of its context.
_OF_CONTEXT = {"fetchdf", "resolve_table", "table", "var"}


_found: dict[tuple[str, str, str], tuple[str, ...]] = {}


def impurities_of_query(model: SqlModel) -> tuple[str, ...]:
    """What the query and the macros of a model depend on besides the data, a sentence each."""
    # A plan asks it of the same model for the linter and for what it is going to build.
    code = (model.fqn, model.data_hash, model.metadata_hash)
    if code not in _found:
        _found[code] = tuple(_impurities_of_query(model))
    return _found[code]


def _impurities_of_query(model: SqlModel) -> Iterator[str]:
    query = model.query
    if isinstance(query, JinjaQuery):
        yield "its query is Jinja, which nothing can read before it runs; use SQLMesh's macros (@…)"
        return
    trees = _trees(model)
    said = query.sql(dialect="duckdb", comments=False)
    asked = {node.name.lower() for node in query.find_all(MacroVar)}
    asked |= {name.lower() for name in _VARIABLE.findall(said)}
    asked |= {word for tree in trees for word in _words(tree)}
    moments = sorted(name for name in asked if _MOMENT.fullmatch(name))
    periods = sorted(name for name in asked if _PERIOD.fullmatch(name))
    if moments:
        yield (
            f"@{moments[0]}: a model does not follow the moment of its execution; read "
            "intermediate.as_of, the day that the data is as of"
        )
    if periods and not model.kind.is_incremental_by_time_range:
        yield f"@{periods[0]}: a {model.kind.name.value} model has no period; leave the filter out"
    for name in sorted(asked & {"this_env", "runtime_stage", "gateway"}):
        yield f"@{name}: a model is the same in every environment and at every stage"
    yield from _surroundings(trees)
    rendered = _rendered(model)
    shown = rendered if rendered is not None else query
    yield from sorted(set(_capricious(shown)))
    if rendered is not None:
        yield from _columns(model, rendered)


def _rendered(model: SqlModel) -> exp.Expr | None:
    try:
        return model.render_query(optimize=False)
    except Exception:  # whatever a macro raises; the linter and the plan say what
        return None


def _columns(model: SqlModel, query: exp.Expr) -> Iterator[str]:
    """What of a result's columns an engine would take otherwise than it is written."""
    names = query.named_selects if isinstance(query, exp.Query) else []
    if twice := sorted({n for n in names if [o.lower() for o in names].count(n.lower()) > 1}):
        yield (
            f"columns {', '.join(twice)}: names that differ in case alone, or not at all, are one "
            "name; give each its own"
        )
    declared = [*(model.columns_to_types_ or ())]
    if declared and names and "*" not in names and declared != names:
        yield (
            f"columns ({', '.join(declared)}): they are others than the query's "
            f"({', '.join(names)}), or in another order; declare the query's, or leave it out"
        )


def _names_of(node: exp.Expr) -> set[str]:
    """The names by which SQL calls a function, upper case; empty for what is none."""
    if isinstance(node, exp.Anonymous):
        return {node.name.upper()}
    if isinstance(node, exp.AnonymousAggFunc):
        return {node.name.upper()}
    if isinstance(node, exp.Func):
        return {name.upper() for name in type(node).sql_names()}
    return set()


def _capricious(query: exp.Expr) -> Iterator[str]:
    """What of a query depends on the moment, on chance, on luck, or on files that are no source."""
    for node in query.walk():
        names = _names_of(node)
        one_argument_age = "AGE" in names and len(node.expressions) == 1
        if capricious := sorted(names & _CAPRICIOUS) or (["AGE"] if one_argument_age else []):
            yield (
                f"{capricious[0]}: the same data has to give the same rows on any day and "
                "machine; for the day, read intermediate.as_of"
            )
        if isinstance(node, exp.TableSample):
            yield "SAMPLE: the same data has to give the same rows on any day and machine"
        if files := sorted(name for name in names if _READS_FILES.fullmatch(name)):
            yield f"{files[0]}: it reads what is no source of the contract; make it a source"
        if isinstance(node, exp.Table) and not node.db and re.search(r"[./\\]", node.name):
            yield f"file {node.name}: it is no source of the contract; make it a source"
        yield from _unordered(node, names)
        if isinstance(node, exp.Window) and not _says(node, "partition_by", "order"):
            yield (
                "OVER () over all rows: DuckDB before 1.5.6 fails on it now and then "
                "(duckdb/duckdb#22352); join the total, or say PARTITION BY"
            )


def _says(window: exp.Window, *parts: str) -> bool:
    """Whether a window has one of these parts, or the one that it names (`WINDOW w AS …`) has."""
    if any(window.args.get(part) for part in parts):
        return True
    asked = window.find_ancestor(exp.Select) if window.args.get("alias") else None
    named = asked.args.get("windows") or [] if asked else []
    return any(one.name == window.alias and _says(one, *parts) for one in named)


def _unordered(node: exp.Expr, names: set[str]) -> Iterator[str]:
    """Results that depend on an order which nothing gives."""
    if isinstance(node, exp.Window) and not _says(node, "order"):
        inner = node.this
        of = _names_of(inner) | _names_of(getattr(inner, "this", None) or exp.Null())
        if ranked := sorted(of & _ORDERED_WINDOWS):
            yield f"{ranked[0]} without ORDER BY: rows have no order of their own; say which"
    if names & _ORDERED_AGGREGATES and not node.find(exp.Order):
        within = node.parent
        if not (isinstance(within, exp.Window | exp.WithinGroup) and within.find(exp.Order)):
            found = min(names & _ORDERED_AGGREGATES)
            yield f"{found} without ORDER BY: rows have no order of their own; say which"
    if isinstance(node, exp.Query) and node.args.get("limit") and not node.args.get("order"):
        yield "LIMIT without ORDER BY: rows have no order of their own; say which"


def _trees(model: Model) -> list[ast.Module]:
    """The Python that a model calls, but for what says nothing of its rows."""
    found = []
    for executable in model.python_env.values():
        if not executable.is_value and not executable.is_metadata:
            with suppress(SyntaxError):
                found.append(ast.parse(executable.payload))
    return found


def _words(tree: ast.AST) -> Iterator[str]:
    """Names of macro variables in Python: as texts, or within them after an @."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.lower()
            yield from (name.lower() for name in _VARIABLE.findall(node.value))
        if isinstance(node, ast.Attribute):
            yield node.attr


def _surroundings(trees: Iterable[ast.AST]) -> Iterator[str]:
    """What Python asks of its surroundings."""
    found: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {f"import {one.name}" for one in node.names if not _is_pure(one.name)}
            elif isinstance(node, ast.ImportFrom) and not _is_pure(node.module or ""):
                found.add(f"import {node.module}")
            elif isinstance(node, ast.Attribute) and _ASKS_AROUND.fullmatch(node.attr):
                found.add(node.attr)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if _ASKS_AROUND.fullmatch(node.func.id):
                    found.add(node.func.id)
            elif isinstance(node, ast.Constant) and str(node.value).lower() in ("now", "today"):
                found.add(str(node.value))
    if found:
        yield (
            f"its Python asks for {', '.join(map(repr, sorted(found)))}: what it says has to "
            "follow from the code and the data alone; give it as an argument, or read it from a "
            "model"
        )


def _is_pure(module: str) -> bool:
    parts = module.split(".")
    allowed = {".".join(parts[: number + 1]) for number in range(len(parts))} & _MODULES
    return bool(allowed) and not module.startswith("sqlmesh.utils")


def impurities_of_python(model: PythonModel) -> Iterator[str]:
    """What a Python model may do: make one table of those that it declares."""
    if not model.kind.is_full:
        yield f"a Python model of kind {model.kind.name.value}: it is computed as a whole; use FULL"
    trees = _trees(model)
    yield from _surroundings(trees)
    for tree in trees:
        yield from _undeclared(tree, model)
        yield from _sql_in_python(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == model.entrypoint:
                yield from _entrypoint(node)


def _entrypoint(function: ast.FunctionDef) -> Iterator[str]:
    """What the function of a Python model makes of what SQLMesh gives it."""
    names = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
    context, times = names[:1], {"start", "end", "execution_time", "latest", *names[1:]}
    if function.args.kwarg:
        times.add(function.args.kwarg.arg)
    used = sorted(
        {
            node.id
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in times
        }
    )
    if used:
        yield (
            f"its Python uses {', '.join(used)}: a model does not follow the moment or the window "
            "of its execution; read intermediate.as_of"
        )
    for node in ast.walk(function):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            continue
        if node.value.id in context and node.attr not in _OF_CONTEXT:
            yield (
                f"its Python asks for {node.value.id}.{node.attr}: there are "
                f"{', '.join(sorted(_OF_CONTEXT))}"
            )


def _sql_in_python(tree: ast.AST) -> Iterator[str]:
    """What SQL in the texts of Python asks of the moment, of chance or of files."""
    words = {
        word.upper()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and " " in str(node.value).strip()
        for word in re.findall(r"[A-Za-z_]\w*", str(node.value))
    }
    # Words that also are names of columns do no harm without their parentheses.
    bad = {word for word in words if word in _CAPRICIOUS - {"USER", "VERSION"}}
    bad |= {word for word in words if _READS_FILES.fullmatch(word) and word.startswith("READ_")}
    if bad:
        yield f"its SQL asks for {', '.join(sorted(bad))}: it has to follow from the data alone"


def _undeclared(tree: ast.AST, model: PythonModel) -> Iterator[str]:
    """Tables that Python code reads by name: SQLMesh has to know each, and where it lies."""
    layers = "|".join(["sources", "ops", *Layer])
    named = re.compile(rf'\b((?:{layers})(?:__\w+)?"?\."?[a-z]\w*)', re.IGNORECASE)
    declared = {".".join(name.replace('"', "").split(".")[-2:]) for name in model.depends_on}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        for found in named.findall(node.value):
            name = found.replace('"', "")
            if node.value != found:
                yield f"its Python reads {name} by name; ask context.resolve_table('{name}') for it"
            elif name not in declared:
                yield f"its Python reads {name} undeclared; name it in depends_on of @model"
