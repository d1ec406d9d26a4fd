"""The tables of some versions of models, the load that each reflects, and how they are computed."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from sqlmesh.core.scheduler import parent_snapshots_by_name
from sqlmesh.core.snapshot import (
    DeployabilityIndex,
    Snapshot,
    SnapshotId,
    SnapshotIntervals,
    snapshots_to_dag,
)

from data_platform.names import SHOWN_TO_READERS, Layer
from data_platform.project.context import Project
from data_platform.project.evaluation import innermost
from data_platform.project.kinds import kind_of, reach_of
from data_platform.project.lineage.graph import Lineage
from data_platform.project.lineage.working_tree import lineage_of
from data_platform.project.reach import further_reach
from data_platform.project.window import Kind, Window
from data_platform.record.loads import Change, LastLoad, changes_since, latest_as_of_since
from data_platform.record.transforms import loads_of_tables, record_tables
from data_platform.sql import short_name
from data_platform.transform.further import AS_OF_TABLE, months_pointed_to
from data_platform.transform.restatement import Node, Restatement, decide

_CONTROL_TOTAL_TAG = "control_total:"


@dataclass(frozen=True)
class Tables:
    """Some versions of models with all that they read, and the physical tables that hold them."""

    project: Project
    snapshots: Mapping[SnapshotId, Snapshot]
    deployability: DeployabilityIndex

    @cached_property
    def in_order(self) -> tuple[Snapshot, ...]:
        """Every model after those that it reads, without the sources."""
        return tuple(
            self.snapshots[snapshot_id]
            for snapshot_id in snapshots_to_dag(self.snapshots.values()).sorted
            if snapshot_id in self.snapshots and not self.snapshots[snapshot_id].is_external
        )

    @cached_property
    def by_name(self) -> dict[str, Snapshot]:
        """The models by their short names, like marts.kpi__nps."""
        return {short_name(snapshot.name): snapshot for snapshot in self.in_order}

    @cached_property
    def lineage(self) -> Lineage:
        """Which columns every column is made of."""
        models = [snapshot.model for snapshot in self.snapshots.values()]
        return lineage_of(models, self.project.context.default_catalog)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """The models as the decision about restatements sees them."""
        return tuple(_node(snapshot) for snapshot in self.in_order)

    @cached_property
    def _physical_names(self) -> dict[SnapshotId, str]:
        return {
            snapshot.snapshot_id: snapshot.table_name(
                is_deployable=self.deployability.is_representative(snapshot)
            )
            for snapshot in self.in_order
        }

    @property
    def _first_day(self) -> date:
        """Of the company: nothing before it is ever computed."""
        return date.fromisoformat(str(self.project.context.config.model_defaults.start))

    def of_layers(self, layers: Collection[str]) -> set[str]:
        """The models of some layers and what those read; all of them without layers."""
        chosen: set[str] = set()
        for snapshot in reversed(self.in_order):
            name = short_name(snapshot.name)
            if not layers or name.partition(".")[0] in layers or name in chosen:
                chosen.add(name)
                chosen.update(short_name(parent.name) for parent in snapshot.parents)
        return chosen & self.by_name.keys()

    def table(self, snapshot: Snapshot) -> str:
        """The name of the physical table or view that holds a model."""
        return self._physical_names[snapshot.snapshot_id]

    def reflected(self) -> dict[str, int | None]:
        """The number of the last load that each model's table includes, None where unknown.

        A table whose months were chosen by other tags than the model has now may lack some: tags
        are no part of SQLMesh's version of a table.
        """
        known = loads_of_tables(self.project.cursor)
        found: dict[str, int | None] = {}
        for name, snapshot in self.by_name.items():
            number, reach = known.get(self.table(snapshot), (None, None))
            is_other = reach is not None and reach != reach_of(snapshot.model)
            found[name] = None if is_other else number
        return found

    def control_columns(self) -> list[tuple[str, str]]:
        """(export, column) for each export with a column that adds up to the total of invoices."""
        return [
            (name.removeprefix(f"{Layer.EXPORTS}."), tag.removeprefix(_CONTROL_TOTAL_TAG))
            for name, snapshot in self.by_name.items()
            for tag in snapshot.model.tags
            if tag.startswith(_CONTROL_TOTAL_TAG)
        ]

    def behind(self, load: LastLoad) -> dict[str, Restatement]:
        """What has to be computed again so that every table reflects the load."""
        cursor = self.project.cursor
        reflected = self.reflected()
        found: dict[str, Restatement] = {}
        for number in set(reflected.values()) - {load.load_number}:
            all_time = Window.of_months(self._first_day, latest_as_of_since(cursor, number))
            if number is None:
                changes: Mapping[str, Change] = {}
            else:
                changes = {f"sources.{c.table}": c for c in changes_since(cursor, number)}
            pointed_to = months_pointed_to(self, changes, all_time)
            decided = decide(self.nodes, changes, all_time, pointed_to)
            for node in self.nodes:
                if reflected[node.name] != number:
                    continue
                # An export or a chart formats what its mart shows: new data cannot break what held
                # when it was deployed. One that sums up millions of rows is a table all the same.
                is_shown = node.name.partition(".")[0] in SHOWN_TO_READERS
                if number is not None and is_shown and node.kind is Kind.VIEW:
                    continue
                if number is None:
                    found[node.name] = Restatement(node.kind, all_time, ("no known load",))
                elif node.name in decided:
                    found[node.name] = decided[node.name]
        return found

    def all_of(self, names: Collection[str], load: LastLoad) -> dict[str, Restatement]:
        """Some models over all of time."""
        all_time = Window.of_months(self._first_day, load.as_of)
        return {n.name: Restatement(n.kind, all_time, ()) for n in self.nodes if n.name in names}

    def audit_sources(self, load: LastLoad) -> None:
        """Audit the raw tables by what the contract claims of them, over all of time."""
        for snapshot in self.snapshots.values():
            if snapshot.is_external and snapshot.model.audits:
                self.project.evaluator.audit(
                    snapshot,
                    start=self._first_day,
                    end=load.as_of,
                    execution_time=load.execution_time,
                    snapshots={snapshot.name: snapshot},
                    deployability_index=self.deployability,
                )

    def compute(
        self,
        restatements: Mapping[str, Restatement],
        load: LastLoad,
        ignore_audits_of: Collection[str] = (),
        progress: Callable[[int, int, str], None] = lambda done, total, model: None,
        audits_only: bool = False,
    ) -> None:
        """Compute and audit models again, each after those that it reads.

        A model that fails, or an audit of it that blocks, holds back the models that read it; the
        others go on. What was found is in the project's evaluation.

        Args:
            ignore_audits_of: models whose audits run, but neither stop anything nor are recorded.
            audits_only: compute nothing.
        """
        with self.project.evaluator.at_once():
            self._compute(restatements, load, ignore_audits_of, progress, audits_only)

    def _compute(
        self,
        restatements: Mapping[str, Restatement],
        load: LastLoad,
        ignore_audits_of: Collection[str],
        progress: Callable[[int, int, str], None],
        audits_only: bool,
    ) -> None:
        evaluator = self.project.evaluator
        evaluation = self.project.evaluation
        execution_time = load.execution_time
        held_back: set[SnapshotId] = set()
        done = 0
        for snapshot in self.in_order:
            name = short_name(snapshot.name)
            restatement = restatements.get(name)
            if any(parent in held_back for parent in snapshot.parents):
                held_back.add(snapshot.snapshot_id)
                continue
            if restatement is None:
                continue
            progress(done, len(restatements), name)
            done += 1
            readable = parent_snapshots_by_name(snapshot, dict(self.snapshots))
            window = {
                "start": restatement.window.first,
                "end": restatement.window.last,
                "execution_time": execution_time,
            }
            started = time.perf_counter()
            try:
                if restatement.kind is Kind.TIME_RANGE:
                    # As a full rebuild does it, in which nothing is left and no day is to come.
                    window["end"] = load.as_of
                    if not audits_only:
                        evaluator.empty(self.table(snapshot))
                if restatement.kind is not Kind.VIEW and not audits_only:
                    self._evaluate(snapshot, window)
                audit = evaluator.audit_untold if name in ignore_audits_of else evaluator.audit
                results = audit(
                    snapshot,
                    **window,
                    snapshots=readable,
                    deployability_index=self.deployability,
                )
            except Exception as error:  # whatever an engine may raise
                evaluation.errors.append(f"{evaluation.located(name)}: {innermost(error)}")
                held_back.add(snapshot.snapshot_id)
                continue
            if not audits_only:
                evaluation.computed.add(snapshot.snapshot_id)
            stops = any(result.count and result.blocking for result in results)
            if stops and name not in ignore_audits_of:
                held_back.add(snapshot.snapshot_id)
            if not audits_only:
                evaluation.note_model(snapshot, restatement.window, time.perf_counter() - started)

    def _evaluate(self, snapshot: Snapshot, window: Mapping[str, date]) -> None:
        self.project.evaluator.evaluate(
            snapshot,
            **window,
            snapshots=parent_snapshots_by_name(snapshot, dict(self.snapshots)),
            deployability_index=self.deployability,
            batch_index=0,
            target_table_exists=None,
            allow_destructive_snapshots=set(),
            allow_additive_snapshots=set(),
        )

    def bind_views(self, names: Collection[str], load: LastLoad) -> None:
        """Make views read the tables that these versions of models have.

        Versions of a view that SQLMesh takes for the same, as where what it reads has only got a
        column more, are one view in the lakehouse, which reads what the last of them read.
        """
        window = {
            "start": self._first_day,
            "end": load.as_of,
            "execution_time": load.execution_time,
        }
        with self.project.evaluator.at_once():
            for snapshot in self.in_order:
                is_view = kind_of(snapshot.model) is Kind.VIEW
                if is_view and short_name(snapshot.name) in names:
                    self._evaluate(snapshot, window)

    def mark_as_reflecting(self, load: LastLoad, names: Collection[str]) -> None:
        """Note that models reflect the load, with the platform and in SQLMesh's own state."""
        snapshots = [self.by_name[name] for name in names]
        reaches = {self.table(s): reach_of(s.model) for s in snapshots}
        record_tables(self.project.cursor, reaches, load.load_number)
        self.mark_intervals(load, snapshots)

    def mark_intervals(self, load: LastLoad, snapshots: Collection[Snapshot]) -> None:
        """Tell SQLMesh's state that nothing is missing up to the load's as-of date."""
        context = self.project.context
        added = []
        for snapshot in snapshots:
            interval = snapshot.inclusive_exclusive(
                context.config.model_defaults.start, load.as_of, strict=False
            )
            is_deployable = self.deployability.is_deployable(snapshot)
            known = snapshot.intervals if is_deployable else snapshot.dev_intervals
            if any(start <= interval[0] and interval[1] <= end for start, end in known):
                continue
            snapshot.add_interval(*interval, is_dev=not is_deployable)
            added.append(
                SnapshotIntervals(
                    name=snapshot.name,
                    identifier=snapshot.identifier,
                    version=snapshot.version,
                    dev_version=snapshot.dev_version,
                    intervals=[interval] if is_deployable else [],
                    dev_intervals=[] if is_deployable else [interval],
                )
            )
        if added:
            context.state_sync.add_snapshots_intervals(added)


def _node(snapshot: Snapshot) -> Node:
    model = snapshot.model
    parents = tuple(short_name(parent.name) for parent in snapshot.parents)
    if kind_of(model) is Kind.TIME_RANGE:  # whose range ends with the as-of date
        parents += (AS_OF_TABLE,)
    return Node(
        name=short_name(snapshot.name),
        parents=parents,
        kind=kind_of(model),
        extends_itself=model.depends_on_self,
        further=further_reach(model),
    )
