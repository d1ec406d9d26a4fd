"""What sources.yaml and the contract say of each application."""

from data_platform.result import Result
from data_platform.settings import Settings
from data_platform.sources.contract import read_contract
from data_platform.sources.entries import read_entries
from data_platform.sources.registry import check_kind


def sources(settings: Settings) -> Result:
    """The applications, a line each; nothing is connected to.

    Raises:
        PlatformError: sources.yaml and the contract do not name the same applications.
    """
    entries, contract = read_entries(settings.project_dir), read_contract(settings.project_dir)
    contract.refuse_other_sources(entries)
    for entry in entries.values():
        check_kind(entry)
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
