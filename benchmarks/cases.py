"""What is measured beside what: each case compares the platform with others at some size."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

from dbt_project import copy_sources, dbt_build, dbt_name, write_dbt_project
from measure import PROGRAM, PROJECT, Contestant, Taken, in_turns, platform, take
from rendered import render

AS_OF = date(2026, 6, 15)
EARLY = date(2023, 6, 15)
INVOICES_A_SCALE = 12_760  # as of that day, at scale 1
OURS = "the platform"
CHANGES = {
    "a mart": ("marts.kpi__monthly_turnover", "models/marts/kpi__monthly_turnover.sql"),
    "intermediate.invoices": ("intermediate.invoices", "models/intermediate/invoices.sql"),
}
STEPS = ("create an environment", "breaking change", "promote", "roll back")


@dataclass(frozen=True)
class Bench:
    """Where contestants are, and where they work; the size in invoices."""

    contestants: Path  # the programs of .cache/bench
    folder: Path
    invoices: int
    rounds: int
    is_quick: bool = False

    @property
    def scale(self) -> str:
        """The scale of the simulated company."""
        return f"{self.invoices / INVOICES_A_SCALE:.4g}"

    def words(self, as_of: date) -> list[str]:
        """The options that say which company and day."""
        return ["--scale", self.scale, "--as-of", str(as_of)]

    @cached_property
    def loaded(self) -> Path:
        """A data folder as of the day, extracted and loaded."""
        return self._made("loaded", AS_OF, "extract", "load")

    @cached_property
    def in_use(self) -> Path:
        """A data folder that has had a day's run since it was built, as one in use has."""
        made = self._made("in-use", AS_OF - timedelta(days=1), "run", "--no-report")
        platform(made, *self.words(AS_OF), "run", "--no-report")
        return made

    def before(self, as_of: date) -> Path:
        """A data folder as of the day before, and the day's extracts."""
        made = self._made(f"before-{as_of}", as_of - timedelta(days=1), "run", "--no-report")
        platform(made, *self.words(as_of), "extract")
        return made

    def _made(self, name: str, as_of: date, *steps: str) -> Path:
        place = self.folder / name
        if not place.exists():
            platform(place, *self.words(as_of), *steps)
        return place


@dataclass(frozen=True)
class Compared:
    """Contestants of a case, each with what its runs took."""

    case: str
    taken: dict[str, list[Taken]]
    # Of whom the ratios are, and to whom: seconds of the first by those of the second.
    ratios: Sequence[tuple[str, str]]
    # By how much the seconds of a contestant are to be divided to be compared; its rows.
    per: dict[str, float]


def copied(base: Path, place: Path) -> Path:
    """A copy of a data folder to work on."""
    shutil.copytree(base, place / "data", symlinks=True)
    return place / "data"


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
            lambda place: (copied(bench.loaded, place), None)[1],
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
    for as_of in (AS_OF,) if bench.is_quick else (EARLY, AS_OF):
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


def change(bench: Bench) -> list[Compared]:
    """Four workflows of a change, beside dbt-duckdb: what SQLMesh's makers measure.

    Create an environment, make a breaking change in it, promote it, roll it back. dbt's way is to
    build everything in a schema for development, to rebuild there what changed and its downstream,
    and to rebuild production, with the new code and with the old. Every step is a process, as
    people call it. Both sides run the audits; this one also the unit tests, the transaction and the
    exports.
    """
    found = []
    for what, (model, path) in [*CHANGES.items()][: 1 if bench.is_quick else None]:
        ours = _our_change(bench, path)
        dbts = _dbts_change(bench, model, path)
        for step in (*STEPS, "all four"):
            pair = {OURS: [ours[step]], "dbt-duckdb": [dbts[step]]}
            case = f"a change in {what}: {step}"
            found.append(Compared(case, pair, [(OURS, "dbt-duckdb")], {}))
    return found


def _together(steps: dict[str, Taken]) -> dict[str, Taken]:
    took = steps.values()
    whole = Taken(
        sum(t.seconds for t in took), sum(t.cpu for t in took), max(t.memory for t in took)
    )
    return {**steps, "all four": whole}


def _project(bench: Bench) -> Path:
    project = bench.folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir()
    for name in ("models", "audits", "macros", "linter", "tests"):
        ignored = shutil.ignore_patterns("*.py") if name == "tests" else None
        shutil.copytree(PROJECT / name, project / name, ignore=ignored)
    for name in ("config.yaml", "external_models.yaml", "sources.yaml"):
        shutil.copy(PROJECT / name, project / name)
    return project


def _break_model(project: Path, path: str) -> None:
    """An edit that is breaking and changes no number: what is computed stays comparable."""
    model = project / path
    head, _, query = model.read_text().partition(";\n")
    for old, new in (
        ("invoices.amount::", "(invoices.amount + 0)::"),
        ("COALESCE(turnover.amount, 0)::", "(COALESCE(turnover.amount, 0) + 0)::"),
    ):
        if old in query:
            model.write_text(f"{head};\n{query.replace(old, new, 1)}")
            return
    raise SystemExit(f"nothing to change in {path}")


def _our_change(bench: Bench, path: str) -> dict[str, Taken]:
    place, project = bench.folder / "turn", _project(bench)
    data = copied(bench.in_use, place)

    def call(*words: str) -> Taken:
        return platform(data, *bench.words(AS_OF), *words, project=project)

    steps = {STEPS[0]: call("plan", "dev")}
    _break_model(project, path)
    steps |= {
        STEPS[1]: call("plan", "dev"),
        STEPS[2]: call("promote", "dev"),
        STEPS[3]: call("rollback"),
    }
    shutil.rmtree(place)
    return _together(steps)


def _dbts_change(bench: Bench, model: str, path: str) -> dict[str, Taken]:
    project, there, changed = _project(bench), bench.folder / "dbt", f"{dbt_name(model)}+"
    database = bench.folder / "dbt.duckdb"
    copy_sources(bench.in_use / "lakehouse" / "lakehouse.duckdb", database)

    def call(target: str, *select: str) -> Taken:
        return dbt_build(bench.contestants, there, database, *select, target=target)

    write_dbt_project(project, there, AS_OF)
    call("prod")
    steps = {STEPS[0]: call("dev")}
    _break_model(project, path)
    write_dbt_project(project, there, AS_OF)
    steps |= {STEPS[1]: call("dev", changed), STEPS[2]: call("prod")}
    shutil.copy(PROJECT / path, project / path)
    write_dbt_project(project, there, AS_OF)
    steps[STEPS[3]] = call("prod")
    database.unlink()
    return _together(steps)


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
            lambda place: (shutil.copy(database, place / "raw.duckdb"), None)[1],
        ),
    ]
    taken = in_turns(sides, small.folder, small.rounds)
    return [*found, Compared("a first run", taken, [tuple(taken)], {})]  # type: ignore[list-item]


CASES: dict[str, Callable[[Bench], list[Compared]]] = {
    "generator": generator,
    "build": build,
    "day": day,
    "change": change,
    "start": start,
}
