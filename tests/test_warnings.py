"""Warnings are sentences, told in full when they are new, and speak of all of time."""

import json
import re
from pathlib import Path

import pytest

from conftest import Platform, begin, options_of, template
from data_platform.transform.transform import transform
from editing import edit
from faults import status_of
from tampering import extract_and_load

GAPS = r"marts\.accounting__reference_gaps: (\d+) gaps in the numbers of the invoices"


def test_a_warning_is_told_in_full_once_and_then_stands(begun: Platform) -> None:
    platform, first = begun, (template().parent / "stderr").read_text()
    told = re.search(GAPS, first)
    assert told is not None, first
    exported = (platform.data / "exports/reference_gaps.csv").read_text()
    assert exported.count("\n") == int(told[1]) + 1
    view = (
        'just query "FROM warnings.marts__accounting__reference_gaps__references_are_consecutive"'
    )
    assert view in first
    rows = platform.call("query", view.split('"')[1], "--format", "json").stdout
    assert len(json.loads(rows)) == int(told[1])

    again = platform.call("run")
    assert "gaps" not in again.stderr
    assert "3 warnings stand since 2024-02-29: just status" in again.stdout
    # A day's run looks at all of time: no gap is forgotten, and none of them is news.
    later = platform.call("run", options=options_of("2024-03-02"))
    (known,) = [w for w in status_of(platform)["warnings"] if "consecutive" in w["audit"]]
    assert known["rows"] >= int(told[1])
    assert known["since"] == ("2024-02-29" if known["rows"] == int(told[1]) else "2024-03-02")
    assert ("gaps" in later.stderr) == (known["rows"] != int(told[1]))
    seen = platform.call("status", check=False).stderr
    assert f"(since {known['since']})" in seen


@pytest.mark.slow(reason="a run with --deploy, for an audit that breaks itself")
def test_a_non_blocking_audit_that_fails_itself_is_a_warning(analyst: Platform) -> None:
    begin(analyst)
    audit = "audits/references_are_consecutive.sql"
    edit(analyst, audit, "FROM @here", "FROM @here\nWHERE\n  first_missing::TINYINT > 0")
    done = analyst.call("run", "--deploy")
    assert re.search(
        "Warning: marts.accounting__reference_gaps: references_are_consecutive could not be "
        "evaluated: Conversion Error: .*the value is not shown",
        done.stderr,
    ), done.stderr
    ((unknown,),) = analyst.rows(
        "SELECT DISTINCT is_unknown FROM ops.audits WHERE audit LIKE 'references_are_cons%' "
        "AND run_number = 2"
    )
    assert unknown is True
    done = analyst.call("run", options=options_of("2024-03-01"))
    ((passed, unknown),) = analyst.rows(
        "SELECT COUNT_IF(number_of_rows = 0 AND NOT is_unknown), COUNT_IF(is_unknown) "
        "FROM ops.audits WHERE run_number = 3 AND environment <> ''"
    )
    assert unknown == 1 and f", {passed} audits passed in" in done.stdout


def test_an_audit_that_is_wrong_sql_stops_the_run(analyst: Platform) -> None:
    begin(analyst)
    audit = "audits/references_are_consecutive.sql"
    edit(analyst, audit, "FROM @here", "FROM @here\nWHERE\n  number_of_it > 0")
    done = analyst.call("run", "--deploy", check=False)
    assert done.returncode == 1
    assert "accounting__reference_gaps" in done.stderr and "number_of_it" in done.stderr


