"""The kinds of sources: a module each, which opens an application of its kind."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from importlib import import_module

from data_platform.errors import PlatformError, near
from data_platform.settings import SOURCES_FILE
from data_platform.simulation import Simulation
from data_platform.sources.contract import SourceTable
from data_platform.sources.entries import Entry
from data_platform.sources.source import Source

SIMULATED = "simulated"
# Modules of this package with a function `open_source`; each is imported when it is needed.
KINDS = {
    SIMULATED: "simulated.simulated_source",
    "postgres": "databases.postgres",
    "mysql": "databases.mysql",
    "sqlite": "databases.sqlite",
    "duckdb": "databases.duckdb_file",
    "files": "files.drop_folder",
}

# Takes the entry, its tables in the contract, the company to simulate, the as-of date.
_Open = Callable[[Entry, Sequence[SourceTable], Simulation, date], Source]


def simulated(entries: Mapping[str, Entry], names: Iterable[str]) -> list[str]:
    """Those of some sources that are simulated."""
    return [name for name in names if entries[name].kind == SIMULATED]


def check_kind(entry: Entry) -> None:
    """Refuse a kind that does not exist.

    Raises:
        PlatformError: there is no such kind.
    """
    if entry.kind not in KINDS:
        raise PlatformError(
            f"{SOURCES_FILE}: {entry.name} is of kind {entry.kind}, expected one of "
            f"{', '.join(KINDS)}{near(entry.kind, KINDS)}"
        )


def open_source(
    entry: Entry, tables: Sequence[SourceTable], company: Simulation, as_of: date
) -> Source:
    """An application, as of a date.

    Args:
        tables: those that the contract asks of it.
        company: what simulated applications are to give.

    Raises:
        PlatformError: there is no such kind, or the entry lacks what its kind needs.
    """
    check_kind(entry)
    module = import_module(f"data_platform.sources.{KINDS[entry.kind]}")
    opens: _Open = module.open_source
    return opens(entry, tables, company, as_of)
