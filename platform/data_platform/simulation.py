"""Whose data it is: a simulated company's, a value of the command line, or a real one's."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from data_platform.errors import UsageError
from data_platform.settings import SOURCES_FILE

# The company's first day, as in config.yaml: nothing can be extracted as of an earlier one.
FIRST_DAY = date(2022, 1, 1)
# The simulated source in which errors are planted.
FAULTY_SOURCE = "app"
_DIRTY, _PRISTINE, _REAL = "dirty", "pristine", "real"


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

    @property
    def variant(self) -> str:
        """What sets an extract apart from others of the same seed, scale and date."""
        names = ([_PRISTINE] if self.is_pristine else []) + [*self.faults]
        return ",".join(names) or _DIRTY

    def refuse_faults_elsewhere(self, simulated: Collection[str]) -> None:
        """Errors are planted in one source, which has to be among the simulated ones extracted.

        Raises:
            UsageError: it is not.
        """
        if self.faults and FAULTY_SOURCE not in simulated:
            raise UsageError(
                f"--inject plants errors in the simulated source {FAULTY_SOURCE}, which is not "
                f"extracted; add -s {FAULTY_SOURCE}, or have it simulated in {SOURCES_FILE}"
            )

    def __str__(self) -> str:
        return f"seed {self.random_seed}, scale {self.scale:g}, {self.variant}"


@dataclass(frozen=True)
class RealCompany:
    """The company whose data real applications hold; there is one."""

    random_seed: int = 0
    scale: float = 0.0

    @property
    def variant(self) -> str:
        """What its extracts are recorded as."""
        return _REAL

    def __str__(self) -> str:
        return "real data"


def recorded_company(random_seed: int, scale: float, variant: str) -> Simulation | RealCompany:
    """The company of a record that names its variant."""
    if variant == _REAL:
        return RealCompany()
    names = variant.split(",")
    faults = tuple(name for name in names if name not in (_DIRTY, _PRISTINE))
    return Simulation(random_seed, scale, _PRISTINE in names, faults)
