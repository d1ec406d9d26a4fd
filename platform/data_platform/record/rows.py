"""The record of every run: what ran, how long, what each audit found; also of runs that failed.

A run writes a journal beside the lakehouse, since a run that fails must not touch the file that is
published. The next publication folds the journals into the tables of `ops`, and `status` reads
both. The dataclasses state the tables' columns, once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from data_platform.errors import PlatformError

# Enough to look the rows up that an audit found.
KEYS_SHOWN = 5


class Outcome(StrEnum):
    """How a run or a step ended."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # by a person or the system, with time to say so
    KILLED = "killed"  # its process is gone, and wrote no ending


@dataclass(frozen=True)
class RunRow:
    """One row a run: a chain of steps that is published as a whole or not at all."""

    run_number: Annotated[int, "Number of the run, rising."]
    command: Annotated[str, "The steps that were asked for."]
    outcome: Annotated[str, "succeeded, failed, interrupted or killed."]
    started_at: Annotated[datetime, "When it began."]
    user_name: Annotated[str, "Who ran it, by the name in the operating system."]
    host: Annotated[str, "On which machine."]
    process_id: Annotated[int, "As which process."]
    version: Annotated[str, "Version of the platform."]
    git_commit: Annotated[str | None, "Commit of the project, with -dirty where files differ."]
    random_seed: Annotated[int, "Random seed of the company whose data it worked on."]
    scale: Annotated[float, "Its scale."]
    as_of: Annotated[date, "As-of date of the data that it worked on."]
    finished_at: Annotated[datetime | None, "When it ended; null where it was killed."] = None
    seconds: Annotated[float | None, "How long it took."] = None
    batch_id: Annotated[str | None, "Batch of the last load that it published."] = None
    load_number: Annotated[int | None, "Number of that load."] = None
    release: Annotated[int | None, "Number of the release that it published last."] = None
    error: Annotated[str | None, "Why it failed; no personal data."] = None


@dataclass(frozen=True)
class StepRow:
    """One row a step of a run; a backfill has one for each day."""

    step_number: Annotated[int, "Its place in the run."]
    step: Annotated[str, "Name of the step, or the day of a backfill."]
    outcome: Annotated[str, "succeeded, failed, interrupted or killed."]
    started_at: Annotated[datetime, "When it began."]
    seconds: Annotated[float | None, "How long it took; null where it was killed."] = None
    number_of_rows: Annotated[int | None, "Rows extracted, changed by the load, exported."] = None
    summary: Annotated[str | None, "What it came to, as the command line said it."] = None


@dataclass(frozen=True)
class ModelRan:
    """One row for each time that a run computed a model, or audited it as a view."""

    load_number: Annotated[int, "The load that it then reflected."]
    environment: Annotated[str, "Environment for which it was computed."]
    model_name: Annotated[str, "The model."]
    kind: Annotated[str, "VIEW, FULL, TIME_RANGE or INCREMENTAL (by month)."]
    first_day: Annotated[date | None, "First day of the window, null where it has none."]
    last_day: Annotated[date | None, "Last day of the window."]
    seconds: Annotated[float, "How long it took, its audits included."]


@dataclass(frozen=True)
class Audited:
    """One row for each audit of each run, whatever it found."""

    load_number: Annotated[int, "The load whose data it read."]
    environment: Annotated[str, "Environment whose model it audited, empty for a source table."]
    model_name: Annotated[str, "The model, or the source table."]
    audit: Annotated[str, "The claim, with the arguments that tell two uses apart."]
    period: Annotated[str, "The months that it read, empty where all of time."]
    is_blocking: Annotated[bool, "Whether rows that it finds stop the run."]
    number_of_rows: Annotated[int, "Rows that break the claim; 0 where it holds."]
    keys: Annotated[tuple[str, ...], "Keys of the first of them; no personal data."]
    sentence: Annotated[
        str | None, "What was found, in a sentence; null where the claim holds."
    ] = None
    is_unknown: Annotated[bool, "Whether the audit itself failed: nobody knows if it holds."] = (
        False
    )
    seconds: Annotated[float | None, "How long it took; null in older rows, and of loads."] = None
    version: Annotated[
        str | None, "SQLMesh's identifier of the model's version; null in older rows, and of loads."
    ] = None

    @property
    def name(self) -> str:
        """The claim alone, without the arguments that tell two uses apart."""
        return _claim(self.audit)

    @property
    def passed(self) -> bool:
        """Whether the claim is known to hold."""
        return not (self.number_of_rows or self.is_unknown)

    @property
    def failed(self) -> "FailedAudit | None":
        """What to say where the claim does not hold, or nobody knows."""
        if self.passed:
            return None
        audit = self.audit + (f" over {self.period}" if self.period else "")
        said = self.sentence or ""
        return FailedAudit(self.model_name, audit, self.number_of_rows, self.keys, said)


@dataclass(frozen=True)
class FailedAudit:
    """An audit that found rows; `keys` are a few of them, never personal data."""

    model: str
    audit: str
    rows: int
    keys: tuple[str, ...]
    sentence: str = ""
    # As-of date at which this number of rows was first found; set for standing warnings only.
    since: date | None = None

    @property
    def name(self) -> str:
        """The claim alone, without the arguments that tell two uses apart."""
        return _claim(self.audit)

    @property
    def is_of_a_source(self) -> bool:
        """Whether a load found it, in a source table."""
        return self.model.startswith("sources.")

    def __str__(self) -> str:
        if self.sentence:
            return f"{self.model}: {self.sentence}"
        counted = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        if not self.keys:
            return f"{self.model}: {self.audit} failed for {counted}"
        more = ", …" if self.rows > len(self.keys) >= KEYS_SHOWN else ""
        return f"{self.model}: {self.audit} failed for {counted}: {', '.join(self.keys)}{more}"


def _claim(audit: str) -> str:
    return audit.partition("(")[0].partition(" ")[0]


Row = RunRow | StepRow | ModelRan | Audited


def failures(audits: Sequence[Audited]) -> tuple[FailedAudit, ...]:
    """The audits that found rows, each once."""
    return tuple(dict.fromkeys(audit.failed for audit in audits if audit.failed))


class StoppedError(PlatformError):
    """A model or a blocking audit failed; carries what was done until then.

    `queries` gives the rows that blocking audits found, by model and audit.
    """

    def __init__(
        self,
        message: str,
        ran: Sequence[ModelRan] = (),
        audits: Sequence[Audited] = (),
        queries: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        super().__init__(message)
        self.ran, self.audits, self.queries = tuple(ran), tuple(audits), dict(queries or {})
