"""Production: SQLMesh's environment prod, brought up to a load through its promoted code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlmesh.core.snapshot import DeployabilityIndex
from sqlmesh.utils.errors import SQLMeshError

from data_platform.bookkeeping import prepare
from data_platform.environment import PROD, Tables, environments_behind, tables_of
from data_platform.errors import StoppedError
from data_platform.evaluation import Evaluation, innermost, short_name
from data_platform.lakehouse import LastLoad, standing_warnings
from data_platform.lineage import Lineage
from data_platform.names import Layer
from data_platform.project import Project
from data_platform.record import Audited, FailedAudit, ModelRan
from data_platform.restatement import Kind, Restatement

_CONTROL_TOTAL_TAG = "control_total:"
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Transformed:
    """What a transform did."""

    load_number: int
    # Models that a deployment computed, and those that were computed again over what is loaded.
    deployed: tuple[str, ...]
    restated: Mapping[str, Restatement]
    ran: tuple[ModelRan, ...]
    audits: tuple[Audited, ...]
    # Of this transform, and those that stand from an earlier one.
    warnings: tuple[FailedAudit, ...]
    # Models whose code in the working tree is not production's, which was kept.
    undeployed: tuple[str, ...]
    # The models of other environments that do not reflect the load.
    environments_behind: Mapping[str, tuple[str, ...]]
    lineage: Lineage | None = None

    @property
    def computed(self) -> tuple[str, ...]:
        """The models whose tables were computed."""
        restated = (name for name, why in self.restated.items() if why.kind is not Kind.VIEW)
        return (*self.deployed, *restated)

    @property
    def summary(self) -> str:
        """What was computed, in a few words."""
        parts = [f"deployed {_models(len(self.deployed))}"] if self.deployed else []
        over: dict[str, int] = {}
        for restatement in self.restated.values():
            if restatement.kind is not Kind.VIEW:
                by_period = restatement.kind is Kind.INCREMENTAL
                period = f"over {restatement.window}" if by_period else "in full"
                over[period] = over.get(period, 0) + 1
        restated = [f"{_models(count)} {period}" for period, count in sorted(over.items())[::-1]]
        if restated:
            parts.append(f"restated {' and '.join(restated)}")
        if not parts and not self.restated:
            return f"nothing to do, production reflects load {self.load_number}"
        passed = sum(audit.number_of_rows == 0 for audit in self.audits)
        return ", ".join([*parts, f"{passed} audits passed"])


def _models(count: int) -> str:
    return "1 model" if count == 1 else f"{count} models"


def failure(evaluation: Evaluation, error: BaseException | None = None) -> StoppedError:
    """What to say when models failed."""
    if evaluation.stops:
        message = "an audit stopped the run: " + "; ".join(map(str, evaluation.stops))
    else:
        reasons = evaluation.errors or [innermost(error) if error else "no reason given"]
        message = "SQLMesh failed: " + "; ".join(dict.fromkeys(reasons))
    return StoppedError(message, evaluation.ran, evaluation.audits, evaluation.queries)


@dataclass
class Production:
    """SQLMesh's environment prod in an open project; its models are read once and kept."""

    project: Project
    progress: Progress = lambda done, total, model: None
    _tables: Tables | None = field(default=None, init=False)
    _undeployed: tuple[str, ...] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        prepare(self.project.cursor)

    @property
    def tables(self) -> Tables | None:
        """Production's models, None before the first deployment."""
        if self._tables is None:
            self._tables = tables_of(self.project, PROD)
        return self._tables

    def bring_up_to(
        self, load: LastLoad, layers: Sequence[str] = (), deploy: bool = False
    ) -> Transformed:
        """Make production reflect a load, the last one of the lakehouse.

        Raises:
            PlatformError: a blocking audit failed, or a model did.
        """
        evaluation = self.project.evaluation
        evaluation.start(load.load_number, PROD)
        # The first deployment goes on until all of production has once reflected a load.
        is_first = not self._was_ever_complete()
        deployed: tuple[str, ...] = ()
        restated: dict[str, Restatement] = {}
        if deploy or is_first:
            restated |= self._refresh_what_stays(load)
            deployed = self._deploy(load, layers)
        tables = self.tables
        assert tables is not None
        chosen = self._chosen(tables, layers)
        to_do = {name: why for name, why in tables.behind(load).items() if name in chosen}
        self._compute(tables, to_do, load)
        tables.mark_as_reflecting(load, chosen)
        restated |= to_do
        self._record_warnings(tables, load)
        self._record_control_totals(tables)
        if not tables.behind(load) and not (is_first and layers):
            self._record_complete(load, has_changed=deploy or bool(restated))
        return Transformed(
            load_number=load.load_number,
            deployed=deployed,
            restated=restated,
            ran=tuple(evaluation.ran),
            audits=tuple(evaluation.audits),
            warnings=standing_warnings(self.project.cursor),
            undeployed=() if is_first else self.undeployed(),
            environments_behind={},
        )

    def note_environments(self, load: LastLoad) -> dict[str, tuple[str, ...]]:
        """Note which other environments do not reflect the load, and by which of their models."""
        tables = self.tables
        assert tables is not None
        behind = environments_behind(self.project, tables, load)
        self.project.cursor.execute("DELETE FROM ops.environments_behind")
        for name, models in behind.items():
            self.project.cursor.execute(
                "INSERT INTO ops.environments_behind VALUES (?, ?)", [name, list(models)]
            )
        return behind

    def tidy(self) -> None:
        """Merge what SQLMesh's state remembers of each interval that was ever computed."""
        self.project.context.state_sync.compact_intervals()

    def lineage(self) -> Lineage:
        """The lineage of production's models, which may not be the working tree's."""
        return self.tables.lineage if self.tables else Lineage({})

    def undeployed(self) -> tuple[str, ...]:
        """Models whose own code differs from the working tree's, on either side."""
        if self._undeployed is None:
            tables = self.tables
            theirs = {s.name: s.fingerprint for s in (tables.in_order if tables else ())}
            ours = {
                name: snapshot.fingerprint
                for name, snapshot in self.project.context.snapshots.items()
                if not snapshot.is_external
            }
            self._undeployed = tuple(
                short_name(name)
                for name in sorted(theirs.keys() | ours.keys())
                if name not in theirs
                or name not in ours
                or (theirs[name].data_hash, theirs[name].metadata_hash)
                != (ours[name].data_hash, ours[name].metadata_hash)
            )
        return self._undeployed

    def _was_ever_complete(self) -> bool:
        row = self.project.cursor.execute("SELECT COUNT(*) FROM ops.transforms").fetchone()
        return row is not None and row[0] > 0

    def _chosen(self, tables: Tables, layers: Sequence[str]) -> set[str]:
        """The models of some layers and what those read; all of them without layers."""
        chosen: set[str] = set()
        for snapshot in reversed(tables.in_order):
            name = short_name(snapshot.name)
            if not layers or name.partition(".")[0] in layers or name in chosen:
                chosen.add(name)
                chosen.update(short_name(parent.name) for parent in snapshot.parents)
        return chosen & tables.by_name.keys()

    def _compute(
        self,
        tables: Tables,
        restatements: Mapping[str, Restatement],
        load: LastLoad,
        lenient: Sequence[str] = (),
    ) -> None:
        tables.compute(restatements, load, lenient, self.progress)
        if self.project.evaluation.stops or self.project.evaluation.errors:
            raise failure(self.project.evaluation)

    def _refresh_what_stays(self, load: LastLoad) -> dict[str, Restatement]:
        """Before a deployment, bring up to date the tables that it takes over as they are.

        New code is computed, and new audits are run, over what those tables hold. An audit that the
        deployment itself changes is not listened to in its old wording: the new one has the say
        later. What an environment has built already is taken over too, so that the plan finds
        nothing of it missing.
        """
        ours = self.project.context.snapshots
        restated: dict[str, Restatement] = {}
        tables = self.tables
        if tables is not None:
            kept = {
                name
                for name, theirs in tables.by_name.items()
                if theirs.name in ours
                and ours[theirs.name].fingerprint.to_version() == theirs.fingerprint.to_version()
            }
            to_do = {name: why for name, why in tables.behind(load).items() if name in kept}
            self._compute(tables, to_do, load, lenient=self.undeployed())
            tables.mark_as_reflecting(load, kept)
            tables.mark_intervals(load, tables.in_order)
            restated |= to_do
        built = Tables(
            self.project,
            {s.snapshot_id: s for s in ours.values() if s.version},
            DeployabilityIndex.all_deployable(),
        )
        in_production = {tables.table(s) for s in tables.in_order} if tables else set()
        elsewhere = {
            name
            for name, snapshot in built.by_name.items()
            if built.table(snapshot) not in in_production
            and self.project.context.engine_adapter.table_exists(built.table(snapshot))
        }
        if elsewhere:
            to_do = {name: why for name, why in built.behind(load).items() if name in elsewhere}
            self._compute(built, to_do, load)
            built.mark_as_reflecting(load, elsewhere)
            restated |= to_do
        return restated

    def _deploy(self, load: LastLoad, layers: Sequence[str]) -> tuple[str, ...]:
        """Make the working tree's models production's; the models that this computed."""
        evaluation = self.project.evaluation
        before = set(evaluation.computed)
        try:
            self.project.context.plan(
                PROD,
                # Time stops at the as-of date: SQLMesh's days end with the last complete one.
                execution_time=load.as_of + timedelta(days=1),
                select_models=[f"+{layer}.*" for layer in layers] or None,
                skip_tests=True,
                no_prompts=True,
                auto_apply=True,
            )
        except SQLMeshError as error:
            raise failure(evaluation, error) from error
        self._tables = self._undeployed = None
        tables = self.tables
        assert tables is not None
        computed = tuple(
            name
            for name, snapshot in tables.by_name.items()
            if snapshot.snapshot_id in evaluation.computed - before
        )
        tables.mark_as_reflecting(load, computed)
        return computed

    def _record_warnings(self, tables: Tables, load: LastLoad) -> None:
        """Keep the warnings of models that were not audited now, and add those of the others."""
        cursor, evaluation = self.project.cursor, self.project.evaluation
        audited, kept = list(evaluation.seconds), list(tables.by_name)
        if audited:
            cursor.execute(
                "DELETE FROM ops.standing_warnings "
                "WHERE list_contains($audited, model_name) "
                "OR NOT (list_contains($kept, model_name) OR model_name LIKE 'sources.%')",
                {"audited": audited, "kept": kept},
            )
        for warning in evaluation.warnings:
            cursor.execute(
                "INSERT INTO ops.standing_warnings VALUES (?, ?, ?, ?, ?)",
                [
                    load.load_number,
                    warning.model,
                    warning.audit,
                    warning.rows,
                    list(warning.keys),
                ],
            )

    def _record_control_totals(self, tables: Tables) -> None:
        """Keep for the export step, which reads no models, what their tags say of totals."""
        found = [
            [name.removeprefix(f"{Layer.EXPORTS}."), tag.removeprefix(_CONTROL_TOTAL_TAG)]
            for name, snapshot in tables.by_name.items()
            for tag in snapshot.model.tags
            if tag.startswith(_CONTROL_TOTAL_TAG)
        ]
        cursor = self.project.cursor
        if cursor.execute("FROM ops.control_totals ORDER BY ALL").fetchall() != sorted(
            map(tuple, found)
        ):
            cursor.execute("DELETE FROM ops.control_totals")
            for row in found:
                cursor.execute("INSERT INTO ops.control_totals VALUES (?, ?)", row)

    def _record_complete(self, load: LastLoad, has_changed: bool) -> None:
        """Note that production reflects a load, and when it last changed."""
        cursor, number = self.project.cursor, {"number": load.load_number}
        if has_changed:
            cursor.execute("DELETE FROM ops.transforms WHERE load_number = $number", number)
        cursor.execute(
            "INSERT INTO ops.transforms SELECT $number, NOW() "
            "WHERE NOT EXISTS (SELECT 1 FROM ops.transforms WHERE load_number = $number)",
            number,
        )
