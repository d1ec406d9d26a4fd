"""The tables of some versions of models, and the load that each reflects."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from sqlmesh.core.snapshot import (
    DeployabilityIndex,
    Snapshot,
    SnapshotId,
    SnapshotIntervals,
    snapshots_to_dag,
)

from data_platform.names import SHOWN_TO_READERS, Layer
from data_platform.project.context import Project
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
    def first_day(self) -> date:
        """The company's: nothing before it is ever computed."""
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
            all_time = Window.of_months(self.first_day, latest_as_of_since(cursor, number))
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
        all_time = Window.of_months(self.first_day, load.as_of)
        return {n.name: Restatement(n.kind, all_time, ()) for n in self.nodes if n.name in names}

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
