"""The load: the raw tables hold the rows of the last extracts, and it tells what changed."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from conftest import AS_OF, COMPANY, PROJECT, Platform
from data_platform.errors import PlatformError
from data_platform.ingest.extract import extract, written
from data_platform.ingest.load import Loaded, load
from data_platform.ingest.manifest import Manifest, read_manifest
from data_platform.record.loads import Change
from data_platform.sources.column import Column
from data_platform.sources.contract import SourceTable
from data_platform.sources.contract_file import read_contract
from data_platform.sources.source import Part
from tampering import EARLIER, LATER, edit_manifest, everything, extract_and_load, file_of, rewrite


def changed(done: Loaded) -> set[str]:
    return {change.table for change in done.changes if not change.is_nothing}


def test_the_raw_tables_hold_the_extracts_and_nothing_of_the_load_before(
    platform: Platform,
) -> None:
    extract_and_load(platform, LATER, replace(COMPANY, random_seed=5))
    extract_and_load(platform, EARLIER, replace(COMPANY, random_seed=6), starts_over=True)
    manifest = read_manifest(platform.data / "sources")
    for table in read_contract(PROJECT).extracted:
        files = [platform.data / "sources" / f.path for f in manifest.tables[table.key]]
        expected = pl.concat([pl.read_parquet(f) for f in files]).rows()
        assert sorted(platform.rows(f"FROM sources.{table.name}"), key=repr) == sorted(
            expected, key=repr
        )


def test_loading_the_same_batch_twice_changes_nothing_and_says_so(platform: Platform) -> None:
    assert extract_and_load(platform).changed
    before = everything(platform)
    again = extract_and_load(platform)
    assert not again.changed
    assert again.changes == ()
    assert everything(platform) == before


def test_only_tables_that_differ_are_replaced(platform: Platform) -> None:
    extract_and_load(platform, date(2023, 10, 10))
    done = extract_and_load(platform, date(2023, 10, 11))  # no invoice in this month
    assert done.changed
    assert "app__invoices" not in changed(done)


def test_each_load_that_changed_something_is_recorded(platform: Platform) -> None:
    for as_of in (LATER, LATER, EARLIER):
        extract_and_load(platform, as_of)
    assert platform.rows(
        "SELECT load_number, as_of, random_seed, scale FROM sources.platform__extracts ORDER BY 1"
    ) == [(1, LATER, 42, 0.2), (2, EARLIER, 42, 0.2)]


def test_sources_of_two_dates_are_not_mixed(platform: Platform) -> None:
    extract_and_load(platform, EARLIER)
    before = everything(platform)
    extract(platform.settings(LATER), COMPANY, sources=["crm"])
    message = "sources would be mixed: app.* is as of 2023-03-31.* but crm is as of 2023-04-30"
    with pytest.raises(PlatformError, match=message):
        load(platform.settings(LATER))
    with pytest.raises(PlatformError, match="app in the lakehouse is as of 2023-03-31.* crm in"):
        load(platform.settings(LATER), sources=["crm"])
    assert everything(platform) == before


def test_a_source_alone_can_be_loaded_and_completed_later(platform: Platform) -> None:
    settings = platform.settings(EARLIER)
    extract(settings, COMPANY)
    assert changed(load(settings, sources=["crm"])) == {
        "crm__customers",
        "crm__customers_log",
        "platform__extracts",
    }
    assert load(settings, sources=["app", "billing"]).load_number == 2
    assert not load(settings).changed


def customers_log(platform: Platform) -> list[tuple]:
    return platform.rows("FROM sources.crm__customers_log ORDER BY ALL")


def test_the_customers_log_only_grows_and_holds_each_state_once(platform: Platform) -> None:
    extract_and_load(platform, EARLIER)
    first = set(customers_log(platform))
    extract_and_load(platform, LATER)
    second = customers_log(platform)
    assert first < set(second)
    assert len({row[:-1] for row in second}) == len(second)
    assert {row[-1] for row in set(second) - first} == {LATER}
    extract_and_load(platform, EARLIER)
    assert customers_log(platform) == second


@pytest.mark.parametrize(
    "company", [{"random_seed": 5}, {"scale": 0.1}, {"random_seed": 5, "scale": 0.1}], ids=str
)
def test_another_company_is_refused_and_loses_nothing_unless_it_starts_over(
    platform: Platform, company: dict[str, float]
) -> None:
    extract_and_load(platform, EARLIER)
    extract_and_load(platform, LATER)
    before = everything(platform)
    states = len(customers_log(platform))
    assert states > len(platform.rows("FROM sources.crm__customers"))
    with pytest.raises(PlatformError, match="holds another company") as caught:
        extract_and_load(platform, LATER, replace(COMPANY, **company))
    assert f"2 loads, {states} states that tables have shown" in str(caught.value)
    assert "--start-over" in str(caught.value)
    assert everything(platform) == before

    extract_and_load(platform, LATER, replace(COMPANY, **company), starts_over=True)
    log = {row[:-1] for row in customers_log(platform)}
    assert log == set(platform.rows("FROM sources.crm__customers"))


def test_starting_over_with_the_same_company_keeps_what_it_shows_now(platform: Platform) -> None:
    extract_and_load(platform, EARLIER)
    extract_and_load(platform, LATER)
    done = extract_and_load(platform, LATER, starts_over=True)
    assert done.changed
    log = {row[:-1] for row in customers_log(platform)}
    assert log == set(platform.rows("FROM sources.crm__customers"))


def test_a_variant_is_the_same_company_and_keeps_the_history(platform: Platform) -> None:
    extract_and_load(platform, EARLIER)
    before = set(customers_log(platform))
    extract(platform.settings(EARLIER), replace(COMPANY, faults=("orphan-invoices",)))
    load(platform.settings(EARLIER))
    assert before <= set(customers_log(platform))


def test_a_load_of_an_earlier_day_says_from_where_it_goes_back(platform: Platform) -> None:
    assert extract_and_load(platform, LATER).back_from is None
    assert extract_and_load(platform, EARLIER).back_from == LATER
    assert extract_and_load(platform, LATER).back_from is None


def change_of(done: Loaded, table: str) -> Change:
    (found,) = [change for change in done.changes if change.table == table]
    return found


def test_a_load_tells_what_changed_and_over_which_days(platform: Platform) -> None:
    extract_and_load(platform, date(2023, 3, 30), replace(COMPANY, scale=2))
    before = {
        table: set(platform.rows(f"FROM sources.{table}"))
        for table in ("app__invoices", "app__job_contracts", "app__users")
    }
    done = extract_and_load(platform, date(2023, 4, 2), replace(COMPANY, scale=2))
    after = {table: set(platform.rows(f"FROM sources.{table}")) for table in before}

    new = after["app__invoices"] - before["app__invoices"]
    change = change_of(done, "app__invoices")
    assert (change.kind, change.added, change.removed) == ("new rows", len(new), 0)
    days = [row[-1] for row in new]
    assert (change.first_day, change.last_day) == (min(days), max(days))

    # A contract that ended is new from its end on, not from its start.
    contracts = change_of(done, "app__job_contracts")
    gone = before["app__job_contracts"] - after["app__job_contracts"]
    assert contracts.removed == len(gone) > 0
    assert contracts.kind == "rewritten rows"
    assert date(2023, 3, 31) <= contracts.first_day <= date(2023, 4, 2)  # type: ignore[operator]
    assert contracts.last_day is None

    users = change_of(done, "app__users")
    assert (users.added, users.removed) == (
        len(after["app__users"] - before["app__users"]),
        len(before["app__users"] - after["app__users"]),
    )
    assert users.first_day is None
    assert change_of(done, "app__clients").kind in ("nothing", "new rows")
    assert change_of(done, "platform__extracts").first_day == date(2023, 3, 31)
    recorded = platform.rows(
        "SELECT table_name, change, rows_added, rows_removed, first_day, last_day "
        "FROM ops.loads WHERE load_number = 2"
    )
    assert set(recorded) == {
        (c.table, c.kind, c.added, c.removed, c.first_day, c.last_day) for c in done.changes
    }


def test_back_in_time_the_days_that_are_gone_are_told(platform: Platform) -> None:
    extract_and_load(platform, LATER)
    done = extract_and_load(platform, EARLIER)
    invoices = change_of(done, "app__invoices")
    assert (invoices.added, invoices.first_day.month) == (0, 4)  # type: ignore[union-attr]
    assert change_of(done, "platform__extracts").first_day == date(2023, 4, 1)


def test_a_changed_row_of_long_ago_is_told_with_its_day(platform: Platform) -> None:
    extract_and_load(platform, EARLIER)
    first = pl.read_parquet(file_of(platform, "app.invoices"))
    rewrite(
        platform,
        "app.invoices",
        lambda f: f.with_columns(
            amount=pl.when(pl.int_range(pl.len()) == 0)
            .then(pl.col("amount") + 1)
            .otherwise("amount")
        ).cast({"amount": pl.Decimal(10, 2)}),
    )
    change = change_of(load(platform.settings(EARLIER)), "app__invoices")
    assert (change.kind, change.added, change.removed) == ("rewritten rows", 1, 1)
    assert change.first_day == change.last_day == first["issue_date"][0]


def test_a_row_is_loaded_as_often_as_it_is_there(platform: Platform) -> None:
    extract_and_load(platform, EARLIER)
    whole = pl.read_parquet(file_of(platform, "crm.customers"))
    for copies in (3, 1, 2, 0, 1):
        wanted = pl.concat([whole[1:], *[whole[:1]] * copies])
        rewrite(platform, "crm.customers", lambda _, frame=wanted: frame)
        load(platform.settings(EARLIER))
        found = platform.rows("FROM sources.crm__customers")
        assert sorted(found, key=repr) == sorted(wanted.rows(), key=repr), copies


def test_months_that_overlap_in_their_files_are_loaded_as_they_are(platform: Platform) -> None:
    extract_and_load(platform, EARLIER)
    sources = platform.data / "sources"
    manifest = read_manifest(sources)
    last = manifest.tables["app.invoices"][-1]
    frame = pl.read_parquet(sources / last.path)
    # The last month's file now holds a row of the month before, too.
    early = last.first_date.replace(day=1) - timedelta(days=1)  # type: ignore[union-attr]
    rewrite(
        platform,
        "app.invoices",
        lambda f: pl.concat([f, f[:1].with_columns(reference=pl.lit("JMPX"), issue_date=early)]),
        number=-1,
    )
    edit_manifest(platform, lambda m: m["tables"]["app.invoices"][-1].update(first_date=str(early)))
    change = change_of(load(platform.settings(EARLIER)), "app__invoices")
    assert (change.added, change.removed, change.first_day) == (1, 0, early)
    total = platform.rows("SELECT COUNT(*) FROM sources.app__invoices")[0][0]
    assert total == sum(file.rows for file in manifest.tables["app.invoices"]) + 1
    assert len(frame) + 1 == read_manifest(sources).tables["app.invoices"][-1].rows


@pytest.mark.parametrize(
    "asked", [["--as-of", "2024-02-28"], ["--random-seed", "7"], ["--scale", "0.3"]], ids=str
)
def test_a_load_refuses_extracts_that_are_not_what_was_asked_for(
    begun: Platform, asked: list[str]
) -> None:
    refused = begun.call("load", options=asked, check=False)
    assert refused.returncode == 1
    assert f"{' '.join(asked)} was asked for, but the extracts are as of {AS_OF}" in refused.stderr
    assert begun.rows("SELECT MAX(load_number) FROM ops.loads") == [(1,)]


def test_a_load_takes_what_is_extracted_where_nothing_is_asked_for(begun: Platform) -> None:
    assert "nothing changed since load 1" in begun.call("load", options=[]).stdout


def test_what_is_loaded_lies_in_duckdb_s_own_row_groups(tmp_path: Path) -> None:
    """Others are cut, and checkpoints join the pieces: seconds at millions of rows."""
    table = SourceTable("app__numbers", "", (Column("n", "BIGINT", False, ""),))
    months = [
        (table, Part("numbers", name, lambda: pl.DataFrame({"n": range(300_000)})))
        for name in ("2024-01", "2024-02")
    ]
    files, _ = written(months, Manifest(), tmp_path)
    paths = [str(tmp_path / file.path) for file in files[table.key]]
    with duckdb.connect(tmp_path / "lakehouse.duckdb", config={"threads": 2}) as connection:
        connection.execute("CREATE TABLE numbers (n BIGINT)")
        connection.execute("INSERT INTO numbers FROM read_parquet($paths)", {"paths": paths})
        groups = connection.execute(
            "SELECT SUM(count) FROM pragma_storage_info('numbers') "
            "WHERE segment_type <> 'VALIDITY' GROUP BY row_group_id ORDER BY row_group_id"
        ).fetchall()
    assert [n for (n,) in groups] == [122_880, 122_880, 54_240] * 2
