"""A simulated application as a source: its clean tables, with the dirt and errors asked for."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Protocol

from data_platform.errors import PlatformError
from data_platform.files import replace_text
from data_platform.settings import SOURCES_FILE
from data_platform.simulation import FAULTY_SOURCE, Simulation
from data_platform.sources.contract import SourceTable
from data_platform.sources.entries import Entry
from data_platform.sources.simulated.app import App
from data_platform.sources.simulated.billing import Billing
from data_platform.sources.simulated.calendar import month_number, month_start
from data_platform.sources.simulated.company import Company
from data_platform.sources.simulated.crm import Crm
from data_platform.sources.simulated.dirt import Dirt, Truth
from data_platform.sources.simulated.faults import with_faults
from data_platform.sources.source import Part, Settled

TRUTH_FILE = "truth.json"


class Application(Protocol):
    """The tables of a simulated company that one application has."""

    def parts(self, settled: Settled) -> Iterable[Part]:
        """The parts of its tables, but those that are settled."""


# The applications that the simulated company has, by the name of the source.
APPLICATIONS: dict[str, Callable[[Company, Dirt], Application]] = {
    "app": App,
    "crm": Crm,
    "billing": Billing,
}


def open_source(
    entry: Entry, tables: Sequence[SourceTable], company: Simulation, as_of: date
) -> "SimulatedSource":
    """A simulated application.

    Raises:
        PlatformError: the company has no such application.
    """
    if entry.name not in APPLICATIONS:
        raise PlatformError(
            f"{SOURCES_FILE}: there is no simulated {entry.name}, expected one of "
            f"{', '.join(APPLICATIONS)}, or another kind"
        )
    if entry.options:
        raise PlatformError(
            f"{SOURCES_FILE}: {entry.name} has {', '.join(entry.options)}, which a simulated "
            "source does not know"
        )
    return SimulatedSource(entry.name, APPLICATIONS[entry.name], company, as_of)


@dataclass(frozen=True)
class SimulatedSource:
    """An application of a simulated company, as of a date."""

    name: str
    application: Callable[[Company, Dirt], Application]
    simulation: Simulation
    as_of: date
    position: None = None
    # What was injected, once all parts are made.
    truth: Truth = field(default_factory=Truth)

    def settled_parts(self, before: date) -> dict[str, date]:
        """The months that are over in both extracts: the simulated history never changes.

        None where errors are planted, which may lie in any month.
        """
        if self.simulation.faults:
            return {}
        covered = min(before, self.as_of) + timedelta(days=1)  # its month is not over
        return {
            f"{month_start(month):%Y-%m}": month_start(month + 1) - timedelta(days=1)
            for month in range(month_number(covered))
        }

    def parts(self, settled: Settled) -> Iterator[Part]:
        """The parts of its tables, but those that are settled.

        Raises:
            PlatformError: the company is too small yet for an error to be planted.
        """
        simulation = self.simulation
        company = Company(simulation.random_seed, simulation.scale, self.as_of)
        dirt = Dirt(simulation.random_seed, simulation.is_pristine, self.truth)
        parts = self.application(company, dirt).parts(settled)
        if self.name == FAULTY_SOURCE:
            parts = with_faults(parts, simulation.faults, self.truth)
        yield from parts

    def finish(self, folder: Path) -> None:
        """Write what was injected to a file; what it says of other sources stays."""
        path = folder / TRUTH_FILE
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            kept = {kind: one for kind, one in known.items() if one["source"] != self.name}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            kept = {}
        kept |= self.truth.as_json(self.name)
        replace_text(path, json.dumps(kept, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