@pytest.mark.slow(reason="a plan, a promotion and a run; the counts themselves are tried each time")
def test_counts_come_from_the_environment_and_invoices_that_are_missing_stop_its_promotion(
    analyst: Platform,
) -> None:
    begin(analyst)
    before = status_of(analyst)["warnings"]
    edit(
        analyst,
        "models/intermediate/invoices.sql",
        "WHERE\n  invoices.issue_date",
        "WHERE\n  NOT invoices.reference LIKE '%77' AND invoices.issue_date",
    )
    for name in (
        "totals_agree",
        "same_rows_and_total",
        "same_number_of_rows",
        "payments_are_accounted_for",
    ):
        audit = analyst.project / "audits" / f"{name}.sql"
        audit.write_text(audit.read_text().replace(f"name {name}", f"name {name}, blocking FALSE"))
    config = analyst.project / "config.yaml"
    config.write_text(config.read_text().replace("    - nomissingmodeltest\n", ""))
    planned = analyst.call("plan", "dev").stdout
    told = re.search(f"Warning in dev: {GAPS}.*; production: (\\d+) gaps", planned)
    assert told is not None, planned
    (gaps,) = [w["rows"] for w in before if "consecutive" in w["audit"]]
    assert (int(told[1]) > gaps, int(told[2])) == (True, gaps)
    # Another environment shares the tables, and asks no audit of them again.
    second = analyst.call("plan", "second").stdout
    assert "0 computed now" in second
    assert told[0].replace("Warning in dev", "Warning in second") in second
    found = json.loads(analyst.call("diff", "second", "--format", "json").stdout)
    (beside,) = [w for w in found["warnings"] if "consecutive" in w["audit"]]
    assert beside["here"].startswith(f"{told[1]} gaps")
    assert beside["production"].startswith(f"{gaps} gaps")
    assert (
        f"Warning: marts.accounting__reference_gaps: {told[1]} gaps"
        in analyst.call("diff", "dev").stdout
    )

    # What those audits would have stopped, the exports do: invoices are missing from them.
    done = analyst.call("promote", "dev", check=False)
    assert done.returncode == 1
    assert "expected 3," in done.stderr and "the total of the invoices" in done.stderr
    assert status_of(analyst)["warnings"] == before


@pytest.mark.slow(reason="a run over names made for it, for an audit that a YAML test covers")
def test_look_alikes_are_counted(platform: Platform) -> None:
    extract_and_load(platform)
    with_twins = (
        "INSERT INTO sources.app__users SELECT 'x' || id, first_name, "
        "last_name || chr(8203), email FROM sources.app__users "
        "WHERE email NOT LIKE '%jump.example%' LIMIT 3"
    )
    platform.write(with_twins)
    done = transform(platform.settings())
    (warning,) = [one for one in done.new_warnings if one.audit.startswith("no_look_alikes")]
    assert warning.rows == 6
    assert "names (" in str(warning) and "look like another" in str(warning)


@pytest.mark.slow(reason="a promotion and a rollback of an audit")
def test_a_warning_of_code_that_was_rolled_back_is_that_of_the_code_in_force(
    analyst: Platform,
) -> None:
    begin(analyst)
    before = status_of(analyst)["warnings"]
    edit(analyst, "audits/crm_knows_freelancers.sql", "least_share = 0.99", "least_share = 0.98")
    edit(analyst, "audits/crm_knows_freelancers.sql", "sk AS unknown_freelancer", "sk AS unknown")
    analyst.call("plan", "dev")
    analyst.call("promote", "dev")
    analyst.call("rollback")
    after = status_of(analyst)["warnings"]
    assert [(w["audit"], w["rows"]) for w in after] == [(w["audit"], w["rows"]) for w in before]
    for (view,) in analyst.rows(
        "SELECT view_name FROM duckdb_views() WHERE schema_name='warnings'"
    ):
        assert analyst.rows(f'SELECT COUNT(*) FROM warnings."{view}"')[0][0] > 0


@pytest.mark.slow(reason="three runs")
def test_no_view_of_a_warning_outlives_it(begun: Platform, tmp_path: Path) -> None:
    views = "SELECT COUNT(*) FROM duckdb_views() WHERE schema_name = 'warnings'"
    assert begun.rows(views) == [(3,)]
    begun.call("run", "--pristine")
    assert begun.rows(views) == [(0,)]
    assert status_of(begun)["warnings"] == []
