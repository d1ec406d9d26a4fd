"""Replay days one after the other, each as a run of its own would, in one process.

The CRM shows only today's scores: who wants its history has to look at it every day.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import FrameType
from typing import Any

from data_platform.delivery.export import ExportedFile, export
from data_platform.errors import UsageError
from data_platform.ingest.extract import extract, variant_of
from data_platform.ingest.load import Loaded, load
from data_platform.ingest.loaded import loaded
from data_platform.lakehouse.run import RunningRun, RunningStep
from data_platform.project.context import Project, open_project
from data_platform.record.transforms import last_transformed
from data_platform.settings import Settings
from data_platform.transform.production import Production
from data_platform.transform.transformed import Transformed

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
    # Somebody asked it to end, before its last day.
    is_interrupted: bool


def backfill(
    settings: Settings,
    first: date,
    last: date,
    pristine: bool = False,
    run: RunningRun | None = None,
    on_day: Callable[[int, int, date, Loaded, Transformed], None] = lambda *_: None,
) -> Backfilled:
    """Extract, load and transform each day from `first` to `last`, and export.

    Days that the last loads of the lakehouse were already, in this order, are not replayed: a
    backfill that was interrupted goes on where it stopped.

    Args:
        run: publishes days in between, as often as that costs a tenth of the time at most; an
            interruption waits for the day to end, which the caller is to publish.
        on_day: called after each day with (days done, days in all, day, its load, its transform).

    Raises:
        UsageError: `last` lies before `first`.
        PlatformError: a step failed; the days that were published before it are done.
    """
    if last < first:
        raise UsageError(f"--to {last} lies before --from {first}")
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    is_empty = not settings.lakehouse.exists()
    settings.lakehouse.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    transformed = None
    computed = 0
    published_at = cost = 0.0
    try:
        with open_project(settings) as project, _asked_to_stop() as asked:
            production = Production(project)
            found = _days_found(project, settings, days, variant_of(pristine))
            for number, day in enumerate(days[found:], start=found + 1):
                with run.step(str(day)) if run else nullcontext(RunningStep()) as step:
                    on_that_day = replace(settings, as_of=day)
                    extract(on_that_day, pristine=pristine)
                    done = load(on_that_day)
                    is_empty = False
                    if run:
                        run.set_batch(done.batch, done.load_number)
                    transformed = production.bring_up_to(loaded(project.cursor, on_that_day))
                    step.number_of_rows, step.summary = done.rows_changed, transformed.summary
                    step.ran, step.audits = transformed.ran, (*done.audits, *transformed.audits)
                computed += len(transformed.computed)
                on_day(number, len(days), day, done, transformed)
                if asked:
                    break
                now = time.perf_counter()
                if run and day != last and now - published_at > _TIMES_ITS_COST * cost:
                    export(on_that_day, connection=project.cursor)
                    run.publish(project.cursor)
                    published_at = time.perf_counter()
                    cost = published_at - now
            if transformed is not None:
                production.tidy()
                behind = production.note_environments(loaded(project.cursor, settings))
                lineage = production.lineage() if settings.tells_lineage else None
                transformed = transformed.with_notes(behind, lineage)
    except BaseException:
        if is_empty:  # but for SQLMesh's own state
            settings.lakehouse.unlink(missing_ok=True)
        raise
    files = tuple(export(settings)) if transformed is not None else ()
    is_interrupted = bool(asked) and day != last
    return Backfilled(len(days) - found, found, computed, transformed, files, is_interrupted)


@contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """Fills with the signal that asks the process to end; a second one ends it at once."""
    asked: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        for one, handler in before.items():
            signal.signal(one, handler)

    if threading.current_thread() is threading.main_thread():
        before |= {
            number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)
        }
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _days_found(project: Project, settings: Settings, days: list[date], variant: str) -> int:
    """How many of the first days the last loads were, one after the other."""
    cursor = project.cursor
    company = (settings.random_seed, settings.scale, variant)
    loads = cursor.execute(
        "SELECT DISTINCT load_number, as_of, random_seed, scale, variant FROM ops.loads "
        "ORDER BY load_number DESC LIMIT ?",
        [len(days)],
    ).fetchall()
    loads.reverse()
    wanted = [(day, *company) for day in days]
    for count in range(len(loads), 0, -1):
        if [tuple(load[1:]) for load in loads[-count:]] == wanted[:count]:
            is_shown = last_transformed(cursor) == loads[-1][0]
            return count if is_shown else count - 1
    return 0
