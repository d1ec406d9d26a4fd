"""The SQLMesh project, opened once a process: importing SQLMesh takes seconds, so do it late.

Only steps that need models import this module.
"""

import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
from sqlmesh import Context
from sqlmesh.core.console import NoopConsole, set_console
from sqlmesh.core.model import Model
from sqlmesh.core.notification_target import BaseNotificationTarget, NotificationEvent
from sqlmesh.core.snapshot import Snapshot, SnapshotId
from sqlmesh.utils.errors import AuditError, NodeAuditsErrors, SQLMeshError

from data_platform.errors import PlatformError, UsageError
from data_platform.evaluator import RememberingEvaluator, SampledResult, sample
from data_platform.lakehouse import FailedAudit, refusal
from data_platform.settings import Settings

# The arguments of an audit that tell two uses of it in one model apart.
_TELLING_ARGUMENTS = {"column", "columns", "key_column", "key_columns", "criteria"}


@dataclass
class Evaluation:
    """What SQLMesh did in this process."""

    # Versions of models that were computed, or as views audited, over what is loaded.
    computed: set[SnapshotId] = field(default_factory=set)
    # How long each model took in all, its audits included.
    seconds: dict[str, float] = field(default_factory=dict)
    audits_passed: int = 0
    # Failed audits that stopped nothing, and those that stopped a model.
    warnings: list[FailedAudit] = field(default_factory=list)
    stops: list[FailedAudit] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def add_seconds(self, model: str, seconds: float) -> None:
        """Note that a model took a while."""
        self.seconds[model] = self.seconds.get(model, 0) + seconds

    def forget(self) -> None:
        """Start the record afresh."""
        for record in (self.computed, self.seconds, self.warnings, self.stops, self.errors):
            record.clear()
        self.audits_passed = 0


class Recorder(NoopConsole):
    """SQLMesh's console during a plan: prints nothing, keeps what a summary and an error need."""

    def __init__(self, evaluation: Evaluation, progress: Callable[[int, int, str], None]) -> None:
        self.evaluation = evaluation
        self._progress = progress
        self._done = self._total = 0
        self._audit_only = False

    def start_evaluation_progress(
        self, batched_intervals: Any, *_: Any, audit_only: bool = False, **__: Any
    ) -> None:
        """A plan begins to compute models, or to audit them alone."""
        self._done, self._total, self._audit_only = 0, len(batched_intervals), audit_only

    def update_snapshot_evaluation_progress(
        self,
        snapshot: Snapshot,
        interval: Any,
        batch_idx: int,
        duration_ms: int | None,
        num_audits_passed: int,
        num_audits_failed: int,
        *_: Any,
        **__: Any,
    ) -> None:
        """A model was computed and audited, or audited alone, which makes no table current."""
        self._done += 1
        self.evaluation.audits_passed += num_audits_passed
        if not snapshot.is_external and not self._audit_only and duration_ms is not None:
            self.evaluation.computed.add(snapshot.snapshot_id)
        name = short_name(snapshot.name)
        self.evaluation.add_seconds(name, (duration_ms or 0) / 1000)
        self._progress(self._done, self._total, name)

    def log_failed_models(self, errors: list[Any]) -> None:
        """A plan ends with models that an audit or an error stopped."""
        for error in errors:
            cause = error.__cause__
            if isinstance(cause, NodeAuditsErrors):
                blocking = {(audit.model_name, audit.audit_name) for audit in cause.errors}
                for failed in list(self.evaluation.warnings):
                    if (failed.model, failed.audit.partition("(")[0]) in blocking:
                        self.evaluation.warnings.remove(failed)
                        self.evaluation.stops.append(failed)
            else:
                name = error.node[0] if isinstance(error.node, tuple) else error.node
                self.evaluation.errors.append(f"{name}: {innermost(error)}")

    def log_error(self, message: str, *_: Any, **__: Any) -> None:
        """SQLMesh has something to say that stops it."""
        self.evaluation.errors.append(" ".join(message.split()))

    def show_linter_violations(
        self, violations: list[Any], model: Any, is_error: bool = False
    ) -> None:
        """The linter found fault with a model."""
        if is_error:
            for violation in violations:
                self.evaluation.errors.append(
                    f"{model.name}: {violation.rule.name}: {' '.join(str(violation).split())}"
                )


