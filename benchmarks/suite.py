"""Measure the platform beside what people would use instead, in turns on one machine.

`just bench` measures at two sizes, `just bench --quick` in under three minutes, `just bench --save`
keeps what it finds in benchmarks/results.json, from which docs/benchmarks.md is made. Every other
time it compares its ratios with those that are kept, and fails where one is a quarter worse.
"""

import argparse
import json
import os
import platform as machine
import shutil
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cases import CASES
from measure import PROJECT, noise
from rich.console import Console
from rich.table import Table
from setting import Bench, Compared

RESULTS = PROJECT / "benchmarks" / "results.json"
CONTESTANTS = PROJECT / ".cache" / "bench" / "bin"
USUAL, QUICK = (12_760, 1_000_000), (12_760,)
WORSE = 1.25


def measured(name: str, invoices: int, compared: Compared, noise: float) -> dict[str, Any]:
    """A case at a size: what each contestant took, and the ratios."""
    sides = {}
    for contestant, taken in compared.taken.items():
        seconds = [one.seconds for one in taken]
        sides[contestant] = {
            "seconds": round(statistics.median(seconds), 2),
            "least": round(min(seconds), 2),
            "most": round(max(seconds), 2),
            "cpu": round(statistics.median(one.cpu for one in taken), 2),
            "memory_mb": round(max(one.memory for one in taken) / 1e6),
            "runs": len(taken),
        }
        if rows := compared.per.get(contestant):
            sides[contestant]["rows_a_second"] = round(rows / statistics.median(seconds))
    ratios = []
    for one, other in compared.ratios:
        ratio = sides[one]["seconds"] / max(sides[other]["seconds"], 0.01)
        is_claimed = abs(ratio - 1) > noise
        ratios.append(
            {"of": one, "to": other, "ratio": round(ratio, 3), "beyond_noise": is_claimed}
        )
    found = {"suite": name, "case": compared.case, "invoices": invoices}
    return {**found, "contestants": sides, "ratios": ratios}


def commit() -> str:
    """What is measured."""
    git = ["git", "-C", str(PROJECT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()


def surroundings(noise: float) -> dict[str, Any]:
    """The machine, and the versions."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    contestant = subprocess.run(
        [str(CONTESTANTS / "python"), "-c", "from importlib.metadata import version as v\n"
         "print(*(f'{n} {v(n)}' for n in ('dbt-core', 'dbt-duckdb', 'tpchgen-cli')), sep=', ')"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    ours = ", ".join(f"{name} {version(name)}" for name in ("sqlmesh", "duckdb", "polars"))
    return {
        "date": str(date.today()),
        "machine": f"{os.cpu_count()} cores ({machine.machine()}), {gigabytes:.0f} GB, "
        f"{machine.system()}, Python {machine.python_version()}",
        "versions": f"{ours}, {contestant.stdout.strip()}",
        "noise": round(noise, 3),
    }


def key_of(found: dict[str, Any]) -> tuple[str, int]:
    """What tells a case at a size from others."""
    return found["case"], found["invoices"]


def tell(console: Console, found: dict[str, Any]) -> None:
    """Print a case."""
    table = Table(title=f"{found['case']}, {found['invoices']:,} invoices", title_justify="left")
    for heading in ("", "median, s", "least to most", "processors, s", "peak, MB"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, one in found["contestants"].items():
        spread = f"{one['least']:.2f} to {one['most']:.2f}"
        cells = (f"{one['seconds']:.2f}", spread, f"{one['cpu']:.2f}", f"{one['memory_mb']:,}")
        table.add_row(name, *cells)
    console.print(table)
    for one in found["ratios"]:
        doubt = "" if one["beyond_noise"] else ", which is within this machine's noise"
        console.print(f"  {one['of']} / {one['to']}: {one['ratio']:.2f}{doubt}")


def worse(found: list[dict[str, Any]], kept: list[dict[str, Any]]) -> list[str]:
    """The ratios that are a quarter worse than those that are kept."""
    known = {
        (*key_of(one), ratio["of"], ratio["to"]): ratio["ratio"]
        for one in kept
        for ratio in one["ratios"]
    }
    said = []
    for one in found:
        for ratio in one["ratios"]:
            before = known.get((*key_of(one), ratio["of"], ratio["to"]))
            if before is not None and ratio["ratio"] > WORSE * before:
                said.append(
                    f"{one['case']}, {one['invoices']:,} invoices: {ratio['of']} / {ratio['to']} "
                    f"is {ratio['ratio']:.2f}, {before:.2f} in benchmarks/results.json"
                )
    return said


def main() -> None:
    """Measure, print, and compare with what is kept, or keep it."""
    parser = argparse.ArgumentParser(description=__doc__, prog="just bench")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all")
    parser.add_argument("--invoices", type=int, nargs="+", default=USUAL, help="sizes")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--quick", action="store_true", help="one small size, one round")
    parser.add_argument("--save", action="store_true", help="keep what is found")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder")
    options = parser.parse_args()
    if unknown := {*options.cases} - CASES.keys():
        parser.error(f"no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    sizes, rounds = (QUICK, 1) if options.quick else (options.invoices, options.rounds)
    console, found = Console(), []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as temporary:
        folder = Path(temporary)
        own_noise = noise(folder, 4 if options.quick else 8)
        console.print(f"Noise: the same thing differs from itself by {own_noise:.1%} here.")
        for number, invoices in enumerate(sizes):
            place = folder / str(invoices)
            place.mkdir()
            bench = Bench(CONTESTANTS, place, invoices, rounds, options.quick)
            if not number:
                bench.warm_up()
            for name in options.cases or CASES:
                if name == "start" and number:
                    continue
                for compared in CASES[name](bench):
                    found.append(measured(name, invoices, compared, own_noise))
                    tell(console, found[-1])
            shutil.rmtree(place)
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"cases": []}
    if options.save:
        new = {key_of(one) for one in found}
        cases = [one for one in kept["cases"] if key_of(one) not in new]
        cases += [{**one, "commit": commit()} for one in found]
        RESULTS.write_text(json.dumps({**surroundings(own_noise), "cases": cases}, indent=1) + "\n")
        return
    if said := worse(found, kept["cases"]):
        sys.exit("\n".join(["A quarter worse than what is kept, or more:", *said]))


if __name__ == "__main__":
    main()
