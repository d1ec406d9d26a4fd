"""What a transform did, and what is said where it failed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from data_platform.errors import listed
from data_platform.project.error_messages import innermost
from data_platform.project.evaluation import Evaluation
from data_platform.project.lineage.graph import Lineage
from data_platform.project.window import Kind
from data_platform.record.rows import Audited, FailedAudit, ModelRan, StoppedError
from data_platform.result import counted
from data_platform.transform.restatement import Restatement

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Refreshed:
    """What was done to make production reflect a load."""

    load_number: int
    # Models that a deployment computed, and those that were computed again over what is loaded.
    deployed: tuple[str, ...]
    restated: Mapping[str, Restatement]
    ran: tuple[ModelRan, ...]
    audits: tuple[Audited, ...]
    # Of this transform, and those that stand from an earlier one.
    warnings: tuple[FailedAudit, ...]
    # Those of them that were not there before, as they are.
    new_warnings: tuple[FailedAudit, ...]
    # Models whose code in the working tree is not production's, which was kept.
    undeployed: tuple[str, ...]
    # Whether every audit has read all of time.
    is_recounted: bool
    # Models of layers that were not asked for, which do not reflect the load.
    behind: tuple[str, ...]

    @property
    def computed(self) -> tuple[str, ...]:
        """The models whose tables were computed."""
        restated = (name for name, why in self.restated.items() if why.kind is not Kind.VIEW)
        return (*self.deployed, *restated)

    @property
    def summary(self) -> str:
        """What was computed, in a few words."""
        parts = [f"deployed {counted(len(self.deployed), 'model')}"] if self.deployed else []
        over: dict[str, int] = {}
        for restatement in self.restated.values():
            if restatement.kind is not Kind.VIEW:
                by_period = restatement.kind is Kind.INCREMENTAL
                period = f"over {restatement.window}" if by_period else "in full"
                over[period] = over.get(period, 0) + 1
        restated = [
            f"{counted(count, 'model')} {period}" for period, count in sorted(over.items())[::-1]
        ]
        if restated:
            parts.append(f"restated {' and '.join(restated)}")
        if not parts and not self.restated and not self.is_recounted and not self.behind:
            return f"nothing to do, production reflects load {self.load_number}"
        if self.behind:
            others = counted(len(self.behind), "model")
            parts.append(f"{others} of other layers behind load {self.load_number}")
        passed = sum(audit.passed for audit in self.audits)
        recounted = ", all recounted over all of time" if self.is_recounted else ""
        return ", ".join([*parts, f"{passed} audits passed{recounted}"])


@dataclass(frozen=True)
class Transformed(Refreshed):
    """What a transform did, and what there is to know of production and around it afterwards."""

    # The models of other environments that do not reflect the load.
    environments_behind: Mapping[str, tuple[str, ...]]
    # Of production's models; None where nobody asked for it.
    lineage: Lineage | None


def failure(evaluation: Evaluation, error: BaseException | None = None) -> StoppedError:
    """What to say when models failed."""
    if evaluation.stops:
        message = listed("an audit stopped the run", [str(stop) for stop in evaluation.stops])
    else:
        reasons = evaluation.errors or [innermost(error) if error else "no reason given"]
        message = listed("SQLMesh failed", list(dict.fromkeys(reasons)))
    return StoppedError(message, evaluation.ran, evaluation.audits, evaluation.queries)
