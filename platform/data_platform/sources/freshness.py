"""How old the data of each source is, against what sources.yaml allows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from data_platform.settings import SOURCES_FILE, yesterday
from data_platform.sources.entries import read_entries


@dataclass(frozen=True)
class Freshness:
    """The as-of date of a source, and how many complete days have passed since.

    `days_allowed` is None where sources.yaml sets no limit.
    """

    source: str
    as_of: date
    days_old: int
    days_allowed: int | None

    @property
    def is_stale(self) -> bool:
        """Whether the data is older than allowed."""
        return self.days_allowed is not None and self.days_old > self.days_allowed

    def __str__(self) -> str:
        return (
            f"source {self.source} is as of {self.as_of}, {self.days_old} days behind yesterday; "
            f"{SOURCES_FILE} allows {self.days_allowed} (max_age_days)"
        )


def freshness(project_dir: Path, as_of: Mapping[str, date]) -> tuple[Freshness, ...]:
    """How fresh sources are, by their as-of dates.

    Raises:
        PlatformError: sources.yaml is missing, or no list of sources.
    """
    entries = read_entries(project_dir)
    return tuple(
        Freshness(
            source,
            day,
            (yesterday() - day).days,
            entries[source].max_age_days if source in entries else None,
        )
        for source, day in sorted(as_of.items())
    )
