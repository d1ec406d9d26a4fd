"""What the platform raises for a person to read."""

import os
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from data_platform.names import LIMITS

# How DuckDB says that memory does not suffice, or the disk for what does not fit.
OUT_OF_MEMORY = "Out of Memory Error"

# DuckDB's errors about the values of rows, which its messages quote; others speak of the SQL alone.
_ABOUT_VALUES = (
    "Conversion Error",
    "Invalid Input Error",
    "Out of Range Error",
    "Constraint Error",
)


_SAFE_PARTS = re.compile(
    r"NOT NULL constraint failed: \S+|CHECK constraint failed on table \S+"
    r"|casting from source column \w+|LINE \d+: .*",
    re.DOTALL,
)


def is_about_values(message: str) -> bool:
    """Whether an error of DuckDB is about the values of rows, not about the SQL."""
    return message.partition(":")[0] in _ABOUT_VALUES


def without_values(message: str) -> str:
    """A message in one line, without the values that DuckDB quotes: they may be personal."""
    kind = message.partition(":")[0]
    if kind in _ABOUT_VALUES:
        parts = [part.strip(" ^\n") for part in _SAFE_PARTS.findall(message)]
        message = f"{kind}: {', '.join([*parts, 'the value is not shown, it may be personal'])}"
    return with_our_limits(message)


def with_our_limits(message: str) -> str:
    """A message of DuckDB's in one line; where it lacks memory, with what gives it more."""
    if OUT_OF_MEMORY not in message:
        return one_line(message)
    found = message.splitlines()[0].rstrip(".")
    memory, spill = (f"{one} ({os.environ.get(one) or of} now)" for one, of in LIMITS.items())
    return f"{found}; give it more by {memory}, and what it spills by {spill}"


class PlatformError(Exception):
    """What is wrong, where, what was expected and found, and what to do next, in one line.

    Whoever passes it on may add what else to do, with `add_note`.
    """

    def __str__(self) -> str:
        return "; ".join([super().__str__(), *getattr(self, "__notes__", ())])


class NewerError(PlatformError):
    """A newer version of the platform wrote what is to be read or replaced."""


class LakehouseInUseError(PlatformError):
    """Another process writes to the lakehouse."""


class UsageError(PlatformError):
    """The caller asked for something that does not exist or cannot be (exit code 2)."""


def listed(what: str, findings: Sequence[str]) -> str:
    """A fault in one line, several a line each."""
    if len(findings) == 1:
        return f"{what}: {findings[0]}"
    return "\n".join([f"{what}:", *(f"- {finding}" for finding in findings)])


def near(name: str, known: Iterable[str]) -> str:
    """A suffix for an error, "; did you mean a or b?", or "" if no known name is similar."""
    found = get_close_matches(name, dict.fromkeys(known), n=3, cutoff=0.3)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def one_line(message: str) -> str:
    """A message without its line breaks."""
    return " ".join(message.split())
