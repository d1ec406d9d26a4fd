"""The row of the record that tells of a run: how it begins and how it ends."""

import getpass
import os
import platform
import subprocess
from dataclasses import replace
from datetime import UTC, datetime

from data_platform import __version__, interruption
from data_platform.errors import PlatformError, one_line
from data_platform.record.loads import LastLoad
from data_platform.record.rows import Outcome, RunRow
from data_platform.settings import Settings
from data_platform.simulation import Simulation

# What the record keeps of an error, in characters.
_LONGEST = 4_000


# First words of commands whose as-of date, seed and scale are those of the options.
BRING_DATA = ("extract", "run", "backfill")
# The first words of commands that change nothing in production.
BESIDE_PRODUCTION = ("plan",)


def about(row: RunRow, load: LastLoad) -> RunRow:
    """The row with the as-of date, seed and scale of the last load, for runs that load nothing."""
    return replace(row, as_of=load.as_of, random_seed=load.random_seed, scale=load.scale)


def ended(row: RunRow, outcome: Outcome) -> RunRow:
    """A run that ends now."""
    now = datetime.now(UTC)
    seconds = round((now - row.started_at).total_seconds(), 3)
    return replace(row, outcome=outcome, finished_at=now, seconds=seconds)


def first_row(settings: Settings, company: Simulation, command: str, number: int) -> RunRow:
    """A run that begins now."""
    return RunRow(
        run_number=number,
        command=command,
        outcome=Outcome.RUNNING,
        started_at=datetime.now(UTC),
        user_name=_user_name(),
        host=platform.node(),
        process_id=os.getpid(),
        version=__version__,
        git_commit=_git_commit(settings),
        random_seed=company.random_seed,
        scale=company.scale,
        as_of=settings.as_of,
    )


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this number, as in some containers
        return str(os.getuid())


def _git_commit(settings: Settings) -> str | None:
    words = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            words,
            cwd=settings.project_dir,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except OSError:  # no git
        return None
    return done.stdout.strip() or None


def outcome_of(error: BaseException) -> Outcome:
    """FAILED for an exception; INTERRUPTED after a signal or a KeyboardInterrupt."""
    is_failure = isinstance(error, Exception) and not interruption.received()
    return Outcome.FAILED if is_failure else Outcome.INTERRUPTED


def message_of(error: BaseException) -> str | None:
    """What the record keeps of an error, without anything that may be personal."""
    if outcome_of(error) is Outcome.INTERRUPTED:
        return None  # there is nothing to say
    if not isinstance(error, PlatformError | OSError):
        return f"unexpected {type(error).__name__}"  # its text may hold data
    message = one_line(str(error))
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
