"""The project's models as a dbt project over the same sources: rendered SQL and refs."""

import json
import shutil
import subprocess
from datetime import date, timedelta
from pathlib import Path

import duckdb
from sqlglot import exp
from sqlmesh.core.model import Model

from data_platform.project.context import read_project
from data_platform.project.evaluation import short_name

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
    with read_project(project_dir) as context:
        window = {
            "start": context.config.model_defaults.start,
            "end": as_of,
            "execution_time": as_of + timedelta(days=1),
        }
        for model in context.models.values():
            if model.kind.is_external:
                continue
            name = short_name(model.fqn)
            layer, _, alias = name.partition(".")
            kind = "view" if model.kind.is_view else "table"
            config = f"materialized='{kind}', schema='{layer}', alias='{alias}'"
            query = _template(model.render_query_or_raise(**window), sources, model)
            (folder / "models" / f"{dbt_name(name)}.sql").write_text(_with(config, query))
            for number, (audit, arguments) in enumerate(model.audits_with_args):
                rendered = model.render_audit_query(audit, **window, **arguments)
                severity = "error" if audit.blocking else "warn"
                test = folder / "tests" / f"{dbt_name(name)}__{audit.name}_{number}.sql"
                test.write_text(_with(f"severity='{severity}'", _template(rendered, sources)))
    listed = "\n".join(f"      - name: {name}" for name in sorted(sources))
    (folder / "models" / "sources.yml").write_text(
        f"version: 2\nsources:\n  - name: sources\n    schema: sources\n    tables:\n{listed}\n"
    )


def _with(config: str, sql: str) -> str:
    return f"{{{{ config({config}) }}}}\n{sql}\n"


def _template(rendered: exp.Query, sources: set[str], extending: Model | None = None) -> str:
    """A query with dbt's words in the place of tables' names.

    Args:
        sources: gets the names of the raw tables that are read.
        extending: the model whose query it is; the month before its first is nothing.
    """
    query, places = rendered.copy(), {}
    for table in [table for table in query.find_all(exp.Table) if table.db]:
        read = f"{table.db}.{table.name}"
        if extending is not None and read == extending.name:
            columns = ", ".join(
                f"NULL::{type_.sql('duckdb')} AS {column}"
                for column, type_ in (extending.columns_to_types or {}).items()
            )
            place = f"(SELECT {columns} WHERE FALSE)"
        elif table.db == "sources":
            sources.add(table.name)
            place = f"{{{{ source('sources', '{table.name}') }}}}"
        else:
            place = f"{{{{ ref('{dbt_name(read)}') }}}}"
        # A name that survives being written as SQL, for the words of a template.
        marker = f"__place_{len(places)}__"
        places[marker] = place
        table.set("db", None)
        table.set("catalog", None)
        table.set("this", exp.to_identifier(marker, quoted=True))
    sql = str(query.sql(dialect="duckdb"))
    for marker, place in places.items():
        sql = sql.replace(f'"{marker}"', place)
    return sql


def copy_sources(lakehouse: Path, database: Path) -> None:
    """Copy the raw tables into a database of dbt's own."""
    database.unlink(missing_ok=True)
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"ATTACH '{lakehouse}' AS lake (READ_ONLY)")
        connection.execute("CREATE SCHEMA sources")
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() "
            "WHERE database_name = 'lake' AND schema_name = 'sources'"
        ).fetchall():
            connection.execute(f'CREATE TABLE sources."{name}" AS FROM lake.sources."{name}"')


# dbt in one process: a command's words in a line of standard input, its seconds in one of errors.
WORKFLOW = """
import json, sys, time
from dbt.cli.main import dbtRunner
for line in sys.stdin:
    started = time.perf_counter()
    done = dbtRunner().invoke(json.loads(line))
    if not done.success:
        sys.exit(f"dbt failed: {line} {done.exception or ''}")
    print(time.perf_counter() - started, file=sys.stderr, flush=True)
"""


class Dbt:
    """dbt in a process of its own, which takes one command after the other."""

    def __init__(self, python: Path, folder: Path, database: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [str(python), "-c", WORKFLOW],
            cwd=folder,
            env={"DBT_DATABASE": str(database), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
            stdin=subprocess.PIPE,
            stdout=(folder / "dbt.log").open("a"),
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, target: str, select: str = "") -> float:
        """Seconds that `dbt build` takes: models and tests."""
        words = ["build", "--target", target, "--profiles-dir", str(self.folder)]
        words += ["--project-dir", str(self.folder)] + (["--select", select] if select else [])
        assert self.process.stdin and self.process.stderr
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        told = self.process.stderr.readline()
        try:
            return float(told)
        except ValueError:
            raise SystemExit(told + self.process.stderr.read()) from None

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()
