"""What every command gets, and what it gives back: an action that runs when its turn has come.

The command line is read to its end before anything runs, so that a slip in the last word of a chain
changes nothing, and the steps that write are known beforehand: they share one run.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_platform.cli.terminal import Reporter
from data_platform.errors import UsageError
from data_platform.settings import Settings
from data_platform.simulation import Simulation

if TYPE_CHECKING:
    from data_platform.lakehouse.run import Run
    from data_platform.project.lineage.graph import Lineage


@dataclass
class Findings:
    """What a step has found out that later steps of the run, or its end, need to know."""

    # Models whose code in the working tree is not production's.
    undeployed: tuple[str, ...] = ()
    # The lineage of the models that ran.
    lineage: "Lineage | None" = None
    # Whether raw tables have followed the contract.
    contract_changed: bool = False


@dataclass(frozen=True)
class Call:
    """The global options of a command line, and the run that its writing steps share.

    `settings` name the private copy of the run while there is one.
    """

    settings: Settings
    # What the simulated sources are to give.
    company: Simulation
    reporter: Reporter
    wait: float
    # Which company and day the command line names, by the names of the settings; not the defaults.
    asked: Mapping[str, object]
    run: "Run | None" = None
    findings: Findings = field(default_factory=Findings)

    def within(self, run: "Run") -> "Call":
        """The same for the steps of a run."""
        return replace(self, settings=run.settings, run=run)


@dataclass(frozen=True)
class Action:
    """What a command of a command line does when its turn has come; `name` is for the record.

    `act` gives back an exit code where that is not 0.
    """

    name: str
    act: Callable[[Call], int | None]
    writes: bool
    # Refuses what cannot be, before anything begins.
    check: Callable[[Call], None] = lambda call: None
    # SQLMesh takes a second to import, in which the lakehouse is copied.
    needs_sqlmesh: bool = False
    # What decides about a run's result besides the settings, by which one that would do the same
    # again is known; None where each has to run.
    asked: object = None


def run_of(call: Call) -> "Run":
    """The run of a step that writes."""
    assert call.run is not None
    return call.run


def company_of(call: Call, pristine: bool, kinds: tuple[str, ...] = ()) -> Simulation:
    """What the simulated sources give to a command with these options."""
    return replace(call.company, is_pristine=pristine, faults=kinds)


def refuse_in_data_folder(call: Call, place: Path | None, option: str) -> None:
    """Files of one's own go outside of the data folder, where only what a run publishes stays.

    Raises:
        UsageError: it lies in the data folder.
    """
    data = call.settings.data_dir.resolve()
    if place is not None and place.resolve().is_relative_to(data):
        raise UsageError(
            f"{option} {place} lies in the data folder {data}, where only what a run publishes "
            "stays; choose a folder outside of it"
        )
