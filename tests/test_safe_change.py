"""From a question to a promoted model, and back, without touching production on the way."""

import json
import re
import shutil
from csv import DictReader
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import pytest

from conftest import Platform, begin, options_of
from data_platform.project.context import open_project
from editing import EXPORT, MONTHLY, double_the_turnover, edit, invoiced, table_of, total

NEXT_DAY = options_of("2024-03-02")


def rename_the_amount(platform: Platform) -> None:
    """The mart's column `amount` becomes `turnover`, and whoever reads it follows."""
    edit(platform, MONTHLY, "(18, 2) AS amount", "(18, 2) AS turnover")
    edit(platform, MONTHLY, "    amount = ", "    turnover = ")
    edit(platform, MONTHLY, " here_column := amount", " here_column := turnover")
    edit(platform, EXPORT, "@euros(amount)", "@euros(turnover)")
    chart = platform.project / "models/report/overview__turnover.sql"
    chart.write_text(re.sub(r"(this_year|year_before)\.amount", r"\1.turnover", chart.read_text()))
    for name in (
        *("marts/test_kpi__monthly_turnover", "exports/test_monthly_turnover"),
        "report/test_overview__turnover",
    ):
        test = platform.project / f"tests/{name}.yaml"
        column = r"(issue_month_date: [^,]*, )amount"
        test.write_text(re.sub(column, r"\1turnover", test.read_text()))


def clean_up(platform: Platform) -> None:
    """What `sqlmesh janitor --ignore-ttl` does once a person has said yes."""
    with open_project(platform.settings()) as project:
        project.context.run_janitor(ignore_ttl=True)


def test_a_rename_is_planned_proven_promoted_and_rolled_back(analyst: Platform) -> None:
    begin(analyst)
    csv = analyst.data / "exports/monthly_turnover.csv"
    before, csv_before = total(analyst, "marts"), csv.read_bytes()
    rename_the_amount(analyst)

    shown = json.loads(analyst.call("plan", "dev", "--dry-run", "--format", "json").stdout)
    assert {one["model"]: one["why"][0] for one in shown["changes"]} == {
        "marts.kpi__monthly_turnover": "amount is now called turnover",
        "exports.monthly_turnover": "Turnover (in €) is computed differently",
        "report.overview__turnover": "amount is computed differently",
    }
    assert [one["model"] for one in shown["changes"] if one["is_computed"]] == [
        "marts.kpi__monthly_turnover"
    ]
    assert not shown["computed"]
    assert ("marts__dev",) not in analyst.rows("SELECT schema_name FROM duckdb_schemas()")

    done = analyst.call("plan")
    assert "marts.kpi__monthly_turnover: changed, breaking: amount is now called" in done.stdout
    assert "To compute: 1 table" in done.stdout
    assert total(analyst, "marts") == before

    done = analyst.call("diff", "--fail-on-change", "total")
    assert "amount is now called turnover" in done.stdout
    assert "1 model differs (2 more with new code and the same rows)" in done.stdout
    assert done.stdout.rstrip().endswith("turnover total unchanged.")

    others = analyst.data / "exports/turnover_by_cohort.csv"
    inode = others.stat().st_ino
    done = analyst.call("promote")
    assert "3 models changed, nothing computed" in done.stdout
    # The change reaches one export, which shows the same rows: no file is written, all are up to
    # date.
    assert others.stat().st_ino == inode
    assert "shows it already" in done.stdout
    assert json.loads(analyst.call("status", "--format", "json", check=False).stdout)[
        "exports_are_current"
    ]
    assert analyst.rows("SELECT SUM(turnover) FROM marts.kpi__monthly_turnover") == [(before,)]
    assert csv.read_bytes() == csv_before

    # Life goes on: the table of the old code is now behind the times.
    analyst.call("run", options=NEXT_DAY)
    done = analyst.call("rollback", options=NEXT_DAY)
    assert "computed again: marts.kpi__monthly_turnover" in done.stdout
    assert "Production has the code of promotion 1 (deployed," in done.stdout
    assert total(analyst, "marts") == invoiced(analyst) != before
    # It holds.
    done = analyst.call("transform", options=NEXT_DAY)
    assert "production keeps its own code where the working tree differs" in done.stderr
    assert total(analyst, "marts") == invoiced(analyst)
    assert analyst.rows(
        "SELECT action, environment, goes_back_to, run_number IS NOT NULL FROM ops.promotions"
    ) == [
        ("deployed", "", None, True),
        ("promoted", "dev", None, True),
        ("rolled back", "", 1, True),
    ]


