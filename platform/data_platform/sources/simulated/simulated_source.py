"""A simulated application as a source: its clean tables, with the dirt and errors asked for."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Protocol

from data_platform.files import replace_text
from data_platform.names import SourceName
from data_platform.simulation import Simulation
from data_platform.sources.simulated.calendar import month_number, month_start
from data_platform.sources.simulated.company import Company
from data_platform.sources.simulated.dirt import Dirt, Truth
from data_platform.sources.simulated.faults import with_faults
from data_platform.sources.source import Part, Settled

TRUTH_FILE = "truth.json"


class Application(Protocol):
    """The tables of a simulated company that one application has."""

    def parts(self, settled: Settled) -> Iterable[Part]:
        """The parts of its tables, but those that are settled."""


@dataclass(frozen=True)
class SimulatedSource:
    """An application of a simulated company, as of a date."""

    name: str
    application: Callable[[Company, Dirt], Application]
    simulation: Simulation
    as_of: date
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
        if self.name == SourceName.APP:
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
