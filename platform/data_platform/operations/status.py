"""What is published and by which run, what the last runs did, and whether somebody should look."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any

from data_platform.errors import PlatformError
from data_platform.lakehouse.connection import reading
from data_platform.lakehouse.lock import run_at_work
from data_platform.lakehouse.releases import Releases
from data_platform.lakehouse.run_row import BESIDE_PRODUCTION
from data_platform.lakehouse.stores import store_of
from data_platform.record.exports import exported_files
from data_platform.record.journal import has_record, journals, recorded_runs, recorded_steps
from data_platform.record.loads import LastLoad, last_load, loaded_tables
from data_platform.record.promotions import promotion_in_force
from data_platform.record.rows import FailedAudit, Outcome, RunRow, StepRow
from data_platform.record.standing_warnings import standing_warnings, told
from data_platform.record.transforms import (
    change_number,
    environments,
    last_transformed,
    recorded_environments_behind,
)
from data_platform.settings import Settings
from data_platform.sources.freshness import Freshness, freshness

_RUNS_SHOWN = 10


_REFUSED = ("promote", "rollback")


@dataclass(frozen=True)
class TableStatus:
    """A source table in the lakehouse."""

    name: str
    rows: int
    as_of: date
    variant: str


Runs = Mapping[RunRow, tuple[StepRow, ...]]


@dataclass(frozen=True)
class Status:
    """The state of a data folder; `environments_behind` as of the last transform or plan.

    `load`, `published_by` and what belongs to them are None before the first publication.
    """

    release: int | None
    published_by: int | None
    load: LastLoad | None
    production_load_number: int | None
    sources: tuple[Freshness, ...]
    warnings: tuple[FailedAudit, ...]
    environments_behind: Mapping[str, tuple[str, ...]]
    # The environments beside production, and when they expire; the promotion whose code it has.
    environments: Mapping[str, datetime | None]
    promotion: Mapping[str, Any] | None
    tables: tuple[TableStatus, ...]
    exports_are_current: bool  # none of them was written before production last changed
    runs: Runs  # the last ones and their steps, the latest first
    writer: str | None  # who keeps others out, on whatever machine
    failed_copy: str | None  # of the last run that an audit or a model stopped

    @property
    def is_current(self) -> bool:
        """Whether production shows the last load."""
        return self.load is not None and self.production_load_number == self.load.load_number

    @property
    def last_run(self) -> RunRow | None:
        """The last run that has ended, not counting plans, which leave production alone.

        A promotion or rollback that failed does not count either: it left production as it was.
        """
        for run in self.runs:
            command, outcome = run.command.split()[0], run.outcome
            is_refused = command in _REFUSED and outcome != Outcome.SUCCEEDED
            if outcome != Outcome.RUNNING and command not in BESIDE_PRODUCTION and not is_refused:
                return run
        return None

    @property
    def last_run_failed(self) -> bool:
        """Whether the last run ended otherwise than by its publication."""
        return self.last_run is not None and self.last_run.outcome != Outcome.SUCCEEDED

    @property
    def is_healthy(self) -> bool:
        """True if something is loaded, the last run succeeded and no source is stale."""
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not healthy, a line each."""
        found = [] if self.load is not None else ["nothing is loaded yet"]
        return (*found, *self._failures)

    @property
    def _failures(self) -> tuple[str, ...]:
        """That the last run failed, or a source is stale."""
        found = []
        if (run := self.last_run) is not None and self.last_run_failed:
            reason = f": {run.error}" if run.error else ""
            found.append(f"run {run.run_number} (`{run.command}`) {run.outcome}{reason}")
        return (*found, *(str(source) for source in self.sources if source.is_stale))

    @property
    def problems(self) -> tuple[str, ...]:
        """What somebody should look at, a line each."""
        found = [*self._failures]
        if self.failed_copy:
            found.append('a copy of a failed run is kept: just query "SQL" --failed')
        if self.load is not None and not self.is_current:
            shown = self.production_load_number or "none"
            found.append(f"production reflects load {shown}; run: data-platform transform export")
        elif not self.exports_are_current:
            found.append("production has changed since the exports; run: data-platform export")
        found += [
            f"{told(warning)} (since {warning.since})" if warning.since else told(warning)
            for warning in self.warnings
        ]
        for environment, models in self.environments_behind.items():
            found.append(
                f"environment {environment} does not show the last load in "
                f"{', '.join(models)}; to refresh it: just plan {environment}"
            )
        return tuple(found)


