"""Which features of a SQLMesh model the platform supports; it refuses the others with a reason.

A supported model shows, after any sequence of loads, promotions and rollbacks, what a full rebuild
of the same data would show. The platform computes a model when a load has changed what it reads, so
it refuses a schedule in the MODEL header, and whatever makes rows depend on the time, the machine
or earlier runs.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlmesh.core.dialect import MacroDef
from sqlmesh.core.model import Model, PythonModel, SqlModel
from sqlmesh.core.snapshot import Snapshot

from data_platform.errors import PlatformError, listed
from data_platform.names import Layer
from data_platform.project.purity import impurities_of_python, impurities_of_query
from data_platform.project.reach import REACH_PREFIXES, misread_tags
from data_platform.project.window import Kind
from data_platform.sql import short_name

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


def kind_of(model: Model) -> Kind:
    """How a model is computed."""
    if model.kind.is_view:
        return Kind.VIEW
    if not model.kind.is_incremental_by_time_range:
        return Kind.FULL
    return Kind.INCREMENTAL if BY_MONTH_TAG in model.tags else Kind.TIME_RANGE


def reach_of(model: Model) -> str:
    """The tags of a model by which its months are chosen, in one text."""
    said = (tag for tag in model.tags if tag == BY_MONTH_TAG or tag.startswith(REACH_PREFIXES))
    return ", ".join(sorted(said))


def refuse_unsupported(
    models: Iterable[Model], default_start: Any, standalone_audits: Iterable[str] = ()
) -> None:
    """Refuse models that use features of SQLMesh which the platform does not support.

    Args:
        models: with the source tables that they read.
        default_start: the day from which all models cover time.
        standalone_audits: names of audits that belong to no model.

    Raises:
        PlatformError: names the models, what each asks for and what to use instead.
    """
    models = list(models)
    known, by_name = {model.fqn for model in models}, by_short_name(models)
    found = []
    for model in models:
        if model.kind.is_external:
            continue
        found += [f"{model.name}: {said}" for said in refusals(model, default_start, by_name)]
        found += [
            f"{model.name}: it reads {name}, which is neither a model nor a source table"
            for name in sorted(model.depends_on - known)
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
            "made them; plan it again without that: just plan"
        )


def by_short_name(models: Iterable[Model]) -> dict[str, Model]:
    """Models and source tables by their names without the catalog."""
    return {short_name(model.fqn): model for model in models}


def refusals(model: Model, default_start: Any, known: Mapping[str, Model]) -> Iterator[str]:
    """What a model asks of SQLMesh that the platform would not do right, a sentence each.

    Args:
        known: models and source tables, by their short names.
    """
    kind = str(model.kind.name.value)
    if kind not in SUPPORTED_KINDS:
        name = next((name for name in REFUSED_KINDS if kind.startswith(name)), "CUSTOM")
        yield f"kind {kind}: {REFUSED_KINDS[name]}"
    name = str(model.name)
    if not _NAME.fullmatch(name) or name.partition(".")[0] not in list(Layer):
        yield (
            f"name {name}: expected a layer ({', '.join(Layer)}) and a name in lower case, like "
            "marts.sales"
        )
    yield from _options(model, default_start)
    yield from misread_tags(model, known, kind_of(model) is Kind.INCREMENTAL)
    if isinstance(model, SqlModel):
        yield from impurities_of_query(model)
    elif isinstance(model, PythonModel):
        yield from impurities_of_python(model)
    if model.depends_on_self and not model.kind.is_incremental_by_time_range:
        yield (
            "it reads itself: what it shows would depend on how often it was computed; only a "
            "model by time range may, for the period before"
        )


def _options(model: Model, default_start: Any) -> Iterator[str]:
    for name, why in REFUSED_OPTIONS.items():
        is_of_kind = name in type(model.kind).model_fields
        if is_of_kind and model.kind.name.value not in SUPPORTED_KINDS:
            continue  # the kind is refused already, and sets some of them itself
        value = getattr(model, f"{name}_", None) or getattr(model, name, None)
        if value is None:
            value = getattr(model.kind, name, None)
        if name == "dialect":
            value = None if str(value).partition(",")[0] in ("duckdb", "") else value
        if name == "interval_unit":
            value = model.interval_unit_
        if name == "start" and str(value) == str(default_start):
            value = None
        if name == "materialized":
            value = getattr(model.kind, name, False)
        if name == "pre_statements":  # a macro of the model's own is part of its query
            value = [one for one in model.pre_statements if not isinstance(one, MacroDef)]
        if value and value != _DEFAULTS.get(name):
            yield f"{name}: {why}"
