"""How a model is computed, and the months over which it is."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum


class Kind(Enum):
    """How a model is computed."""

    VIEW = "view"  # holds nothing: its audits alone are run again
    FULL = "full"  # as a whole
    TIME_RANGE = "time range"  # by SQLMesh's time range, and all of it at once
    INCREMENTAL = "incremental"  # by period


@dataclass(frozen=True)
class Window:
    """Whole months, from the first day of one to the last day of another."""

    first: date
    last: date

    @classmethod
    def of_months(cls, first: date, last: date) -> "Window":
        """The months from that of one day to that of another."""
        next_month = (last.replace(day=28) + timedelta(days=4)).replace(day=1)
        return cls(first.replace(day=1), next_month - timedelta(days=1))

    def __or__(self, other: "Window") -> "Window":
        return Window(min(self.first, other.first), max(self.last, other.last))

    def __str__(self) -> str:
        first, last = f"{self.first:%Y-%m}", f"{self.last:%Y-%m}"
        return first if first == last else f"{first} to {last}"
