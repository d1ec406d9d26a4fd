"""What every command gets, and what it gives back: a step that runs when its turn has come.

The command line is read to its end before anything runs, so that a slip in the last word of a chain
changes nothing, and the steps that write are known beforehand: they share one run.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from data_platform.console import Reporter, ShownStep
from data_platform.settings import Settings

if TYPE_CHECKING:
    from data_platform.record import Audited, ModelRan
    from data_platform.run import RunningRun, RunningStep


@dataclass(frozen=True)
class Call:
    """The global options of a command line, and the run that its writing steps share.

    `settings` name the private copy of the run while there is one, `published` what is published.
    """

    settings: Settings
    published: Settings
    reporter: Reporter
    wait: float
    run: "RunningRun | None" = None

    def within(self, run: "RunningRun") -> "Call":
        """The same for the steps of a run."""
        return replace(self, settings=run.settings, run=run)

    @contextmanager
    def step(
        self, name: str, needs_lakehouse: bool = True, is_told_later: bool = False
    ) -> Iterator["Work"]:
        """Show and record a step while the block runs.

        Args:
            is_told_later: it claims what is true only once the run is published.
        """
        with (
            self.reporter.step(name, is_told_later) as shown,
            run_of(self).step(name, needs_lakehouse) as recorded,
        ):
            yield Work(shown, recorded)


@dataclass(frozen=True)
class Step:
    """A step that a command line asks for; `name` is for the record.

    `act` gives back an exit code where that is not 0.
    """

    name: str
    act: Callable[[Call], int | None]
    writes: bool
    # Refuses what cannot be, before any step begins.
    check: Callable[[Call], None] = lambda call: None


@dataclass(frozen=True)
class Work:
    """A step at work."""

    shown: ShownStep
    recorded: "RunningStep"

    def advance(self, done: int, total: int | None, what: str = "") -> None:
        """`done` of `total` parts are done (None: nobody knows yet), the last of them `what`."""
        self.shown.advance(done, total, what)

    def done(
        self,
        summary: str,
        number_of_rows: int | None = None,
        ran: "Sequence[ModelRan]" = (),
        audits: "Sequence[Audited]" = (),
    ) -> None:
        """What the step came to, in a few words and for the record."""
        self.shown.done(summary)
        self.recorded.summary = summary
        self.recorded.number_of_rows = number_of_rows
        self.recorded.ran, self.recorded.audits = tuple(ran), tuple(audits)


def run_of(call: Call) -> "RunningRun":
    """The run of a step that writes."""
    assert call.run is not None
    return call.run


def warn_of_stale_sources(call: Call, as_of: Mapping[str, date]) -> None:
    """Warn of each source whose data is older than config.yaml allows."""
    from data_platform.freshness import freshness

    for source in freshness(call.settings.project_dir, as_of):
        if source.is_stale:
            call.reporter.warn(str(source))


def warn_of_environments(
    call: Call, behind: Mapping[str, tuple[str, ...]], load_number: int
) -> None:
    """Warn of each environment with tables that do not show the last load."""
    for environment, models in behind.items():
        call.reporter.warn(
            f"environment {environment} does not show load {load_number} in "
            f"{', '.join(models)}; to refresh it: just plan {environment}"
        )


def tell_catalogue(call: Call, run: "RunningRun") -> None:
    """Send what a run was about as lineage events; a catalogue that is away fails no run."""
    from data_platform.lineage_events import emit, run_events

    try:
        emit(run_events(run.lineage, run.row, run.noted, call.settings), call.settings)
    except Exception as error:  # whatever the client's transports raise
        call.reporter.warn(
            f"the run's lineage events were not sent: {' '.join(str(error).split())}"
        )
