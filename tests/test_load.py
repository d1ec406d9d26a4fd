"""The load: the contract is checked before anything is touched, and the last load is what shows."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import PROJECT, Platform
from data_platform.anomalies import is_unusual
from data_platform.changes import Change
from data_platform.contract import read_contract
from data_platform.errors import PlatformError
from data_platform.extract import extract
from data_platform.load import Loaded, load
from data_platform.manifest import read_manifest, write_manifest

EARLIER, LATER = date(2023, 3, 31), date(2023, 4, 30)


def extract_and_load(platform: Platform, as_of: date = EARLIER, **company: float) -> Loaded:
    settings = platform.settings(as_of, **company)  # type: ignore[arg-type]
    extract(settings)
    return load(settings)


def changed(done: Loaded) -> set[str]:
    return {change.table for change in done.changes if not change.is_nothing}


def file_of(platform: Platform, table: str, number: int = 0) -> Path:
    sources = platform.data / "sources"
    return sources / read_manifest(sources).tables[table][number].path


def rewrite(
    platform: Platform,
    table: str,
    change: Callable[[pl.DataFrame], pl.DataFrame],
    number: int = 0,
    tells_rows: bool = True,
) -> None:
    """Change one file of a table, and the manifest with it: the contract alone can notice."""
    folder, path = platform.data / "sources", file_of(platform, table, number)
    frame = change(pl.read_parquet(path))
    frame.write_parquet(path)
    manifest = read_manifest(folder)
    files = list(manifest.tables[table])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    rows = len(frame) if tells_rows else files[number].rows
    files[number] = replace(files[number], digest=digest, rows=rows)
    write_manifest(replace(manifest, tables={**manifest.tables, table: tuple(files)}), folder)


def everything(platform: Platform) -> dict[str, list[tuple]]:
    names = platform.rows(
        "SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL"
    )
    return {
        f"{schema}.{name}": sorted(platform.rows(f'FROM "{schema}"."{name}"'), key=repr)
        for schema, name in names
    }


CORRUPTIONS: dict[str, tuple[Callable[[Platform], object], str]] = {
    "a missing file": (
        lambda p: file_of(p, "app.users").unlink(),
        "app.users: file app/users/users.* is in the manifest but not in",
    ),
    "a truncated file": (
        lambda p: file_of(p, "app.users").write_bytes(file_of(p, "app.users").read_bytes()[:100]),
        "app.users: .* was changed or cut short: expected digest",
    ),
    "an empty file": (
        lambda p: file_of(p, "crm.customers").write_bytes(b""),
        "crm.customers: .* was changed or cut short",
    ),
    "a file of another table": (
        lambda p: rewrite(p, "app.users", lambda _: pl.read_parquet(file_of(p, "app.clients"))),
        "app.users: .* lacks column first_name; expected id, first_name, .* found id, name",
    ),
    "a missing column": (
        lambda p: rewrite(p, "app.invoices", lambda f: f.drop("amount")),
        "app.invoices: .* lacks column amount",
    ),
    "a renamed column": (
        lambda p: rewrite(p, "app.clients", lambda f: f.rename({"name": "label"})),
        "app.clients: .* lacks column name; .* found id, label",
    ),
    "an added column": (
        lambda p: rewrite(p, "app.clients", lambda f: f.with_columns(vat=pl.lit("FR"))),
        "app.clients: .* has column vat, which the contract does not know",
    ),
    "a mistyped column": (
        lambda p: rewrite(
            p, "crm.customers", lambda f: f.with_columns(pl.col("updated_at").cast(pl.String))
        ),
        "crm.customers: .*: column updated_at has type String, expected Date",
    ),
    "reordered columns": (
        lambda p: rewrite(p, "app.clients", lambda f: f.select("name", "id")),
        "app.clients: .* in another order: expected id, name, found name, id",
    ),
    "a null": (
        lambda p: rewrite(p, "app.users", lambda f: f.with_columns(email=pl.lit(None, pl.String))),
        "app.users: .*: column email is null in 49 of 49 rows, expected in none",
    ),
    "no manifest": (
        lambda p: (p.data / "sources/manifest.json").unlink(),
        "there is no extract: .*manifest.json does not exist; run: data-platform extract",
    ),
    "a manifest that is none": (
        lambda p: (p.data / "sources/manifest.json").write_text("{]"),
        "manifest.json is not a manifest",
    ),
    "a manifest of a newer version": (
        lambda p: edit_manifest(p, lambda m: m.update(schema_version=99)),
        "manifest.json has schema version 99, expected 1: a newer version of the platform wrote it",
    ),
    "a manifest that goes back in version": (
        lambda p: edit_manifest(p, lambda m: m.update(schema_version=0)),
        "manifest.json has schema version 0, expected 1; extract again",
    ),
    "a day after the as-of date": (
        lambda p: edit_manifest(
            p, lambda m: [s.update(as_of=str(EARLIER)) for s in m["sources"].values()]
        ),
        "column .* has 2023-04-.*, expected nothing after the as-of date 2023-03-31",
    ),
    "days that are not the manifest's": (
        lambda p: edit_manifest(
            p, lambda m: m["tables"]["app.invoices"][-1].update(first_date="2023-03-31")
        ),
        "app.invoices: .* column issue_date goes from 2023-04-.* expected 2023-03-31",
    ),
    "a file that is no Parquet": (
        lambda p: forge(p, b"name,email\n"),
        "app.users: .* is not a Parquet file",
    ),
    "a wrong row count": (
        lambda p: edit_manifest(p, lambda m: m["tables"]["app.users"][0].update(rows=1)),
        "app.users: .* rows, expected 1",
    ),
    "fewer rows": (
        lambda p: rewrite(p, "app.users", lambda f: f[1:], tells_rows=False),
        "app.users: .* has 48 rows, expected 49",
    ),
    "more rows": (
        lambda p: rewrite(p, "app.clients", lambda f: pl.concat([f, f[:1]]), tells_rows=False),
        "app.clients: .* rows, expected",
    ),
    "no rows": (
        lambda p: rewrite(p, "app.clients", lambda f: f[:0], tells_rows=False),
        "app.clients: .* has 0 rows, expected",
    ),
    "an empty file with its digest": (
        lambda p: forge(p, b""),
        "app.users: .* is not a Parquet file",
    ),
    "another digest in the manifest": (
        lambda p: edit_manifest(p, lambda m: m["tables"]["app.users"][0].update(digest="0" * 64)),
        "app.users: .* was changed or cut short: expected digest 000000000000…, found",
    ),
    "a renamed file": (
        lambda p: file_of(p, "app.users").rename(file_of(p, "app.users").with_name("u.parquet")),
        "app.users: file app/users/users.* is in the manifest but not in",
    ),
    "an unlisted file": (
        lambda p: file_of(p, "app.users").with_name("more.parquet").write_bytes(b""),
        "app.users: file app/users/more.parquet is not in the manifest",
    ),
    "an unlisted table": (
        lambda p: (
            (p.data / "sources/app/salaries").mkdir(),
            (p.data / "sources/app/salaries/s.parquet").write_bytes(b""),
        ),
        "app.salaries: file app/salaries/s.parquet is not in the manifest",
    ),
    "a path that leaves the folder": (
        lambda p: edit_manifest(
            p, lambda m: m["tables"]["app.users"][0].update(path="../../x.parquet")
        ),
        "app.users: .* lies outside of the extracts' folder",
    ),
    "a table that is not listed": (
        lambda p: edit_manifest(p, lambda m: m["tables"].pop("app.users")),
        "app.users is not in the manifest",
    ),
}


def edit_manifest(platform: Platform, change: Callable[[dict], object]) -> None:
    path = platform.data / "sources/manifest.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def forge(platform: Platform, content: bytes) -> None:
    file_of(platform, "app.users").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit_manifest(platform, lambda m: m["tables"]["app.users"][0].update(digest=digest))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_broken_extract_stops_the_load_and_changes_nothing(platform: Platform, name: str) -> None:
    corrupt, message = CORRUPTIONS[name]
    extract_and_load(platform)
    before = everything(platform)
    extract(platform.settings(LATER))
    corrupt(platform)
    with pytest.raises(PlatformError, match=message) as caught:
        load(platform.settings(LATER))
    assert "\n" not in str(caught.value)
    assert everything(platform) == before


def test_a_broken_first_load_leaves_no_lakehouse(platform: Platform) -> None:
    extract(platform.settings(EARLIER))
    rewrite(platform, "app.users", lambda f: f.with_columns(id=pl.lit(None, pl.String)))
    with pytest.raises(PlatformError, match="app.users: .*: column id is null"):
        load(platform.settings(EARLIER))
    assert not platform.settings().lakehouse.exists()


def test_the_raw_tables_hold_the_extracts_and_nothing_of_the_load_before(
    platform: Platform,
) -> None:
    extract_and_load(platform, LATER, seed=5)
    extract_and_load(platform, EARLIER, seed=6)
    manifest = read_manifest(platform.data / "sources")
    for table in read_contract(PROJECT).extracted:
        files = [platform.data / "sources" / f.path for f in manifest.tables[table.key]]
        expected = pl.concat([pl.read_parquet(f) for f in files]).rows()
        assert sorted(platform.rows(f"FROM sources.{table.name}"), key=repr) == sorted(
            expected, key=repr
        )


def test_loading_the_same_batch_twice_changes_nothing_and_says_so(platform: Platform) -> None:
    assert extract_and_load(platform).is_news
    before = everything(platform)
    again = extract_and_load(platform)
    assert not again.is_news
    assert again.changes == ()
    assert everything(platform) == before


def test_only_tables_that_differ_are_replaced(platform: Platform) -> None:
    extract_and_load(platform, date(2023, 10, 10))
    done = extract_and_load(platform, date(2023, 10, 11))  # no invoice in this month
    assert done.is_news
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
    extract(platform.settings(LATER), sources=["crm"])
    message = "sources would be mixed: app.* is as of 2023-03-31.* but crm is as of 2023-04-30"
    with pytest.raises(PlatformError, match=message):
        load(platform.settings(LATER))
    with pytest.raises(PlatformError, match="app in the lakehouse is as of 2023-03-31.* crm in"):
        load(platform.settings(LATER), sources=["crm"])
    assert everything(platform) == before


def test_a_source_alone_can_be_loaded_and_completed_later(platform: Platform) -> None:
    settings = platform.settings(EARLIER)
    extract(settings)
    assert changed(load(settings, sources=["crm"])) == {
        "crm__customers",
        "crm__customers_log",
        "platform__extracts",
    }
    assert load(settings, sources=["app"]).load_number == 2
    assert not load(settings).is_news


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


def test_another_company_starts_the_customers_log_afresh(platform: Platform) -> None:
    extract_and_load(platform, EARLIER)
    for company in ({"seed": 5}, {"seed": 5, "scale": 0.1}):
        extract_and_load(platform, EARLIER, **company)
        log = {row[:-1] for row in customers_log(platform)}
        assert log == set(platform.rows("FROM sources.crm__customers"))


def change_of(done: Loaded, table: str) -> Change:
    (found,) = [change for change in done.changes if change.table == table]
    return found


def test_a_load_tells_what_changed_and_over_which_days(platform: Platform) -> None:
    extract_and_load(platform, date(2023, 3, 30), scale=2)
    before = {
        table: set(platform.rows(f"FROM sources.{table}"))
        for table in ("app__invoices", "app__job_contracts", "app__users")
    }
    done = extract_and_load(platform, date(2023, 4, 2), scale=2)
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


def test_a_file_that_is_loaded_already_is_still_noticed_when_it_changes(platform: Platform) -> None:
    extract_and_load(platform, EARLIER)
    before = everything(platform)
    path = file_of(platform, "app.invoices")
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    with pytest.raises(PlatformError, match="app.invoices: .* was changed or cut short"):
        load(platform.settings(EARLIER))
    assert everything(platform) == before
    extract_and_load(platform, EARLIER)  # and an extract mends it


def test_an_extract_leaves_a_newer_version_s_manifest_alone(platform: Platform) -> None:
    extract_and_load(platform, EARLIER)
    edit_manifest(platform, lambda m: m.update(schema_version=99))
    with pytest.raises(PlatformError, match="a newer version of the platform wrote it"):
        extract(platform.settings(LATER))


def test_a_new_column_is_accepted_when_asked_for_and_recorded(platform: Platform) -> None:
    extract_and_load(platform, EARLIER)
    before = platform.rows("FROM sources.app__clients ORDER BY ALL")
    rewrite(
        platform, "app.clients", lambda f: f.with_columns(vat=pl.lit("FR"), city=pl.lit("Paris"))
    )
    with pytest.raises(PlatformError, match="which the contract does not know; .*accept-new-col"):
        load(platform.settings(EARLIER))
    done = load(platform.settings(EARLIER), accepts_new_columns=True)
    (warning,) = done.warnings
    assert str(warning) == (
        "sources.app__clients: columns_are_in_the_contract failed for 2 rows: city, vat"
    )
    assert platform.rows("FROM sources.app__clients ORDER BY ALL") == before
    (audit,) = [audit for audit in done.audits if audit.number_of_rows]
    assert (audit.model_name, audit.keys) == ("sources.app__clients", ("city", "vat"))
    # The files are known now; the warning stands as long as they are there.
    assert load(platform.settings(EARLIER)).warnings == (warning,)
    extract_and_load(platform, EARLIER)
    assert load(platform.settings(EARLIER)).warnings == ()


def test_a_day_with_a_third_of_the_usual_invoices_warns(platform: Platform) -> None:
    yesterday, today = date(2024, 3, 4), date(2024, 3, 5)
    assert extract_and_load(platform, yesterday, scale=20).warnings == ()
    settings = platform.settings(today, scale=20)
    extract(settings)
    of_today, number = pl.col("issue_date") == today, pl.int_range(pl.len())
    rewrite(platform, "app.invoices", lambda f: f.filter(~of_today | (number % 3 == 0)), number=-1)
    (warning,) = load(settings).warnings
    assert warning.model == "sources.app__invoices"
    assert warning.audit == "days_are_usual"
    assert re.fullmatch(r"2024-03-05 has \d\d, usually 1\d\d", warning.keys[0])
    # The whole day again: what was strange is gone, and loads that change nothing say nothing.
    extract(settings)
    load(settings)
    assert extract_and_load(platform, date(2024, 3, 6), scale=20).warnings == ()


def test_a_table_that_shrank_warns_but_not_where_time_goes_back(platform: Platform) -> None:
    extract_and_load(platform, LATER)
    assert extract_and_load(platform, EARLIER).warnings == ()
    rewrite(platform, "app.users", lambda f: f[2:])
    (warning,) = load(platform.settings(EARLIER)).warnings
    assert str(warning) == (
        "sources.app__users: rows_do_not_vanish failed for 2 rows: 46 before, 44 now"
    )


@given(usual=st.floats(0, 1e6), rows=st.integers(0, 10**7))
def test_no_day_near_the_usual_is_unusual_and_a_third_of_many_is(usual: float, rows: int) -> None:
    assert not is_unusual(round(usual), usual)
    if usual > 12:
        assert is_unusual(int(usual / 3), usual)
        assert is_unusual(int(usual * 3) + 1, usual)
    if usual / 2 < rows < usual * 2:
        assert not is_unusual(rows, usual)
