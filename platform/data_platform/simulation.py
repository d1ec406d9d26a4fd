"""Which company is simulated: a value of the command line, for the simulated sources."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from data_platform.errors import UsageError
from data_platform.names import SourceName

# The company's first day, as in config.yaml: nothing can be extracted as of an earlier one.
FIRST_DAY = date(2022, 1, 1)
_DIRTY, _PRISTINE = "dirty", "pristine"


@dataclass(frozen=True)
class Simulation:
    """A simulated company; the same one has the same rows as of the same date."""

    random_seed: int
    # 1 is about 1,000 users and 15,000 invoices by the end of 2026.
    scale: float
    # Without the life-like dirt.
    is_pristine: bool = False
    # The kinds of real errors that are planted, values of `FaultKind`.
    faults: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """The order in which errors are named makes no other company."""
        object.__setattr__(self, "faults", tuple(sorted(set(self.faults))))

    @classmethod
    def recorded(cls, random_seed: int, scale: float, variant: str) -> "Simulation":
        """The company of a record that names its variant."""
        names = variant.split(",")
        faults = tuple(name for name in names if name not in (_DIRTY, _PRISTINE))
        return cls(random_seed, scale, _PRISTINE in names, faults)

    @property
    def variant(self) -> str:
        """What sets an extract apart from others of the same seed, scale and date."""
        names = ([_PRISTINE] if self.is_pristine else []) + [*self.faults]
        return ",".join(names) or _DIRTY

    def refuse_faults_elsewhere(self, sources: Collection[str]) -> None:
        """Errors are planted in source app, which has to be among those that are extracted.

        Raises:
            UsageError: it is not.
        """
        if self.faults and SourceName.APP not in sources:
            raise UsageError(
                "--inject plants errors in source app, which is not extracted; add -s app"
            )

    def __str__(self) -> str:
        return f"seed {self.random_seed}, scale {self.scale:g}, {self.variant}"
