"""A step of a run, while it runs."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from data_platform.record.rows import Audited, ModelRan


@dataclass
class Step:
    """A step while it runs; what it says of itself goes into the record."""

    name: str
    # Its summary claims what is true only once the run is published.
    is_told_later: bool = False
    show_progress: Callable[[int, int | None, str], None] = lambda done, total, what: None
    seconds: float = 0.0
    number_of_rows: int | None = None
    summary: str | None = None
    ran: tuple[ModelRan, ...] = ()
    audits: tuple[Audited, ...] = ()

    def advance(self, done: int, total: int | None, what: str = "") -> None:
        """`done` of `total` parts are done (None: nobody knows yet), the last of them `what`."""
        self.show_progress(done, total, what)

    def done(
        self,
        summary: str,
        number_of_rows: int | None = None,
        ran: Sequence[ModelRan] = (),
        audits: Sequence[Audited] = (),
    ) -> None:
        """What the step came to, in a few words and for the record."""
        self.summary, self.number_of_rows = summary, number_of_rows
        self.ran, self.audits = tuple(ran), tuple(audits)


# Shows a step to a person while the block runs: takes its progress, then its summary.
Show = Callable[[Step], AbstractContextManager[object]]
