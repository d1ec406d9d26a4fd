"""Audits of what a day did not compute: the weekly recount, and what the record vouches for."""

import subprocess
import sys
from itertools import pairwise

import pytest
from sqlmesh.core.snapshot import Snapshot

from conftest import Platform, begin, options_of
from data_platform.cli.telling import _seconds_of_audits
from data_platform.names import PROD
from data_platform.project.context import open_project
from data_platform.record.rows import Audited
from data_platform.transform.contents import Contents
from data_platform.transform.environments import tables_of
from data_platform.transform.model_tables import Tables
from data_platform.transform.production import Production
from editing import MONTHLY, edit, table_of

LAST_RECOUNT = "SELECT as_of::TEXT FROM ops.recounts"
# In a month that is over: a day's audits have no reason to look there.
BROKEN = "UPDATE {} SET job_contract_sk = UUID() WHERE reference = (SELECT MIN(reference) FROM {})"
FOUND = "intermediate.invoices: foreign_key(key_column job_contract_sk) failed for 1 row"


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


@pytest.mark.slow(reason="every audit over all of time, as the run of the test below")
def test_all_audits_are_recounted_when_somebody_asks(begun: Platform) -> None:
    done = begun.call("audit")
    number = begun.rows(
        "SELECT COUNT(*) FROM ops.audits WHERE run_number = (SELECT MAX(run_number) FROM ops.runs)"
    )[0][0]
    assert "audits passed, all recounted over all of time" in done.stdout
    # As many as the first run's: of the models and, by the contract, of the raw tables.
    first = "SELECT COUNT(*) FROM ops.audits WHERE run_number = 1 AND environment = 'prod'"
    assert [(number,)] == begun.rows(first)
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


LAST_AUDITS = (
    "SELECT DISTINCT model_name FROM ops.audits "
    "WHERE run_number = (SELECT MAX(run_number) FROM ops.runs)"
)
# The program, to which no audit is too little to be vouched for.
EAGER = """
from data_platform.transform import contents
contents.WORTH_SECONDS = 0.0
from data_platform.cli.program import main
main()
"""


