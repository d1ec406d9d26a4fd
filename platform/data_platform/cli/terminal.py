"""What a person sees of a command: progress and a summary at a terminal, plain lines elsewhere."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from typing import IO, TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.tree import Tree

from data_platform.result import Result

if TYPE_CHECKING:
    from data_platform.lakehouse.step import Step

_TABLE_ROWS = 1_000
# Columns get this much at least, or all that they need; a table that cannot give it to all of them
# is shown a row at a time, and fewer of them.
_SHORT = 10
_WIDE_ROWS = 20
_PIECE = 1 << 20  # characters of data that are written at a time


class _Unbroken(Console):
    """A console that outlives its reader: a closed pipe is no reason to interrupt a run."""

    def on_broken_pipe(self) -> None:
        """Write to nowhere from now on."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


@dataclass
class Reporter:
    """Writes messages for the user; with `quiet`, only warnings and errors."""

    quiet: bool = False
    verbose: bool = False
    # Those that have ended.
    steps: list["Step"] = field(default_factory=list)
    warnings: int = 0
    # What is true only once the run is published.
    _put_off: list[Callable[[], object]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._out = _Unbroken(soft_wrap=True, highlight=False, emoji=False)
        self._err = _Unbroken(stderr=True, soft_wrap=True, highlight=False, emoji=False)

    @contextmanager
    def show(self, step: "Step") -> Iterator["Step"]:
        """Show a step's progress while the block runs, and what it came to afterwards."""
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
            task = bars.add_task("", total=None, step=step.name)

            def show_progress(done: int, total: int | None, what: str) -> None:
                bars.update(task, completed=done, total=total, description=what)

            step.show_progress = show_progress
            yield step
        self.steps.append(step)
        if not self._out.is_terminal:
            tell = self.say_when_published if step.is_told_later else self.say
            tell(f"{step.name}: {step.summary} in {step.seconds:.1f} s")

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Show at a terminal that something takes its time."""
        if self.quiet or not self._out.is_terminal:
            yield
            return
        with self._out.status(what):
            yield

    def waits_for(self, who: str) -> None:
        """Why nothing happens for a while."""
        self.say(f"Waiting: {who}")

    def say(self, text: str) -> None:
        """A plain line."""
        if not self.quiet:
            try:
                self._out.print(text, markup=False)
            except OSError as error:  # a full disk behind the output is no reason to fail a run
                self._out.on_broken_pipe()
                self.warn(f"the output cannot be written any longer: {error.strerror}")

    def say_when_published(self, text: str) -> None:
        """A plain line that is true only once the run is published; a run that fails drops it."""
        self._put_off.append(lambda: self.say(text))

    def write_when_published(self, text: str) -> None:
        """The same with data for another program."""
        self._put_off.append(lambda: self.write(text))

    def do_when_published(self, act: Callable[[], object]) -> None:
        """The same with something else to do."""
        self._put_off.append(act)

    def tell_what_is_published(self) -> None:
        """The run is published: say what that makes true."""
        for tell in self._put_off:
            tell()
        self._put_off.clear()

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

    def summary(self, seconds: float) -> None:
        """What was done, at a terminal as a table; `seconds` is what a person has waited."""
        if not self.steps or self.quiet:
            return
        if self._out.is_terminal:
            table = Table("Step", "Outcome")
            table.add_column("Seconds", justify="right")
            for step in self.steps:
                table.add_row(step.name, step.summary, f"{step.seconds:.1f}")
            self._out.print(table, soft_wrap=False)
        counted = "1 warning" if self.warnings == 1 else f"{self.warnings} warnings"
        self.say(f"Done in {seconds:.1f} s, {counted}.")

    def table(self, result: Result, has_more: bool = False) -> None:
        """Rows of a query; the first thousand of them.

        Args:
            has_more: there are more than those of the result.
        """
        if not result.columns:
            return
        console, shown = self._wide(), result.rows[:_TABLE_ROWS]
        cells = [["" if cell is None else str(cell) for cell in row] for row in shown]
        is_cut = False
        if console.is_terminal:
            cells = [[_printable(cell) for cell in row] for row in cells]
            needed = sum(3 + _least_width(*one) for one in zip(result.columns, *cells, strict=True))
            is_wide = needed + 1 > console.width
            cells = cells[:_WIDE_ROWS] if is_wide else cells
            is_cut = _print_vertically(console, result.columns, cells) if is_wide else False
            if not is_wide:
                is_cut = _print_table(console, result.columns, cells)
        else:
            _print_table(console, result.columns, cells)
        if len(result.rows) > len(cells):
            more = "more than " if has_more else ""
            self._err.print(
                f"{more}{len(result.rows):,} rows, the first {len(cells):,} shown; "
                "--format csv gives them all"
            )
        elif is_cut:
            self._err.print("Values that end in … are longer; --format csv gives them whole")

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
        return Console(width=width, highlight=False, markup=False, emoji=False)

    def write(self, text: str) -> None:
        """Data for another program."""
        self.write_from(StringIO(text))

    def write_from(self, source: IO[str]) -> None:
        """The same, of a file: in UTF-8 if the output lacks one of its characters."""
        if sys.stdout is None:  # closed by who calls
            return
        try:
            for piece in iter(partial(source.read, _PIECE), ""):
                piece.encode(sys.stdout.encoding)
        except UnicodeEncodeError:
            errors = sys.stdout.errors
            sys.stdout.reconfigure(encoding="utf-8", errors=errors)  # type: ignore[union-attr]
        source.seek(0)
        try:
            for piece in iter(partial(source.read, _PIECE), ""):
                sys.stdout.write(piece)
            sys.stdout.flush()
        except BrokenPipeError:
            self._out.on_broken_pipe()


def _printable(text: str) -> str:
    """A text that does nothing to a terminal but show itself."""
    return "".join(character if character.isprintable() else " " for character in text)


def _least_width(*cells: str) -> int:
    """What a column needs: all of a short one, since a number that is cut says something else."""
    return min(max(map(cell_len, cells)), _SHORT)


def _print_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Print rows, long values cut to the width of a terminal; whether any was."""
    table = Table()
    for column in columns:
        table.add_column(column, overflow="ellipsis" if console.is_terminal else "fold")
        table.columns[-1].no_wrap = console.is_terminal
    for place, shown in enumerate(table.columns):
        if console.is_terminal:
            shown.min_width = _least_width(columns[place], *(row[place] for row in rows))
    for row in rows:
        table.add_row(*row)
    wanted = console.measure(table).maximum
    console.print(table)
    longest = [
        max(map(cell_len, (name, *(row[n] for row in rows)))) for n, name in enumerate(columns)
    ]
    return wanted < sum(longest) + 3 * len(columns) + 1


def _print_vertically(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> bool:
    """Print each row as lines of its own, a column each; whether a value was cut."""
    names = max(map(cell_len, columns))
    room = max(console.width - names - 3, _SHORT)
    is_cut = False
    for number, row in enumerate(rows, start=1):
        console.rule(f"row {number}", align="left")
        for name, value in zip(columns, row, strict=True):
            is_cut |= cell_len(value) > room
            shown = value if cell_len(value) <= room else f"{set_cell_size(value, room - 1)}…"
            console.print(f"{name.rjust(names)} │ {shown}", no_wrap=True, overflow="crop")
    return is_cut