def test_bad_input_is_a_clear_error_and_changes_nothing(analyst: Platform) -> None:
    begin(analyst)
    double_the_turnover(analyst)
    analyst.call("plan", "dev")
    kept = (analyst.data / "current").readlink()
    for words, code, said in (
        (["diff", "nix"], 2, "there is no environment nix (there are: dev)"),
        (["diff", "prod"], 2, "name an environment beside production"),
        (["diff", "dev", "--model", "marts.kpi_nps"], 2, "did you mean marts.kpi__nps"),
        (["diff", "dev", "--fail-on-change", "marts.x"], 2, "there is no model marts.x"),
        (["diff", "dev", "--fail-on-change", "total"], 1, "changed in dev: "),
        (["promote", "nix"], 2, "there is no environment nix"),
        *((["plan", ""], 2, ""), (["diff", ""], 2, ""), (["promote", ""], 2, "")),
        (["plan", "a-b"], 2, "letters, digits and _"),
    ):
        done = analyst.call(*words, check=False)
        assert (done.returncode, said in done.stderr) == (code, True), (words, done.stderr)
        assert done.stderr.count("\n") == 1
    assert (analyst.data / "current").readlink() == kept


@pytest.mark.slow(reason="a plan, two errors and a transform for what nobody touches for a week")
def test_an_environment_that_has_expired_is_told_and_cleaned_up(analyst: Platform) -> None:
    begin(analyst)
    double_the_turnover(analyst)
    analyst.call("plan", "dev")
    expire = "UPDATE sqlmesh._environments SET expiration_ts = 1 WHERE name = 'dev'"
    analyst.write(expire)
    for command in ("diff", "promote"):
        done = analyst.call(command, "dev", check=False)
        assert done.returncode == 1
        assert "environment dev has expired at 1970-01-01 00:00 UTC" in done.stderr
    # The next run cleans up after it.
    analyst.call("transform")
    assert analyst.rows("SELECT COUNT(*) FROM duckdb_views() WHERE schema_name LIKE '%dev'") == [
        (0,)
    ]


def test_an_audit_stops_a_promotion_before_anything_changes(analyst: Platform) -> None:
    begin(analyst)
    double_the_turnover(analyst)
    analyst.call("plan", "dev")
    before = total(analyst, "marts")
    # Somebody has been at the environment's table since it was reviewed.
    table = table_of(analyst, "marts.kpi__monthly_turnover", "dev")
    analyst.write(f"DELETE FROM {table} WHERE issue_month_date = '2023-01-01'")
    done = analyst.call("promote", check=False)
    assert done.returncode == 1
    assert (
        "an audit stopped the run: marts.kpi__monthly_turnover: months_are_complete" in done.stderr
    )
    assert total(analyst, "marts") == before
    assert [row[0] for row in analyst.rows("SELECT action FROM ops.promotions")] == ["deployed"]
    # Production is as well as it was: nothing for a monitor to call about.
    status = json.loads(analyst.call("status", "--format", "json", check=False).stdout)
    assert status["runs"][0]["outcome"] == "failed" and not status["last_run_failed"]


