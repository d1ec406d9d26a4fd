"""Models are computed and audited by SQLMesh's evaluator, each after those that it reads."""

import time
from collections.abc import Callable, Collection, Mapping
from datetime import date

from sqlmesh.core.scheduler import parent_snapshots_by_name
from sqlmesh.core.snapshot import Snapshot, SnapshotId

from data_platform.project.error_messages import innermost
from data_platform.project.kinds import kind_of
from data_platform.project.window import Kind
from data_platform.record.loads import LastLoad
from data_platform.sql import short_name
from data_platform.transform.model_tables import Tables
from data_platform.transform.restatement import Restatement


def compute(
    tables: Tables,
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
    with tables.project.evaluator.at_once():
        _compute(tables, restatements, load, ignore_audits_of, progress, audits_only)


def _compute(
    tables: Tables,
    restatements: Mapping[str, Restatement],
    load: LastLoad,
    ignore_audits_of: Collection[str],
    progress: Callable[[int, int, str], None],
    audits_only: bool,
) -> None:
    evaluator = tables.project.evaluator
    evaluation = tables.project.evaluation
    execution_time = load.execution_time
    held_back: set[SnapshotId] = set()
    done = 0
    for snapshot in tables.in_order:
        name = short_name(snapshot.name)
        restatement = restatements.get(name)
        if any(parent in held_back for parent in snapshot.parents):
            held_back.add(snapshot.snapshot_id)
            continue
        if restatement is None:
            continue
        progress(done, len(restatements), name)
        done += 1
        readable = parent_snapshots_by_name(snapshot, dict(tables.snapshots))
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
                    evaluator.empty(tables.table(snapshot))
            if restatement.kind is not Kind.VIEW and not audits_only:
                _evaluate(tables, snapshot, window)
            audit = evaluator.audit_untold if name in ignore_audits_of else evaluator.audit
            results = audit(
                snapshot,
                **window,
                snapshots=readable,
                deployability_index=tables.deployability,
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


def _evaluate(tables: Tables, snapshot: Snapshot, window: Mapping[str, date]) -> None:
    tables.project.evaluator.evaluate(
        snapshot,
        **window,
        snapshots=parent_snapshots_by_name(snapshot, dict(tables.snapshots)),
        deployability_index=tables.deployability,
        batch_index=0,
        target_table_exists=None,
        allow_destructive_snapshots=set(),
        allow_additive_snapshots=set(),
    )


def bind_views(tables: Tables, names: Collection[str], load: LastLoad) -> None:
    """Make views read the tables that these versions of models have.

    Versions of a view that SQLMesh takes for the same, as where what it reads has only got a
    column more, are one view in the lakehouse, which reads what the last of them read.
    """
    window = {
        "start": tables.first_day,
        "end": load.as_of,
        "execution_time": load.execution_time,
    }
    with tables.project.evaluator.at_once():
        for snapshot in tables.in_order:
            is_view = kind_of(snapshot.model) is Kind.VIEW
            if is_view and short_name(snapshot.name) in names:
                _evaluate(tables, snapshot, window)


def audit_sources(tables: Tables, load: LastLoad) -> None:
    """Audit the raw tables by what the contract claims of them, over all of time."""
    for snapshot in tables.snapshots.values():
        if snapshot.is_external and snapshot.model.audits:
            tables.project.evaluator.audit(
                snapshot,
                start=tables.first_day,
                end=load.as_of,
                execution_time=load.execution_time,
                snapshots={snapshot.name: snapshot},
                deployability_index=tables.deployability,
            )
