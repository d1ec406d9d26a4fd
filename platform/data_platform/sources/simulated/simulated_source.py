"""A simulated application as a source: its clean tables, with the dirt and errors asked for."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from data_platform.sources.simulated.calendar import Settled, month_number, month_start
from data_platform.sources.simulated.company import Company, company_of
from data_platform.sources.simulated.crm import Crm
from data_platform.sources.simulated.dirt import Dirt, Truth
from data_platform.sources.simulated.faults import with_faults
from data_platform.sources.source import Checked, Earlier, EarlierFile, Kept, Mark, Part


def truth_text(kinds: Mapping[str, object]) -> str:
    """What was injected as JSON, a line a kind: an indent would take twenty times as long."""
    lines = (
        f"{json.dumps(kind)}: {json.dumps(one, ensure_ascii=False, sort_keys=True)}"
        for kind, one in sorted(kinds.items())
    )
    return "{" + ",\n".join(lines) + "}\n"


# What a table's columns are looked up in.
_SMALL_SCALE, _SMALL_AS_OF = 0.05, date(2022, 12, 31)
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
    return SimulatedSource(entry.name, tables, APPLICATIONS[entry.name], company, as_of)


@dataclass(frozen=True)
class SimulatedSource:
    """An application of a simulated company, as of a date."""

    name: str
    tables: Sequence[SourceTable]
    application: Callable[[Company, Dirt], Application]
    simulation: Simulation
    as_of: date
    position: None = None
    marks: Mapping[str, Mark] = field(default_factory=dict)
    readings: Mapping[str, str] = field(default_factory=dict)
    # What was injected, once all parts are made.
    truth: Truth = field(default_factory=Truth)

    def parts(self, earlier: Earlier | None, scratch: Path) -> Iterator[Part | Kept]:
        """The parts of its tables; months that were over in the earlier extract stay.

        Raises:
            PlatformError: the company is too small yet for an error to be planted.
        """
        settled: dict[tuple[str, str], int] = {}
        if earlier is not None:
            for table in self.tables:
                for name, file in self._settled(table, earlier).items():
                    settled[table.part_name, name] = file.rows if file else 0
                    if file:
                        yield Kept(table.part_name, name)
        simulation = self.simulation
        company = company_of(simulation.random_seed, simulation.scale, self.as_of)
        dirt = Dirt(simulation.random_seed, simulation.is_pristine, self.truth)
        parts = self.application(company, dirt).parts(settled)
        if self.name == FAULTY_SOURCE:
            parts = with_faults(parts, simulation.faults, self.truth)
        yield from parts

    def _settled(self, table: SourceTable, earlier: Earlier) -> dict[str, EarlierFile | None]:
        """The months that are over in both extracts: the simulated history never changes.

        None where errors are planted, which may lie in any month, nor of a table that was cut into
        other parts. A month without rows has no file.
        """
        files = earlier.files(table)
        if table.event_column is None or not files or self.simulation.faults:
            return {}
        covered = min(earlier.as_of, self.as_of) + timedelta(days=1)  # its month is not over
        months = {
            f"{month_start(month):%Y-%m}": month_start(month + 1) - timedelta(days=1)
            for month in range(month_number(covered))
        }
        if any(_is_elsewhere(name, file, months) for name, file in files.items()):
            return {}
        return {
            name: file for name in months if (file := files.get(name)) is None or file.is_intact
        }

    def finish(self, folder: Path) -> None:
        """Write what was injected to a file; what it says of other sources stays."""
        path = folder / TRUTH_FILE
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            kept = {kind: one for kind, one in known.items() if one["source"] != self.name}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            kept = {}
        kept |= self.truth.as_json(self.name)
        replace_text(path, truth_text(kept))

    def check(self) -> Iterator[Checked]:
        """Its tables, as a very small company has them; they are not counted."""
        small = Company(self.simulation.random_seed, _SMALL_SCALE, _SMALL_AS_OF)
        made = self.application(small, Dirt(self.simulation.random_seed, True, Truth())).parts({})
        found: dict[str, list[str]] = {}
        for part in made:
            if part.table not in found:
                found[part.table] = part.make().columns
        for table in self.tables:
            there = found.get(table.part_name, [])
            taken = {n for c in table.columns for n in (c.name, c.was) if n}
            lacking = [
                column.name
                for column in table.columns
                if not ({column.name, column.was} & {*there})
                and not column.nullable
                and column.default is None
            ]
            fault = f"{table.key}: the application has no column {', '.join(lacking)}"
            unknown = tuple(name for name in there if name not in taken)
            yield Checked(table, None, unknown, fault if lacking else None)


def _is_elsewhere(name: str, file: EarlierFile, months: Mapping[str, date]) -> bool:
    """Whether a file has days of months that are not its own."""
    first, last = file.first_date, file.last_date
    names, ends = list(months), list(months.values())
    if name not in months:
        return bool(ends) and first is not None and first <= ends[-1]
    place = names.index(name)
    is_later = last is not None and last > ends[place]
    return is_later or (place > 0 and first is not None and first <= ends[place - 1])
