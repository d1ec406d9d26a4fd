"""SQLMesh's evaluator, made to remember what it has rendered and to tell what audits found.

SQLMesh renders the query of a model and of each of its audits every time that it runs them, which
on small data takes far longer than to run them. A backfill asks the same of each day of a month.
"""

import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, cast

from sqlglot import exp, select
from sqlmesh import Context
from sqlmesh.core.audit import Audit
from sqlmesh.core.engine_adapter import EngineAdapter
from sqlmesh.core.macros import RuntimeStage
from sqlmesh.core.model.definition import AuditResult
from sqlmesh.core.snapshot import DeployabilityIndex, Snapshot, SnapshotEvaluator

from data_platform.lakehouse.limits import within_memory
from data_platform.project.audit_queries import (
    asks_for_the_total,
    changed_days,
    count,
    count_and_sample,
    split,
)
from data_platform.project.error_messages import what_values_did
from data_platform.project.gateways import DuckLakeAdapter, Resilient
from data_platform.project.guest_python import each_of_guests, guest_python
from data_platform.project.rendered import KeptByDigest, made_of, period_of


class SampledResult(AuditResult):
    """The result of an audit, with the first of the rows that it found; none of personal data."""

    sample: tuple[tuple[Any, ...], ...] = ()
    # What a warning says, with places for {count}, {total} and {share}; the rows of the model.
    template: str | None = None
    total: int | None = None
    # Why an audit that stops nothing could not be evaluated.
    failure: str | None = None
    seconds: float = 0.0


# Told of a model, the results of its audits and SQLMesh's options, of which start is one.
AuditListener = Callable[[Snapshot, Sequence[SampledResult], Mapping[str, Any]], None]


