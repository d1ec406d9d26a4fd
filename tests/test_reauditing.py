"""Audits of what a day did not compute: the weekly recount, and what the record vouches for."""

import pytest

from conftest import Platform, begin, options_of
from editing import MONTHLY, edit

LAST_RECOUNT = "SELECT as_of::TEXT FROM ops.recounts"
# In a month that is over: a day's audits have no reason to look there.
BROKEN = "UPDATE {} SET job_contract_sk = UUID() WHERE reference = (SELECT MIN(reference) FROM {})"
FOUND = "intermediate.invoices: foreign_key(key_column job_contract_sk) failed for 1 row"


def table_of(platform: Platform, model: str) -> str:
    (found,) = platform.rows(
        "SELECT schema_name || '.' || table_name FROM duckdb_tables() "
        f"WHERE table_name LIKE '{model.replace('.', '__')}\\_\\_%' ESCAPE '\\' "
        "ORDER BY table_oid DESC LIMIT 1"
    )[0]
    return str(found)


def test_a_run_recounts_every_audit_once_a_week_of_data(begun: Platform) -> None:
    assert begun.rows(LAST_RECOUNT) == [("2024-02-29",)]  # a first run reads all of time
    table = table_of(begun, "intermediate.invoices")
    begun.write(BROKEN.format(table, table))

    day = begun.call("run", "--no-report", options=options_of("2024-03-06"))
    assert "recounted" not in day.stdout
    assert begun.rows(LAST_RECOUNT) == [("2024-02-29",)]
    week = begun.call("run", "--no-report", options=options_of("2024-03-07"), check=False)
    assert week.returncode == 1
    assert FOUND in week.stderr
    assert begun.rows("SELECT MAX(as_of)::TEXT FROM ops.loads") == [("2024-03-06",)]


def test_all_audits_are_recounted_when_somebody_asks(begun: Platform) -> None:
    done = begun.call("audit")
    number = begun.rows(
        "SELECT COUNT(*) FROM ops.audits WHERE run_number = (SELECT MAX(run_number) FROM ops.runs)"
    )[0][0]
    assert "audits passed, all recounted over all of time" in done.stdout
    assert number > 80
    begun.call("run", "--no-report", options=options_of("2024-03-08"))
    assert begun.rows(LAST_RECOUNT) == [("2024-03-08",)]

    table = table_of(begun, "intermediate.invoices")
    begun.write(BROKEN.format(table, table))
    failed = begun.call("audit", check=False)
    assert failed.returncode == 1
    assert FOUND in failed.stderr
    begun.call("load", options=options_of("2024-03-08"))
    begun.call("extract", "load", options=options_of("2024-03-09"))
    behind = begun.call("audit", check=False)
    assert "production does not show load 3 yet" in behind.stderr


@pytest.mark.parametrize("is_tampered_with", [False, True])
def test_a_rollback_asks_again_only_what_the_record_does_not_vouch_for(
    analyst: Platform, is_tampered_with: bool
) -> None:
    begin(analyst)
    old = table_of(analyst, "marts.kpi__monthly_turnover")
    edit(analyst, MONTHLY, "COALESCE(turnover.amount, 0)", "COALESCE(turnover.amount + 0, 0)")
    analyst.call("plan", "dev")
    analyst.call("promote")
    if is_tampered_with:
        analyst.write(f"DELETE FROM {old} WHERE issue_month_date = '2023-01-01'")
    done = analyst.call("rollback", check=False)
    assert done.returncode == (1 if is_tampered_with else 0)
    if is_tampered_with:
        assert "marts.kpi__monthly_turnover: months_are_complete" in done.stderr
    else:
        last = "(SELECT MAX(run_number) FROM ops.runs)"
        assert analyst.rows(f"FROM ops.audits WHERE run_number = {last}") == []


def test_the_seconds_of_each_audit_are_told_and_kept(begun: Platform) -> None:
    told = begun.call("-v", "run", "--no-report", options=options_of("2024-03-01")).stdout
    (line,) = [one for one in told.splitlines() if one.startswith("  intermediate.invoices")]
    assert "(of which audits" in line
    assert "unique_over_time(key_column sk) 0.0" in line
    assert begun.rows(
        "SELECT COUNT(*) FROM ops.audits WHERE seconds IS NULL AND version <> ''"
    ) == [(0,)]
