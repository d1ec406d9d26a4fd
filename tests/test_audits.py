"""Each audit of the project fails on data that breaks it, and passes on data that does not."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlmesh.utils.errors import SQLMeshError

from conftest import COMPANY, PROJECT, Platform
from data_platform.errors import PlatformError
from data_platform.ingest.extract import extract
from data_platform.ingest.load import load
from data_platform.names import FaultKind
from data_platform.operations.status import status
from data_platform.project.context import open_project
from data_platform.record.rows import FailedAudit, StoppedError
from data_platform.settings import Settings
from data_platform.transform.transform import transform

# What audits read beside the audited model.
_NEIGHBOURS = {
    "intermediate.as_of": (
        "SELECT '2024-03-10'::DATE AS as_of_date, '2024-03-01'::DATE AS as_of_month"
    ),
    "intermediate.job_contracts": (
        "SELECT 1 AS sk, '2024-01-10'::DATE AS start_date, '2024-01-20'::DATE AS end_date "
        "UNION ALL SELECT 2, '2024-01-10'::DATE, NULL::DATE"
    ),
    "intermediate.turnover_by_contract_month": (
        "SELECT 1 AS job_contract_sk, '2024-01-01'::DATE AS month, 5.00 AS cumulative_turnover"
    ),
    "intermediate.invoices": (
        "SELECT * FROM (VALUES ('JMP1', '2024-01-05'::DATE), ('JMP2', '2024-01-31'::DATE), "
        "('JMP4', '2024-02-29'::DATE), ('JPM5', '2024-02-29'::DATE)) AS t(reference, issue_date)"
    ),
    "staging.billing__payments": (
        "SELECT UNNEST([1.00, 2.50, 4.00, 8.00]) AS amount, "
        "UNNEST(['2024-01-05', '2024-03-09', '2024-03-10', '2024-03-11'])::DATE AS paid_on"
    ),
    "intermediate.unassigned_payments": (
        "SELECT UNNEST([4.00, 8.00]) AS amount, "
        "UNNEST(['2024-03-10', '2024-03-11'])::DATE AS paid_on"
    ),
    "intermediate.customers": "SELECT 1 AS sk",
}


def rows(columns: str, *values: str) -> str:
    listed = ", ".join(f"({value})" for value in values)
    return f"SELECT {columns} FROM (VALUES {listed}) AS t({columns})"


_PERIODS = "(key_column := k, start_column := a, end_column := b)"
_RUNS = "issue_month, first_number, last_number"
_UNASSIGNED = "payments_match_invoices(unassigned := {self})"
_DAY = "'2024-01-{:02}'::DATE"


def periods(*of: tuple[int, int, int | None]) -> str:
    return rows(
        "k, a, b",
        *(
            f"{k}, {_DAY.format(a)}, {'NULL::DATE' if b is None else _DAY.format(b)}"
            for k, a, b in of
        ),
    )


def months(*of: str) -> str:
    return rows("k, m", *(f"1, '{month}-01'::DATE" for month in of))


def references(*of: str) -> str:
    return rows("reference", *(f"'{reference}'" for reference in of))


_SELF = "here := {self}"
_CONTRACT_MONTHS = f"one_row_a_month({_SELF}, periods := (SELECT start_date, end_date FROM intermediate.job_contracts))"  # noqa: E501
_TOTALS = f"({_SELF}, here_column := v, there := intermediate.job_contracts, there_column := sk)"
_CUMULATIVE = "job_contract_sk, month, turnover, cumulative_turnover"

# (audit, a query that breaks it, how many rows it finds, a query that does not); {self} is the
# audited model's own name
CASES = [
    ("values_are_known(key_column := k, \"column\" := v, is_in := ('a', 'b'))",
     rows("k, v", "1, 'a'", "2, 'x'", "3, NULL"), 2, rows("k, v", "1, 'a'", "2, 'b'")),
    ("foreign_key(key_column := k, parent := intermediate.job_contracts, parent_column := sk)",
     rows("k", "1", "3", "3", "NULL"), 3, rows("k", "1", "2")),
    ("foreign_key(key_column := k, parent := intermediate.job_contracts, parent_column := sk, "
     "shown_column := v)", rows("k, v", "3, 'three'"), 1, rows("k, v", "2, 'two'")),
    (f"starts_before_it_ends{_PERIODS}", periods((1, 2, 1)), 1, periods((1, 2, 2), (1, 3, None))),
    (f"periods_never_overlap{_PERIODS}", periods((1, 1, 5), (1, 5, 9)), 1,
     periods((1, 1, 5), (1, 6, 9), (2, 3, 4))),
    (f"periods_never_overlap{_PERIODS}", periods((1, 1, 30), (1, 5, 6), (1, 7, 8)), 2,
     periods((1, 1, 1), (1, 2, 2))),
    (f"periods_never_overlap{_PERIODS}", periods((1, 1, None), (1, 9, None)), 1,
     periods((1, 1, 8), (1, 9, None))),
    (f"periods_never_overlap{_PERIODS}", periods((1, 1, 5), (1, 1, 5)), 1, periods((1, 1, 5))),
    ("issued_within_the_contract",
     rows("reference, job_contract_sk, issue_date", "'a', 1, '2024-01-09'::DATE",
          "'b', 1, '2024-01-21'::DATE", "'c', 2, '2024-01-09'::DATE"), 3,
     rows("reference, job_contract_sk, issue_date", "'a', 1, '2024-01-10'::DATE",
          "'b', 1, '2024-01-20'::DATE", "'c', 2, '2025-01-01'::DATE")),
    (f"totals_agree{_TOTALS}", rows("v", "3.00", "0.01"), 1, rows("v", "2.99", "0.01")),
    (f"totals_agree{_TOTALS}", "SELECT 1 AS v WHERE FALSE", 1, rows("v", "3")),
    (f"same_rows_and_total{_TOTALS}", rows("v", "3.00"), 1, rows("v", "1", "2")),
    (f"same_rows_and_total{_TOTALS}", rows("v", "1.00", "2.01"), 1, rows("v", "0", "3")),
    ("same_number_of_rows(other := intermediate.job_contracts)",
     rows("v", "1", "2", "3"), 1, rows("v", "1", "2")),
    ("has_one_row", rows("v", "1", "2"), 1, rows("v", "1")),
    ("has_one_row", "SELECT 1 AS v WHERE FALSE", 1, rows("v", "1")),
    (f"months_are_complete({_SELF}, month_column := m)",
     months("2023-11", "2024-01", "2024-02", "2024-03"), 1,
     months("2023-12", "2024-01", "2024-02", "2024-03")),
    (f"months_are_complete({_SELF}, month_column := m)", months("2024-01", "2024-02"), 1,
     "SELECT '2024-01-01'::DATE AS m WHERE FALSE"),
    (f"months_are_complete({_SELF}, month_column := m)",
     months("2024-01", "2024-03", "2024-03"), 1, months("2024-03")),
    (f"months_are_complete({_SELF}, month_column := m)", months("2024-03", "2024-04"), 1,
     months("2024-02", "2024-03")),
    (f"months_are_complete({_SELF}, month_column := m, key_columns := (k))",
     f"{months('2024-01', '2024-03')} UNION ALL SELECT 2, '2024-02-01'::DATE", 2,
     f"{months('2024-02', '2024-03')} UNION ALL SELECT 2, '2024-03-01'::DATE"),
    (_CONTRACT_MONTHS, rows("v", "1", "2", "3"), 1, rows("v", "1", "2", "3", "4")),
    ("cumulative_extends_the_month_before",
     rows(_CUMULATIVE, "1, '2024-02-01'::DATE, 2.00, 7.01", "2, '2024-02-01'::DATE, 2.00, 7.00"), 2,
     rows(_CUMULATIVE, "1, '2024-02-01'::DATE, 2.00, 7.00", "2, '2024-02-01'::DATE, 2.00, 2.00",
          "1, '2024-01-01'::DATE, 5.00, 5.00")),
    ("primary_key(key_columns := v)", rows("v", "1", "2", "2", "3", "3", "3", "NULL"), 3,
     rows("v", "1", "2")),
    ("primary_key(key_columns := (k, v))", rows("k, v", "1, 1", "1, 1", "2, NULL"), 2,
     rows("k, v", "1, 1", "1, 2", "2, 1")),
    (f"unique_over_time({_SELF}, key_column := k, shown_column := v, time_column := t)",
     rows("k, v, t", "1, 'a', DATE '2024-01-01'", "1, 'a', DATE '2024-02-01'",
          "2, 'b', DATE '2024-02-01'"), 1,
     rows("k, v, t", "1, 'a', DATE '2024-01-01'", "2, 'b', DATE '2024-01-01'")),
    (f"unique_over_time({_SELF}, key_column := k, shown_column := k, time_column := t, "
     "changed_from := DATE '2024-03-01', changed_to := DATE '2024-03-31')",
     rows("k, t", "1, DATE '2024-01-01'", "1, DATE '2024-02-01'", "2, DATE '2024-01-01'",
          "2, DATE '2024-03-31'", "3, DATE '2024-03-01'", "4, DATE '2024-04-01'",
          "4, DATE '2024-04-02'"), 1,
     rows("k, t", "1, DATE '2024-01-01'", "1, DATE '2024-02-01'", "2, DATE '2024-03-01'")),
    ("runs_hold_every_number",
     rows(_RUNS, "DATE '2024-01-01', 1, 1", "DATE '2024-02-01', 1, 2",
          "DATE '2024-03-01', 9, 9"), 3,
     rows(_RUNS, "DATE '2024-01-01', 1, 2", "DATE '2024-02-01', 4, 4")),
    ("non_negative_amounts", rows("reference, amount", "'a', -0.01", "'b', 1"), 1,
     rows("reference, amount", "'a', 0", "'b', 1")),
    (f"scores_in_range({_SELF})",
     rows("satisfaction_score, updated_at", "-1, 1", "11, 1", "10, 1", "NULL, 1"), 2,
     rows("satisfaction_score, updated_at", "0, 1", "10, 1", "NULL, 1")),
    (f"references_follow_the_pattern({_SELF})", references("JMP01", "JMP2", "JPM03", "JMP0X"), 3,
     references("JMP01", "JMP02")),
    (f"references_are_consecutive({_SELF})", rows("first_missing", "'JMP02'", "'JMP05'"), 2,
     "SELECT 'JMP02' AS first_missing WHERE FALSE"),
    (_UNASSIGNED, rows("payment_id", "'p1'", "'p2'"), 2, "SELECT 'p1' AS payment_id WHERE FALSE"),
    (f"payments_are_accounted_for({_SELF})", rows("paid", "3.49"), 1, rows("paid", "3.00", "0.50")),
    ("crm_knows_freelancers", rows("sk", "1", "2"), 1, rows("sk", "1")),
    ("no_look_alikes(name_columns := (last_name, email))",
     rows("sk, last_name, email", "1, 'D''Arc', 'a'", "2, 'D’ARC', 'a'", "3, 'D’Arc', 'b'",
          "4, 'Le\u200broux', 'c'", "5, 'Leroux', 'c'"), 4,
     rows("sk, last_name, email", "1, 'D''Arc', 'a'", "2, 'Darc', 'a'", "3, 'D’Arc', 'b'")),
    ("no_look_alikes(name_columns := name)",
     rows("sk, name", "1, 'Saint-Ouen'", "2, 'Saint–Ouen'"), 2,
     rows("sk, name", "1, 'Saint-Ouen'", "2, 'Saint Ouen'")),
]  # fmt: skip


# What an audit that asks for the period is tried with.
_KINDS = {"runs_hold_every_number": "INCREMENTAL_BY_TIME_RANGE (time_column issue_month)"}


@contextmanager
def _project(folder: Path, models: dict[str, tuple[str, str]]) -> Iterator[list[FailedAudit]]:
    """A project of one model a case, computed; gives the audits that failed."""
    for name in ("audits", "macros", "linter", "config.yaml"):
        source = PROJECT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("enabled: true", "enabled: false"))
    (folder / "models").mkdir()
    for name, query in _NEIGHBOURS.items():
        (folder / "models" / f"{name}.sql").write_text(f"MODEL (name {name}, kind FULL);\n{query}")
    for name, (audit, query) in models.items():
        (folder / "models" / f"{name}.sql").write_text(
            f"MODEL (name {name}, kind {_KINDS.get(audit, 'FULL')}, "
            f"audits ({audit.format(self=name)}), "
            f"depends_on ({', '.join(_NEIGHBOURS)}));\n{query}"
        )
    settings = Settings(date(2024, 3, 10), folder, folder / "data", "duckdb")
    settings.lakehouse.parent.mkdir(parents=True)
    with open_project(settings) as project:
        with suppress(SQLMeshError):
            project.context.plan(auto_apply=True, no_prompts=True, skip_tests=True)
        yield [*project.evaluation.stops, *project.evaluation.warnings]


def test_every_audit_finds_what_breaks_it_and_nothing_else(tmp_path: Path) -> None:
    models = {}
    for number, (audit, broken, _, sound) in enumerate(CASES):
        models[f"broken.case_{number}"] = (audit, broken)
        models[f"sound.case_{number}"] = (audit, sound)
    with _project(tmp_path, models) as failed:
        found = {(audit.model, audit.audit.partition("(")[0], audit.rows) for audit in failed}
    expected = {
        (f"broken.case_{number}", audit.partition("(")[0], count)
        for number, (audit, _, count, _) in enumerate(CASES)
    }
    assert found == expected


def test_every_audit_has_a_case() -> None:
    shown = {audit.partition("(")[0] for audit, *_ in CASES}
    assert shown == {path.stem for path in (PROJECT / "audits").glob("*.sql")}


def run(platform: Platform, *faults: FaultKind) -> object:
    settings = platform.settings()
    extract(settings, replace(COMPANY, faults=faults))
    load(settings)
    return transform(settings)


AUDIT_OF = {
    FaultKind.OVERLAPPING_CONTRACTS: "job_contracts: periods_never_overlap(key_column freelancer",
    FaultKind.ORPHAN_INVOICES: "intermediate.invoices: foreign_key(key_column job_contract_sk)",
    FaultKind.DUPLICATE_REFERENCES: "intermediate.invoices: unique_over_time(key_column sk)",
    FaultKind.UNKNOWN_ENTITY: "staging.app__job_contracts: values_are_known(key_column id, column",
    FaultKind.NEGATIVE_AMOUNTS: "intermediate.invoices: non_negative_amounts",
    FaultKind.END_BEFORE_START: "staging.app__job_contracts: starts_before_it_ends",
}


@pytest.mark.slow(reason="six runs; the audits that they meet fail one by one in no time above")
def test_each_injected_error_stops_the_run_at_the_audit_that_names_it(platform: Platform) -> None:
    run(platform)
    for kind in FaultKind:
        with pytest.raises(PlatformError) as caught:
            run(platform, kind)
        found = str(caught.value)
        assert found.count(" failed for ") == 1, found
        assert AUDIT_OF[kind] in found
        assert "failed for 3 rows" in found
        assert isinstance(caught.value, StoppedError)
        assert all(len(a.keys) == 3 for a in caught.value.audits if a.is_blocking and a.failed)


def test_injected_errors_combine_and_hold_back_what_reads_them(platform: Platform) -> None:
    with pytest.raises(PlatformError) as caught:
        run(platform, *FaultKind)
    for kind in (FaultKind.UNKNOWN_ENTITY, FaultKind.END_BEFORE_START):
        assert AUDIT_OF[kind] in str(caught.value)
    assert str(caught.value).count("failed for 3 rows") == 2


def test_warnings_tell_what_the_truth_knows_and_name_no_person(finished: Platform) -> None:
    truth = json.loads((finished.data / "sources/truth.json").read_text())
    warnings = {warning.audit: warning for warning in status(finished.settings()).warnings}
    gaps = warnings["references_are_consecutive"]
    assert gaps.rows == truth["reference-gaps"]["count"]
    assert set(gaps.keys) <= set(truth["reference-gaps"]["keys"])
    assert str(gaps) == (
        f"marts.accounting__reference_gaps: {gaps.rows} gaps in the numbers of the invoices: "
        "cancelled drafts, or invoices that are missing; all of them: exports/reference_gaps.csv"
    )
    unknown = warnings["crm_knows_freelancers"]
    assert unknown.rows == truth["users-whom-the-crm-lacks"]["count"]
    assert "@" not in str(unknown)


def test_a_window_that_begins_within_a_month_has_none_of_its_runs(begun: Platform) -> None:
    """As SQLMesh's own commands may ask for it: a month's row is of its first day."""
    with open_project(begun.settings()) as project:
        for first in ("2024-02-01", "2024-02-15"):
            assert project.context.audit(
                first, "2024-02-28", models=iter(["intermediate.reference_runs"])
            )
