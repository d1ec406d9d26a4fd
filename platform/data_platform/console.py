"""What a person sees of a command: progress and a summary at a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.tree import Tree

from data_platform.result import Result

_TABLE_ROWS = 1_000


@dataclass
class StepReport:
    """What the closing summary says of a step."""

    name: str
    outcome: str = ""
    seconds: float = 0.0


@dataclass
class Reporter:
    """Speaks to the user; `quiet` leaves warnings and errors alone."""

    quiet: bool = False
    verbose: bool = False
    reports: list[StepReport] = field(default_factory=list)
    warnings: int = 0

    def __post_init__(self) -> None:
        self._out = Console(soft_wrap=True, highlight=False)
        self._err = Console(stderr=True, soft_wrap=True, highlight=False)

    @contextmanager
    def step(self, name: str) -> Iterator["ShownStep"]:
        """Show a step's progress while the block runs, and its outcome afterwards."""
        report, started = StepReport(name), time.perf_counter()
        bars = Progress(
            TextColumn("[bold]{task.fields[step]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=self._out,
            transient=True,
            disable=self.quiet or not self._out.is_terminal,
        )
        with bars:
            yield ShownStep(report, bars, bars.add_task("", total=None, step=name))
        report.seconds = time.perf_counter() - started
        self.reports.append(report)
        if not self._out.is_terminal:
            self.say(f"{name}: {report.outcome} in {report.seconds:.1f} s")

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Show at a terminal that something takes its time."""
        if self.quiet or not self._out.is_terminal:
            yield
            return
        with self._out.status(what):
            yield

    def say(self, text: str) -> None:
        """A plain line."""
        if not self.quiet:
            self._out.print(text, markup=False)

    def log(self, text: str) -> None:
        """A plain line about a part of a long step, where no progress is shown."""
        if self.verbose or not self._out.is_terminal:
            self.say(text)

    def detail(self, text: str) -> None:
        """A line for those who asked for more."""
        if self.verbose:
            self.say(text)

    def warn(self, text: str) -> None:
        """Something that stops nothing, and that somebody should look at."""
        self.warnings += 1
        self._err.print("Warning: " + text, style="yellow", markup=False)

    def fail(self, text: str) -> None:
        """Why the command ends."""
        self._err.print("Error: " + text, style="red", markup=False)

    def summary(self) -> None:
        """What was done, at a terminal as a table."""
        if not self.reports or self.quiet:
            return
        seconds = sum(report.seconds for report in self.reports)
        if self._out.is_terminal:
            table = Table("Step", "Outcome")
            table.add_column("Seconds", justify="right")
            for report in self.reports:
                table.add_row(report.name, report.outcome, f"{report.seconds:.1f}")
            self._out.print(table, soft_wrap=False)
        counted = "1 warning" if self.warnings == 1 else f"{self.warnings} warnings"
        self.say(f"Done in {seconds:.1f} s, {counted}.")

    def table(self, result: Result) -> None:
        """Rows of a query; the first thousand of them."""
        table = Table()
        for column in result.columns:
            table.add_column(str(column), overflow="fold")
        for row in result.rows[:_TABLE_ROWS]:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        if result.columns:
            self._wide().print(table)
        if len(result.rows) > _TABLE_ROWS:
            self._err.print(
                f"{len(result.rows):,} rows, the first {_TABLE_ROWS:,} shown; "
                "--format csv gives them all"
            )

    def tree(self, title: str, root: str, children: Callable[[str], list[str]]) -> None:
        """A tree of names under a title, "nothing" where the root has no children."""
        tree = Tree(title)
        grow = [(tree, child, {root}) for child in children(root)]
        while grow:
            branch, name, above = grow.pop(0)
            if name in above:  # a model that extends itself
                branch.add(f"{name}, of the period before")
                continue
            twig = branch.add(name)
            grow += [(twig, child, above | {name}) for child in children(name)]
        if not tree.children:
            tree.add("nothing")
        self._wide().print(tree)

    def _wide(self) -> Console:
        """A console that cuts nothing off where another program reads."""
        width = None if self._out.is_terminal else 100_000
        return Console(width=width, highlight=False, markup=False)

    def write(self, text: str) -> None:
        """Data for another program."""
        sys.stdout.write(text)


@dataclass(frozen=True)
class ShownStep:
    """A running step, as a person sees it."""

    report: StepReport
    _bars: Progress
    _task: Any

    def advance(self, done: int, total: int | None, what: str = "") -> None:
        """`done` of `total` parts are done (None: nobody knows yet), the last of them `what`."""
        self._bars.update(self._task, completed=done, total=total, description=what)

    def done(self, outcome: str) -> None:
        """What the step came to, in a few words."""
        self.report.outcome = outcome
