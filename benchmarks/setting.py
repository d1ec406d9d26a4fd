"""The company and days that are measured, the folders to work on, and what a case comes to."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

from measure import Taken, platform

from data_platform.simulation import FIRST_DAY

AS_OF = date(2026, 6, 15)
EARLY = date(2023, 6, 15)
DAY_OF_EACH_YEAR = [AS_OF.replace(year=year) for year in range(FIRST_DAY.year, AS_OF.year + 1)]
INVOICES_A_SCALE = 12_760  # as of that day, at scale 1
OURS = "the platform"


@dataclass(frozen=True)
class Bench:
    """Where contestants are, and where they work; the size in invoices."""

    contestants: Path  # the programs of .cache/bench
    folder: Path
    invoices: int
    rounds: int
    is_quick: bool = False

    @property
    def scale(self) -> str:
        """The scale of the simulated company."""
        return f"{self.invoices / INVOICES_A_SCALE:.4g}"

    def words(self, as_of: date) -> list[str]:
        """The options that say which company and day."""
        return ["--scale", self.scale, "--as-of", str(as_of)]

    @cached_property
    def loaded(self) -> Path:
        """A data folder as of the day, extracted and loaded."""
        return self._made("loaded", AS_OF, "extract", "load")

    @cached_property
    def in_use(self) -> Path:
        """A data folder that has had a day's run since it was built, as one in use has."""
        made = self._made("in-use", AS_OF - timedelta(days=1), "run", "--no-report")
        platform(made, *self.words(AS_OF), "run", "--no-report")
        return made

    def warm_up(self) -> None:
        """Have whatever a project keeps in its caches kept: nobody is to pay for it in a turn."""
        tiny = replace(self, folder=self.folder / "tiny", invoices=INVOICES_A_SCALE // 20)
        tiny.folder.mkdir()
        for as_of in self.dates if self.is_quick else DAY_OF_EACH_YEAR:
            platform(tiny.before(as_of), *tiny.words(as_of), "load", "transform")
        shutil.rmtree(tiny.folder)

    @property
    def dates(self) -> tuple[date, ...]:
        """The days that are measured, one late and, but for a quick look, one early."""
        return (AS_OF,) if self.is_quick else (EARLY, AS_OF)

    def before(self, as_of: date) -> Path:
        """A data folder in use as of the day before, and the day's extracts."""
        made = self._made(f"before-{as_of}", as_of - timedelta(days=2), "run", "--no-report")
        platform(made, *self.words(as_of - timedelta(days=1)), "extract", "load", "transform")
        platform(made, *self.words(as_of), "extract")
        return made

    def _made(self, name: str, as_of: date, *steps: str) -> Path:
        place = self.folder / name
        if not place.exists():
            platform(place, *self.words(as_of), *steps)
        return place


@dataclass(frozen=True)
class Compared:
    """Contestants of a case, each with what its runs took."""

    case: str
    taken: dict[str, list[Taken]]
    # Of whom the ratios are, and to whom: seconds of the first by those of the second.
    ratios: Sequence[tuple[str, str]]
    # By how much the seconds of a contestant are to be divided to be compared; its rows.
    per: dict[str, float]


def copied(base: Path, place: Path) -> Path:
    """A copy of a data folder to work on."""
    shutil.copytree(base, place / "data", symlinks=True)
    return place / "data"