class RememberingEvaluator(SnapshotEvaluator):
    """Caches rendered queries by model and window; by execution time too where a query uses it."""

    def __init__(self, context: Context, on_audits: AuditListener) -> None:
        super().__init__(
            context.engine_adapters,
            ddl_concurrent_tasks=context.concurrent_tasks,
            selected_gateway=context.selected_gateway,
        )
        self._on_audits = on_audits
        self._queries: dict[Any, list[exp.Query]] = {}
        # How many rows and of which keys, as SQL, the sentence of a warning, and the audit's own
        # query, not unpacked yet.
        self._audits: dict[Any, tuple[str, str | None, str | None, bytes]] = {}
        self._kept = KeptByDigest(Path(context.cache_dir) / "rendered", context.config.fingerprint)
        self._gateway = (context.gateway, context.default_catalog)
        self._uses_execution_time: dict[Any, bool] = {}
        # What the transaction has computed so far; None where each is a transaction of its own.
        self._gathered: list[Callable[[], Any]] | None = None

    def close(self) -> None:
        """Close the connections, and remove rendered queries that nobody asks for."""
        self._kept.tidy()
        super().close()

    def create(self, *args: Any, **options: Any) -> Any:
        """Make the tables of models, in one transaction where that pays."""
        with self._together():
            return super().create(*args, **options)

    def create_snapshot(self, *args: Any, **options: Any) -> Any:
        """Make the table of a model."""
        return self._gather(partial(super().create_snapshot, *args, **options))

    def promote(self, *args: Any, **options: Any) -> None:
        """Make the views of an environment, in one transaction where that pays."""
        with self._together():
            super().promote(*args, **options)

    def _together(self) -> AbstractContextManager[None]:
        return (
            self.adapter.together() if isinstance(self.adapter, DuckLakeAdapter) else nullcontext()
        )

    def set_correlation_id(self, correlation_id: Any) -> "RememberingEvaluator":
        """A plan of SQLMesh's asks for an evaluator that marks its queries; this one goes on."""
        return self

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What the block computes and audits is one transaction, where that pays.

        A query that fails ends it; what was computed before is then computed again, alone.
        """
        if not isinstance(self.adapter, DuckLakeAdapter) or self._gathered is not None:
            yield
            return
        self._gathered = []
        try:
            yield
        finally:
            self._gathered = None
            self.adapter.settle()

    def empty(self, table: str) -> None:
        """Delete all rows of a table."""
        self._gather(partial(self.adapter.delete_from, table, exp.true()))

    def evaluate(self, *args: Any, **options: Any) -> Any:
        """Compute a model."""
        compute = partial(super().evaluate, *args, **options)
        return within_memory(self.adapter.cursor, partial(self._gather, compute))

    def _gather(self, compute: Callable[[], Any]) -> Any:
        if self._gathered is None or not isinstance(self.adapter, DuckLakeAdapter):
            return compute()
        self.adapter.gather()
        try:
            computed = compute()
        except Exception:
            self._compute_again()
            raise
        self._gathered.append(compute)
        return computed

    def _compute_again(self) -> None:
        """Do again, and for good, what a failed transaction has undone."""
        assert isinstance(self.adapter, DuckLakeAdapter)
        self.adapter.forget()
        gathered, self._gathered = self._gathered or [], []
        for compute in gathered:
            within_memory(self.adapter.cursor, compute)

    def audit(self, snapshot: Snapshot, **options: Any) -> list[SampledResult]:
        """Audit a model, in a plan of SQLMesh's or outside of one, and tell the results."""
        results = self.audit_untold(snapshot, **options)
        self._on_audits(snapshot, results, options)
        return results

    def audit_untold(self, snapshot: Snapshot, **options: Any) -> list[SampledResult]:
        """Audit a model, and tell nobody the results."""
        with self._together():
            return cast(list[SampledResult], super().audit(snapshot, **options))

    def _render_snapshot_for_evaluation(
        self,
        snapshot: Snapshot,
        snapshots: dict[str, Snapshot],
        deployability_index: DeployabilityIndex,
        render_kwargs: dict[str, Any],
    ) -> Iterator[Any]:
        rendering = each_of_guests(
            super()._render_snapshot_for_evaluation(
                snapshot, snapshots, deployability_index, render_kwargs
            )
        )
        if not snapshot.model.is_sql:  # data, not a query
            yield from rendering
            return
        window = self._window(snapshot.snapshot_id, snapshot.model.query, render_kwargs)
        place = _place(deployability_index)
        key = (snapshot.snapshot_id, render_kwargs["runtime_stage"], window, place)
        if key not in self._queries:
            of = (
                *(*self._gateway, render_kwargs["runtime_stage"]),
                *period_of(render_kwargs, window[-1]),
                *made_of(snapshot, snapshots.values(), deployability_index),
            )
            rendered = self._kept.get(*of)
            if rendered is None:
                rendered = list(rendering)
                self._kept.put(rendered, *of)
            self._queries[key] = rendered
        for query in self._queries[key]:
            yield query.copy()

    def _audit(
        self,
        audit: Audit,
        audit_args: dict[Any, Any],
        snapshot: Snapshot,
        snapshots: dict[str, Snapshot],
        **options: Any,
    ) -> AuditResult:
        if audit.skip or not snapshot.is_model:
            return super()._audit(audit, audit_args, snapshot, snapshots, **options)
        adapter = self.get_adapter(snapshot.model_gateway)
        blocking = audit_args.pop("blocking", None)
        audit_args = audit_args | changed_days(audit, snapshot, options)
        window = self._window(audit.name, audit.query, options)
        place = _place(options["deployability_index"])
        key = (snapshot.snapshot_id, audit.name, str(audit_args), window, place)
        if key not in self._audits:
            of = (
                *(*self._gateway, audit.name, str(audit.query), str(audit.defaults)),
                *(str(audit_args), *period_of(options, window[-1])),
                *made_of(snapshot, snapshots.values(), options["deployability_index"]),
            )
            kept = self._kept.get(*of)
            if kept is None:
                kept = self._render_audit(audit, audit_args, snapshot, snapshots, options)
                self._kept.put(kept, *of)
            self._audits[key] = kept
        counting, sampling, template, packed = self._audits[key]
        is_blocking = audit.blocking if blocking is None else blocking == exp.true()
        result = SampledResult(
            audit=audit,
            audit_args=audit_args,
            model=snapshot.model,
            count=0,
            blocking=is_blocking,
            template=template,
        )
        started = time.perf_counter()
        try:
            # What stops a run most likely finds nothing, and is only counted; what warns finds
            # rows each day, and is looked at once.
            rows = self._ask(adapter, counting if is_blocking or not sampling else sampling)
            result.count = rows[0][0] if rows else 0
            if result.count and is_blocking and sampling:
                rows = self._ask(adapter, sampling)
            result.query = pickle.loads(packed) if result.count else None
            result.sample = tuple(tuple(row[1:]) for row in rows if row[1:])
        except Exception as error:  # whatever an engine may raise
            said = what_values_did(error)
            if is_blocking or said is None:
                raise
            result.failure = said
            return result
        if result.count and not is_blocking and template and asks_for_the_total(template):
            is_deployable = options["deployability_index"].is_deployable(snapshot)
            table = exp.to_table(snapshot.table_name(is_deployable), dialect=adapter.dialect)
            ((result.total,),) = self._ask(adapter, select("COUNT(*)").from_(table))
        result.seconds = time.perf_counter() - started
        return result

    def _ask(self, adapter: EngineAdapter, query: str | exp.Query) -> list[tuple[Any, ...]]:
        """An audit's rows; what its transaction has computed outlives a query that fails."""

        def ask() -> Any:
            try:
                return adapter.fetchall(query)
            except Exception:
                if self._gathered:
                    self._compute_again()
                elif isinstance(adapter, Resilient):
                    adapter.look_again()
                raise

        return cast(list[tuple[Any, ...]], within_memory(adapter.cursor, ask))

    def _render_audit(
        self,
        audit: Audit,
        audit_args: Mapping[Any, Any],
        snapshot: Snapshot,
        snapshots: dict[str, Snapshot],
        options: Mapping[str, Any],
    ) -> tuple[str, str | None, str | None, bytes]:
        adapter = self.get_adapter(snapshot.model_gateway)
        with guest_python():
            query = snapshot.model.render_audit_query(
                audit,
                snapshots=snapshots,
                engine_adapter=adapter,
                runtime_stage=RuntimeStage.AUDITING,
                **options,
                **audit_args,
            )
        # SQLMesh's own audits select whole rows, which may be personal; ours select keys.
        is_ours = audit.name in snapshot.model.audit_definitions
        query, template = split(query)
        sampling = adapter._to_sql(count_and_sample(query, adapter.dialect)) if is_ours else None
        return adapter._to_sql(count(query)), sampling, template, pickle.dumps(query)

    def _window(self, name: Any, query: Any, options: Mapping[str, Any]) -> tuple[Any, ...]:
        """What of the time the rendering of a query depends on."""
        if name not in self._uses_execution_time:
            self._uses_execution_time[name] = "execution" in str(query).lower()
        moment = options["execution_time"] if self._uses_execution_time[name] else None
        return options["start"], options["end"], moment


def _place(deployability: DeployabilityIndex) -> tuple[Any, ...]:
    """What of the environment the rendering of a query depends on: which tables it reads."""
    return deployability.indexed_ids, deployability.is_opposite_index
