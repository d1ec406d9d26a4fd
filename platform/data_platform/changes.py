"""What a load changed: the report from which the restatement is decided."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Change:
    """How the rows of one source table changed, and the days that this can reach.

    `first_day` is None where the rows carry no date; `last_day` is None where a row reaches every
    day from `first_day` on.
    """

    table: str
    added: int = 0
    removed: int = 0
    first_day: date | None = None
    last_day: date | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether not a row changed."""
        return not (self.added or self.removed)

    @property
    def kind(self) -> str:
        """`nothing`, `new rows` or `rewritten rows`."""
        if self.removed:
            return "rewritten rows"
        return "new rows" if self.added else "nothing"

    def __str__(self) -> str:
        parts = [f"{self.added:,} new"] if self.added else []
        parts += [f"{self.removed:,} gone"] if self.removed else []
        days = ""
        if self.first_day is not None:
            days = f" from {self.first_day}"
            if self.last_day == self.first_day:
                days = f" on {self.first_day}"
            elif self.last_day is not None:
                days += f" to {self.last_day}"
        return f"{self.table}: {' and '.join(parts) or 'nothing'}{days}"
