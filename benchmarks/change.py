"""Four workflows of a change, beside dbt-duckdb doing the same over the same sources and models.

Create an environment, make a breaking change in it, promote it, roll it back: what SQLMesh's makers
measure against dbt. Each side is one process that starts once. dbt's way is to build everything in
a schema for development, to rebuild there what changed and its downstream, to rebuild production,
and to rebuild it again with the old code; production is rebuilt whole, or by the same selection.
Both run the audits, which are dbt's tests; this side also the unit tests, the transaction and the
exports. The lakehouse has had a day's run since it was built at once, as one in use has.
"""

import argparse
import shutil
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from daily import PROJECT, settle
from dbt_project import Dbt, copy_sources, dbt_name, write_dbt_project
from rich.console import Console
from rich.table import Table

from data_platform.cli.program import cli

AS_OF = date(2026, 6, 15)
CHANGES = {
    "a mart": ("marts.kpi__monthly_turnover", "models/marts/kpi__monthly_turnover.sql"),
    "intermediate.invoices": ("intermediate.invoices", "models/intermediate/invoices.sql"),
}
STEPS = ("create an environment", "breaking change", "promote", "roll back")


def call(project: Path, data: Path, scale: float, *words: str, as_of: date = AS_OF) -> float:
    """Seconds that a command takes in this process."""
    settle()
    options = ["-q", "-p", str(project), "-d", str(data), "--scale", f"{scale:g}"]
    started = time.perf_counter()
    code = cli.main([*options, "--as-of", str(as_of), *words], prog_name="x", standalone_mode=False)
    assert not code, words
    return time.perf_counter() - started


def break_model(project: Path, path: str) -> None:
    """An edit that is breaking and changes no number: what is computed stays comparable."""
    model = project / path
    text = model.read_text()
    head, _, query = text.partition(";\n")
    for old, new in (
        ("invoices.amount::", "(invoices.amount + 0)::"),
        ("COALESCE(turnover.amount, 0)::", "(COALESCE(turnover.amount, 0) + 0)::"),
    ):
        if old in query:
            model.write_text(f"{head};\n{query.replace(old, new, 1)}")
            return
    raise SystemExit(f"nothing to change in {path}")


def ours(folder: Path, scale: float, path: str) -> list[float]:
    """Seconds of the four workflows."""
    project, data = folder / "project", folder / "data"
    shutil.rmtree(project, ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)
    shutil.copytree(folder / "base", data, symlinks=True)
    project.mkdir()
    for name in ("models", "audits", "macros", "linter", "tests"):
        shutil.copytree(PROJECT / name, project / name)
    for name in ("config.yaml", "external_models.yaml", "sources.yaml"):
        shutil.copy(PROJECT / name, project / name)
    seconds = [call(project, data, scale, "plan", "dev")]
    break_model(project, path)
    seconds.append(call(project, data, scale, "plan", "dev"))
    seconds.append(call(project, data, scale, "promote", "dev"))
    seconds.append(call(project, data, scale, "rollback"))
    return seconds


def dbts(folder: Path, python: Path, model: str, path: str) -> tuple[list[float], list[float]]:
    """Seconds of the four workflows, with production rebuilt whole and by what changed."""
    there, project = folder / "dbt", folder / "project"
    database = folder / "dbt.duckdb"
    copy_sources(folder / "base" / "lakehouse" / "lakehouse.duckdb", database)
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir()
    for name in ("models", "audits", "macros", "linter", "tests"):
        shutil.copytree(PROJECT / name, project / name)
    for name in ("config.yaml", "external_models.yaml", "sources.yaml"):
        shutil.copy(PROJECT / name, project / name)
    write_dbt_project(project, there, AS_OF)
    dbt, changed = Dbt(python, there, database), f"{dbt_name(model)}+"
    settle()
    dbt.run("prod")
    create = dbt.run("dev")
    break_model(project, path)
    write_dbt_project(project, there, AS_OF)
    change = dbt.run("dev", changed)
    promote, promote_selected = dbt.run("prod"), dbt.run("prod", changed)
    back = folder / "project"
    shutil.copy(PROJECT / path, back / path)
    write_dbt_project(project, there, AS_OF)
    rollback, rollback_selected = dbt.run("prod"), dbt.run("prod", changed)
    dbt.close()
    database.unlink()
    before = [create, change]
    return [*before, promote, rollback], [*before, promote_selected, rollback_selected]


def main() -> None:
    """Measure and print a table for each change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=67, help="67 is a million invoices")
    parser.add_argument("--dbt", type=Path, default=PROJECT / ".cache/dbt/bin/python")
    parser.add_argument("--base", type=Path, help="a data folder as of the day, to be used again")
    options = parser.parse_args()
    console = Console()
    if options.base:
        options.base.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.base and options.base.parent) as temporary:
        folder = Path(temporary)
        if options.base and options.base.exists():
            (folder / "base").symlink_to(options.base.resolve())
        else:
            for day in (AS_OF - timedelta(days=1), AS_OF):
                call(PROJECT, options.base or folder / "base", options.scale, "run", as_of=day)
            if options.base:
                (folder / "base").symlink_to(options.base.resolve())
        for what, (model, path) in CHANGES.items():
            mine = ours(folder, options.scale, path)
            whole, selected = dbts(folder, options.dbt, model, path)
            title = f"A change in {what}, scale {options.scale:g}"
            table = Table(title=title, title_justify="left")
            for name in ("", "here, s", "dbt, s", "ratio", "dbt, only what changed, s", "ratio"):
                table.add_column(name, justify="left" if not name else "right")
            rows = [*zip(STEPS, mine, whole, selected, strict=True)]
            rows.append(("all four", sum(mine), sum(whole), sum(selected)))
            for step, here, there, some in rows:
                cells = (f"{here:.1f}", f"{there:.1f}", f"{there / here:.1f}")
                table.add_row(step, *cells, f"{some:.1f}", f"{some / here:.1f}")
            console.print(table)


if __name__ == "__main__":
    main()