def eager(platform: Platform, *words: str) -> subprocess.CompletedProcess[str]:
    places = ["-p", str(platform.project), "-d", str(platform.data), *platform.options]
    command = [sys.executable, "-c", EAGER, *places, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# Whose own table, a table below it, and nothing.
TAMPERED = {"marts.kpi__monthly_turnover": True, "intermediate.invoices": True, "": False}


@pytest.mark.slow(reason="programs of their own, in which little audits are worth it")
@pytest.mark.parametrize("tampered", TAMPERED)
def test_a_promotion_asks_again_only_what_the_record_does_not_vouch_for(
    analyst: Platform, tampered: str
) -> None:
    begin(analyst)
    edit(analyst, MONTHLY, "COALESCE(turnover.amount, 0)", "COALESCE(turnover.amount + 0, 0)")
    eager(analyst, "plan", "dev")
    if tampered:
        environment = "dev" if tampered.startswith("marts") else ""  # planned, or shared
        table = table_of(analyst, tampered, environment)
        day = "issue_month_date" if environment else "issue_date"
        analyst.write(f"DELETE FROM {table} WHERE {day} = (SELECT MIN({day}) FROM {table})")
        # Looking at it again makes nothing of it right.
        eager(analyst, "plan", "dev")
    done = eager(analyst, "promote")
    if tampered:
        assert done.returncode == 1
        assert "marts.kpi__monthly_turnover: totals_agree" in done.stderr
    else:
        assert "4 audits found nothing in these tables before" in done.stdout
        assert analyst.rows(LAST_AUDITS) == []


@pytest.mark.slow(reason="programs of their own, in which little audits are worth it")
@pytest.mark.parametrize("tampered", [True, False])
def test_a_rollback_asks_again_what_no_plan_has_asked_of_the_same_tables(
    analyst: Platform, tampered: bool
) -> None:
    begin(analyst)
    amounts = [f"COALESCE(turnover.amount{' + 0' * number}, 0)" for number in range(3)]
    for old, new in pairwise(amounts):
        edit(analyst, MONTHLY, old, new)
        planned = table_of(analyst, "marts.kpi__monthly_turnover")  # the one before
        eager(analyst, "plan", "dev")
        eager(analyst, "promote")
    if tampered:
        analyst.write(f"DELETE FROM {planned} WHERE issue_month_date = '2024-01-01'")
    done = eager(analyst, "rollback")
    if tampered:
        assert done.returncode == 1
        assert "marts.kpi__monthly_turnover: totals_agree" in done.stderr
        return
    assert "4 audits found nothing in these tables before" in done.stdout
    done = eager(analyst, "rollback")
    assert "found nothing in these tables before" not in done.stdout  # of the first code, a run has
    assert "audits passed" in done.stdout


@pytest.mark.slow(reason="a plan and a promotion; its sibling asks what is worth it")
def test_little_audits_are_asked_again(analyst: Platform) -> None:
    begin(analyst)
    edit(analyst, MONTHLY, "COALESCE(turnover.amount, 0)", "COALESCE(turnover.amount + 0, 0)")
    analyst.call("plan", "dev")
    assert analyst.rows("FROM ops.vouched") == []
    analyst.call("promote")
    assert len(analyst.rows(LAST_AUDITS)) == 3


@pytest.mark.slow(reason="a promotion of every model over another day")
def test_no_export_of_an_earlier_load_stays_when_a_promotion_catches_up(analyst: Platform) -> None:
    begin(analyst)
    file = analyst.data / "exports/monthly_turnover.csv"
    before = file.read_text()
    # A change of words alone keeps every table, under another version of each model.
    for path in (analyst.project / "models").glob("*/*.sql"):
        text = path.read_text()
        path.write_text(text.replace("  description '", "  description 'It is said: ", 1))
    analyst.call("plan", "dev")
    later = options_of("2024-03-20")
    analyst.call("extract", "load", options=later)
    done = analyst.call("promote", "dev", options=later)
    assert "exports.monthly_turnover" in done.stdout
    assert file.read_text() != before
    assert file.read_text().splitlines()[-1].startswith("2024/03,")


def test_the_seconds_of_each_audit_are_kept_and_those_of_long_ones_told(begun: Platform) -> None:
    unknown = "SELECT COUNT(*) FROM ops.audits WHERE seconds IS NULL AND version IS NOT NULL"
    assert begun.rows(unknown) == [(0,)]
    (row,) = begun.rows("SELECT COUNT(*) FROM ops.audits WHERE seconds > 0")
    assert row[0] > 80

    def audited(audit: str, seconds: float | None, model: str = "m") -> Audited:
        return Audited(1, "prod", model, audit, "", True, 0, (), seconds=seconds)

    audits = [audited("a", 0.004), audited("b", 0.25), audited("c", 1.5), audited("d", None)]
    others = [audited("e", 9.0, "another")]
    assert _seconds_of_audits([*audits, *others], "m") == " (audits 1.75 s: c 1.50 s, b 0.25 s)"
    assert _seconds_of_audits(audits[:1], "m") == ""


class Elsewhere(Tables):
    """Production, as if one of its tables were another one."""

    def table(self, snapshot: Snapshot) -> str:
        found = super().table(snapshot)
        return f"{found}_before" if "kpi__monthly_turnover" in found else found


def test_of_a_view_that_two_versions_share_nobody_knows_what_it_showed(begun: Platform) -> None:
    with open_project(begun.settings()) as project:
        now, contents = Production(project).tables, Contents(project.cursor)
        assert now is not None
        before = Elsewhere(now.project, now.snapshots, now.deployability)
        assert contents.are_alike(now, now, "exports.monthly_turnover")
        for looks in (False, True):
            assert not contents.are_alike(before, now, "exports.monthly_turnover", looks)
            assert contents.are_alike(before, now, "exports.receivables", looks)


@pytest.mark.slow(reason="a plan of half of the models")
def test_a_view_of_the_same_code_over_the_same_rows_is_not_looked_at(
    analyst: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To format fifteen million lines takes seconds, which a promotion has no need of."""
    begin(analyst)
    path = "models/intermediate/invoices.sql"
    edit(analyst, path, "invoices.amount::", "(invoices.amount + 0)::")
    analyst.call("plan", "dev")
    looked: list[str] = []
    look = Contents._look
    monkeypatch.setattr(
        Contents, "_look", lambda self, table: looked.append(table) or look(self, table)
    )
    with open_project(analyst.settings()) as project:
        before, after = (tables_of(project, name) for name in (PROD, "dev"))
        assert before is not None
        assert after is not None
        contents = Contents(project.cursor)
        for name in ("turnover_by_cohort", "cumulative_turnover", "receivables"):
            assert contents.are_alike(before, after, f"exports.{name}", looks=True)
    # At tables alone, and not at the marts and exports that are views of them.
    assert {table.rpartition(".")[0].strip('"') for table in looked} == {
        "lakehouse.sqlmesh__intermediate"
    }
