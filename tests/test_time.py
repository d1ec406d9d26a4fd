"""Days come one after the other, are skipped, come again or go back: what shows is always right."""

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from comparison import assert_exports_equal_the_reference, assert_models_equal_the_reference
from conftest import PROJECT, Platform
from data_platform.delivery.export import export
from data_platform.ingest.extract import extract
from data_platform.ingest.load import load
from data_platform.ingest.loaded import loaded
from data_platform.ingest.manifest import read_manifest
from data_platform.operations.backfill import backfill
from data_platform.project.context import open_project
from data_platform.settings import Settings
from data_platform.simulation import Simulation
from data_platform.transform.production import Production
from data_platform.transform.transformed import Refreshed
from reference import Company, person_key
from tampering import rewrite

COMPANY = Simulation(42, 0.04)
START = date(2023, 9, 12)


@contextmanager
def production_of(settings: Settings) -> Iterator[Production]:
    settings.lakehouse.parent.mkdir(parents=True, exist_ok=True)
    with open_project(settings) as project:
        yield Production(project)


def bring_up(production: Production, settings: Settings) -> Refreshed:
    return production.bring_up_to(loaded(production.project.cursor, settings))


def live(production: Production, settings: Settings, company: Simulation = COMPANY) -> Refreshed:
    """A day from extract to transform."""
    extract(settings, company)
    load(settings)
    return bring_up(production, settings)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a platform after its first run."""
    platform = Platform(tmp_path_factory.mktemp("deployed") / "data")
    settings = platform.settings(START)
    extract(settings, COMPANY)
    load(settings)
    with production_of(settings) as production:
        assert bring_up(production, settings).summary.startswith("deployed ")
    return platform.data


@pytest.fixture
def began(platform: Platform, deployed: Path) -> Platform:
    """A small platform after its first run, as of START, to go on with."""
    shutil.copytree(deployed, platform.data)
    return platform


# Where a load goes: some days on or back, to another company or a pristine one, a source extracted
# again on its own; and whether a transform follows at once.
STEPS = st.tuples(
    st.one_of(
        st.integers(1, 3),
        st.sampled_from([0, 11, 40, 100, -1, -15, -70, -400]),
    ),
    st.sampled_from([42, 42, 42, 42, 7]),
    st.sampled_from(["dirty", "dirty", "dirty", "pristine", "crm again"]),
    st.booleans(),
)


def assert_every_table_equals_a_rebuild_after(steps: list, deployed: Path, data: Path) -> None:
    shutil.copytree(deployed, data)
    platform, day, known = Platform(data), START, 42
    here = platform.settings(day)
    with production_of(here) as production:
        for days, seed, how, transforms in [*steps, (1, 42, "dirty", True)]:
            day = max(date(2022, 1, 1), day + timedelta(days=days))
            here = platform.settings(day)
            company = replace(COMPANY, random_seed=seed, is_pristine=how == "pristine")
            extract(here, company)
            if how == "crm again":
                extract(here, company, sources=["crm"])
            load(here, starts_over=seed != known)
            known = seed
            if transforms:
                bring_up(production, here)
                cursor = production.project.cursor
                assert_models_equal_the_reference(platform, keeps_log=True, cursor=cursor)
    export(here)
    assert_exports_equal_the_reference(platform)


@settings(phases=[Phase.explicit], suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, min_size=2, max_size=3))
@example(
    steps=[(19, 42, "dirty", False), (1, 7, "dirty", True), (-400, 42, "dirty", True)],
)
@example(steps=[(-7, 42, "dirty", False), (40, 42, "dirty", True), (0, 42, "crm again", True)])
def test_after_any_sequence_of_loads_every_table_equals_a_rebuild(
    deployed: Path, tmp_path_factory: pytest.TempPathFactory, steps: list
) -> None:
    data = tmp_path_factory.mktemp("steps") / "data"
    assert_every_table_equals_a_rebuild_after(steps, deployed, data)


@pytest.mark.slow(reason="many random sequences, each rebuilt; some are tried each time")
@settings(max_examples=24, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, min_size=2, max_size=8))
def test_after_many_sequences_of_loads_every_table_equals_a_rebuild(
    deployed: Path, tmp_path_factory: pytest.TempPathFactory, steps: list
) -> None:
    data = tmp_path_factory.mktemp("steps") / "data"
    assert_every_table_equals_a_rebuild_after(steps, deployed, data)


def test_a_day_restates_its_month_and_the_same_batch_again_nothing(began: Platform) -> None:
    tuesday = began.settings(START + timedelta(days=1))
    with production_of(tuesday) as production:
        second = live(production, tuesday)
        windows = {
            name: str(why.window)
            for name, why in second.restated.items()
            if name.startswith(("intermediate.invoices", "intermediate.turnover", "marts.kpi__m"))
        }
        assert set(windows.values()) == {"2023-09"}
        assert len(windows) == 4
        assert "over 2023-09" in second.summary

        again = load(tuesday)
        assert (again.changed, again.changes) == (False, ())
        third = bring_up(production, tuesday)
        assert third.restated == {}
        assert third.summary == "nothing to do, production reflects load 2"


def test_a_changed_person_reaches_all_of_history(began: Platform) -> None:
    here = began.settings(START)
    with production_of(here) as production:
        rewrite(began, "app.users", lambda f: f.with_columns(pl.col("last_name") + "-Martin"))
        done = load(here)
        change, _ = [c for c in done.changes if not c.is_nothing]  # and the load itself
        assert (change.table, change.kind, change.first_day) == (
            "app__users",
            "rewritten rows",
            None,
        )
        again = bring_up(production, here)
        assert str(again.restated["intermediate.invoices"].window) == "2022-01 to 2023-09"
    assert_models_equal_the_reference(began, keeps_log=True)


@pytest.mark.slow(reason="days over days, for one rule of the CRM that a YAML test covers")
def test_who_signs_up_brings_older_entries_of_the_crm_along(platform: Platform) -> None:
    here = platform.settings(date(2023, 9, 12))
    extract(here, larger := replace(COMPANY, scale=0.1))
    company = Company(platform.data / "sources")
    bound = {row["user_id"] for row in company.table("app.job_contracts")}
    known = {person for person, *_ in company.score_periods}
    late = [
        user
        for user, row in company.accounts.items()
        if user not in bound and person_key(row) in known
    ]
    assert late
    rewrite(platform, "app.users", lambda f: f.filter(~pl.col("id").is_in(late)))
    with production_of(here) as production:
        load(here)
        bring_up(production, here)
        before = production.project.cursor.execute("FROM marts.kpi__nps_monthly").fetchall()
        live(production, here, larger)  # nothing but their accounts has come
        after = production.project.cursor.execute("FROM marts.kpi__nps_monthly").fetchall()
        assert before != after
    assert_models_equal_the_reference(platform, keeps_log=True)


# A table whose audit reads the months that were computed, and a view whose reads what has changed.
@pytest.mark.parametrize(
    ("table", "column"), [("app.invoices", "reference"), ("billing.payments", "id")]
)
def test_a_key_of_an_earlier_month_is_found_when_it_comes_again(
    began: Platform, table: str, column: str
) -> None:
    later = began.settings(START + timedelta(days=5))
    with production_of(later) as production:
        extract(later, COMPANY)
        files = read_manifest(later.sources_dir).tables[table]
        old = pl.read_parquet(later.sources_dir / files[0].path)[column][0]
        is_second = pl.int_range(pl.len()) == 1
        again = pl.when(is_second).then(pl.lit(old)).otherwise(column).alias(column)
        rewrite(began, table, lambda frame: frame.with_columns(again), number=-1)
        load(later)
        with pytest.raises(Exception, match=f"unique_over_time.* failed for 1 row: {old}"):
            bring_up(production, later)


def test_a_payment_reaches_the_month_of_its_invoice_however_old_that_is(began: Platform) -> None:
    here, later = began.settings(START), began.settings(START + timedelta(days=1))
    (old,) = began.rows(
        "SELECT reference, amount, STRFTIME(issue_date, '%Y-%m') "
        "FROM intermediate.invoices WHERE issue_date < '2023-05-01' "
        "AND sk NOT IN (SELECT invoice_sk FROM intermediate.payments) ORDER BY reference DESC"
    )[:1]
    late = {"id": pl.lit("late"), "invoice_reference": pl.lit(f" {old[0]}"), "amount": old[1]}
    owed = "SELECT SUM(outstanding) FROM marts.finance__receivables WHERE month < '2023-05-01'"
    with production_of(here) as production:
        cursor = production.project.cursor

        def restated(changed: Settings) -> str:
            load(changed)
            done = bring_up(production, changed)
            assert_models_equal_the_reference(began, keeps_log=True, cursor=cursor)
            return str(done.restated["intermediate.receivables"].window)

        before = cursor.execute(owed).fetchall()[0][0]

        def with_one_more(frame: pl.DataFrame) -> pl.DataFrame:
            one = frame.tail(1).with_columns(**late).cast(frame.schema)
            return pl.concat([frame, one])

        rewrite(began, "billing.payments", with_one_more, number=-1)
        assert restated(here) == f"{old[2]} to 2023-09"
        assert cursor.execute(owed).fetchall()[0][0] == before - old[1]
        # What becomes overdue on a day was issued the month before; what is paid, earlier still.
        extract(later, COMPANY, sources=["app", "crm", "billing"])
        assert restated(later) == "2022-01 to 2023-09"  # the late payment is gone again
        latest = began.settings(START + timedelta(days=2))
        extract(latest, COMPANY)
        assert restated(latest).endswith(" to 2023-09")
        assert cursor.execute(owed).fetchall()[0][0] <= before


@pytest.mark.slow(reason="three loads of one company; sequences of loads meet it, too")
def test_an_invoice_becomes_overdue_on_a_day_on_which_nothing_is_paid(platform: Platform) -> None:
    february, march = platform.settings(date(2024, 2, 29)), platform.settings(date(2024, 3, 1))
    nothing = pl.lit("nothing").alias("invoice_reference")
    with production_of(february) as production:
        for here in (february, march):
            extract(here, replace(COMPANY, scale=0.2))
            files = read_manifest(here.sources_dir).tables["billing.payments"]
            for number in range(len(files)):
                rewrite(
                    platform,
                    "billing.payments",
                    lambda frame: frame.with_columns(nothing),
                    number=number,
                )
            load(here)
            done = bring_up(production, here)
            cursor = production.project.cursor
            assert_models_equal_the_reference(platform, keeps_log=True, cursor=cursor)
    # Issued on 30 January, it is overdue on 1 March.
    assert str(done.restated["intermediate.receivables"].window) == "2024-01 to 2024-03"


@pytest.mark.slow(reason="two loads for a moment of which random loads make many")
def test_an_invoice_that_comes_late_takes_up_what_was_paid_of_it_before(began: Platform) -> None:
    here = began.settings(START)
    files = read_manifest(here.sources_dir).tables["app.invoices"]
    paid = dict(
        began.rows(
            "SELECT reference, MIN(paid_on) FROM intermediate.invoices AS i "
            "JOIN intermediate.payments AS p ON p.invoice_sk = i.sk "
            "WHERE DATE_TRUNC('month', paid_on) > issue_date GROUP BY ALL"
        )
    )
    # The file goes from the same day to the same day without it.
    number, whole, late = next(
        (number, frame, row["reference"])
        for number, file in enumerate(files)
        for frame in [pl.read_parquet(here.sources_dir / file.path)]
        for row in frame.to_dicts()
        if row["reference"] in paid and row["issue_date"] not in (file.first_date, file.last_date)
    )
    unassigned = "SELECT COUNT(*) FROM intermediate.unassigned_payments"
    with production_of(here) as production:
        cursor = production.project.cursor
        before = cursor.execute(unassigned).fetchall()
        windows = []
        for rows in (whole.filter(pl.col("reference") != late), whole):
            rewrite(began, "app.invoices", lambda _, rows=rows: rows, number=number)
            load(here)
            restated = bring_up(production, here).restated
            windows.append(restated["intermediate.unassigned_payments"].window)
            assert_models_equal_the_reference(began, keeps_log=True, cursor=cursor)
            assert (cursor.execute(unassigned).fetchall() == before) is (rows is whole)
    assert windows[0].first == date(2022, 1, 1)  # a row that is gone can leave any month without
    assert date(2022, 1, 1) < windows[1].first <= paid[late]


def replay(platform: Platform, first: date, last: date) -> dict[date, tuple]:
    """A backfill; the reference's NPS from the extract as of each month's last day on the way."""
    expected: dict[date, tuple] = {}

    def on_day(number: int, total: int, day: date, *_: object) -> None:
        if (day + timedelta(days=1)).day == 1:
            ((*_, figures),) = [Company(platform.data / "sources").kpi__nps()]
            expected[day.replace(day=1)] = figures

    backfill(platform.settings(last), replace(COMPANY, scale=0.1), first, last, on_day=on_day)
    return expected


def assert_the_history_of_scores_is_that_of_the_days(
    platform: Platform, expected: dict[date, tuple]
) -> None:
    assert_models_equal_the_reference(platform, keeps_log=True)
    assert_exports_equal_the_reference(platform)
    found = {row[0]: row[1:] for row in platform.rows("FROM marts.kpi__nps_monthly")}
    assert expected
    assert {month: found[month] for month in expected} == expected


@pytest.mark.slow(reason="a backfill of days beside the reference of each")
def test_a_replay_over_a_month_s_end_ends_with_the_history_that_it_saw(platform: Platform) -> None:
    expected = replay(platform, date(2024, 1, 27), date(2024, 2, 3))
    assert_the_history_of_scores_is_that_of_the_days(platform, expected)


@pytest.mark.slow(reason="ninety days")
def test_a_replay_of_three_months_over_a_year_s_end_ends_with_the_history_that_it_saw(
    platform: Platform,
) -> None:
    expected = replay(platform, date(2023, 11, 15), date(2024, 2, 15))
    assert len(expected) == 3
    assert_the_history_of_scores_is_that_of_the_days(platform, expected)


@pytest.mark.slow(reason="a backfill that is interrupted, and its rest")
def test_a_backfill_goes_on_where_it_was_interrupted(platform: Platform) -> None:
    program = str(Path(sys.executable).with_name("data-platform"))
    words = ["backfill", "--from", "2023-01-30", "--to", "2023-03-30"]
    command = [program, "-p", str(PROJECT), "-d", str(platform.data), "--scale", "0.03", *words]
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes, text=True) as running:
        assert running.stdout is not None
        lines = iter(running.stdout.readline, "")
        for line in lines:
            if line.startswith("2023-02-01"):
                running.send_signal(signal.SIGTERM)
                break
        _, said = running.communicate()
    assert (running.returncode, said.splitlines()[-1]) == (143, "Error: interrupted by SIGTERM")

    options = ["--scale", "0.03"]
    words = ["backfill", "--from", "2023-01-30", "--to", "2023-02-05"]
    done = platform.call(*words, options=options)
    found = re.search(r"(\d) days to 2023-02-05, (\d) were there already", done.stdout)
    assert found is not None, done.stdout
    replayed, there = map(int, found.groups())
    assert replayed + there == 7
    assert there >= 3
    assert_models_equal_the_reference(platform, keeps_log=True)
    assert_exports_equal_the_reference(platform)

    days = "SELECT as_of FROM sources.platform__extracts ORDER BY load_number"
    assert [day for (day,) in platform.rows(days)] == [
        date(2023, 1, 30) + timedelta(days=number) for number in range(7)
    ]
    again = platform.call(*words, options=options)
    assert "0 days to 2023-02-05, 7 were there already" in again.stdout


@pytest.mark.slow(reason="a backfill of days over a first run")
def test_days_that_were_loaded_out_of_order_are_replayed(platform: Platform) -> None:
    first, last = date(2023, 1, 30), date(2023, 2, 1)
    here = platform.settings(last)
    extract(here, COMPANY)
    load(here)
    with production_of(here) as production:
        bring_up(production, here)
    assert backfill(here, COMPANY, first, last).days_replayed == 3


BACKFILLS = [
    (["--from", "2023-02-01", "--to", "2023-01-31"], "2023-01-31 lies before --from 2023-02-01"),
    (["--from", "2023-02-01", "--to", "2999-01-31"], "2999-01-31 is after"),
    (["--from", "2021-02-01", "--to", "2023-01-31"], "2021-02-01 is before 2022-01-01"),
    (["--from", "2023-02-01"], "Missing option '--to'"),
]


@pytest.mark.parametrize(("words", "message"), BACKFILLS, ids=str)
def test_a_backfill_of_impossible_days_is_refused(
    platform: Platform, words: list[str], message: str
) -> None:
    done = platform.call("backfill", *words, check=False, options=[])
    assert done.returncode == 2
    assert message in done.stderr
    assert not platform.data.exists()
    done = platform.call("backfill", "--from", "2023-02-01", "--to", "2023-02-01", check=False)
    assert done.returncode == 2
    assert "not from --as-of" in done.stderr


def test_a_backfill_that_cannot_begin_leaves_no_lakehouse(platform: Platform) -> None:
    (platform.data / "sources").mkdir(parents=True)
    (platform.data / "sources/manifest.json").write_text('{"schema_version": 99}')
    words = ["backfill", "--from", "2023-02-01", "--to", "2023-02-02"]
    done = platform.call(*words, check=False, options=[])
    assert done.returncode == 1
    assert "a newer version of the platform wrote it" in done.stderr
    assert not platform.settings().lakehouse.exists()


def test_a_source_that_is_older_than_allowed_warns(analyst: Platform) -> None:
    sources = analyst.project / "sources.yaml"
    text = sources.read_text()
    old = ["--scale", "0.02", "--as-of", "2023-01-31"]
    done = analyst.call("extract", "load", options=old)
    assert re.search(r"Warning: source app is as of 2023-01-31, \d+ days behind", done.stderr)
    assert "Warning: source crm is" in done.stderr

    of_crm = "crm:\n  kind: simulated\n  max_age_days: "
    sources.write_text(text.replace(f"{of_crm}1", f"{of_crm}99999"))
    done = analyst.call("extract", "load", options=old)
    assert "Warning: source app is" in done.stderr
    assert "Warning: source crm is" not in done.stderr
    assert analyst.call("extract", "load", options=["--scale", "0.02"]).stderr == ""

    sources.write_text(text.replace(f"{of_crm}1", f"{of_crm}soon"))
    done = analyst.call("extract", "load", options=old, check=False)
    assert done.returncode == 1
    assert "crm.max_age_days is 'soon', expected a number of days" in done.stderr


def test_a_lakehouse_of_a_newer_version_is_left_alone(platform: Platform) -> None:
    here = platform.settings(START)
    extract(here, COMPANY)
    load(here)
    with duckdb.connect(str(here.lakehouse)) as connection:
        connection.execute("UPDATE ops.format SET number = 99")
    before = here.lakehouse.read_bytes()
    options = ["--scale", str(COMPANY.scale), "--as-of", str(START + timedelta(days=1))]
    for words in (["extract", "load"], ["transform"]):
        done = platform.call(*words, check=False, options=options)
        assert done.returncode == 1
        assert "was written by a newer version of the platform: it has format 99" in done.stderr
        assert here.lakehouse.read_bytes() == before


@pytest.mark.slow(reason="two runs over a format that no current version writes")
def test_a_lakehouse_of_an_older_version_is_loaded_and_computed_anew(platform: Platform) -> None:
    here = platform.settings(START)
    with production_of(here) as production:
        live(production, here)
    with duckdb.connect(str(here.lakehouse)) as connection:
        connection.execute("UPDATE ops.format SET number = 1")
        connection.execute("DROP TABLE ops.loaded_files; DROP TABLE ops.model_tables")
    later = replace(here, as_of=START + timedelta(days=3))
    extract(later, COMPANY)
    done = load(later)
    assert done.load_number == 2
    with production_of(later) as production:
        bring_up(production, later)
    assert_models_equal_the_reference(platform, keeps_log=True)
