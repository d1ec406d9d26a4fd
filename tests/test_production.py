"""Production shows the last load through promoted code, whatever came before."""

from dataclasses import replace
from datetime import date

import pytest

from comparison import assert_exports_equal_the_reference, assert_models_equal_the_reference
from conftest import COMPANY, Platform, begin
from data_platform.delivery.export import export
from data_platform.delivery.report.render import report
from data_platform.errors import PlatformError
from data_platform.ingest.extract import extract
from data_platform.ingest.load import load
from data_platform.project.console import Recorder
from data_platform.project.evaluation import Evaluation
from data_platform.simulation import Simulation
from data_platform.transform.transform import transform
from data_platform.transform.transformed import Transformed
from editing import MONTHLY, double_the_turnover, edit

MONTHS = """
MODEL (
  name exports.months,
  kind VIEW,
  owner finance,
  grain "Month",
  description 'One row per month.',
  column_descriptions ("Month" = 'First day of the month.'),
  audits (same_number_of_rows(other := marts.kpi__monthly_turnover))
);

SELECT issue_month_date::TEXT AS "Month" FROM marts.kpi__monthly_turnover
"""


def run(
    platform: Platform, as_of: str, company: Simulation = COMPANY, deploy: bool = False
) -> Transformed:
    """A run as of a day, step by step in this process; another company starts over."""
    settings = platform.settings(date.fromisoformat(as_of))
    extract(settings, company)
    load(settings, starts_over=company != COMPANY)
    done = transform(settings, deploy=deploy)
    export(settings)
    return done


def shown(platform: Platform) -> tuple[object, object]:
    """(what the mart shows, what was invoiced)."""
    ((mart, invoiced),) = platform.rows(
        "SELECT (SELECT SUM(amount) FROM marts.kpi__monthly_turnover), "
        "(SELECT SUM(amount) FROM sources.app__invoices)"
    )
    return mart, invoiced


@pytest.mark.slow(reason="two runs; test_standing.py tells that nothing is computed again, too")
def test_the_same_batch_again_computes_nothing(begun: Platform) -> None:
    computed = "SELECT COUNT(DISTINCT model_name) FROM ops.models WHERE run_number = 1"
    assert begun.rows(computed)[0][0] > 20
    again = run(begun, "2024-02-29")
    assert (again.deployed, again.restated, again.ran) == ((), {}, ())
    assert {warning.audit for warning in again.warnings} == {  # they stand
        "references_are_consecutive",
        "crm_knows_freelancers",
        "payments_match_invoices",
    }
    assert run(begun, "2022-01-31").warnings == ()


def all_that_is_shown(platform: Platform) -> dict[str, list[tuple]]:
    """The rows of everything that readers see."""
    names = platform.rows(
        "SELECT schema_name || '.' || view_name FROM duckdb_views() "
        "WHERE schema_name IN ('marts', 'exports', 'report')"
    )
    return {name: platform.rows(f"FROM {name} ORDER BY ALL") for (name,) in names}


def test_a_load_without_a_transform_is_caught_up_later_and_not_exported_before(
    platform: Platform,
) -> None:
    begin(platform)
    settings = platform.settings(date(2024, 3, 31))
    before = all_that_is_shown(platform)
    extract(settings, COMPANY)
    load(settings)
    # What readers see is of one load, the one that was transformed.
    assert all_that_is_shown(platform) == before
    for show in (export, report):
        with pytest.raises(PlatformError, match="they reflect load 1, but load 2"):
            show(settings)
    transform(settings)
    export(settings)
    assert_models_equal_the_reference(platform, keeps_log=True)
    assert_exports_equal_the_reference(platform)


@pytest.mark.slow(reason="three runs and a promotion, as in the guided tour")
def test_a_run_keeps_production_s_code_and_names_the_models_that_differ(analyst: Platform) -> None:
    begin(analyst)
    double_the_turnover(analyst)
    done = run(analyst, "2024-03-31")
    assert done.undeployed == ("exports.monthly_turnover", "marts.kpi__monthly_turnover")
    mart, invoiced = shown(analyst)
    assert mart == invoiced

    done = run(analyst, "2024-03-31", deploy=True)
    assert done.undeployed == ()
    mart, invoiced = shown(analyst)
    assert mart == 2 * invoiced  # type: ignore[operator]


