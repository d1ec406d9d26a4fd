"""What sources.yaml and the contract say of each application, and whether it agrees."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from data_platform.errors import PlatformError
from data_platform.ingest.schema_changes import schema_change
from data_platform.lakehouse.connection import is_there, reading
from data_platform.result import Result
from data_platform.settings import Settings
from data_platform.simulation import Simulation
from data_platform.sources.contract import Contract
from data_platform.sources.contract_file import read_contract
from data_platform.sources.entries import Entry, chosen_sources, read_entries
from data_platform.sources.registry import check_kind, open_source
from data_platform.sources.source import Checked


def sources(settings: Settings) -> Result:
    """The applications, a line each; nothing is connected to.

    Raises:
        PlatformError: sources.yaml and the contract do not name the same applications.
    """
    entries, contract = _stated(settings)
    return Result(
        ("source", "kind", "tables", "max days"),
        [
            (
                entry.name,
                entry.kind,
                ", ".join(table.part_name for table in contract.of_sources((entry.name,))),
                entry.max_age_days,
            )
            for entry in entries.values()
        ],
    )


@dataclass(frozen=True)
class Agreement:
    """Whether applications are what the contract says, and what a load would change for it."""

    # A line each table: source, table, how many rows, and whether it fits, or why not.
    tables: Result
    # How raw tables of the lakehouse would follow the contract.
    schema_changes: tuple[str, ...]
    # Why sources and tables do not fit.
    faults: tuple[str, ...]


def check(settings: Settings, company: Simulation, asked: Sequence[str] = ()) -> Agreement:
    """Connect to applications, compare their tables with the contract and count; extract nothing.

    Args:
        company: what the simulated sources would give.
        asked: some sources; all of them by default.

    Raises:
        PlatformError: sources.yaml and the contract do not name the same applications.
        UsageError: there is no such source.
    """
    entries, contract = _stated(settings)
    chosen = chosen_sources(entries, asked)
    rows: list[tuple[str, str, int | None, str]] = []
    faults: list[str] = []
    for name in chosen:
        for table, checked in _checked(settings, entries[name], contract, company):
            fault = checked if isinstance(checked, str) else checked.fault
            faults += [fault] if fault else []
            unknown = () if isinstance(checked, str) else checked.unknown
            said = fault or "fits" + (f"; not read: {', '.join(unknown)}" if unknown else "")
            rows.append((name, table, None if isinstance(checked, str) else checked.rows, said))
    changes: tuple[str, ...] = ()
    if is_there(settings):
        with reading(settings) as connection:
            found = (schema_change(connection, table) for table in contract.of_sources(chosen))
            changes = tuple(str(change) for change in found if change is not None)
    return Agreement(Result(("source", "table", "rows", "contract"), rows), changes, tuple(faults))


def _stated(settings: Settings) -> tuple[Mapping[str, Entry], Contract]:
    entries, contract = read_entries(settings.project_dir), read_contract(settings.project_dir)
    contract.refuse_other_sources(entries)
    for entry in entries.values():
        check_kind(entry)
    return entries, contract


def _checked(
    settings: Settings, entry: Entry, contract: Contract, company: Simulation
) -> Iterator[tuple[str, Checked | str]]:
    """(table, what was found) for each table; one fault for all of a source out of reach."""
    tables = contract.of_sources((entry.name,))
    try:
        for checked in open_source(entry, tables, company, settings.as_of).check():
            yield checked.table.part_name, checked
    except PlatformError as error:
        yield ", ".join(table.part_name for table in tables), str(error)
