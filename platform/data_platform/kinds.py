"""What SQLMesh accepts of a model: the platform does it right, or refuses it in a sentence.

Right means that the model shows at any time, after whatever loads, promotions and rollbacks, what a
full rebuild of the same data would show. The platform decides by what a load has changed when a
model is computed, so what a MODEL header says about that has no place; and what depends on the
moment, the machine or the way there is not a function of the data.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlglot import exp
from sqlmesh.core.dialect import JinjaQuery, MacroVar
from sqlmesh.core.model import Model, PythonModel, SqlModel
from sqlmesh.core.snapshot import Snapshot

from data_platform.errors import PlatformError, listed
from data_platform.names import Layer
from data_platform.restatement import Kind

# A model by time range that says so by this tag is computed again over the months that a change
# reaches; without it, over all of time, as a full rebuild would.
BY_MONTH_TAG = "by_month"

# What each kind of SQLMesh's is here; those that are refused say what to use instead.
SUPPORTED_KINDS: Mapping[str, str] = {
    "VIEW": "Holds nothing: it shows what its query says at any time.",
    "FULL": "Computed as a whole when anything that it reads has changed.",
    "INCREMENTAL_BY_TIME_RANGE": "Emptied and computed over all of time when anything that it "
    f"reads has changed; with the tag `{BY_MONTH_TAG}`, by which its author vouches that a month's "
    "rows are made of what happened in that month (or, where it reads itself, before), over the "
    "months that the change reaches.",
    "EXTERNAL": "A source table, by the contract in external_models.yaml.",
}
REFUSED_KINDS: Mapping[str, str] = {
    "INCREMENTAL_BY_UNIQUE_KEY": "rows that are gone from what it reads would stay; use FULL, or "
    "INCREMENTAL_BY_TIME_RANGE",
    "INCREMENTAL_BY_PARTITION": "partitions that are gone from what it reads would stay; use FULL, "
    "or INCREMENTAL_BY_TIME_RANGE",
    "INCREMENTAL_UNMANAGED": "it appends the same rows again each time; use FULL, or "
    "INCREMENTAL_BY_TIME_RANGE",
    "SCD_TYPE_2": "its history depends on when it was run; history is kept in the raw layer: use "
    "FULL over a log, as intermediate.satisfaction_scores does over sources.crm__customers_log",
    "SEED": "a file beside the models has neither an as-of date nor a contract; use VIEW over "
    "VALUES, or make it a source",
    "EMBEDDED": "it has no view that readers and audits could look at; use VIEW",
    "MANAGED": "the engine would refresh it at times of its own; use FULL",
    "CUSTOM": "what its materialization does is not known; use FULL, or INCREMENTAL_BY_TIME_RANGE",
}
# What a header may say of when a model is computed, and why not here.
_LOADS_DECIDE = "the platform computes a model when a load has changed what it reads; leave it out"
REFUSED_OPTIONS: Mapping[str, str] = {
    "cron": _LOADS_DECIDE,
    "cron_tz": _LOADS_DECIDE,
    "interval_unit": f"days are what the platform counts in; {_LOADS_DECIDE}",
    "start": "every model covers all of time; filter in the query instead",
    "end": "every model covers all of time; filter in the query instead",
    "allow_partials": _LOADS_DECIDE,
    "signals": _LOADS_DECIDE,
    "retention": "rows go when what they were made of goes; filter in the query instead",
    "lookback": "the load reports rows that come late, over whichever days; leave it out",
    "batch_size": "what a query says of a batch may differ from what it says of all; leave it out",
    "batch_concurrency": "a model is computed at once; leave it out",
    "forward_only": "its old rows would stay as older code made them; leave it out: a change is "
    "computed beside production and promoted",
    "disable_restatement": "it would not follow corrections; leave it out",
    "auto_restatement_cron": _LOADS_DECIDE,
    "auto_restatement_intervals": _LOADS_DECIDE,
    "materialized": "the engine would refresh it at times of its own; use FULL",
    "physical_version": "its table would not follow its code; leave it out",
    "gateway": "production is published from one lakehouse; leave it out",
    "pre_statements": "what runs beside the query is not part of the model; say it in the query",
    "post_statements": "what runs beside the query is not part of the model; say it in the query",
    "on_virtual_update": "what runs beside the query is not part of the model; say it in the query",
    "session_properties": "a setting of the session would reach other models; leave it out",
    "dialect": "models are written in DuckDB's dialect, and SQLMesh translates; leave it out",
}
_DEFAULTS: Mapping[str, Any] = {"cron": "@daily"}

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_MOMENT = re.compile(
    r"\b(?:execution|latest)_(?:time|dt|dtntz|date|ds|ts|tstz|hour|epoch|millis)\b"
)
_PERIOD = re.compile(r"\b(?:start|end)_(?:dt|dtntz|date|ds|ts|tstz|hour|epoch|millis)\b")
# What code may not ask of its surroundings, if its result is to depend on the data alone.
_SURROUNDINGS = re.compile(
    r"\.locals\b|\blocals\(\)|\bengine_adapter\b|\bruntime_stage\b|\bthis_env\b|\.snapshots?\b"
    r"|\.(?:now|utcnow|today)\(|\benviron\b|\bgetenv\b|\bopen\("
)
_IMPORTS = re.compile(
    r"\b(?:import|from)\s+(?:random|secrets|uuid|time|os|sys|subprocess|socket|urllib|requests"
    r"|pathlib|io)\b"
)
# Functions of SQL whose result depends on the moment, on chance or on the machine.
_CAPRICIOUS_NODES: tuple[type[exp.Expr], ...] = (
    *(exp.CurrentDate, exp.CurrentDatetime, exp.CurrentTime, exp.CurrentTimestamp),
    *(exp.CurrentUser, exp.Rand, exp.Randn, exp.Uuid, exp.TableSample),
)
_CAPRICIOUS_NAMES = {
    *("TODAY", "NOW", "GET_CURRENT_TIME", "GET_CURRENT_TIMESTAMP", "TRANSACTION_TIMESTAMP"),
    *("LOCALTIME", "LOCALTIMESTAMP", "CURRENT_LOCALTIME", "CURRENT_LOCALTIMESTAMP"),
    *("RANDOM", "SETSEED", "GEN_RANDOM_UUID", "UUID", "UUIDV4", "UUIDV7", "NEXTVAL", "CURRVAL"),
    *("CURRENT_SETTING", "GETENV", "GETVARIABLE", "CURRENT_DATABASE", "CURRENT_SCHEMA"),
    *("CURRENT_SCHEMAS", "CURRENT_QUERY", "TXID_CURRENT", "VERSION"),
}
_READS_FILES = re.compile(r"^(?:READ_|SCAN_|GLOB$|SNIFF_|.*_SCAN(?:_\w+)?$|QUERY(?:_TABLE)?$)")


def kind_of(model: Model) -> Kind:
    """How a model is computed."""
    if model.kind.is_view:
        return Kind.VIEW
    if not model.kind.is_incremental_by_time_range:
        return Kind.FULL
    return Kind.INCREMENTAL if BY_MONTH_TAG in model.tags else Kind.TIME_RANGE


def refuse_unsupported(
    models: Iterable[Model], default_start: Any, standalone_audits: Iterable[str] = ()
) -> None:
    """Refuse models that the platform would not do right.

    Args:
        default_start: the day from which all models cover time.
        standalone_audits: names of audits that belong to no model.

    Raises:
        PlatformError: names the models, what each asks for and what to use instead.
    """
    found = [
        f"{model.name}: {said}"
        for model in models
        if not model.kind.is_external
        for said in refusals(model, default_start)
    ]
    found += [f"audit {name}: {STANDALONE}" for name in standalone_audits]
    if found:
        raise PlatformError(listed("SQLMesh accepts this, the platform does not", found))


STANDALONE = "it belongs to no model, so nothing would run it; name it in the audits of a model"


def refuse_forward_only(snapshots: Iterable[Snapshot]) -> None:
    """Refuse versions of models that share the table of an older version.

    Raises:
        PlatformError: names the models.
    """
    names = sorted(str(s.model.name) for s in snapshots if s.is_model and s.is_forward_only)
    if names:
        raise PlatformError(
            f"{', '.join(names)}: planned as forward-only, so old rows would stay as older code "
            "made them; plan it anew without: just plan"
        )


def refusals(model: Model, default_start: Any) -> Iterator[str]:
    """What a model asks of SQLMesh that the platform would not do right, a sentence each."""
    kind = str(model.kind.name.value)
    if kind not in SUPPORTED_KINDS:
        name = next((name for name in REFUSED_KINDS if kind.startswith(name)), "CUSTOM")
        yield f"kind {kind}: {REFUSED_KINDS[name]}"
    if not _NAME.fullmatch(str(model.name)):
        yield f"name {model.name}: expected a layer and a name in lower case, like marts.sales"
    yield from _options(model, default_start)
    if isinstance(model, SqlModel):
        yield from _query(model)
    elif isinstance(model, PythonModel):
        yield from _python_model(model)
    if model.depends_on_self and not model.kind.is_incremental_by_time_range:
        yield (
            "it reads itself: what it shows would depend on how often it was computed; only a "
            "model by time range may, for the period before"
        )


def _options(model: Model, default_start: Any) -> Iterator[str]:
    for name, why in REFUSED_OPTIONS.items():
        value = getattr(model, f"{name}_", None) or getattr(model, name, None)
        if value is None and model.kind.name.value in SUPPORTED_KINDS:
            value = getattr(model.kind, name, None)
        if name == "dialect":
            value = None if str(value).partition(",")[0] in ("duckdb", "") else value
        if name == "interval_unit":
            value = model.interval_unit_
        if name == "start" and str(value) == str(default_start):
            value = None
        if name == "materialized":
            value = getattr(model.kind, name, False)
        if value and value != _DEFAULTS.get(name):
            yield f"{name}: {why}"


def _query(model: SqlModel) -> Iterator[str]:
    query = model.query
    if isinstance(query, JinjaQuery):
        yield "its query is Jinja, which nothing can read before it runs; use SQLMesh's macros (@…)"
        return
    code = _code_of(model)
    asked = {node.name.lower() for node in query.find_all(MacroVar)}
    asked |= {found for payload in code for found in _MOMENT.findall(payload)}
    asked |= {found for payload in code for found in _PERIOD.findall(payload)}
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
    yield from _surroundings(code)
    rendered = _rendered(model)
    for node in (query, rendered) if rendered is not None else (query,):
        if said := sorted(set(_capricious(node))):
            yield from said
            break


def _rendered(model: SqlModel) -> exp.Expr | None:
    try:
        return model.render_query()
    except Exception:  # whatever a macro raises; the linter and the plan say what
        return None


def _capricious(query: exp.Expr) -> Iterator[str]:
    """What of a query depends on the moment, on chance, or on files that are no source."""
    for node in query.walk():
        name = type(node).__name__
        if isinstance(node, exp.Anonymous | exp.Func):
            name = (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).upper()
            if _READS_FILES.match(name):
                yield f"{name}: it reads what is no source of the contract; make it a source"
        if isinstance(node, _CAPRICIOUS_NODES) or (
            isinstance(node, exp.Anonymous) and name in _CAPRICIOUS_NAMES
        ):
            yield (
                f"{name}: the same data has to give the same rows on any day and machine; for the "
                "day, read intermediate.as_of"
            )
        if isinstance(node, exp.Table) and not node.db and re.search(r"[./\\]", node.name):
            yield f"file {node.name}: it is no source of the contract; make it a source"


def _code_of(model: Model) -> list[str]:
    """The source of the Python functions that a model calls, but for those that say nothing."""
    return [
        executable.payload
        for executable in model.python_env.values()
        if not executable.is_value and not executable.is_metadata
    ]


def _surroundings(code: Iterable[str]) -> Iterator[str]:
    for payload in code:
        for pattern in (_SURROUNDINGS, _IMPORTS):
            if found := pattern.search(payload):
                yield (
                    f"its Python asks for {found[0].strip('.(')!r}: what it says has to follow "
                    "from the code and the data alone; give it as an argument, or read it from a "
                    "model"
                )
                return


def _python_model(model: PythonModel) -> Iterator[str]:
    """What a Python model may do: make one table of those that it declares."""
    if not model.kind.is_full:
        yield f"a Python model of kind {model.kind.name.value}: it is computed as a whole; use FULL"
    code = _code_of(model)
    yield from _surroundings(code)
    for payload in code:
        try:
            tree = ast.parse(payload)
        except SyntaxError:
            continue
        yield from _times_used(tree)
        yield from _undeclared(tree, model)


def _times_used(tree: ast.AST) -> Iterator[str]:
    times = {"start", "end", "execution_time", "kwargs"}
    used = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in times
    }
    used |= {
        str(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and _MOMENT.fullmatch(str(node.value))
    }
    if used:
        yield (
            f"its Python uses {', '.join(sorted(used))}: a model does not follow the moment or the "
            "window of its execution; read intermediate.as_of"
        )


def _undeclared(tree: ast.AST, model: PythonModel) -> Iterator[str]:
    """Tables that Python code reads by name: SQLMesh has to know each, and where it lies."""
    layers = "|".join(["sources", *Layer])
    named = re.compile(rf"\b(?:{layers})\.[a-z]\w*\b")
    declared = {".".join(name.replace('"', "").split(".")[-2:]) for name in model.depends_on}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        for name in named.findall(node.value):
            if node.value != name:
                yield f"its Python reads {name} by name; ask context.resolve_table('{name}') for it"
            elif name not in declared:
                yield f"its Python reads {name} undeclared; name it in depends_on of @model"