def test_an_export_that_is_not_what_was_invoiced_stops_the_run(analyst: Platform) -> None:
    begin(analyst)
    before = {p.name: p.read_bytes() for p in (analyst.data / "exports").iterdir()}
    double_the_turnover(analyst, keeps_control_total=True)
    done = analyst.call("transform", "--deploy", "export", check=False)
    assert done.returncode == 1
    _, invoiced = shown(analyst)
    assert (
        "Error: export monthly_turnover: the amounts in column Turnover (in €) come to "
        f"{2 * invoiced:,}, expected {invoiced:,}, the total of the invoices"  # type: ignore[operator]
    ) in done.stderr
    assert {p.name: p.read_bytes() for p in (analyst.data / "exports").iterdir()} == before
    mart, invoiced = shown(analyst)
    assert mart == invoiced  # nothing of the run was published


@pytest.mark.slow(reason="three deployments, days between them")
def test_code_that_was_deployed_and_reverted_shows_the_loads_that_came_between(
    analyst: Platform,
) -> None:
    begin(analyst)
    original = (analyst.project / MONTHLY).read_text()
    double_the_turnover(analyst)
    run(analyst, "2024-02-29", deploy=True)
    run(analyst, "2024-01-31")  # no new day, so that SQLMesh sees nothing missing
    (analyst.project / MONTHLY).write_text(original)
    run(analyst, "2024-01-31", deploy=True)
    assert_models_equal_the_reference(analyst, keeps_log=True)
    assert_exports_equal_the_reference(analyst)


def test_a_failed_deployment_leaves_production_s_code_in_force(analyst: Platform) -> None:
    begin(analyst)
    edit(analyst, MONTHLY, "COALESCE(turnover.amount, 0)", "COALESCE(turnover.amount * 2, 0)")
    with pytest.raises(PlatformError, match=r"marts.kpi__monthly_turnover: totals_agree"):
        run(analyst, "2024-02-29", deploy=True)
    mart, invoiced = shown(analyst)
    assert mart == invoiced


@pytest.mark.slow(reason="three runs; the kills are each followed by a right one too")
def test_a_failed_run_is_followed_by_a_right_one(platform: Platform) -> None:
    begin(platform)
    settings = platform.settings(date(2024, 3, 31))
    extract(settings, replace(COMPANY, faults=("orphan-invoices",)))
    load(settings)
    with pytest.raises(PlatformError, match="foreign_key"):
        transform(settings)
    with pytest.raises(PlatformError, match="the models are behind"):
        export(settings)
    run(platform, "2024-02-29")
    assert_models_equal_the_reference(platform, keeps_log=True)
    assert_exports_equal_the_reference(platform)


@pytest.mark.slow(reason="four transforms of an option that few people use")
def test_layers_are_computed_alone_and_the_rest_catches_up(platform: Platform) -> None:
    settings = platform.settings()
    extract(settings, COMPANY)
    load(settings)
    transform(settings, layers=["staging"])
    schemas = "SELECT DISTINCT table_schema FROM information_schema.tables"
    assert ("staging",) in platform.rows(schemas)
    assert ("marts",) not in platform.rows(schemas)
    transform(settings)
    assert_models_equal_the_reference(platform)

    later = platform.settings(date(2024, 3, 31))
    extract(later, COMPANY)
    load(later)
    assert "behind load 2" in transform(later, layers=["intermediate"]).summary
    told = transform(later, layers=["staging"]).summary
    assert "behind load 2" in told and "reflects" not in told
    with pytest.raises(PlatformError, match="the models are behind"):
        export(later)
    transform(later)
    assert_models_equal_the_reference(platform, keeps_log=True)