def innermost(error: BaseException) -> str:
    """What first went wrong, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())


class _AuditListener(BaseNotificationTarget):
    """Told of every audit that finds rows, blocking or not."""

    type_: str = "platform"
    notify_on: frozenset[NotificationEvent] = frozenset({NotificationEvent.AUDIT_FAILURE})
    on_failure: Callable[[AuditError], None]

    def notify_audit_failure(self, audit_error: AuditError, *_: Any, **__: Any) -> None:
        self.on_failure(audit_error)


@dataclass(frozen=True)
class Project:
    """An open SQLMesh context and the record of what it does."""

    context: Context
    evaluation: Evaluation

    @cached_property
    def evaluator(self) -> RememberingEvaluator:
        """What computes and audits models outside of a plan."""
        return RememberingEvaluator(self.context)

    @property
    def cursor(self) -> duckdb.DuckDBPyConnection:
        """The context's own connection to the lakehouse."""
        cursor: duckdb.DuckDBPyConnection = self.context.engine_adapter.cursor
        return cursor

    def note_plan_audit(self, error: AuditError) -> None:
        """Record an audit that failed in a plan; which of them stopped a model, it tells later."""
        is_ours = error.model is not None and error.audit_name in error.model.audit_definitions
        rows = self.context.engine_adapter.fetchall(sample(error.query)) if is_ours else []
        failed = _failed(
            error.model, error.audit_name, error.audit_args, error.count, [row[1:] for row in rows]
        )
        self.evaluation.warnings.append(failed)

    def note_audits(self, model: Model, results: Iterable[SampledResult], over: str) -> bool:
        """Record the results of a model's audits; whether one of them is to stop the run.

        Args:
            over: the months that they speak of, empty where that is all of time.
        """
        stops = False
        for result in results:
            if not result.count:
                self.evaluation.audits_passed += not result.skipped
                continue
            failed = _failed(
                model, result.audit.name, result.audit_args, result.count, result.sample, over
            )
            stops = stops or result.blocking
            (self.evaluation.stops if result.blocking else self.evaluation.warnings).append(failed)
        return stops


def _failed(
    model: Model | None,
    audit: str,
    arguments: Mapping[Any, Any],
    count: int,
    rows: Iterable[Iterable[Any]],
    over: str = "",
) -> FailedAudit:
    """A failed audit; `rows` are a few of those that it found, keys alone."""
    shown = ", ".join(
        f"{name} {value.sql(dialect='duckdb')}"
        for name, value in arguments.items()
        if name in _TELLING_ARGUMENTS
    )
    return FailedAudit(
        model=str(model.name) if model is not None else "?",
        audit=audit + (f"({shown})" if shown else "") + (f" over {over}" if over else ""),
        rows=count,
        keys=tuple(" ".join(str(value) for value in row if value is not None) for row in rows),
    )


def _unloadable(error: SQLMeshError) -> PlatformError:
    return PlatformError(f"SQLMesh cannot load the project: {' '.join(str(error).split())}")


@contextmanager
def open_project(
    settings: Settings,
    progress: Callable[[int, int, str], None] = lambda done, total, model: None,
) -> Iterator[Project]:
    """Open the project's SQLMesh context on the settings' lakehouse, and close it after the block.

    Args:
        progress: called with (models done, models in all, model) as models are computed.

    Raises:
        UsageError: there is no such gateway.
        PlatformError: SQLMesh cannot load the project or open the lakehouse.
    """
    os.environ["DATA_PLATFORM_DATA_DIR"] = str(settings.data_dir)  # config.yaml reads it
    warnings.filterwarnings("ignore", category=SyntaxWarning)  # of code that SQLMesh generates
    logging.getLogger("sqlmesh").setLevel(logging.CRITICAL)  # errors reach the user through us
    evaluation = Evaluation()
    set_console(Recorder(evaluation, progress))
    listeners: list[Callable[[AuditError], None]] = []
    target = _AuditListener(on_failure=lambda error: [tell(error) for tell in listeners])
    try:
        context = Context(
            paths=str(settings.project_dir), gateway=settings.gateway, notification_targets=[target]
        )
    except SQLMeshError as error:
        if "gateway" in str(error).lower():
            raise UsageError(f"no gateway {settings.gateway} in config.yaml") from error
        raise _unloadable(error) from error
    except duckdb.Error as error:
        raise refusal(settings.lakehouse, error) from error
    project = Project(context, evaluation)
    listeners.append(project.note_plan_audit)
    try:
        yield project
    finally:
        context.close()


@dataclass(frozen=True)
class ModelFacts:
    """What the project says of a model; `columns` are (name, type, description)."""

    name: str
    schema: str
    description: str
    kind: str
    owner: str
    grain: tuple[str, ...]
    audits: tuple[str, ...]
    columns: tuple[tuple[str, str, str], ...]


@contextmanager
def read_project(project_dir: Path) -> Iterator[Context]:
    """The project's SQLMesh context without a lakehouse: code alone, nothing is locked.

    Raises:
        PlatformError: SQLMesh cannot load the project.
    """
    set_console(NoopConsole())
    try:
        context = Context(paths=str(project_dir), load_state=False)
    except SQLMeshError as error:
        raise _unloadable(error) from error
    try:
        yield context
    finally:
        context.close()


def short_name(fully_qualified: str) -> str:
    """A model's name without its catalog and quotes, like marts.kpi__nps."""
    return fully_qualified.replace('"', "").partition(".")[2]


def read_models(project_dir: Path) -> list[ModelFacts]:
    """The project's own models by name."""
    with read_project(project_dir) as context:
        return [
            ModelFacts(
                name=model.name,
                schema=model.schema_name,
                description=model.description or "",
                kind="view" if model.kind.is_view else "table",
                owner=model.owner or "",
                grain=tuple(grain.sql(dialect="duckdb") for grain in model.grains),
                audits=tuple(dict.fromkeys(name for name, _ in model.audits)),
                columns=tuple(
                    (name, type_.sql(dialect="duckdb"), model.column_descriptions.get(name, ""))
                    for name, type_ in (model.columns_to_types or {}).items()
                ),
            )
            for model in sorted(context.models.values(), key=lambda model: str(model.name))
            if not model.kind.is_external
        ]
