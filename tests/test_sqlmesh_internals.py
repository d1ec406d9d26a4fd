"""What the platform relies on in SQLMesh and its documentation does not promise, name by name."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from sqlmesh import Context
from sqlmesh.core import lineage
from sqlmesh.core.config import Config, load_configs
from sqlmesh.core.console import NoopConsole
from sqlmesh.core.context import GenericContext
from sqlmesh.core.loader import Loader, SqlMeshLoader
from sqlmesh.core.model import SqlModel
from sqlmesh.core.model.definition import AuditResult, _Model
from sqlmesh.core.plan import PlanBuilder
from sqlmesh.core.scheduler import parent_snapshots_by_name
from sqlmesh.core.snapshot import (
    DeployabilityIndex,
    Snapshot,
    SnapshotEvaluator,
    SnapshotFingerprint,
    SnapshotIntervals,
)
from sqlmesh.core.state_sync import StateReader, StateSync

# Functions that are called or overridden, and the parameters that are handed over by name or place.
SIGNATURES: dict[Callable[..., Any], tuple[str, ...]] = {
    Context.plan: (
        *("environment", "execution_time", "select_models", "skip_tests", "no_prompts"),
        "auto_apply",
    ),
    Context.plan_builder: (
        *("environment", "execution_time", "include_unmodified", "test_changed_only"),
    ),
    Context._context_diff: ("environment", "snapshots"),
    Context.apply: ("plan",),
    Context.run_janitor: ("ignore_ttl",),
    Context.close: (),
    load_configs: ("config", "config_type", "paths", "sqlmesh_path"),
    PlanBuilder.__init__: (
        *("context_diff", "execution_time", "default_start", "environment_suffix_target"),
        *("environment_catalog_mapping", "console"),
    ),
    SnapshotEvaluator.__init__: ("adapters", "ddl_concurrent_tasks", "selected_gateway"),
    SnapshotEvaluator.evaluate: (
        *("snapshot", "start", "end", "execution_time", "snapshots", "deployability_index"),
        *("batch_index", "target_table_exists", "allow_destructive_snapshots"),
        "allow_additive_snapshots",
    ),
    SnapshotEvaluator.audit: (
        *("snapshot", "start", "end", "execution_time", "snapshots", "deployability_index"),
    ),
    SnapshotEvaluator._audit: ("audit", "audit_args", "snapshot", "snapshots"),
    SnapshotEvaluator._render_snapshot_for_evaluation: (
        *("snapshot", "snapshots", "deployability_index", "render_kwargs"),
    ),
    SnapshotEvaluator.set_correlation_id: ("correlation_id",),
    SnapshotEvaluator.get_adapter: ("gateway",),
    SnapshotEvaluator.close: (),
    _Model.render_audit_query: ("audit", "start", "end", "execution_time", "snapshots"),
    SqlModel.render_query_or_raise: (),
    Snapshot.inclusive_exclusive: ("start", "end", "strict"),
    Snapshot.add_interval: ("start", "end", "is_dev"),
    Snapshot.table_name: ("is_deployable",),
    SnapshotFingerprint.to_version: (),
    DeployabilityIndex.create: ("snapshots",),
    DeployabilityIndex.is_deployable: ("snapshot",),
    StateSync.add_snapshots_intervals: ("snapshots_intervals",),
    StateReader.get_environment: ("environment",),
    StateReader.get_environments: (),
    StateReader.get_environments_summary: (),
    StateReader.get_snapshots: ("snapshot_ids",),
    parent_snapshots_by_name: ("snapshot", "snapshots"),
    SqlMeshLoader.load_model_tests: (),
    Loader._track_file: ("path",),
    lineage.lineage: ("column", "model", "trim_selects"),
    NoopConsole.start_evaluation_progress: ("batched_intervals", "audit_only"),
    NoopConsole.update_snapshot_evaluation_progress: (
        *("snapshot", "interval", "batch_idx", "duration_ms"),
    ),
    NoopConsole.log_failed_models: ("errors",),
    NoopConsole.log_test_results: ("result",),
    NoopConsole.log_error: ("message",),
    NoopConsole.show_linter_violations: ("violations", "model", "is_error"),
}
# Fields of models that are read or set.
FIELDS: dict[Any, tuple[str, ...]] = {
    AuditResult: ("audit", "audit_args", "model", "query", "count", "skipped", "blocking"),
    SnapshotFingerprint: ("data_hash", "metadata_hash"),
    SnapshotIntervals: (
        *("name", "identifier", "version", "dev_version", "intervals", "dev_intervals"),
    ),
    Snapshot: ("intervals", "dev_intervals", "version", "change_category", "fingerprint"),
}
# What is overridden or set on objects, by where it must stand in the source of its class.
NAMES: dict[Any, tuple[str, ...]] = {
    GenericContext: ("self.snapshot_evaluator", "self._snapshot_evaluator"),
    Loader: ("_path_mtimes",),
    DeployabilityIndex: ("indexed_ids", "is_opposite_index"),
    lineage: ("CACHE",),
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda f: f.__qualname__)
def test_a_function_takes_what_it_is_given(function: Callable[..., Any]) -> None:
    found = inspect.signature(function).parameters
    assert [name for name in SIGNATURES[function] if name not in found] == []


@pytest.mark.parametrize("model", FIELDS, ids=lambda m: m.__name__)
def test_a_model_has_the_fields_that_are_read(model: Any) -> None:
    assert set(FIELDS[model]) <= {*model.model_fields, *dir(model)}


@pytest.mark.parametrize("owner", NAMES, ids=lambda o: o.__name__)
def test_a_name_is_still_used(owner: Any) -> None:
    source = inspect.getsource(owner)
    assert [name for name in NAMES[owner] if name not in source] == []


def test_the_fingerprint_of_a_configuration_is_a_property() -> None:
    """Which ContentConfig asks for that of the class above it."""
    assert callable(Config.fingerprint.fget)
