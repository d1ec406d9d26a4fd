"""The project's models as a dbt project over the same sources: rendered SQL and refs."""

import shutil
from datetime import date
from pathlib import Path

import duckdb
from measure import Taken, take
from rendered import render

PROFILE = """
jump:
  target: prod
  outputs:
    prod: &target {type: duckdb, path: "{{ env_var('DBT_DATABASE') }}", schema: prod, threads: 1}
    dev: {<<: *target, schema: dev}
"""
PROJECT = """
name: jump
version: "1.0.0"
profile: jump
model-paths: [models]
test-paths: [tests]
flags: {send_anonymous_usage_stats: false}
"""
# One after the other: DuckDB has all cores busy with one model already.


def dbt_name(model: str) -> str:
    """dbt's models share one namespace."""
    return model.replace(".", "__", 1)


def write_dbt_project(project_dir: Path, folder: Path, as_of: date) -> None:
    """Write the models of an SQLMesh project as a dbt project that builds all of time.

    Their audits become singular tests, those that do not block with a warning's severity.
    """
    for part in ("models", "tests"):
        shutil.rmtree(folder / part, ignore_errors=True)
        (folder / part).mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT)
    (folder / "profiles.yml").write_text(PROFILE)
    sources: set[str] = set()

    def place(read: str) -> str:
        schema, _, name = read.partition(".")
        if schema != "sources":
            return f"{{{{ ref('{dbt_name(read)}') }}}}"
        sources.add(name)
        return f"{{{{ source('sources', '{name}') }}}}"

    for model in render(project_dir, as_of, place):
        layer, _, alias = model.name.partition(".")
        kind = "view" if model.is_view else "table"
        config = f"materialized='{kind}', schema='{layer}', alias='{alias}'"
        name = dbt_name(model.name)
        (folder / "models" / f"{name}.sql").write_text(_with(config, model.sql))
        for audit in model.audits:
            severity = "error" if audit.is_blocking else "warn"
            test = folder / "tests" / f"{name}__{audit.name}.sql"
            test.write_text(_with(f"severity='{severity}'", audit.sql))
    listed = "\n".join(f"      - name: {name}" for name in sorted(sources))
    (folder / "models" / "sources.yml").write_text(
        f"version: 2\nsources:\n  - name: sources\n    schema: sources\n    tables:\n{listed}\n"
    )


def _with(config: str, sql: str) -> str:
    return f"{{{{ config({config}) }}}}\n{sql}\n"


def copy_sources(lakehouse: Path, database: Path) -> None:
    """Copy the raw tables into a database of another tool's own."""
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"ATTACH '{lakehouse}' AS lake (READ_ONLY)")
        connection.execute("CREATE SCHEMA sources")
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() "
            "WHERE database_name = 'lake' AND schema_name = 'sources'"
        ).fetchall():
            connection.execute(f'CREATE TABLE sources."{name}" AS FROM lake.sources."{name}"')


def dbt_build(
    bench: Path, folder: Path, database: Path, *select: str, target: str = "prod"
) -> Taken:
    """`dbt build` as a process: models and tests, all of them or a selection."""
    words = [str(bench / "dbt"), "--quiet", "build", "--target", target]
    words += ["--profiles-dir", str(folder), "--project-dir", str(folder)]
    words += ["--select", *select] if select else []
    return take(
        words, {"DBT_DATABASE": str(database), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    )