@pytest.mark.slow(reason="six plans and promotions of two people")
def test_two_analysts_work_side_by_side_and_neither_undoes_the_other(
    analyst: Platform, tmp_path: Path
) -> None:
    begin(analyst)
    other = Platform(analyst.data, tmp_path / "other")
    other.copy_project()
    double_the_turnover(analyst)
    export = "models/exports/stagnant_freelancers.sql"
    edit(other, export, "  last_name::TEXT", "  UPPER(last_name)::TEXT")
    test = other.project / "tests/exports/test_stagnant_freelancers.yaml"
    test.write_text(
        re.sub(r'(Freelancer Last Name"?: )(\w+)', lambda m: m[1] + m[2].upper(), test.read_text())
    )
    assert "exports.stagnant" not in analyst.call("plan", "dev_a").stdout
    assert "kpi__monthly" not in other.call("plan", "dev_b").stdout
    # Production's day goes on between, and says what it leaves behind.
    analyst.call("run", options=NEXT_DAY)
    assert total(analyst, "marts") == invoiced(analyst)
    # Names are masked unless they are asked for.
    shown = other.call("diff", "dev_b", options=NEXT_DAY).stdout
    assert "Freelancer Last Name differs in" in shown or "only in dev_b" in shown
    names = {row[0] for row in other.rows("SELECT last_name FROM intermediate.freelancers")}
    assert not any(name in shown for name in names)
    shown = other.call("diff", "dev_b", "--show-personal", options=NEXT_DAY).stdout
    assert any(name in shown for name in names)

    other.call("promote", "dev_b", options=NEXT_DAY)
    promoted = other.rows("FROM exports.stagnant_freelancers ORDER BY ALL")
    # What the first analyst planned before that still has the export as it was.
    done = analyst.call("promote", "dev_a", options=NEXT_DAY, check=False)
    assert done.returncode == 1
    assert "was planned before promotion 2 (promoted dev_b," in done.stderr
    assert "would undo it in exports.stagnant_freelancers;" in done.stderr
    for path in (export, test.relative_to(other.project)):
        shutil.copy(other.project / path, analyst.project / path)
    analyst.call("plan", "dev_a", options=NEXT_DAY)
    analyst.call("promote", "dev_a", options=NEXT_DAY)
    assert total(analyst, "marts") == 2 * invoiced(analyst)  # type: ignore[operator]
    assert analyst.rows("FROM exports.stagnant_freelancers ORDER BY ALL") == promoted

    # Gone without a trace: schemas, tables, and what the platform knew of them.
    for name in ("dev_a", "dev_b"):
        analyst.sqlmesh("invalidate", name)
    clean_up(analyst)
    analyst.call("run", options=options_of("2024-03-05"))
    left = "SELECT COUNT(*) FROM duckdb_views() WHERE schema_name LIKE '%dev_%'"
    assert analyst.rows(left) == [(0,)]
    known = {name for (name,) in analyst.rows("SELECT physical_name FROM ops.model_tables")}
    there = analyst.rows(
        "SELECT concat_ws('.', table_catalog, table_schema, table_name) "
        "FROM information_schema.tables WHERE table_schema LIKE 'sqlmesh\\_\\_%' ESCAPE '\\'"
    )
    assert known and known == {name for (name,) in there}
    assert analyst.rows("SELECT COUNT(*) FROM ops.plans") == [(0,)]


@pytest.mark.slow(reason="SQLMesh's janitor as a process, between a promotion and a rollback")
def test_the_code_of_a_rollback_outlives_sqlmesh_s_janitor(analyst: Platform) -> None:
    begin(analyst)
    double_the_turnover(analyst)
    analyst.call("plan")
    analyst.call("promote")
    analyst.sqlmesh("invalidate", "dev", "--sync")
    clean_up(analyst)
    tables = "SELECT COUNT(*) FROM duckdb_tables() WHERE table_name LIKE 'marts__kpi__monthly%'"
    assert analyst.rows(tables) == [(1,)]
    assert total(analyst, "marts") == 2 * invoiced(analyst)  # type: ignore[operator]
    ours = version("sqlmesh")
    analyst.write("UPDATE ops.model_code SET sqlmesh_version = '0.1.0'")
    refused = analyst.call("rollback", check=False)
    assert refused.returncode == 1
    assert f"was kept by SQLMesh 0.1.0, this is {ours}" in refused.stderr
    analyst.write(f"UPDATE ops.model_code SET sqlmesh_version = '{ours}'")
    done = analyst.call("rollback")
    assert "computed again: marts.kpi__monthly_turnover" in done.stdout
    assert total(analyst, "marts") == invoiced(analyst)


