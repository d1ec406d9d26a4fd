"""A run is a transaction: it works on a private copy, which is published whole or not at all."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import duckdb

from data_platform import interruption
from data_platform.errors import PlatformError, UsageError
from data_platform.lakehouse.connection import writing
from data_platform.lakehouse.failed_copy import show_failures
from data_platform.lakehouse.lock import write_holder, writers_lock
from data_platform.lakehouse.reader_copy import remove_abandoned_snapshots
from data_platform.lakehouse.releases import Releases
from data_platform.lakehouse.run_row import (
    BRING_DATA,
    about,
    ended,
    first_row,
    message_of,
    outcome_of,
)
from data_platform.lakehouse.step import Show, Step
from data_platform.lakehouse.store import Copying, Store
from data_platform.lakehouse.stores import store_of
from data_platform.record.journal import (
    Journal,
    fold,
    journals,
    last_recorded_number,
    record_run_number,
)
from data_platform.record.loads import Batch, last_load
from data_platform.record.rows import Outcome, Row, RunRow, StepRow, StoppedError
from data_platform.record.schema import prepare
from data_platform.settings import Settings
from data_platform.simulation import Simulation


@dataclass
class Run:
    """A run while it runs; `settings` are those of its private copy."""

    settings: Settings
    published: Settings
    row: RunRow
    _journal: Journal
    _releases: Releases
    _store: Store
    _show: Show = nullcontext
    # If set, its publication removes the copy that was kept of an earlier failed run.
    renews_production: bool = field(default=False, init=False)
    # The steps, models and audits so far.
    noted: list[Row] = field(default_factory=list, init=False)
    _copying: Copying | None = field(default=None, init=False)
    _steps: int = field(default=0, init=False)
    _is_last: bool = field(default=False, init=False)
    _is_known: bool = field(default=False, init=False)
    _published: int | None = field(default=None, init=False)  # the last release of this run

    def begin(self) -> None:
        """Make the private copy; the lakehouse is copied while the run goes on."""
        self._releases.begin(self.settings.data_dir)
        self._copying = self._store.begin(self.published, self.settings)

    def wait_for_lakehouse(self) -> None:
        """Wait until the private copy of the lakehouse is there.

        Raises:
            PlatformError: it cannot be made, for want of space for example.
        """
        if self._copying is not None:
            self._copying.wait()

    @contextmanager
    def step(
        self,
        name: str,
        needs_lakehouse: bool = True,
        is_told_later: bool = False,
        is_shown: bool = True,
    ) -> Iterator[Step]:
        """Show and record a step: that it began, and how it ended."""
        step = Step(name, is_told_later)
        with self._show(step) if is_shown else nullcontext():
            interruption.check()
            if needs_lakehouse:
                self.wait_for_lakehouse()
            with self._recorded(step):
                yield step

    @contextmanager
    def _recorded(self, step: Step) -> Iterator[None]:
        self._steps += 1
        started = time.perf_counter()
        row = StepRow(self._steps, step.name, Outcome.RUNNING, datetime.now(UTC))
        self._journal.note(row)
        outcome = Outcome.SUCCEEDED
        try:
            yield
        except BaseException as error:
            outcome = outcome_of(error)
            if isinstance(error, StoppedError):
                step.ran, step.audits = error.ran, error.audits
            raise
        finally:
            step.seconds = time.perf_counter() - started
            row = replace(
                row,
                outcome=outcome,
                seconds=round(step.seconds, 3),
                number_of_rows=step.number_of_rows,
                summary=step.summary,
            )
            self.noted += [*step.ran, *step.audits, row]
            with _unless_failed_already(outcome):
                self._journal.note(*step.ran, *step.audits, row)

    def set_batch(self, batch: Batch, load_number: int | None = None) -> None:
        """Set the batch, load number, as-of date, seed and scale in the run's row of the record."""
        self._is_known = True
        self.row = replace(
            self.row,
            batch_id=batch.batch_id,
            load_number=load_number,
            as_of=batch.as_of,
            random_seed=batch.company.random_seed,
            scale=batch.company.scale,
        )

    def publish(
        self,
        connection: duckdb.DuckDBPyConnection | None = None,
        outcome: Outcome = Outcome.SUCCEEDED,
    ) -> None:
        """Put the private copy in force, with the record of all runs so far.

        Args:
            connection: an open one to the private copy, in which the run then goes on; without
                one, the run ends here.
            outcome: of a run that ends here.
        """
        interruption.check()
        self.wait_for_lakehouse()
        self._is_last = connection is None
        with self._store.publishing(self.published, self.settings) as in_force:
            number = max(in_force or 0, self._releases.current or 0) + 1
            folded = self._put_in_force(number, connection, outcome)
        self._published = number
        if not self._is_last or self._journal not in folded:
            self._journal.note(self.row)
        if self._is_last and self.renews_production:
            self._releases.forget_failed()
            self._store.forget_failed(self._kept)
        for journal in folded:
            if self._is_last or journal != self._journal:
                journal.path.unlink()

    def _put_in_force(
        self, number: int, connection: duckdb.DuckDBPyConnection | None, outcome: Outcome
    ) -> list[Journal]:
        """Publish as a release; the journals that the record holds by now."""
        self.row = replace(self.row, release=number)
        if self._is_last:
            self.row = ended(self.row, outcome)
        folded: list[Journal] = []
        if connection is not None:
            folded = self._fold(connection)
            self._store.settle(connection)
        elif self._store.exists(self.settings):
            with writing(self.settings) as own:
                folded = self._fold(own)
                self._store.settle(own)
        goes_on = not self._is_last
        self._releases.publish(
            self.settings.data_dir,
            number,
            goes_on,
            lambda folder: self._store.put(self.settings, folder, goes_on),
            lambda: self._store.commit(self.published, self.settings, number, goes_on),
        )
        return folded

    def end(self, error: BaseException) -> None:
        """Record that the run failed, and remove its private copy or keep it aside."""
        if self._is_last and self._is_in_force:
            return  # interrupted just after it was published
        with suppress(OSError):  # a full disk must not hide what went wrong
            self.row = replace(self.row, release=self._published, error=message_of(error))
            self.row = ended(self.row, outcome_of(error))
            self._journal.note(self.row)
        with suppress(OSError, duckdb.Error, PlatformError):
            if isinstance(error, StoppedError) and not interruption.received():
                show_failures(self.settings, error)
                self._store.keep_failed(self.settings, self._kept)
                self._releases.keep_failed(self.settings.data_dir)
        with suppress(OSError, PlatformError):
            self.discard()

    def discard(self) -> None:
        """Remove the private copy."""
        if self._copying is not None:
            self._copying.stop()
        self._store.discard(self.settings)
        self._releases.discard(self.settings.data_dir)

    @property
    def _is_in_force(self) -> bool:
        return self.row.release is not None and self.row.release in (
            self._releases.current,
            self._store.release_of(self.settings),
        )

    @property
    def _kept(self) -> Settings:
        return self._store.kept(self.published, self._releases.failed_dir)

    def _fold(self, connection: duckdb.DuckDBPyConnection) -> list[Journal]:
        """Put every journal into the record; the journals."""
        prepare(connection)
        connection.begin()
        load = last_load(connection)
        if load is not None:
            self.row = replace(self.row, batch_id=load.batch_id, load_number=load.load_number)
            if not self._is_known:
                self.row = about(self.row, load)
        record_run_number(connection, self.row.run_number)
        found = journals(self._releases.runs_dir)
        for journal in found:
            fold(connection, journal, self.row if journal == self._journal else None)
        connection.commit()
        return found


