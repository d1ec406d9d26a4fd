"""What the platform would not do right is refused, with what to use instead."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlmesh import Context

from conftest import Platform, begin
from data_platform.errors import PlatformError
from data_platform.project.context import read_project
from data_platform.project.kinds import by_short_name, refusals, refuse_unsupported
from editing import edit
from faults import state
from sample_models import HAS_ROWS, HEADER, OF_AMOUNTS


def model(header: str, query: str = "SELECT as_of_date::DATE AS at FROM intermediate.as_of") -> str:
    return f"MODEL (name intermediate.odd, {header}, {HEADER});\n{query}"


TIME_RANGE = "kind INCREMENTAL_BY_TIME_RANGE (time_column at{})"


PAID = (
    "SELECT p.paid_on::DATE AS at FROM sources.billing__payments AS p, intermediate.clients AS c, "
    "intermediate.as_of AS a WHERE p.paid_on BETWEEN @start_ds AND @end_ds"
)


def points(model: str, pointed: str) -> str:
    return f"'months_of:{model}={pointed}'"


CHANCE = "SELECT as_of_date::DATE AS at, {} AS chance FROM intermediate.as_of"


# Each is refused, and the sentence says what to use instead.
REFUSED = {
    "unique key": (model("kind INCREMENTAL_BY_UNIQUE_KEY (unique_key at)"), "would stay; use FULL"),
    "partition": (
        model("kind INCREMENTAL_BY_PARTITION, partitioned_by at"),
        "kind INCREMENTAL_BY_PARTITION: partitions that are gone",
    ),
    "unmanaged": (model("kind INCREMENTAL_UNMANAGED"), "it appends the same rows again"),
    "scd by time": (
        model(
            "kind SCD_TYPE_2_BY_TIME (unique_key at)",
            "SELECT as_of_date::DATE AS at, as_of_month::TIMESTAMP AS updated_at "
            "FROM intermediate.as_of",
        ),
        "its history depends on when it was run",
    ),
    "scd by column": (
        model("kind SCD_TYPE_2_BY_COLUMN (unique_key at, columns at)"),
        "history is kept in the raw layer",
    ),
    "embedded": (
        model("kind EMBEDDED").replace(", audits (has_rows)", ""),
        "kind EMBEDDED: it has no view .* use VIEW",
    ),
    "materialized": (model("kind VIEW (materialized true)"), "materialized: the engine would"),
    "lookback": (model(TIME_RANGE.format(", lookback 3")), "lookback: the load reports rows"),
    "batch": (model(TIME_RANGE.format(", batch_size 30")), "batch_size: what a query says"),
    "forward only": (model(TIME_RANGE.format(", forward_only true")), "forward_only: its old rows"),
    "no restatement": (
        model(TIME_RANGE.format(", disable_restatement true")),
        "disable_restatement: it would not follow corrections",
    ),
    "restatement by clock": (
        model(TIME_RANGE.format(", auto_restatement_cron '@weekly'")),
        "auto_restatement_cron: the platform computes",
    ),
    "reach of a whole": (
        model("kind FULL, tags 'looks_back:3'"),
        "tag looks_back:3: it says something of models by month",
    ),
    "reach of words": (
        model(f"{TIME_RANGE.format('')}, tags ('by_month', 'looks_back:a week')"),
        "tag looks_back:a week: expected a number of days",
    ),
    "reach of no table": (
        model(f"{TIME_RANGE.format('')}, tags ('by_month', 'any_month_of:sources.app__user')"),
        "there is no source table sources.app__user",
    ),
    "reach of a word": (
        model(f"{TIME_RANGE.format('')}, tags ('by_month', 'months_of:payments')"),
        "expected <model>.<column>=<model>.<column>",
    ),
    "reach unread": (
        model(f"{TIME_RANGE.format('')}, tags ('by_month', {points('a.b.c', 'd.e.f')})"),
        "the model does not read a.b",
    ),
    "reach of no column": (
        model(
            f"{TIME_RANGE.format('')}, tags ('by_month', "
            f"{points('sources.billing__payments.number', 'intermediate.clients.sk')})",
            PAID,
        ),
        "sources.billing__payments has no column number",
    ),
    "reach of no events": (
        model(
            f"{TIME_RANGE.format('')}, tags ('by_month', "
            f"{points('intermediate.as_of.as_of_date', 'intermediate.clients.sk')})",
            PAID,
        ),
        "intermediate.as_of is neither a source table of events",
    ),
    "reach of an unread table": (
        model(f"{TIME_RANGE.format('')}, tags ('by_month', 'any_month_of:sources.app__users')"),
        "nothing that the model reads is made of sources.app__users",
    ),
    "reach of eternity": (
        model(f"{TIME_RANGE.format('')}, tags ('by_month', 'looks_back:9999999')"),
        "expected a number of days",
    ),
    "reach in capitals": (
        model(f"{TIME_RANGE.format('')}, tags ('by_month', 'LOOKS_BACK:3')"),
        "tag LOOKS_BACK:3: it would do nothing; meant is looks_back:",
    ),
    "reach misspelled": (
        model(f"{TIME_RANGE.format('')}, tags ('by_month', 'look_back:3')"),
        "tag look_back:3: it would do nothing; meant is looks_back:",
    ),
    "reach without time": (
        model(
            f"{TIME_RANGE.format('')}, tags ('by_month', "
            f"{points('sources.billing__payments.id', 'intermediate.as_of.as_of_date')})",
            PAID,
        ),
        "intermediate.as_of has no day",
    ),
    "cron": (model("kind FULL, cron '@hourly'"), "cron: the platform computes a model when"),
    "monthly": (model("kind FULL, cron '@monthly'"), "cron: the platform computes"),
    "time zone": (model("kind FULL, cron_tz 'Europe/Paris'"), "cron_tz: the platform computes"),
    "interval": (model("kind FULL, interval_unit 'hour'"), "interval_unit: days are what"),
    "start": (model("kind FULL, start '2023-05-01'"), "start: every model covers all of time"),
    "relative start": (model("kind FULL, start '1 week ago'"), "start: every model covers"),
    "end": (model("kind FULL, end '2023-05-01'"), "end: every model covers all of time"),
    "partials": (model("kind FULL, allow_partials true"), "allow_partials: the platform"),
    "dialect": (model("kind FULL, dialect spark"), "dialect: models are written in DuckDB's"),
    "pre statement": (
        "MODEL (name intermediate.odd, kind FULL, owner data);\nSET threads = 1;\n"
        "SELECT as_of_date::DATE AS at FROM intermediate.as_of",
        "pre_statements: what runs beside the query",
    ),
    "post statement": (
        model("kind FULL") + ";\nDELETE FROM intermediate.as_of",
        "post_statements: what runs beside the query",
    ),
    "quoted name": (
        model("kind FULL").replace("intermediate.odd", 'intermediate."Odd one"'),
        "name .*Odd one.*: expected a layer .* and a name in lower case",
    ),
    "a moment": (
        model("kind FULL", "SELECT @latest_ds::DATE AS at FROM intermediate.as_of"),
        "@latest_ds: a model does not follow the moment .* read intermediate.as_of",
    ),
    "an execution": (
        model("kind VIEW", "SELECT @execution_date AS at FROM intermediate.as_of"),
        "@execution_date: a model does not follow the moment",
    ),
    "a moment of a time range": (
        model(TIME_RANGE.format(""), "SELECT @execution_ds::DATE AS at FROM intermediate.as_of"),
        "@execution_ds: a model does not follow",
    ),
    "a moment in a macro": (
        model("kind FULL", "SELECT @the_moment() AS at FROM intermediate.as_of"),
        "@execution_ds: a model does not follow the moment",
    ),
    "a macro of the clock": (
        model("kind FULL", "SELECT @the_clock()::DATE AS at FROM intermediate.as_of"),
        "its Python asks for 'now'",
    ),
    "a macro of files": (
        model("kind FULL", "SELECT @of_a_file()::DATE AS at FROM intermediate.as_of"),
        "its Python asks for 'open'",
    ),
    "the clock": (model("kind VIEW", CHANCE.format("NOW()")), "the same data has to give the same"),
    "today": (model("kind FULL", CHANCE.format("CURRENT_DATE")), "CURRENT_DATE: the same data"),
    "chance": (model("kind FULL", CHANCE.format("RANDOM()")), "the same data has to give the same"),
    "identifiers": (model("kind FULL", CHANCE.format("GEN_RANDOM_UUID()")), "the same data has to"),
    "a sample": (
        model("kind FULL", "SELECT sk::UUID AS at FROM intermediate.clients USING SAMPLE 3 ROWS"),
        "SAMPLE: the same data",
    ),
    "a file": (
        model("kind FULL", "SELECT at::DATE AS at FROM READ_CSV('days.csv')"),
        "it reads what is no source of the contract",
    ),
    "local time": (model("kind FULL", CHANCE.format("LOCALTIMESTAMP")), "LOCALTIMESTAMP: the same"),
    "an age from today": (
        model("kind FULL", "SELECT AGE(as_of_date) AS at FROM intermediate.as_of"),
        "AGE: the same data",
    ),
    "who asks": (model("kind FULL", CHANCE.format("SESSION_USER")), "USER: the same data"),
    "where": (model("kind FULL", CHANCE.format("CURRENT_SCHEMA()")), "CURRENT_SCHEMA: the same"),
    "a shuffle": (model("kind FULL", CHANCE.format("LIST_SHUFFLE([1, 2])")), "SHUFFLE: the same"),
    "a moment in a text": (
        model("kind FULL", "SELECT @'@{execution_ds}'::DATE AS at FROM intermediate.as_of"),
        "@execution_ds: a model does not follow the moment",
    ),
    "numbers of rows": (
        model("kind FULL", "SELECT ROW_NUMBER() OVER () AS at FROM intermediate.clients"),
        "ROW_NUMBER without ORDER BY",
    ),
    "a window over all rows": (
        model("kind FULL", "SELECT COUNT(*) OVER () AS at FROM intermediate.clients"),
        "OVER .. over all rows: DuckDB before 1.5.6",
    ),
    "a named window over all rows": (
        model("kind FULL", "SELECT COUNT(*) OVER w AS at FROM intermediate.clients WINDOW w AS ()"),
        "OVER .. over all rows: DuckDB before 1.5.6",
    ),
    "any value": (
        model("kind FULL", "SELECT ANY_VALUE(name) AS at FROM intermediate.clients"),
        "ANY_VALUE without ORDER BY",
    ),
    "some rows": (
        model("kind FULL", "SELECT sk::UUID AS at FROM intermediate.clients LIMIT 3"),
        "LIMIT without ORDER BY",
    ),
    "a list": (
        model("kind FULL", "SELECT STRING_AGG(name, ', ') AS at FROM intermediate.clients"),
        "without ORDER BY: rows have no order",
    ),
    "columns in another order": (
        model(
            "kind VIEW, columns (b TEXT, at DATE)",
            "SELECT as_of_date AS at, 'b' AS b FROM intermediate.as_of",
        ),
        r"columns \(b, at\): they are others than the query's \(at, b\), or in another order",
    ),
    "columns that differ in case": (
        model("kind FULL", 'SELECT as_of_date AS at, 1 AS "At" FROM intermediate.as_of'),
        "columns .*: names that differ in case alone",
    ),
    "another layer": (
        model("kind FULL").replace("intermediate.odd", "ops.odd"),
        "expected a layer .staging",
    ),
    "a macro that asks the database": (
        model("kind FULL", "SELECT @the_data()::DATE AS at FROM intermediate.as_of"),
        "its Python asks for 'engine_adapter'",
    ),
    "jinja": (
        "MODEL (name intermediate.odd, kind FULL, owner data);\nJINJA_QUERY_BEGIN;\n"
        "SELECT as_of_date AS at FROM intermediate.as_of\nJINJA_END;",
        "its query is Jinja",
    ),
    "itself": (
        model("kind FULL, columns (at DATE)", "SELECT MAX(at)::DATE AS at FROM intermediate.odd"),
        "it reads itself: what it shows would depend on how often",
    ),
}


MACROS = """
from datetime import datetime

