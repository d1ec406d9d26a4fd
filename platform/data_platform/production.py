"""Production: SQLMesh's environment prod, brought up to a load through its promoted code."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlmesh.core.plan import PlanBuilder
from sqlmesh.core.snapshot import DeployabilityIndex, Snapshot
from sqlmesh.utils.errors import SQLMeshError

from data_platform.bookkeeping import prepare
from data_platform.code_changes import How
from data_platform.environment import (
    PROD,
    Tables,
    differing,
    environments_behind,
    tables_of,
)
from data_platform.errors import StoppedError, listed
from data_platform.evaluation import Evaluation, innermost, short_name
from data_platform.kinds import refuse_forward_only
from data_platform.lakehouse import LastLoad
from data_platform.lineage import Lineage
from data_platform.names import Layer
from data_platform.project import Project
from data_platform.promotions import Action, note_promotion
from data_platform.record import Audited, FailedAudit, ModelRan
from data_platform.restatement import Kind, Restatement
from data_platform.result import counted
from data_platform.standing_warnings import renew_warnings, standing_warnings

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
    # Those of them that were not there before, as they are.
    new_warnings: tuple[FailedAudit, ...]
    # Models whose code in the working tree is not production's, which was kept.
    undeployed: tuple[str, ...]
    # The models of other environments that do not reflect the load.
    environments_behind: Mapping[str, tuple[str, ...]]
    lineage: Lineage | None = None

    def with_notes(
        self, environments_behind: Mapping[str, tuple[str, ...]], lineage: Lineage | None
    ) -> "Transformed":
        """The same, with what is found out at the end."""
        return replace(self, environments_behind=environments_behind, lineage=lineage)

    @property
    def computed(self) -> tuple[str, ...]:
        """The models whose tables were computed."""
        restated = (name for name, why in self.restated.items() if why.kind is not Kind.VIEW)
        return (*self.deployed, *restated)

    @property
    def summary(self) -> str:
        """What was computed, in a few words."""
        parts = [f"deployed {counted(len(self.deployed), 'model')}"] if self.deployed else []
        over: dict[str, int] = {}
        for restatement in self.restated.values():
            if restatement.kind is not Kind.VIEW:
                by_period = restatement.kind is Kind.INCREMENTAL
                period = f"over {restatement.window}" if by_period else "in full"
                over[period] = over.get(period, 0) + 1
        restated = [
            f"{counted(count, 'model')} {period}" for period, count in sorted(over.items())[::-1]
        ]
        if restated:
            parts.append(f"restated {' and '.join(restated)}")
        if not parts and not self.restated:
            return f"nothing to do, production reflects load {self.load_number}"
        passed = sum(audit.number_of_rows == 0 for audit in self.audits)
        return ", ".join([*parts, f"{passed} audits passed"])


def failure(evaluation: Evaluation, error: BaseException | None = None) -> StoppedError:
    """What to say when models failed."""
    if evaluation.stops:
        message = listed("an audit stopped the run", [str(stop) for stop in evaluation.stops])
    else:
        reasons = evaluation.errors or [innermost(error) if error else "no reason given"]
        message = listed("SQLMesh failed", list(dict.fromkeys(reasons)))
    return StoppedError(message, evaluation.ran, evaluation.audits, evaluation.queries)


@dataclass(frozen=True)
class Deployment:
    """Models to make production's, by SQLMesh's names, and why, for the record."""

    snapshots: Mapping[str, Snapshot]
    action: Action
    environment: str = ""
    goes_back_to: int | None = None


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

    @property
    def working_tree(self) -> "Deployment":
        """The models of the working tree."""
        return Deployment(self.project.context.snapshots, Action.DEPLOYED)

    def bring_up_to(
        self,
        load: LastLoad,
        layers: Sequence[str] = (),
        deployment: "Deployment | None" = None,
        audited_before: Sequence[Audited] = (),
    ) -> Transformed:
        """Make production reflect a load, the last one of the lakehouse.

        Args:
            deployment: the models to deploy first; without it, production keeps its own, and gets
                the working tree's where it has none yet.
            audited_before: audits of tables that the deployment takes over as they are.

        Raises:
            PlatformError: a blocking audit failed, or a model did.
        """
        evaluation = self.project.evaluation
        evaluation.start(load.load_number, PROD)
        # The first deployment goes on until all of production has once reflected a load.
        is_first = not self._was_ever_complete()
        deployed: tuple[str, ...] = ()
        restated: dict[str, Restatement] = {}
        self.note_other_hands(load)
        before = self._versions()
        if deployment is None and is_first:
            deployment = self.working_tree
        if deployment is not None:
            self.refuse_unsupported(deployment.snapshots.values())
            restated |= self._refresh_what_stays(load, deployment)
            deployed = self._deploy(load, deployment, layers)
            self._note_promotion(load, deployment)
        tables = self.tables
        assert tables is not None
        if deployment is None:  # what SQLMesh's own commands have put there
            self.refuse_unsupported(tables.snapshots.values())
        chosen = self._chosen(tables, layers)
        to_do = {name: why for name, why in tables.behind(load).items() if name in chosen}
        self._compute(tables, to_do, load)
        tables.mark_as_reflecting(load, chosen)
        restated |= to_do
        self._audit_what_has_come_back(tables, before, load, audited_before)
        news = self._renew_warnings(tables, load, audited_before)
        self._record_control_totals(tables)
        if not tables.behind(load) and not (is_first and layers):
            has_changed = deployment is not None or bool(restated)
            self._record_complete(load, has_changed)
        return Transformed(
            load_number=load.load_number,
            deployed=deployed,
            restated=restated,
            ran=tuple(evaluation.ran),
            audits=tuple(evaluation.audits),
            warnings=standing_warnings(self.project.cursor),
            new_warnings=news,
            undeployed=() if is_first else self.undeployed(),
            environments_behind={},
        )

    def refuse_unsupported(self, snapshots: Iterable[Snapshot]) -> None:
        """Refuse models that the platform would not do right.

        Raises:
            PlatformError: names them, what each asks for and what to use instead.
        """
        snapshots = list(snapshots)
        refuse_forward_only(snapshots)
        self.project.refuse_unsupported(s.model for s in snapshots if s.is_model)

    def note_environments(self, load: LastLoad) -> dict[str, tuple[str, ...]]:
        """Note which other environments do not reflect the load, and by which of their models."""
        tables = self.tables
        assert tables is not None
        behind = environments_behind(self.project, tables, load)
        self.project.cursor.execute("DELETE FROM ops.environments")
        for found in self.project.context.state_reader.get_environments_summary():
            if found.name != PROD and not found.expired:
                self.project.cursor.execute(
                    "INSERT INTO ops.environments VALUES (?, MAKE_TIMESTAMPTZ(? * 1000))",
                    [found.name, found.expiration_ts],
                )
        self.project.cursor.execute("DELETE FROM ops.environments_behind")
        for name, models in behind.items():
            self.project.cursor.execute(
                "INSERT INTO ops.environments_behind VALUES (?, ?)", [name, list(models)]
            )
        return behind

    def tidy(self) -> None:
        """Let SQLMesh's janitor remove what has expired, and forget what is gone.

        It also merges the many intervals that its state remembers.
        """
        context, cursor = self.project.context, self.project.cursor
        context.run_janitor(ignore_ttl=False)
        cursor.execute(
            "DELETE FROM ops.model_tables WHERE physical_name NOT IN ("
            "SELECT concat_ws('.', database_name, schema_name, table_name) FROM duckdb_tables() "
            "UNION ALL "
            "SELECT concat_ws('.', database_name, schema_name, view_name) FROM duckdb_views())"
        )
        cursor.execute(
            "DELETE FROM ops.plans WHERE NOT list_contains(?, environment)",
            [[found.name for found in context.state_reader.get_environments_summary()]],
        )

    def lineage(self) -> Lineage:
        """The lineage of production's models, which may not be the working tree's."""
        return self.tables.lineage if self.tables else Lineage({})

    def note_other_hands(self, load: LastLoad) -> None:
        """Write down what SQLMesh's own commands did to production's code, if they did."""
        self._note_promotion(load, Deployment({}, Action.FOUND))

    def undeployed(self) -> tuple[str, ...]:
        """Models whose own code differs from the working tree's, on either side."""
        if self._undeployed is None:
            self._undeployed = self._edited(self.project.context.snapshots)
        return self._undeployed

    def _edited(self, snapshots: Mapping[str, Snapshot]) -> tuple[str, ...]:
        found = differing(self.tables, snapshots.values())
        return tuple(sorted(name for name, how in found.items() if how is not How.FOLLOWS))

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

    def _refresh_what_stays(
        self, load: LastLoad, deployment: "Deployment"
    ) -> dict[str, Restatement]:
        """Before a deployment, bring up to date the tables that it takes over as they are.

        New code is computed, and new audits are run, over what those tables hold. An audit that the
        deployment itself changes is not listened to in its old wording: the new one has the say
        later. What an environment has built already is taken over too, so that the plan finds
        nothing of it missing.
        """
        ours = deployment.snapshots
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
            self._compute(tables, to_do, load, lenient=self._edited(ours))
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

    def _deploy(
        self, load: LastLoad, deployment: "Deployment", layers: Sequence[str]
    ) -> tuple[str, ...]:
        """Make some models production's; those that this computed."""
        evaluation, context = self.project.evaluation, self.project.context
        before = set(evaluation.computed)
        # Time stops at the as-of date: SQLMesh's days end with the last complete one.
        execution_time = load.as_of + timedelta(days=1)
        try:
            if deployment.action is Action.DEPLOYED:
                context.plan(
                    PROD,
                    execution_time=execution_time,
                    select_models=[f"+{layer}.*" for layer in layers] or None,
                    skip_tests=True,
                    no_prompts=True,
                    auto_apply=True,
                )
            else:  # SQLMesh's plans are of the working tree
                difference = context._context_diff(PROD, dict(deployment.snapshots))
                builder = PlanBuilder(
                    difference,
                    execution_time=execution_time,
                    default_start=context.config.model_defaults.start,
                    environment_suffix_target=context.config.environment_suffix_target,
                    environment_catalog_mapping=context.config.environment_catalog_mapping,
                    console=context.console,
                )
                context.apply(builder.build())
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

    def _note_promotion(self, load: LastLoad, deployment: "Deployment") -> None:
        if self.tables is not None:
            note_promotion(
                self.project,
                self.tables.snapshots.values(),
                load.load_number,
                deployment.action,
                deployment.environment,
                deployment.goes_back_to,
            )

    def _versions(self) -> dict[str, str]:
        tables = self.tables
        return {n: s.identifier for n, s in tables.by_name.items()} if tables else {}

    def _audit_what_has_come_back(
        self,
        tables: Tables,
        before: Mapping[str, str],
        load: LastLoad,
        audited_before: Sequence[Audited],
    ) -> None:
        """Audit models whose code is another one now, though no table of theirs was computed."""
        audited = {*self.project.evaluation.seconds, *(one.model_name for one in audited_before)}
        names = {
            name
            for name, version in self._versions().items()
            if before
            and before.get(name) != version
            and name not in audited
            and tables.by_name[name].model.audits
        }
        if names:
            tables.compute(tables.all_of(names, load), load, (), self.progress, audits_only=True)
            if self.project.evaluation.stops or self.project.evaluation.errors:
                raise failure(self.project.evaluation)

    def _renew_warnings(
        self, tables: Tables, load: LastLoad, audited_before: Sequence[Audited]
    ) -> tuple[FailedAudit, ...]:
        """Keep the warnings of models that were not audited now, and add those of the others."""
        evaluation = self.project.evaluation
        audits = [*audited_before, *evaluation.audits]
        return renew_warnings(
            self.project.cursor,
            audits,
            {*evaluation.seconds, *(audit.model_name for audit in audits)},
            load.as_of,
            evaluation.warning_queries,
            kept=tables.by_name,
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
            cursor.execute(
                "INSERT INTO ops.transforms SELECT $number, NOW(), "
                "(SELECT COALESCE(MAX(change_number), 0) + 1 FROM ops.transforms)",
                number,
            )
            cursor.execute(
                "DELETE FROM ops.transforms WHERE load_number = $number "
                "AND change_number < (SELECT MAX(change_number) FROM ops.transforms)",
                number,
            )
        cursor.execute(
            "INSERT INTO ops.transforms SELECT $number, NOW(), "
            "(SELECT COALESCE(MAX(change_number), 0) + 1 FROM ops.transforms) "
            "WHERE NOT EXISTS (SELECT 1 FROM ops.transforms WHERE load_number = $number)",
            number,
        )
