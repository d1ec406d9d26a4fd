"""Replay days one after the other, each as a run of its own would, in one process.

The CRM shows only today's scores: who wants its history has to look at it every day.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from signal import Signals

from data_platform import interruption
from data_platform.delivery.export import ExportedFile, export
from data_platform.errors import UsageError
from data_platform.ingest.extract import extract
from data_platform.ingest.kept_extracts import kept_by_day, take_kept
from data_platform.ingest.load import Loaded, load
from data_platform.ingest.loaded import loaded
from data_platform.ingest.manifest import read_manifest
from data_platform.lakehouse.connection import is_there
from data_platform.lakehouse.run import Run
from data_platform.lakehouse.step import Step
from data_platform.project.context import Project, open_project
from data_platform.record.loads import last_loads
from data_platform.record.transforms import last_transformed
from data_platform.settings import Settings
from data_platform.simulation import RealCompany, Simulation
from data_platform.sources.entries import read_entries
from data_platform.transform.production import Production
from data_platform.transform.transformed import Refreshed, Transformed

# Days in between are published when this many times the cost of a publication has gone by.
_TIMES_ITS_COST = 10


@dataclass(frozen=True)
class Backfilled:
    """What a backfill did; `last` is None where every day was there already."""

    days_replayed: int
    days_found: int
    models_computed: int  # each as often as it was
    last: Transformed | None
    files: tuple[ExportedFile, ...]
    # What asked it to end, before its last day.
    interrupted_by: Signals | None
    seconds: float
    sources: tuple[str, ...]


def backfill(
    settings: Settings,
    company: Simulation,
    first: date,
    last: date,
    run: Run | None = None,
    on_day: Callable[[int, int, date, Loaded, Refreshed], None] = lambda *_: None,
    kept: Path | None = None,
) -> Backfilled:
    """Extract, load and transform each day from `first` to `last`, and export.

    Days that the last loads of the lakehouse were already, in this order, are not replayed: a
    backfill that was interrupted goes on where it stopped.

    Args:
        run: publishes days in between, as often as that costs a tenth of the time at most; an
            interruption waits for the day to end, which the caller is to publish.
        on_day: called after each day with (days done, days in all, day, its load, its transform).
        kept: a folder below which the extracts of each day were kept, to be loaded as they are.

    Raises:
        UsageError: `last` lies before `first`.
        PlatformError: a step failed; the days that were published before it are done.
    """
    if last < first:
        raise UsageError(f"--to {last} lies before --from {first}")
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    whose: frozenset[Simulation | RealCompany] = frozenset({company})
    if kept is not None:
        kept_of = kept_by_day(kept, days)
        kept_sources = read_manifest(kept_of[first]).sources.values()
        whose = frozenset(batch.company for batch in kept_sources)
    is_empty = not is_there(settings)
    settings.lakehouse.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    refreshed = transformed = None
    computed, day, began = 0, last, time.perf_counter()
    published_at = cost = 0.0
    try:
        with open_project(settings) as project, interruption.deferred() as asked:
            production = Production(project)
            found = _days_found(project, whose, days)
            for number, day in enumerate(days[found:], start=found + 1):
                with run.step(str(day), is_shown=False) if run else nullcontext(Step("")) as step:
                    on_that_day = replace(settings, as_of=day)
                    if kept is None:
                        extract(on_that_day, company)
                    else:
                        take_kept(on_that_day, kept_of[day])
                    done = load(on_that_day)
                    is_empty = False
                    if run:
                        run.set_batch(done.batch, done.load_number)
                    refreshed = production.bring_up_to(loaded(project.cursor, on_that_day))
                    audits = (*done.audits, *refreshed.audits)
                    step.done(refreshed.summary, done.rows_changed, refreshed.ran, audits)
                computed += len(refreshed.computed)
                on_day(number, len(days), day, done, refreshed)
                if asked():
                    break
                now = time.perf_counter()
                if run and day != last and now - published_at > _TIMES_ITS_COST * cost:
                    export(on_that_day, connection=project.cursor)
                    run.publish(project.cursor)
                    published_at = time.perf_counter()
                    cost = published_at - now
            if refreshed is not None:
                load_ = loaded(project.cursor, settings)
                transformed = production.complete(refreshed, load_, settings.tells_lineage)
    except BaseException:
        if is_empty:  # but for SQLMesh's own state
            settings.lakehouse.unlink(missing_ok=True)
        raise
    files = export(settings).files if transformed is not None else ()
    return Backfilled(
        days_replayed=len(days) - found,
        days_found=found,
        models_computed=computed,
        last=transformed,
        files=files,
        interrupted_by=asked() if day != last else None,
        seconds=time.perf_counter() - began,
        sources=tuple(read_entries(settings.project_dir)),
    )


def _days_found(
    project: Project, whose: frozenset[Simulation | RealCompany], days: list[date]
) -> int:
    """How many of the first days the last loads were, one after the other."""
    loads = last_loads(project.cursor, len(days))
    for count in range(len(loads), 0, -1):
        found = [(day, of) for _, day, of in loads[-count:]]
        if found == [(day, whose) for day in days[:count]]:
            is_shown = last_transformed(project.cursor) == loads[-1][0]
            return count if is_shown else count - 1
    return 0
