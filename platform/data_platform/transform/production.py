"""Production, SQLMesh's environment prod: deploys its code, and computes it over the last load."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlmesh.core.snapshot import Snapshot

from data_platform.names import PROD
from data_platform.project.context import Project
from data_platform.project.kinds import refuse_forward_only
from data_platform.project.lineage.graph import Lineage
from data_platform.project.lineage.production import remember_models
from data_platform.record.exports import record_control_totals
from data_platform.record.loads import LastLoad
from data_platform.record.model_code import forget_plans
from data_platform.record.promotions import Action
from data_platform.record.rows import Audited, FailedAudit
from data_platform.record.schema import prepare
from data_platform.record.standing_warnings import renew_warnings, standing_warnings
from data_platform.record.transforms import (
    forget_dropped_tables,
    last_transformed,
    record_change,
    record_complete,
    record_environments,
    record_recount,
)
from data_platform.transform.code_history import note_promotion
from data_platform.transform.deploy import Deployment, apply_code, built_elsewhere
from data_platform.transform.environments import (
    How,
    differing,
    environments_behind,
    tables_of,
)
from data_platform.transform.model_tables import Tables
from data_platform.transform.readers import show_to_readers
from data_platform.transform.reauditing import audit_what_has_come_back, is_due, recount
from data_platform.transform.recompute import bind_views, compute
from data_platform.transform.restatement import Restatement
from data_platform.transform.transformed import Progress, Refreshed, Transformed, failure


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
        recounts: bool = False,
    ) -> Refreshed:
        """Make production reflect a load, the last one of the lakehouse.

        Once a week, all audits are recounted.

        Args:
            deployment: the models to deploy first; without it, production keeps its own, and gets
                the working tree's where it has none yet.
            audited_before: audits of tables that the deployment takes over as they are.
            recounts: recount all audits now.

        Raises:
            PlatformError: a blocking audit failed, or a model did.
        """
        evaluation = self.project.evaluation
        evaluation.start(load.load_number, PROD)
        # The first deployment goes on until all of production has once reflected a load.
        is_first = last_transformed(self.project.cursor) is None
        deployed: tuple[str, ...] = ()
        restated: dict[str, Restatement] = {}
        self.record_external_promotion(load)
        before = self._versions()
        if deployment is None and is_first:
            deployment = self.working_tree
        if deployment is not None:
            self.refuse_unsupported(deployment.snapshots.values())
            restated |= self._refresh_tables_that_are_kept(load, deployment)
            deployed = self._deploy(load, deployment, layers)
            self._note_promotion(load, deployment)
        tables = self.tables
        assert tables is not None
        if deployment is None:  # what SQLMesh's own commands have put there
            self.refuse_unsupported(tables.snapshots.values())
        chosen = tables.of_layers(layers)
        to_do = {name: why for name, why in tables.behind(load).items() if name in chosen}
        self._compute(tables, to_do, load)
        tables.mark_as_reflecting(load, chosen)
        restated |= to_do
        changed = {n for n, v in self._versions().items() if before and before.get(n) != v}
        audit_what_has_come_back(tables, changed, load, audited_before, self.progress)
        self._stop_at_failures()
        recounts |= not (is_first or layers) and is_due(tables, load)
        if is_first and not layers:  # every audit has just read all of time
            record_recount(self.project.cursor, load.load_number, load.as_of)
        elif recounts:
            recount(tables, load, self.progress)
            self._stop_at_failures()
        news = self._renew_warnings(tables, load, audited_before)
        record_control_totals(self.project.cursor, tables.control_columns())
        behind = tuple(sorted(tables.behind(load)))
        if not behind and not (is_first and layers):
            has_changed = deployment is not None or bool(restated)
            record_complete(self.project.cursor, load.load_number, has_changed)
        return Refreshed(
            load_number=load.load_number,
            deployed=deployed,
            restated=restated,
            ran=tuple(evaluation.ran),
            audits=tuple(evaluation.audits),
            warnings=standing_warnings(self.project.cursor),
            new_warnings=news,
            undeployed=() if is_first else self.undeployed(),
            is_recounted=recounts,
            behind=behind,
        )

    def complete(self, done: Refreshed, load: LastLoad, with_lineage: bool) -> Transformed:
        """Tidy up after the last load of a run, and tell what there is to know afterwards."""
        self.tidy()
        show_to_readers(self.project)
        remember_models(self.project.context.snapshots.values())
        return Transformed(
            **vars(done),
            environments_behind=self.note_environments(load),
            lineage=self.lineage() if with_lineage else None,
        )

    def refuse_unsupported(self, snapshots: Iterable[Snapshot]) -> None:
        """Refuse models that use features of SQLMesh which the platform does not support.

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
        expiry = {
            found.name: found.expiration_ts
            for found in self.project.context.state_reader.get_environments_summary()
            if found.name != PROD and not found.expired
        }
        record_environments(self.project.cursor, expiry, behind)
        return behind

    def tidy(self) -> None:
        """Let SQLMesh's janitor remove what has expired, and forget what is gone.

        It also merges the many intervals that its state remembers.
        """
        context = self.project.context
        context.run_janitor(ignore_ttl=False)
        known = [found.name for found in context.state_reader.get_environments_summary()]
        forget_dropped_tables(self.project.cursor, self.project.physical_names())
        forget_plans(self.project.cursor, known)

    def lineage(self) -> Lineage:
        """The lineage of production's models, which may not be the working tree's."""
        return self.tables.lineage if self.tables else Lineage({})

    def record_external_promotion(self, load: LastLoad) -> None:
        """Record a change that SQLMesh's own commands made to production's code, if any."""
        if self._note_promotion(load, Deployment({}, Action.EXTERNAL)):
            record_change(self.project.cursor)

    def undeployed(self) -> tuple[str, ...]:
        """Models whose own code differs from the working tree's, on either side."""
        if self._undeployed is None:
            self._undeployed = self._edited(self.project.context.snapshots)
        return self._undeployed

    def _edited(self, snapshots: Mapping[str, Snapshot]) -> tuple[str, ...]:
        found = differing(self.tables, snapshots.values())
        return tuple(
            sorted(name for name, how in found.items() if how is not How.INDIRECTLY_MODIFIED)
        )

    def _compute(
        self,
        tables: Tables,
        restatements: Mapping[str, Restatement],
        load: LastLoad,
        ignore_audits_of: Sequence[str] = (),
    ) -> None:
        compute(tables, restatements, load, ignore_audits_of, self.progress)
        self._stop_at_failures()

    def _refresh_tables_that_are_kept(
        self, load: LastLoad, deployment: "Deployment"
    ) -> dict[str, Restatement]:
        """Before a deployment, bring up to date the tables that it takes over as they are.

        New code is computed, and new audits are run, over what those tables hold. Audits of models
        that the deployment edits do not stop it in their old version: their new version runs later.
        Tables that an environment has built are brought up to date too, so that SQLMesh's plan does
        not compute them again.
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
            self._compute(tables, to_do, load, ignore_audits_of=self._edited(ours))
            tables.mark_as_reflecting(load, kept)
            tables.mark_intervals(load, tables.in_order)
            restated |= to_do
        built, elsewhere = built_elsewhere(self.project, deployment, tables)
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
        evaluation = self.project.evaluation
        before, versions = set(evaluation.computed), self._versions()
        apply_code(self.project, load, deployment, layers)
        self._tables = self._undeployed = None
        tables = self.tables
        assert tables is not None
        computed = tuple(
            name
            for name, snapshot in tables.by_name.items()
            if snapshot.snapshot_id in evaluation.computed - before
        )
        changed = {n for n, v in self._versions().items() if versions.get(n) not in (None, v)}
        bind_views(tables, changed - set(computed), load)
        tables.mark_as_reflecting(load, computed)
        return computed

    def _note_promotion(self, load: LastLoad, deployment: "Deployment") -> bool:
        return self.tables is not None and note_promotion(
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

    def _stop_at_failures(self) -> None:
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