from sqlmesh import macro


@macro()
def the_moment(evaluator):
    return f"'{evaluator.locals['execution_ds']}'::DATE"


@macro()
def today_s_name(evaluator, name):
    return name


@macro()
def the_data(evaluator):
    try:
        return evaluator.engine_adapter.fetchone("SELECT 1")
    except Exception:
        return "'2024-01-01'"


@macro()
def the_clock(evaluator):
    return f"'{datetime.now():%Y-%m-%d}'"


@macro()
def of_a_file(evaluator):
    try:
        return open("days.txt").read()
    except OSError:
        return "'2024-01-01'"
"""


# What people write and the platform does.
ACCEPTED = {
    "a common table": "WITH a AS (SELECT sk FROM intermediate.clients) SELECT sk AS at FROM a",
    "a window": "SELECT ROW_NUMBER() OVER (ORDER BY name) AS at FROM intermediate.clients",
    "a sum over a window": "SELECT SUM(1) OVER (PARTITION BY name) AS at FROM intermediate.clients",
    "a named window": "SELECT ROW_NUMBER() OVER w AS at FROM intermediate.clients "
    "WINDOW w AS (PARTITION BY name ORDER BY sk)",
    "the first ones": "SELECT sk AS at FROM intermediate.clients ORDER BY name LIMIT 3",
    "a union": "SELECT name AS at FROM intermediate.clients UNION ALL SELECT 'x' AS at",
    "values": "SELECT v AS at FROM (VALUES (1), (2)) AS t(v)",
    "series": "SELECT UNNEST(GENERATE_SERIES(1, 3)) AS at",
    "a list": "SELECT STRING_AGG(name, ', ' ORDER BY name) AS at FROM intermediate.clients",
    "an age of two days": "SELECT AGE(as_of_date, as_of_month) AS at FROM intermediate.as_of",
    "a macro of a harmless name": "SELECT @today_s_name(name) AS at FROM intermediate.clients",
    "a variable": "SELECT @VAR('first_day')::DATE AS at",
    "a table called now": "SELECT now.name AS at, name AS version FROM intermediate.clients AS now",
}


HELPER = '''

def helper(start, end=None, **kwargs):
    """Rows from start to end, as of the time of the words."""
    return [start, end, *kwargs]
'''


def test_what_is_right_is_not_refused(tree: Platform) -> None:
    models = {}
    for number, query in enumerate(ACCEPTED.values()):
        code = model("kind FULL", query).replace("intermediate.odd", f"marts.odd_{number}")
        models[f"{number}.sql"] = code
    models["python.py"] = OF_AMOUNTS.replace("FACTOR", "len(helper(1, end=2))") + HELPER
    models["def.sql"] = (
        f"MODEL (name marts.defined, kind FULL, {HEADER});\n@DEF(one, 1);\nSELECT @one AS at"
    )
    with opened(tree.project, models) as context:
        start = context.config.model_defaults.start
        found = {
            f"{one.name}: {said}"
            for one in context.models.values()
            if not one.kind.is_external
            for said in refusals(one, start, by_short_name(context.models.values()))
        }
    assert found == set()


@contextmanager
def opened(project: Path, models: dict[str, str]) -> Iterator[Context]:
    """The project with some more models, by the names of their files."""
    paths = [project / "models/intermediate" / name for name in models]
    for path, code in zip(paths, models.values(), strict=True):
        path.write_text(code)
    try:
        with read_project(project) as context:
            yield context
    finally:
        for path in paths:
            path.unlink()


def refused(project: Path, models: dict[str, str]) -> dict[str, str]:
    """What the linter says of each model, by its file; the platform itself says the same."""
    found: dict[str, str] = dict.fromkeys(models, "")
    with opened(project, models) as context:
        for violation in context.lint_models(raise_on_error=False):
            if violation.rule.name == "nounsupportedmodel":
                found[Path(str(violation.model._path)).name] += f"{violation.violation_msg}\n"
        with pytest.raises(PlatformError) as caught:
            start = context.config.model_defaults.start
            refuse_unsupported(context.models.values(), start)
    for said in found.values():
        assert all(line in str(caught.value) for line in said.splitlines())
    return found


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    folder = tmp_path_factory.mktemp("refused") / "project"
    platform = Platform(folder / "data", folder)
    platform.copy_project()
    (folder / "macros/odd.py").write_text(MACROS)
    (folder / "audits/has_rows.sql").write_text(HAS_ROWS)
    for layer in ("staging", "marts", "exports"):
        shutil.rmtree(folder / "models" / layer)
    for path in (folder / "models/intermediate").iterdir():
        if path.name not in ("as_of.sql", "clients.sql"):
            path.unlink()
    return platform


def test_what_would_not_be_right_is_refused_with_what_to_use_instead(tree: Platform) -> None:
    files = {name: f"{name.replace(' ', '_')}.sql" for name in REFUSED}
    models = {
        file: REFUSED[name][0].replace("intermediate.odd", f"intermediate.odd_{number}")
        if "Odd one" not in REFUSED[name][0]
        else REFUSED[name][0]
        for number, (name, file) in enumerate(files.items())
    }
    found = refused(tree.project, models)
    missed = {
        name: found[files[name]]
        for name, (_, message) in REFUSED.items()
        if not re.search(message, found[files[name]])
    }
    assert missed == {}
    # What a refused kind sets by itself, nobody has to leave out.
    assert "batch_concurrency" not in found["unique_key.sql"]


# What SQLMesh itself does not load; the platform adds what to do instead.
UNLOADABLE = {
    "no layer": (
        model("kind FULL").replace("intermediate.odd", "odd"),
        "a model is called by its layer and its name, like marts.sales",
    ),
    "a period": (
        model("kind FULL", "SELECT @start_ds::DATE AS at FROM intermediate.as_of"),
        "odd.sql.* only a model of kind INCREMENTAL_BY_TIME_RANGE has a period",
    ),
    "an environment": (
        model("kind FULL", CHANCE.format("@this_env")),
        "odd.sql.* a model is the same in every environment",
    ),
}


@pytest.mark.parametrize("name", UNLOADABLE)
def test_what_sqlmesh_cannot_load_is_told_with_its_file(tree: Platform, name: str) -> None:
    code, message = UNLOADABLE[name]
    with (
        pytest.raises(PlatformError, match=message) as caught,
        opened(tree.project, {"odd.sql": code}),
    ):
        pass
    assert "\n" not in str(caught.value)


SEED = (
    "MODEL (name intermediate.odd, kind SEED (path 'days.csv'), owner data, columns (at DATE))",
    "kind SEED: a file beside the models has neither",
)


REFUSED_PYTHON = {
    "an execution time": (
        ('frame["amount"] * FACTOR', 'frame["amount"] * execution_time.day'),
        "its Python uses execution_time",
    ),
    "other keywords": (('* FACTOR', '* len(kwargs)'), "its Python uses kwargs"),
    "files": (('* FACTOR', '* len(pd.read_csv("x"))'), "its Python asks for 'read_csv'"),
    "chance": (('* FACTOR', '* frame.sample(1).size'), "its Python asks for 'sample'"),
    "the day": (('* FACTOR', '* pd.Timestamp("now").day'), "its Python asks for 'now'"),
    "the machine": (("* FACTOR", '* len(__import__("os").name)'), "asks for '__import__'"),
    "the engine": (('context.fetchdf(', 'context._engine_adapter.fetchdf('), "_engine_adapter"),
    "the clock of SQL": (('SUM(amount) AS', 'MAX(NOW()), SUM(amount) AS'), "its SQL asks for NOW"),
    "another case": (
        ("FROM {table} GROUP", "FROM Intermediate.Clients GROUP"), "reads Intermediate.Clients by",
    ),
    "quotes": (
        ("FROM {table} GROUP", 'FROM \\"intermediate\\".\\"clients\\" GROUP'),
        "intermediate.clients by n",
    ),
    "the clock": (('* FACTOR', '* datetime.now().day'), "its Python asks for 'now'"),
    "a kind": (('kind="FULL"', 'kind=dict(name=ModelKindName.INCREMENTAL_UNMANAGED)'), "use FULL"),
    "by name": (
        ("FROM {table} GROUP", "FROM intermediate.clients GROUP"),
        "reads intermediate.clients by name",
    ),
    "undeclared": (
        ('resolve_table("intermediate.invoices")', 'resolve_table("intermediate.clients")'),
        "reads intermediate.clients undeclared",
    ),
}  # fmt: skip


def test_a_python_model_that_does_not_follow_from_the_data_is_refused(tree: Platform) -> None:
    models = {}
    for number, ((old, new), _) in enumerate(REFUSED_PYTHON.values()):
        assert old in OF_AMOUNTS
        code = OF_AMOUNTS.replace(old, new).replace("FACTOR", "1")
        models[f"odd_{number}.py"] = code.replace("in_python", f"odd_{number}")
    found = refused(tree.project, models)
    for said, (_, message) in zip(found.values(), REFUSED_PYTHON.values(), strict=True):
        assert re.search(message, said), found


def test_a_seed_and_an_audit_of_no_model_are_refused(tree: Platform) -> None:
    (tree.project / "models/intermediate/days.csv").write_text("at\n2024-01-01\n")
    assert re.search(SEED[1], refused(tree.project, {"odd.sql": SEED[0]})["odd.sql"])
    audit = tree.project / "audits/alone.sql"
    audit.write_text(
        "AUDIT (name alone, standalone true);\nSELECT 1 AS one FROM intermediate.as_of WHERE FALSE"
    )
    with read_project(tree.project) as context:
        found = {v.rule.name: v.violation_msg for v in context.lint_models(raise_on_error=False)}
        assert "Audit alone: it belongs to no model" in found["nostandaloneaudit"]
        with pytest.raises(PlatformError, match="audit alone: it belongs to no model"):
            start = context.config.model_defaults.start
            refuse_unsupported(context.models.values(), start, context.standalone_audits)
    audit.unlink()


@pytest.mark.slow(reason="two starts of SQLMesh; each refusal itself is tried without")
def test_a_plan_and_a_deployment_refuse_it_whatever_the_model_says_of_the_linter(
    analyst: Platform,
) -> None:
    begin(analyst)
    code = REFUSED["unique key"][0].replace("owner data", "owner data, ignored_rules ['all']")
    (analyst.project / "audits/has_rows.sql").write_text(HAS_ROWS)
    (analyst.project / "models/intermediate/odd.sql").write_text(code)
    before = state(analyst.data)
    for words in (["plan", "dev"], ["transform", "--deploy"], ["run", "--deploy"]):
        done = analyst.call(*words, check=False)
        assert done.returncode == 1
        assert "intermediate.odd: kind INCREMENTAL_BY_UNIQUE_KEY: rows that are" in done.stderr
    assert state(analyst.data) == before


@pytest.mark.slow(reason="SQLMesh's own plan, which few people use")
def test_what_sqlmesh_s_own_commands_planned_forward_only_is_not_promoted(
    analyst: Platform,
) -> None:
    begin(analyst)
    edit(
        analyst, "models/intermediate/invoices.sql", "invoices.amount::", "(invoices.amount * 2)::"
    )
    words = ["plan", "dev", "--forward-only", "--no-prompts", "--auto-apply", "--skip-tests"]
    analyst.sqlmesh(*words)
    done = analyst.call("promote", "dev", check=False)
    assert done.returncode == 1
    assert re.search("intermediate.invoices, .*: planned as forward-only", done.stderr)
