"""What the platform raises for a person to read."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_platform.record import Audited, ModelRan


class PlatformError(Exception):
    """What is wrong, where, what was expected and found, and what to do next, in one line."""


class NewerError(PlatformError):
    """A newer version of the platform wrote what is to be read or replaced."""


class UsageError(PlatformError):
    """The caller asked for something that does not exist or cannot be (exit code 2)."""


class StoppedError(PlatformError):
    """A model or a blocking audit failed; carries what was done until then.

    `queries` gives the rows that blocking audits found, by model and audit.
    """

    def __init__(
        self,
        message: str,
        ran: "Sequence[ModelRan]" = (),
        audits: "Sequence[Audited]" = (),
        queries: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        super().__init__(message)
        self.ran, self.audits, self.queries = tuple(ran), tuple(audits), dict(queries or {})
