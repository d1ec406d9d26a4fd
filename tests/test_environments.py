"""Environments show the same data through other code, or the platform says that they do not."""

import json
import re
from datetime import date

import pytest

from comparison import assert_exports_equal_the_reference
from conftest import Platform, begin, options_of
from data_platform.transform.transform import transform
from editing import double_the_turnover, edit, invoiced, total

BEHIND = "environment dev does not show load 2 in marts.kpi__monthly_turnover"


@pytest.mark.slow(reason="two plans, two runs and a promotion, which the guided tour plays as well")
def test_an_environment_says_that_it_is_behind_catches_up_and_is_promoted_as_it_is(
    analyst: Platform,
) -> None:
    begin(analyst)
    double_the_turnover(analyst)
    done = analyst.call("plan", "dev")
    assert "marts.kpi__monthly_turnover: changed, breaking: amount is computed" in done.stdout
    assert "exports.monthly_turnover: Turnover (in €)" in done.stdout
    assert total(analyst, "marts__dev") == 2 * total(analyst, "marts")  # type: ignore[operator]
    before = total(analyst, "marts__dev")

    # The next day: production is right, the environment is not, and nobody is silent about it.
    done = analyst.call("run", options=options_of("2024-03-02"))
    assert total(analyst, "marts") == invoiced(analyst)
    assert total(analyst, "marts__dev") == before
    assert BEHIND in done.stderr
    status = json.loads(analyst.call("status", "--format", "json", check=False).stdout)
    assert status["environments_behind"] == {"dev": ["marts.kpi__monthly_turnover"]}

    done = analyst.call("promote", "dev", options=options_of("2024-03-02"), check=False)
    assert done.returncode == 1
    assert "dev is behind production: it does not show load 2 in marts.kpi__m" in done.stderr

    analyst.call("plan", "dev")
    assert total(analyst, "marts__dev") == 2 * invoiced(analyst)  # type: ignore[operator]
    assert total(analyst, "marts") == invoiced(analyst)
    assert BEHIND not in analyst.call("status", check=False).stderr

    # What the environment has built is promoted as it is.
    promoted = transform(analyst.settings(date(2024, 3, 2)), deploy=True)
    assert promoted.deployed == ()
    assert not [name for name, why in promoted.restated.items() if "kpi__monthly" in name]
    assert total(analyst, "marts") == 2 * invoiced(analyst)  # type: ignore[operator]


@pytest.mark.slow(reason="SQLMesh's own plan and a day; the platform's plan is tried each time")
def test_an_environment_of_sqlmesh_s_own_making_is_told_when_the_data_moves_on(
    analyst: Platform,
) -> None:
    begin(analyst)
    double_the_turnover(analyst)
    analyst.sqlmesh("plan", "dev", "--no-prompts", "--auto-apply")
    # Built since the load, it reflects it.
    assert "environment dev" not in analyst.call("transform").stderr
    done = analyst.call("run", options=options_of("2024-03-02"))
    assert BEHIND in done.stderr
    assert total(analyst, "marts") == invoiced(analyst)
    analyst.call("plan", "dev")
    assert total(analyst, "marts__dev") == 2 * invoiced(analyst)  # type: ignore[operator]


@pytest.mark.slow(reason="SQLMesh's own plan of the mix that the platform's plan is tried with")
def test_what_sqlmesh_s_own_plan_computed_aside_is_refused_and_planned_again(
    analyst: Platform,
) -> None:
    begin(analyst)
    edit(analyst, "macros/cleaning.py", "one_spaced", "with_single_spaces")
    double_the_turnover(analyst)
    analyst.sqlmesh("plan", "dev", "--no-prompts", "--auto-apply")
    done = analyst.call("promote", "dev", check=False)
    assert done.returncode == 1
    assert "has no table of its own of exports.monthly_turnover, marts.kpi__m" in done.stderr
    analyst.call("plan", "dev")
    analyst.call("promote", "dev")
    assert total(analyst, "marts") == 2 * invoiced(analyst)  # type: ignore[operator]


def test_a_plan_is_not_for_production_and_builds_on_a_production_that_is_current(
    analyst: Platform,
) -> None:
    begin(analyst)
    assert "nothing differs from production" in analyst.call("plan", "dev").stdout
    (analyst.project / "models/exports/receivables.sql").unlink()
    (analyst.project / "tests/exports/test_receivables.yaml").unlink()
    told = analyst.call("plan", "dev").stdout
    assert "1 model changed, none with a table or view of its own" in told
    assert "nothing differs" not in told and "just promote dev" in told
    done = analyst.call("plan", "prod", check=False)
    assert done.returncode == 2
    assert "to change it: just promote" in done.stderr
    analyst.call("extract", "load", options=options_of("2024-03-02"))
    done = analyst.call("plan", "dev", check=False)
    assert done.returncode == 1
    assert "production does not reflect load 2 yet" in done.stderr


@pytest.mark.slow(reason="two plans, a promotion and a rollback; a mix that few plans have")
def test_a_plan_in_which_some_models_follow_and_others_break_is_promoted(
    analyst: Platform,
) -> None:
    begin(analyst)
    # A macro's code is another, the SQL that it gives is not; what reads it changes beside.
    edit(analyst, "macros/cleaning.py", "one_spaced", "with_single_spaces")
    double_the_turnover(analyst)
    analyst.call("plan", "dev")
    assert total(analyst, "marts__dev") == 2 * invoiced(analyst)  # type: ignore[operator]
    # What only follows shares production's table; the rest is where everybody looks for it.
    views = "SELECT sql FROM duckdb_views() WHERE ENDS_WITH(schema_name, '__dev')"
    shown = [sql for (sql,) in analyst.rows(views)]
    assert shown and not [sql for sql in shown if re.search(r'sqlmesh__\w+"?\."?\w+__dev\b', sql)]
    computed = (
        "SELECT COUNT(*) FROM ops.models WHERE environment = 'dev' AND model_name LIKE '%nps_m%'"
    )
    assert analyst.rows(computed) == [(0,)]
    promoted = analyst.call("promote", "dev").stdout.partition("computed again")[2]
    assert "kpi__monthly_turnover" not in promoted.partition("Changed in production")[0]
    assert total(analyst, "marts") == 2 * invoiced(analyst)  # type: ignore[operator]
    analyst.call("rollback")
    assert total(analyst, "marts") == invoiced(analyst)


@pytest.mark.slow(reason="a plan, a promotion, a rollback and the day that follows")
def test_after_a_column_that_was_added_is_gone_again_everybody_reads_what_is_computed(
    analyst: Platform,
) -> None:
    begin(analyst)
    # An addition breaks nobody: who reads the model keeps their table or view.
    model = "models/intermediate/turnover_by_entity_month.sql"
    edit(analyst, model, "  month::DATE AS month,", "  month::DATE AS month,\n  1::INT AS one,")
    edit(analyst, model, "    turnover = ", "    one = 'One.',\n    turnover = ")
    analyst.call("plan", "dev")
    analyst.call("promote", "dev")
    later = options_of("2024-03-02")
    analyst.call("rollback")
    analyst.call("run", options=later)
    assert_exports_equal_the_reference(analyst)
