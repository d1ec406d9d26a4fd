"""What SQLMesh did in this process: models that ran, audits and what they found, errors."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlglot.errors import SqlglotError
from sqlmesh.core.console import NoopConsole
from sqlmesh.core.model import Model
from sqlmesh.core.snapshot import Snapshot, SnapshotId
from sqlmesh.core.test.result import ModelTextTestResult
from sqlmesh.utils.date import to_date
from sqlmesh.utils.errors import NodeAuditsErrors, PythonModelEvalError, SQLMeshError

from data_platform.errors import one_line, without_values
from data_platform.project.engine_errors import what_an_engine_says
from data_platform.project.evaluator import SampledResult
from data_platform.project.kinds import kind_of
from data_platform.project.window import Kind, Window
from data_platform.record.rows import Audited, FailedAudit, ModelRan, failures
from data_platform.sql import short_name

# In a traceback: what was raised, and what shows where in the SQL.
_ERROR, _POINTER = re.compile(r"^[\w.]*(Error|Exception): "), re.compile(r"^LINE \d+: |^\s*\^")
# The arguments of an audit that tell two uses of it in one model apart.
_TELLING_ARGUMENTS = {"column", "columns", "key_column", "key_columns", "criteria"}


@dataclass
class Evaluation:
    """What SQLMesh did in this process."""

    load_number: int = 0
    environment: str = ""
    # Versions of models that were computed, or as views audited, over what is loaded.
    computed: set[SnapshotId] = field(default_factory=set)
    ran: list[ModelRan] = field(default_factory=list)
    audits: list[Audited] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    unit_tests: int = 0
    # Whether the lakehouse of the record has the models, so that views of theirs can be made there.
    has_views: bool = True
    # What each blocking audit that found rows asked, by the model and the audit.
    queries: dict[tuple[str, str], str] = field(default_factory=dict)
    # The same of audits that stop nothing.
    warning_queries: dict[tuple[str, str], str] = field(default_factory=dict)
    # The file of each model of the working tree.
    places: dict[str, str] = field(default_factory=dict)

    def start(self, load_number: int, environment: str) -> None:
        """Start the record afresh, for a load in an environment."""
        self.load_number, self.environment, self.unit_tests = load_number, environment, 0
        for record in (self.computed, self.ran, self.audits, self.errors, self.queries):
            record.clear()

    def located(self, name: str) -> str:
        """A model's name with its file, where the working tree has one."""
        return f"{name} ({self.places[name]})" if name in self.places else name

    @property
    def seconds(self) -> dict[str, float]:
        """How long each model took in all, its audits included."""
        found: dict[str, float] = {}
        for model in self.ran:
            found[model.model_name] = found.get(model.model_name, 0) + model.seconds
        return found

    @property
    def warnings(self) -> tuple[FailedAudit, ...]:
        """Failed audits that stopped nothing."""
        return failures([audit for audit in self.audits if not audit.is_blocking])

    @property
    def stops(self) -> tuple[FailedAudit, ...]:
        """Failed audits that stopped a model."""
        return failures([audit for audit in self.audits if audit.is_blocking])

    def note_model(self, snapshot: Snapshot, window: Window | None, seconds: float) -> None:
        """Note that a model was computed, or as a view audited."""
        if snapshot.is_external:
            return
        by_period = window is not None and kind_of(snapshot.model) is Kind.INCREMENTAL
        self.ran.append(
            ModelRan(
                load_number=self.load_number,
                environment=self.environment,
                model_name=short_name(snapshot.name),
                kind=kind_of(snapshot.model).name,
                first_day=window.first if window and by_period else None,
                last_day=window.last if window and by_period else None,
                seconds=seconds,
            )
        )

    def note_audits(
        self, snapshot: Snapshot, results: Iterable[SampledResult], period: str
    ) -> None:
        """Note the results of a model's audits; `period` is empty where they read all of time."""
        for result in results:
            if result.skipped:
                continue
            shown = ", ".join(
                f"{name} {value.sql(dialect='duckdb')}"
                for name, value in result.audit_args.items()
                if name in _TELLING_ARGUMENTS
            )
            audited = Audited(
                load_number=self.load_number,
                environment=self.environment,
                model_name=str(snapshot.model.name),
                audit=result.audit.name + (f"({shown})" if shown else ""),
                period=period if _reads_the_period(result) else "",
                is_blocking=result.blocking,
                number_of_rows=int(result.count or 0),
                sentence=_sentence(result),
                is_unknown=result.failure is not None,
                seconds=result.seconds,
                version=snapshot.identifier,
                keys=tuple(
                    " ".join(str(value) for value in row if value is not None)
                    for row in result.sample
                    if row  # none of an audit that only counts
                ),
            )
            self.audits.append(audited)
            if audited.number_of_rows and self.has_views:
                queries = self.queries if audited.is_blocking else self.warning_queries
                query = result.query.sql(dialect="duckdb", identify=True)
                queries[audited.model_name, audited.audit] = query