def status(settings: Settings) -> Status:
    """Read the state of a data folder.

    Raises:
        PlatformError: nothing ever ran there, or SQLMesh's own commands are writing.
    """
    releases, store = Releases(settings.data_dir), store_of(settings)
    unfolded = dict(told for journal in journals(releases.runs_dir) if (told := journal.run()))
    kept = store.kept(settings, releases.failed_dir)
    writer = store.writer(settings)
    latest = partial(_latest, unfolded, run_at_work(releases.runs_dir), writer is not None)
    found = partial(
        Status,
        release=store.published(settings) or releases.current,
        writer=writer,
        failed_copy=store.place(kept) if store.exists(kept) else None,
    )
    if not store.exists(settings) and unfolded:
        return found(
            published_by=None,
            load=None,
            production_load_number=None,
            sources=(),
            warnings=(),
            environments_behind={},
            environments={},
            promotion=None,
            tables=(),
            exports_are_current=True,
            runs=latest({}),
        )
    with reading(settings) as connection:
        load, tables = last_load(connection), loaded_tables(connection)
        if load is None and not unfolded:
            raise PlatformError("nothing is loaded yet; run: data-platform run")
        runs: Runs = {}
        if has_record(connection):
            runs = {
                run: recorded_steps(connection, run.run_number)
                for run in recorded_runs(connection, _RUNS_SHOWN)
            }
        as_of = {
            name.partition("__")[0]: table.batch.as_of
            for name, table in tables.items()
            if not name.startswith("platform__")
        }
        return found(
            published_by=next((run.run_number for run in runs if run.release), None),
            load=load,
            production_load_number=last_transformed(connection),
            sources=freshness(settings.project_dir, as_of),
            warnings=standing_warnings(connection),
            environments_behind=recorded_environments_behind(connection),
            environments=environments(connection),
            promotion=promotion_in_force(connection),
            tables=tuple(
                TableStatus(name, table.rows, table.batch.as_of, table.batch.company.variant)
                for name, table in sorted(tables.items())
            ),
            exports_are_current=_exports_are_current(
                settings, exported_files(connection), change_number(connection)
            ),
            runs=latest(runs),
        )


def _exports_are_current(settings: Settings, shows: Mapping[str, int], change: int) -> bool:
    files = [*settings.exports_dir.iterdir()] if settings.exports_dir.is_dir() else []
    return bool(files) and all(shows.get(path.name) == change for path in files)


def _latest(unfolded: Runs, at_work: int | None, has_writer: bool, recorded: Runs) -> Runs:
    """The last runs of the record and of the journals; one that was published is in the record.

    Args:
        at_work: the number of the run that writes on this machine.
        has_writer: somebody writes to a shared lakehouse, on whatever machine.
    """
    found = {run.run_number: (run, steps) for run, steps in unfolded.items()}
    for run, steps in recorded.items():
        if run.outcome == Outcome.SUCCEEDED or run.run_number not in found:
            found[run.run_number] = run, steps
    here = platform.node()
    return dict(
        found[number]
        if number == at_work or (has_writer and found[number][0].host != here)
        else _with_its_ending(*found[number])
        for number in sorted(found)[: -_RUNS_SHOWN - 1 : -1]
    )


def _with_its_ending(run: RunRow, steps: tuple[StepRow, ...]) -> tuple[RunRow, tuple[StepRow, ...]]:
    """A run that wrote no ending, and is not at work, was killed."""
    if run.outcome != Outcome.RUNNING:
        return run, steps
    return replace(run, outcome=Outcome.KILLED), tuple(
        replace(step, outcome=Outcome.KILLED) if step.outcome == Outcome.RUNNING else step
        for step in steps
    )
