"""Four workflows of a change, beside dbt-duckdb: what SQLMesh's makers measure."""

import shutil
from pathlib import Path

from dbt_project import copy_sources, dbt_build, dbt_name, write_dbt_project
from measure import PROJECT, Taken, platform
from setting import AS_OF, OURS, Bench, Compared, copied

CHANGES = {
    "a mart": ("marts.kpi__monthly_turnover", "models/marts/kpi__monthly_turnover.sql"),
    "intermediate.invoices": ("intermediate.invoices", "models/intermediate/invoices.sql"),
}
STEPS = ("create an environment", "breaking change", "promote", "roll back")


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

    call("export", "report")  # as a run leaves it
    # Its caches are filled, as dbt's are by its first build, and a process is kept ready.
    call("plan", "dev", "--dry-run")
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
