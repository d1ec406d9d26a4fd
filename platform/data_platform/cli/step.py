"""What every command gets, and what it gives back: a step that runs when its turn has come.

The command line is read to its end before anything runs, so that a slip in the last word of a chain
changes nothing, and the steps that write are known beforehand: they share one run.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from data_platform.cli.terminal import Reporter, ShownStep
from data_platform.settings import Settings

if TYPE_CHECKING:
    from data_platform.lakehouse.run import RunningRun, RunningStep
    from data_platform.project.lineage.graph import Lineage
    from data_platform.record.rows import Audited, ModelRan


@dataclass
class Findings:
    """What a step has found out that later steps of the run, or its end, need to know."""

    # The lineage of the models that ran.
    lineage: "Lineage | None" = None
    # Whether raw tables have followed the contract.
    contract_changed: bool = False


@dataclass(frozen=True)
class Call:
    """The global options of a command line, and the run that its writing steps share.

    `settings` name the private copy of the run while there is one, `published` what is published.
    """

    settings: Settings
    published: Settings
    reporter: Reporter
    wait: float
    # Which company and day the command line names, by the names of the settings; not the defaults.
    asked: Mapping[str, object]
    run: "RunningRun | None" = None
    findings: Findings = field(default_factory=Findings)

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
