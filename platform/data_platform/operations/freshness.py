"""How old the data of each source is, against what config.yaml allows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

from data_platform.errors import PlatformError
from data_platform.settings import CONFIG_FILE, yesterday

VARIABLE = "max_age_days"


@dataclass(frozen=True)
class Freshness:
    """The as-of date of a source, and how many complete days have passed since.

    `days_allowed` is None where config.yaml sets no limit.
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
            f"{CONFIG_FILE} allows {self.days_allowed} ({VARIABLE})"
        )


def freshness(project_dir: Path, as_of: Mapping[str, date]) -> tuple[Freshness, ...]:
    """How fresh sources are, by their as-of dates.

    Raises:
        PlatformError: config.yaml sets limits that are no numbers of days.
    """
    allowed = _days_allowed(project_dir)
    return tuple(
        Freshness(source, day, (yesterday() - day).days, allowed.get(source))
        for source, day in sorted(as_of.items())
    )


def _days_allowed(project_dir: Path) -> dict[str, int]:
    path = project_dir / CONFIG_FILE
    try:
        config = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        limits = (config.get("variables") or {}).get(VARIABLE) or {}
        return {str(source): int(days) for source, days in limits.items()}
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, TypeError, ValueError, AttributeError) as error:
        raise PlatformError(
            f"{path}: variables.{VARIABLE} is to be a number of days for each source, "
            f"like {{app: 1, crm: 7}}; found {error}"
        ) from error