@pytest.mark.slow(reason="SQLMesh's own plan of production, which few people use")
def test_promotions_by_other_hands_are_written_down_and_can_be_rolled_back(
    analyst: Platform,
) -> None:
    begin(analyst)
    double_the_turnover(analyst)
    analyst.sqlmesh("plan", "--no-prompts", "--auto-apply")
    assert total(analyst, "marts") == 2 * invoiced(analyst)  # type: ignore[operator]
    analyst.call("rollback")
    assert total(analyst, "marts") == invoiced(analyst)
    actions = analyst.rows("SELECT action, models FROM ops.promotions ORDER BY promotion_number")
    assert [action for action, _ in actions] == ["deployed", "found", "rolled back"]
    followers = ["exports.monthly_turnover", "report.overview__turnover"]
    assert actions[1][1] == sorted([*followers, "marts.kpi__monthly_turnover"])


@pytest.mark.slow(reason="SQLMesh's own plan of production, which few people use")
def test_what_other_hands_have_promoted_is_in_what_the_next_promotion_leaves(
    analyst: Platform,
) -> None:
    begin(analyst)
    double_the_turnover(analyst)
    analyst.call("plan", "dev")  # so that the tables are known, and nothing has to be computed
    analyst.sqlmesh("plan", "--no-prompts", "--auto-apply")
    edit(analyst, "models/marts/kpi__nps.sql", "owner care", "owner sales")
    analyst.call("plan", "dev2")
    done = analyst.call("promote", "dev2")
    assert "monthly_turnover" not in done.stdout
    with (analyst.data / "exports/monthly_turnover.csv").open(encoding="utf-8") as file:
        amounts = [Decimal(row["Turnover (in €)"].replace(",", ".")) for row in DictReader(file)]
    assert sum(amounts) == 2 * invoiced(analyst)  # type: ignore[operator]
    chart = analyst.data / "report/data/overview__turnover.js"
    shown = chart.read_text()
    analyst.call("report")
    assert chart.read_text() == shown


@pytest.mark.slow(reason="a plan and a promotion of an export alone")
def test_an_export_whose_own_sql_shows_something_else_is_written_anew(analyst: Platform) -> None:
    begin(analyst)
    csv = analyst.data / "exports/reference_gaps.csv"
    before, other = csv.read_text(), analyst.data / "exports/receivables.csv"
    inode = other.stat().st_ino
    edit(
        analyst,
        "models/exports/reference_gaps.sql",
        "  missing::TEXT",
        "  ('0' || missing::TEXT)::TEXT",
    )
    edit(analyst, "tests/exports/test_reference_gaps.yaml", 'References": "', 'References": "0')
    analyst.call("plan")
    analyst.call("promote")
    first, *lines = before.splitlines()
    wanted = [re.sub(r"^(\w+,\w+,)", r"\g<1>0", line) for line in lines]
    assert csv.read_text().splitlines() == [first, *wanted]
    assert other.stat().st_ino == inode


@pytest.mark.slow(reason="a plan for a message")
def test_a_unit_test_that_cannot_be_evaluated_says_why(analyst: Platform) -> None:
    begin(analyst)
    edit(
        analyst, "models/exports/reference_gaps.sql", "  missing::TEXT", "  nothing(missing)::TEXT"
    )
    done = analyst.call("plan", check=False)
    assert done.returncode == 1
    assert (
        "test_accounting_reads_which_numbers_are_missing of exports.reference_gaps" in done.stderr
    )
    assert "Scalar Function with name nothing does not exist" in done.stderr