@contextmanager
def running(
    settings: Settings,
    company: Simulation,
    command: str,
    wait: float = 0,
    on_wait: Callable[[str], None] = lambda who: None,
    show: Show = nullcontext,
    takes_over: int | None = None,
    after: Callable[[RunRow], None] = lambda row: None,
) -> Iterator[Run]:
    """A run on a private copy of what is published, which the block's end publishes.

    A block that fails leaves what is published as it is.

    Args:
        company: recorded if the command extracts; otherwise that of the last load is recorded.
        command: the steps, for the record and for other writers.
        wait: how many seconds to wait for another writer.
        on_wait: told who that is, before the waiting.
        show: shows each step to a person.
        takes_over: the data folder was another gateway's, whose lakehouse it is to be filled with;
            the number of the last run that did something to that.
        after: told of the run once it is published, while other writers are still kept out.

    Raises:
        PlatformError: another process writes, or the private copy cannot be made.
    """
    releases, store = Releases(settings.data_dir), store_of(settings)
    if takes_over is None:
        store.refuse_folder(settings)
    runs_dir = releases.prepare_runs_dir()
    with writers_lock(runs_dir, wait, on_wait):
        releases.tidy(store.published(settings))
        remove_abandoned_snapshots(releases)
        with store.alone(settings, command, wait, on_wait) as published:
            store.tidy(settings)
            known = [journal.run_number for journal in journals(runs_dir)]
            recorded = last_recorded_number(published) if published else 0
            last = max(recorded, takes_over or 0, *known, 0)
            number = store.next_run_number(settings, last)
            write_holder(runs_dir, number, command)
            journal = Journal(runs_dir / f"{number}.jsonl", number)
            row = first_row(settings, company, command, number)
            load = last_load(published) if published else None
            if load is not None and command.split()[0] not in BRING_DATA:
                row = about(row, load)
            private = store.private(settings, releases.private_dir(number), number)
            run = Run(private, settings, row, journal, releases, store, show)
            journal.note(run.row)
            try:
                run.begin()
                yield run
                run.publish()
                after(run.row)
            except UsageError:
                run.discard()
                journal.path.unlink(missing_ok=True)  # nothing ran
                raise
            except BaseException as error:
                run.end(error)
                raise


@contextmanager
def _unless_failed_already(outcome: Outcome) -> Iterator[None]:
    """A full disk must not hide what went wrong before."""
    try:
        yield
    except OSError:
        if outcome is Outcome.SUCCEEDED:
            raise
