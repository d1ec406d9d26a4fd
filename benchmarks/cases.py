"""What is measured beside what: each case compares the platform with others at some size."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from changes import change
from dbt_project import copy_sources, dbt_build, write_dbt_project
from measure import PROGRAM, PROJECT, Contestant, Taken, in_turns, platform, take
from rendered import render
from setting import AS_OF, DAY_OF_EACH_YEAR, INVOICES_A_SCALE, OURS, Bench, Compared, copied
from tables import HISTORY


def generator(bench: Bench) -> list[Compared]:
    """Rows a second to Parquet, beside TPC-H's generator, which writes as many orders."""
    program = str(bench.contestants / "tpchgen-cli")
    factor = str(bench.invoices / 1_500_000)

    def orders(place: Path) -> Taken:
        words = [program, "parquet", "-s", factor, "-T", "orders", "-o", str(place)]
        return take([*words, "-c", "zstd(1)"])

    def invoices(place: Path) -> Taken:
        return platform(place / "data", *bench.words(AS_OF), "extract", "-s", "app")

    sides = [Contestant(OURS, invoices), Contestant("tpchgen-cli", orders)]
    taken = in_turns(sides, bench.folder, bench.rounds)
    rows = dict.fromkeys(taken, float(bench.invoices))
    return [Compared("generator", taken, [(OURS, "tpchgen-cli")], rows)]


def build(bench: Bench) -> list[Compared]:
    """A full build of the same models and audits: here, by dbt-duckdb, and by DuckDB alone."""
    project, models = bench.folder / "dbt", bench.folder / "models.json"
    write_dbt_project(PROJECT, project, AS_OF)
    rendered = render(PROJECT, AS_OF, lambda name: '"{}"."{}"'.format(*name.split(".", 1)))
    models.write_text(json.dumps(rendered, default=vars))
    database = bench.folder / "raw.duckdb"
    copy_sources(bench.loaded / "lakehouse" / "lakehouse.duckdb", database)

    def raw(place: Path) -> None:
        shutil.copy(database, place / "raw.duckdb")

    def bare(place: Path) -> Taken:
        python = str(bench.contestants / "python")
        script = str(Path(__file__).with_name("bare.py"))
        return take([python, script, str(place / "raw.duckdb"), str(models)])

    sides = [
        Contestant(
            OURS,
            lambda place: platform(place / "data", *bench.words(AS_OF), "transform"),
            lambda place: copied(bench.loaded, place),
        ),
        Contestant(
            "dbt-duckdb",
            lambda place: dbt_build(bench.contestants, project, place / "raw.duckdb"),
            raw,
        ),
        Contestant("bare DuckDB", bare, raw),
    ]
    taken = in_turns(sides, bench.folder, bench.rounds)
    ratios = [(OURS, "dbt-duckdb"), (OURS, "bare DuckDB")]
    return [Compared("full build", taken, ratios, {})]


def day(bench: Bench) -> list[Compared]:
    """A day beside a full build of the same data, early and late; the exports apart."""
    found = []
    for as_of in bench.dates:
        before = bench.before(as_of)
        steps = ("load", "transform")

        def sources(place: Path, of: Path = before) -> None:
            shutil.copytree(of / "sources", place / "data" / "sources")

        def both(place: Path, of: date = as_of, chain: Sequence[str] = steps) -> Taken:
            return platform(place / "data", *bench.words(of), *chain)

        def extract(place: Path, of: date = as_of) -> Taken:
            return platform(place / "data", *bench.words(of + timedelta(days=1)), "extract")

        def ready(place: Path, of: Path = before) -> None:
            copied(of, place)

        def exported(place: Path, of: Path = before, day: date = as_of) -> None:
            copied(of, place)
            platform(place / "data", *bench.words(day), "load", "transform")

        sides = [
            Contestant("a day", both, ready),
            Contestant("a full build", both, sources),
            Contestant("a day's extract", extract, ready),
            Contestant(
                "a day's exports",
                lambda place, of=as_of: platform(place / "data", *bench.words(of), "export"),
                exported,
            ),
        ]
        taken = in_turns(sides, bench.folder, bench.rounds)
        ratios = [("a day", "a full build")]
        found.append(Compared(f"a day, as of {as_of}", taken, ratios, {}))
        shutil.rmtree(before)
    return found


def history(bench: Bench) -> list[Compared]:
    """A day in each year of the company's life, in turns; left out of a quick look."""
    if bench.is_quick:
        return []

    def side(day: date) -> Contestant:
        before = bench.before(day)
        return Contestant(
            f"as of {day}",
            lambda place: platform(place / "data", *bench.words(day), "load", "transform"),
            lambda place: copied(before, place),
        )

    taken = in_turns([side(day) for day in DAY_OF_EACH_YEAR], bench.folder, bench.rounds)
    first, *_, last = taken
    return [Compared(HISTORY, taken, [(last, first)], {})]


def start(bench: Bench) -> list[Compared]:
    """What starting costs: commands that read, a run with nothing to do, a first run.

    Beside Python that imports DuckDB, and beside dbt-duckdb's build of the models alone.
    """
    small = bench
    if bench.invoices > INVOICES_A_SCALE:
        small = replace(bench, folder=bench.folder / "small", invoices=INVOICES_A_SCALE)
        small.folder.mkdir()
    words, base = small.words(AS_OF), small.in_use
    platform(base, *words, "run")
    platform(base, *words, "lineage", "marts.kpi__nps")
    python = [str(Path(PROGRAM).with_name("python")), "-c", "import duckdb"]
    commands = {
        "--help": ["--help"],
        "query": ["query", "FROM marts.kpi__nps"],
        "status": ["status"],
        "lineage": ["lineage", "marts.kpi__nps"],
        "a run with nothing to do": ["run"],
    }
    sides = [
        Contestant(name, lambda place, called=called: platform(base, *words, *called))
        for name, called in commands.items()
    ]
    floor = "Python with DuckDB"
    taken = in_turns(
        [*sides, Contestant(floor, lambda place: take(python))], small.folder, small.rounds + 2
    )
    found = [Compared("start", taken, [(name, floor) for name in commands], {})]

    project, database = small.folder / "dbt", small.folder / "raw.duckdb"
    write_dbt_project(PROJECT, project, AS_OF)
    copy_sources(base / "lakehouse" / "lakehouse.duckdb", database)
    sides = [
        Contestant("a first run", lambda place: platform(place / "data", *words, "run")),
        Contestant(
            "dbt-duckdb, the models alone",
            lambda place: dbt_build(small.contestants, project, place / "raw.duckdb"),
            lambda place: shutil.copy(database, place / "raw.duckdb"),
        ),
    ]
    taken = in_turns(sides, small.folder, small.rounds)
    return [*found, Compared("a first run", taken, [tuple(taken)], {})]  # type: ignore[list-item]


CASES: dict[str, Callable[[Bench], list[Compared]]] = {
    "generator": generator,
    "build": build,
    "day": day,
    "history": history,
    "change": change,
    "start": start,
}
