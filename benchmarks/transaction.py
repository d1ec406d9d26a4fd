"""What publication costs: a day's run beside the same steps without the transaction around them.

Both are processes of their own over copies of the same data folder, measured in turns in one run:
compare the ratios. The bare steps work on the files where they are, and record nothing.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from daily import PROJECT, settle
from rich.console import Console
from rich.table import Table

AS_OF = date(2026, 6, 15)
WITH = "from data_platform.cli import main\n\nmain()\n"
WITHOUT = """
from contextlib import contextmanager
from types import SimpleNamespace

import data_platform.lakehouse.run as run
from data_platform.cli import main


@contextmanager
def bare(settings, command, *_):
    @contextmanager
    def step(name, needs_lakehouse=True):
        yield run.RunningStep()

    yield SimpleNamespace(
        settings=settings, step=step, set_batch=lambda *_: None
    )


run.running = bare
main()
"""


def call(program: str, data: Path, scale: float, as_of: date) -> float:
    """Seconds that a run takes as a process."""
    script = data.with_suffix(".py")
    script.write_text(program)
    words = ["-q", "-p", str(PROJECT), "-d", str(data), "--scale", str(scale)]
    words += ["--as-of", str(as_of), "run"]
    started = time.perf_counter()
    subprocess.run([sys.executable, str(script), *words], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def measure(folder: Path, scale: float, times: int) -> list[tuple[str, float, float]]:
    """(what, seconds with the transaction, seconds without) for a first run and a day's."""
    base, seconds = folder / "base", {"with": [], "without": []}
    settle()
    first_without = call(WITHOUT, folder / "first", scale, AS_OF)
    shutil.rmtree(folder / "first")
    settle()
    first_with = call(WITH, base, scale, AS_OF)
    shutil.rmtree(base / "releases/0", ignore_errors=True)
    for turn in range(times):
        order = [("with", WITH), ("without", WITHOUT)]
        for name, program in order if turn % 2 else reversed(order):
            data = folder / name
            shutil.copytree(base, data, symlinks=True)
            settle()
            seconds[name].append(call(program, data, scale, AS_OF + timedelta(days=1)))
            shutil.rmtree(data)
    day = [statistics.median(seconds[name]) for name in ("with", "without")]
    return [("first run", first_with, first_without), ("a day's run", day[0], day[1])]


def main() -> None:
    """Print a table of both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1, help="670 is 10 million invoices")
    parser.add_argument("--times", type=int, default=5, help="how often a day's run is measured")
    options = parser.parse_args()
    table = Table(title=f"run at scale {options.scale:g}, with and without the transaction")
    for heading in ("", "with, s", "without, s", "cost of the transaction"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for what, cost, bare in measure(Path(name), options.scale, options.times):
            table.add_row(what, f"{cost:.2f}", f"{bare:.2f}", f"{cost / bare - 1:+.1%}")
    Console().print(table)


if __name__ == "__main__":
    main()