def _sentence(result: SampledResult) -> str | None:
    """What a warning says, with a count and a share; None where there is nothing to say."""
    if result.failure:
        return f"{result.audit.name} could not be evaluated: {result.failure}"
    if not result.count or result.blocking or result.template is None:
        return None
    total = result.total or 0
    share = f"{100 * result.count / total:.1f} %" if total else "none"
    return result.template.format(count=f"{result.count:,}", total=f"{total:,}", share=share)


def _reads_the_period(result: SampledResult) -> bool:
    """Whether an audit reads the rows that were computed alone, and not all of the model."""
    texts = (node.this for node in result.audit.query.walk())
    return any("this_model" in text.lower() for text in texts if isinstance(text, str))


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
        *_: Any,
        **__: Any,
    ) -> None:
        """A model was computed and audited, or audited alone, which makes no table current."""
        self._done += 1
        if not snapshot.is_external and not self._audit_only and duration_ms is not None:
            self.evaluation.computed.add(snapshot.snapshot_id)
        window = Window(to_date(interval[0]), to_date(interval[1] - 1)) if interval else None
        self.evaluation.note_model(snapshot, window, (duration_ms or 0) / 1000)
        self._progress(self._done, self._total, short_name(snapshot.name))

    def log_failed_models(self, errors: list[Any]) -> None:
        """A plan ends with models that an audit or an error stopped; of audits we know already."""
        for error in errors:
            if not isinstance(error.__cause__, NodeAuditsErrors):
                name = short_name(getattr(error.node, "snapshot_name", ""))
                self.evaluation.errors.append(
                    f"{self.evaluation.located(name)}: {innermost(error)}"
                )

    def log_test_results(self, result: ModelTextTestResult, *_: Any, **__: Any) -> None:
        """The unit tests ran."""
        self.evaluation.unit_tests = result.testsRun
        for test, traceback in (*result.failures, *result.errors):
            self.evaluation.errors.append(
                f"unit test {test.test_name} of {test.model.name} failed: {_difference(traceback)}"
            )

    def log_error(self, message: str, *_: Any, **__: Any) -> None:
        """SQLMesh has something to say that stops it."""
        self.evaluation.errors.append(one_line(message))

    def show_linter_violations(
        self, violations: list[Any], model: Any, is_error: bool = False
    ) -> None:
        """The linter found fault with a model."""
        if is_error:
            for violation in violations:
                said = one_line(str(violation.violation_msg))
                self.evaluation.errors.append(
                    f"{model.name} ({place_of(model)}): {violation.rule.name}: {said}"
                )


def _difference(traceback: str) -> str:
    """What a failed unit test found: a table of expected and actual values, or the error."""
    first, *table = [line.rstrip() for line in str(traceback).splitlines() if line.strip()]
    if "Data mismatch" not in first:  # a traceback, and perhaps lines that point at the place
        said = [line for line in (first, *table) if not _POINTER.match(line)]
        errors = [place for place, line in enumerate(said) if _ERROR.match(line)]
        headline, *rest = said[errors[-1] if errors else -1 :] or [first]
        return rest[-1].strip() if rest and headline.endswith(":") else _ERROR.sub("", headline)
    return "\n".join(["expected (exp) and actual (act) differ", *(f"    {one}" for one in table)])


def place_of(model: Model) -> str:
    """The file of a model, from its layer's folder up: models/marts/kpi__nps.sql."""
    path = Path(model._path) if model._path else None
    return "/".join(path.parts[-3:]) if path else "no file"


def innermost(error: BaseException) -> str:
    """What first went wrong, in one line and without the values of rows."""
    seen = [error]
    while seen[-1].__cause__ is not None:
        seen.append(seen[-1].__cause__)
    for one in reversed(seen):
        if said := what_an_engine_says(one):
            return said
    # What somebody's Python or a library says may quote the values that it stumbled over.
    if any(isinstance(one, PythonModelEvalError) for one in seen):
        return "an error in its Python; -v shows what it says"
    if isinstance(seen[-1], SQLMeshError | SqlglotError):
        return without_values(str(seen[-1]))
    return f"{type(seen[-1]).__name__}; -v shows what it says"
