"""What benchmarks/results.json says, in Markdown; docs/benchmarks.md is made of it."""

import json
from pathlib import Path
from statistics import linear_regression
from typing import Any

RESULTS = Path(__file__).with_name("results.json")
HISTORY = "a day of each year"
# What the curve over sizes shows: case, contestant, and how it is called there.
_CURVE = (
    ("full build", "the platform", "full build"),
    ("full build", "dbt-duckdb", "dbt"),
    ("full build", "bare DuckDB", "DuckDB alone"),
    ("a day, as of 2026-06-15", "a day", "a day"),
    ("a change in a mart: all four", "the platform", "a change in a mart"),
    ("a change in a mart: all four", "dbt-duckdb", "dbt"),
    ("generator", "the platform", "generator"),
    ("generator", "tpchgen-cli", "tpchgen"),
)


def _results() -> dict[str, Any]:
    return dict(json.loads(RESULTS.read_text(encoding="utf-8")))


def surroundings() -> str:
    """Where and when, and with which versions, by how much the machine differs from itself."""
    of = _results()
    return (
        f"Measured on {of['date']}: {of['machine']}. {of['versions']}. "
        f"The same thing differed from itself by {of['noise']:.1%}; within that nothing is claimed."
    )


def ratios() -> str:
    """A row a ratio: what is compared, at which size, the times of both."""
    lines = [
        "| what | invoices | seconds | beside | seconds | ratio |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for case in sorted(
        _results()["cases"], key=lambda one: (one["suite"], one["case"], one["invoices"])
    ):
        for ratio in case["ratios"]:
            one, other = (case["contestants"][ratio[side]] for side in ("of", "to"))
            of = case["case"] if ratio["of"] in ("the platform", "a day") else ratio["of"]
            of = f"{HISTORY}: {of}" if case["case"] == HISTORY else of
            value = f"{ratio['ratio']:.2f}" if ratio["beyond_noise"] else "within the noise"
            cells = (of, f"{case['invoices']:,}", f"{one['seconds']:.2f}", ratio["to"])
            lines.append(f"| {' | '.join(cells)} | {other['seconds']:.2f} | {value} |")
    return "\n".join(lines)


def curve() -> str:
    """A row a size: the seconds of what was measured at each."""
    found = {(one["case"], one["invoices"]): one["contestants"] for one in _results()["cases"]}
    names = ["invoices", *(name for _, _, name in _CURVE)]
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    for size in sorted({size for _, size in found}):
        cells = [f"{size:,}"]
        for case, contestant, _ in _CURVE:
            taken = found.get((case, size), {}).get(contestant)
            cells.append(f"{taken['seconds']:.1f}" if taken else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def history() -> str:
    """A row a size: the seconds of a day in each year, and how many more each year takes."""
    found = {
        one["invoices"]: {
            name.rpartition(" ")[2][:4]: taken["seconds"]
            for name, taken in one["contestants"].items()
        }
        for one in _results()["cases"]
        if one["case"] == HISTORY
    }
    years = sorted({year for seconds in found.values() for year in seconds})
    names = ["invoices in the end", *years, "more each year"]
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    for size, seconds in sorted(found.items()):
        slope, _ = linear_regression([int(year) for year in seconds], [*seconds.values()])
        cells = [f"{size:,}", *(f"{seconds[year]:.1f}" for year in years), f"{slope:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def measurements() -> str:
    """A row a contestant: median, spread, processors and memory."""
    names = [
        "case",
        "invoices",
        "contestant",
        "median s",
        "spread",
        "cores s",
        "peak MB",
        "runs",
        "commit",
    ]
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    for case in sorted(
        _results()["cases"], key=lambda one: (one["suite"], one["case"], one["invoices"])
    ):
        for name, one in case["contestants"].items():
            spread = f"{one['least']:.2f} to {one['most']:.2f}"
            if "rows_a_second" in one:
                name = f"{name}, {one['rows_a_second']:,} rows a second"
            cells = (
                case["case"], f"{case['invoices']:,}", name, f"{one['seconds']:.2f}", spread,
                f"{one['cpu']:.2f}", f"{one['memory_mb']:,}", str(one["runs"]), case["commit"],
            )  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