@pytest.mark.slow(reason="SQLMesh's own plan of production, which few people use")
def test_an_environment_does_not_undo_what_other_hands_have_promoted(analyst: Platform) -> None:
    begin(analyst)
    edit(analyst, "models/marts/kpi__nps.sql", "owner care", "owner sales")
    analyst.call("plan", "dev")
    edit(analyst, "models/marts/kpi__nps.sql", "owner sales", "owner care")
    double_the_turnover(analyst)
    analyst.sqlmesh("plan", "--no-prompts", "--auto-apply")
    done = analyst.call("promote", "dev", check=False)
    assert done.returncode == 1
    assert "environment dev is behind production: it was planned before promotion 2" in done.stderr
    assert total(analyst, "marts") == 2 * invoiced(analyst)  # type: ignore[operator]


@pytest.mark.slow(reason="three plans, of models by month, and a day between them")
def test_an_environment_is_planned_again_on_the_days_that_follow(analyst: Platform) -> None:
    """What SQLMesh would compute of such a day is a day of tables that are made by month."""
    begin(analyst)
    edit(analyst, "models/intermediate/receivables.sql", "  SUM(amount)::", "  SUM(amount + 0)::")
    edit(analyst, "models/intermediate/reference_runs.sql", "MAX(digits) AS", "MAX(digits + 0) AS")
    analyst.call("run", options=options_of("2024-03-12"))
    analyst.call("plan", "dev", options=options_of("2024-03-12"))
    later = options_of("2024-03-15")
    analyst.call("run", options=later)
    for environment in ("dev", "dev_b"):  # the same tables, in one that is new
        analyst.call("plan", environment, options=later)
        for model in ("intermediate.receivables", "intermediate.reference_runs"):
            schema, name = model.split(".")
            both = (f"{schema}__{environment}.{name}", model)
            for one, other in (both, both[::-1]):
                assert analyst.rows(f"FROM {one} EXCEPT FROM {other}") == []
    analyst.call("promote", "dev_b", options=later)


PAID_BY_MONTH = """
SELECT DATE_TRUNC('MONTH', i.issue_date)::DATE AS month, SUM(p.amount) AS paid
FROM intermediate.payments AS p JOIN intermediate.invoices AS i ON p.invoice_sk = i.sk
WHERE p.paid_on <= (SELECT as_of_date FROM intermediate.as_of) GROUP BY 1 HAVING paid > 0
"""


@pytest.mark.slow(reason="plans and promotions of tags, and days between them")
def test_a_table_whose_months_other_tags_have_chosen_is_computed_again(analyst: Platform) -> None:
    """Tags are no part of SQLMesh's version of a table."""

    def is_right() -> bool:
        shown = "SELECT month, SUM(paid) AS paid FROM intermediate.receivables GROUP BY 1"
        (missing,) = analyst.rows(
            f"SELECT COUNT(*) FROM (({PAID_BY_MONTH}) EXCEPT ({shown} HAVING SUM(paid) > 0))"
        )
        return missing == (0,)

    begin(analyst)
    model = analyst.project / "models/intermediate/receivables.sql"
    whole = model.read_text()
    tag = re.compile(r",\n    'months_of:[^)]*")
    audit = re.compile(r",\n    payments_are_accounted_for\([^)]*\)")
    model.write_text(audit.sub("", tag.sub("", whole)))
    analyst.call("plan", "dev")
    analyst.call("promote", "dev")
    analyst.call("run", options=options_of("2024-03-20"))
    assert not is_right()  # its author vouched for what does not hold

    model.write_text(audit.sub("", whole))  # the tag is there again
    later = options_of("2024-03-20")
    analyst.call("plan", "dev", options=later)
    analyst.call("promote", "dev", options=later)
    assert is_right()
    later = options_of("2024-04-10")
    analyst.call("run", options=later)
    assert is_right()
    analyst.call("rollback", options=later)
    assert is_right()  # computed as a whole, and wrong again only on the days to come
