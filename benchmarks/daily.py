"""What a day costs against a full build of the same data, early and late in the company's life.

Each figure is a process of its own, `data-platform load transform`, without the extract. Both
builds of a date are measured in one run, one after the other: compare the ratios.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).resolve().parent.parent
PROGRAM = str(Path(sys.executable).with_name("data-platform"))


@dataclass(frozen=True)
class Figures:
    """Seconds of both builds of a date, the invoices that are there, the day's new rows."""

    as_of: date
    invoices: int
    new_rows: int
    full: float
    day: float


def call(data: Path, scale: float, as_of: date, *steps: str) -> float:
    """Seconds that some steps take as a process."""
    started = time.perf_counter()
    words = [
        "-q",
        "-p",
        str(PROJECT),
        "-d",
        str(data),
        "--scale",
        str(scale),
        "--as-of",
        str(as_of),
    ]
    subprocess.run([PROGRAM, *words, *steps], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def settle() -> None:
    """Wait until what was written before is on the disk: days do not follow each other at once."""
    os.sync()
    for _ in range(120):
        meminfo = Path("/proc/meminfo")
        if not meminfo.exists():
            time.sleep(30)
            return
        pending = re.findall(r"^(?:Dirty|Writeback):\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
        if sum(map(int, pending)) < 20_000:
            return
        time.sleep(1)


def measure(folder: Path, scale: float, as_of: date) -> Figures:
    """A full build of a date and a day's run that leads to it, from the same extracts."""
    day, full = folder / f"{as_of}-day", folder / f"{as_of}-full"
    before = as_of - timedelta(days=1)
    for step in (["extract"], ["load", "transform"]):
        call(day, scale, before, *step)
    call(day, scale, as_of, "extract")
    shutil.copytree(day / "sources", full / "sources")
    settle()
    seconds_full = call(full, scale, as_of, "load", "transform")
    settle()
    seconds_day = call(day, scale, as_of, "load", "transform")
    with duckdb.connect(str(day / "lakehouse/lakehouse.duckdb"), read_only=True) as lakehouse:
        row = lakehouse.execute(
            "SELECT (SELECT COUNT(*) FROM sources.app__invoices), SUM(rows_added) FROM ops.loads "
            "WHERE load_number = 2 AND table_name <> 'platform__extracts'"
        ).fetchone()
    assert row is not None
    shutil.rmtree(day)
    shutil.rmtree(full)
    return Figures(as_of, int(row[0]), int(row[1]), seconds_full, seconds_day)


def main() -> None:
    """Print a table of both builds, and of a backfill of 31 days at scale 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=20, help="670 is 10 million invoices")
    scale = parser.parse_args().scale
    table = Table(title=f"load and transform at scale {scale:g}")
    for heading in ("as of", "invoices", "new rows", "full, s", "day, s", "full / day", "ms a row"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        for as_of in (date(2023, 6, 15), date(2026, 6, 15)):
            found = measure(folder, scale, as_of)
            table.add_row(
                str(as_of),
                f"{found.invoices:,}",
                f"{found.new_rows:,}",
                f"{found.full:.1f}",
                f"{found.day:.1f}",
                f"{found.full / found.day:.1f}",
                f"{1000 * found.day / found.new_rows:.2f}",
            )
        one_day = call(folder / "days", 1, date(2026, 6, 1), "extract", "load", "transform")
        days = ["backfill", "--from", "2026-05-01", "--to", "2026-05-31"]
        started = time.perf_counter()
        words = ["-q", "-p", str(PROJECT), "-d", str(folder / "month"), *days]
        subprocess.run([PROGRAM, *words], check=True, stderr=subprocess.DEVNULL)
        month = time.perf_counter() - started
    console = Console()
    console.print(table)
    console.print(
        f"At scale 1 a first run takes {one_day:.1f} s, a backfill of 31 days {month:.1f} s: "
        f"{(month - one_day) / 30:.2f} s for each day after the first."
    )


if __name__ == "__main__":
    main()
