"""What SQLMesh did in this process: models that ran, audits and what they found, errors."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sqlmesh.core.model import Model
from sqlmesh.core.snapshot import Snapshot, SnapshotId

from data_platform.project.evaluator import SampledResult
from data_platform.project.kinds import kind_of
from data_platform.project.window import Kind, Window
from data_platform.record.rows import Audited, FailedAudit, ModelRan, failures
from data_platform.sql import short_name

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


def place_of(model: Model) -> str:
    """The file of a model, from its layer's folder up: models/marts/kpi__nps.sql."""
    path = Path(model._path) if model._path else None
    return "/".join(path.parts[-3:]) if path else "no file"