def test_a_model_that_does_not_run_is_one_line_that_names_it(analyst: Platform) -> None:
    begin(analyst)
    edit(analyst, MONTHLY, "COALESCE(turnover.amount, 0)", "CAST('many' AS INT)")
    with pytest.raises(PlatformError, match=r"kpi__monthly_turnover.*many") as caught:
        run(analyst, "2024-02-29", deploy=True)
    assert "\n" not in str(caught.value)


@pytest.mark.slow(reason="two runs with --deploy")
def test_an_export_is_a_file_of_sql_and_goes_with_it(analyst: Platform) -> None:
    begin(analyst)
    added = analyst.project / "models/exports/months.sql"
    added.write_text(MONTHS)
    run(analyst, "2024-02-29", deploy=True)
    file = analyst.data / "exports/months.csv"
    assert file.read_text().startswith("Month\n")
    added.unlink()
    run(analyst, "2024-02-29", deploy=True)
    assert not file.exists()


def test_a_cell_that_a_spreadsheet_would_run_is_neutralised(platform: Platform) -> None:
    begin(platform)
    import duckdb

    cells = {
        "=1+1": "'=1+1",
        "+cmd": "'+cmd",
        "-x": "'-x",
        "@sum": "'@sum",
        'a"b': '"a""b"',
        "c,d": '"c,d"',
        "-12,50": '"-12,50"',
        "plain": "plain",
        "\ttab": "'\ttab",
    }
    with duckdb.connect(str(platform.settings().lakehouse)) as connection:
        connection.execute("CREATE TABLE exports.hostile AS SELECT UNNEST(?) AS cell", [[*cells]])
    export(platform.settings())
    _, *lines = (platform.data / "exports/hostile.csv").read_text(encoding="utf-8").splitlines()
    assert sorted(lines) == sorted(cells.values())


@pytest.mark.slow(reason="two deployments over other data")
def test_audits_and_other_data_at_once_are_deployed_over_one_another(analyst: Platform) -> None:
    run(analyst, "2024-03-31")
    invoices = "models/intermediate/invoices.sql"
    edit(analyst, invoices, "    non_negative_amounts,\n", "")
    run(analyst, "2024-02-29", replace(COMPANY, random_seed=7), deploy=True)
    assert_models_equal_the_reference(analyst, keeps_log=True)


@pytest.mark.slow(reason="recomputes most models; its sibling deploys audits over other data too")
def test_an_audit_that_new_data_would_fail_can_be_changed_with_its_arrival(
    analyst: Platform,
) -> None:
    begin(analyst)
    edit(analyst, "macros/entities.py", '("blue", "green")', '("blue", "green", "purple")')
    settings = analyst.settings()
    extract(settings, replace(COMPANY, faults=("unknown-entity",)))
    load(settings)
    with pytest.raises(PlatformError, match="values_are_known"):
        transform(settings)
    transform(settings, deploy=True)
    purple = "SELECT COUNT(*) FROM intermediate.job_contracts WHERE entity = 'purple'"
    assert analyst.rows(purple) == [(3,)]


def test_an_audit_alone_does_not_make_a_table_current() -> None:
    class Computed:
        name, snapshot_id, is_external = '"l"."marts"."m"', "m", False

        class model:
            class kind:
                is_view = True

    for audit_only, computed in ((True, set()), (False, {"m"})):
        recorder = Recorder(Evaluation(), lambda done, total, model: None)
        recorder.start_evaluation_progress({}, audit_only=audit_only)
        recorder.update_snapshot_evaluation_progress(Computed, None, 0, 5)  # type: ignore[arg-type]
        assert recorder.evaluation.computed == computed


@pytest.mark.slow(reason="two deployments over other data")
def test_code_and_other_data_at_once_are_deployed_over_one_another(analyst: Platform) -> None:
    run(analyst, "2024-05-10")
    edit(analyst, MONTHLY, "COALESCE(turnover.amount, 0)", "COALESCE(turnover.amount, 0.00)")
    run(
        analyst, "2024-02-29", replace(COMPANY, random_seed=7), deploy=True
    )  # back in time, and another company
    assert_models_equal_the_reference(analyst, keeps_log=True)
    assert_exports_equal_the_reference(analyst)
