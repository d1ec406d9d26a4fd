"""The contract is checked before anything is touched: a broken extract changes nothing."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import COMPANY, Platform
from data_platform.errors import PlatformError
from data_platform.ingest.extract import extract
from data_platform.ingest.load import load
from data_platform.ingest.manifest import read_manifest, write_manifest
from tampering import EARLIER, LATER, edit_manifest, everything, extract_and_load, file_of, rewrite

CORRUPTIONS: dict[str, tuple[Callable[[Platform], object], str]] = {
    "a missing file": (
        lambda p: file_of(p, "app.users").unlink(),
        "app.users: file app/users/users.* is in the manifest but not in",
    ),
    "a number of rows that is none": (
        lambda p: edit_manifest(p, lambda m: m["tables"]["app.users"][0].update(rows=-5)),
        "is not a manifest .*-5 is no number of rows",
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
    "a day before the year 1": (
        lambda p: rewrite(p, "crm.customers", lambda f: with_day(f, "updated_at", -720_000)),
        "crm.customers: file crm/.*: column updated_at has -002-09-16, expected nothing before "
        "2022-01-01, the company's first day; 1 of \\d+ rows",
    ),
    "a day after the year 9999": (
        lambda p: rewrite(p, "crm.customers", lambda f: with_day(f, "updated_at", 3_000_000)),
        "crm.customers: .*: column updated_at has 10183-.*, expected nothing after the as-of date",
    ),
    "a contract before the company": (
        lambda p: rewrite(
            p, "app.job_contracts", lambda f: with_day(f, "start_date", date(2021, 12, 31))
        ),
        "app.job_contracts: file app/.*: column start_date has 2021-12-31, expected nothing before "
        "2022-01-01, the company's first day; 1 of",
    ),
    "an end before the company": (
        lambda p: rewrite(
            p, "app.job_contracts", lambda f: with_day(f, "end_date", date(1970, 1, 1))
        ),
        "app.job_contracts: .*: column end_date has 1970-01-01, expected nothing before 2022-01-01",
    ),
    "text that is not UTF-8": (
        lambda p: spoil_text(p, "app.clients"),
        "app.clients: file app/clients/.*: column name cannot be read as VARCHAR, its text is not "
        "valid UTF-8",
    ),
    "text of personal data that is not UTF-8": (
        lambda p: spoil_text(p, "crm.customers"),
        "crm.customers: file crm/.*: column last_name cannot be read as VARCHAR, its text is not",
    ),
    "a null in a table of periods": (
        lambda p: rewrite(
            p, "app.job_contracts", lambda f: f.with_columns(entity=pl.lit(None, pl.String))
        ),
        "app.job_contracts: .*: column entity is null in (\\d+) of \\1 rows, expected in none",
    ),
    "a column in another case beside it": (
        lambda p: rewrite(
            p, "app.users", lambda f: f.with_columns(EMAIL=pl.lit("x")).select("EMAIL", *f.columns)
        ),
        "app.users: .* has column EMAIL twice, in another case or the same",
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
    "a file that is listed twice": (
        lambda p: edit_manifest(
            p, lambda m: m["tables"]["app.users"].append(m["tables"]["app.users"][0])
        ),
        "file app/users/users.* is in the manifest twice",
    ),
    "a file under two names": (
        lambda p: edit_manifest(
            p,
            lambda m: m["tables"]["app.users"].append(
                {
                    **m["tables"]["app.users"][0],
                    "path": m["tables"]["app.users"][0]["path"].replace("app/", "app/./"),
                }
            ),
        ),
        "app.users: file app/./users/users.* has dots in its path",
    ),
    "a table that is not listed": (
        lambda p: edit_manifest(p, lambda m: m["tables"].pop("app.users")),
        "app.users is not in the manifest",
    ),
}


def with_day(frame: pl.DataFrame, column: str, day: date | int) -> pl.DataFrame:
    """The first row has another day, by its number since 1970 where Python has no date for it."""
    number = pl.lit(day if isinstance(day, int) else (day - date(1970, 1, 1)).days, pl.Int32)
    is_first = pl.int_range(pl.len()) == 0
    days = pl.when(is_first).then(number).otherwise(pl.col(column).to_physical())
    return frame.with_columns(days.cast(pl.Date).alias(column))


def spoil_text(platform: Platform, table: str) -> None:
    """Write a file whose text is Latin-1, as an application that knows no Unicode would."""
    path = file_of(platform, table)
    frame = pl.read_parquet(path)
    columns = {
        name: (
            pa.array([b"Caf\xe9"] * len(frame), pa.binary()).view(pa.string())
            if name in ("name", "last_name")
            else frame[name].to_arrow().cast(pa.string())
            if frame[name].dtype == pl.String
            else frame[name].to_arrow()
        )
        for name in frame.columns
    }
    pq.write_table(pa.table(columns), path)
    manifest = read_manifest(platform.data / "sources")
    file = replace(manifest.tables[table][0], digest=hashlib.sha256(path.read_bytes()).hexdigest())
    tables = {**manifest.tables, table: (file,)}
    write_manifest(replace(manifest, tables=tables), platform.data / "sources")


def forge(platform: Platform, content: bytes) -> None:
    file_of(platform, "app.users").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    edit_manifest(platform, lambda m: m["tables"]["app.users"][0].update(digest=digest))


@dataclass(frozen=True)
class Between:
    """A platform that has loaded one day and extracted the next: its data, and what it holds."""

    data: Path
    held: dict[str, list[tuple]]


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> Between:
    platform = Platform(tmp_path_factory.mktemp("between") / "data")
    extract_and_load(platform)
    held = everything(platform)
    extract(platform.settings(LATER), COMPANY)
    return Between(platform.data, held)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_broken_extract_stops_the_load_and_changes_nothing(
    between: Between, platform: Platform, name: str
) -> None:
    corrupt, message = CORRUPTIONS[name]
    shutil.copytree(between.data, platform.data)
    corrupt(platform)
    with pytest.raises(PlatformError, match=message) as caught:
        load(platform.settings(LATER))
    assert "\n" not in str(caught.value)
    assert everything(platform) == between.held


def test_a_broken_first_load_leaves_no_lakehouse(platform: Platform) -> None:
    extract(platform.settings(EARLIER), COMPANY)
    rewrite(platform, "app.users", lambda f: f.with_columns(id=pl.lit(None, pl.String)))
    with pytest.raises(PlatformError, match="app.users: .*: column id is null"):
        load(platform.settings(EARLIER))
    assert not platform.settings().lakehouse.exists()


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
        extract(platform.settings(LATER), COMPANY)


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


def test_a_table_may_call_the_day_on_which_a_row_happened_as_it_likes(analyst: Platform) -> None:
    """The contract's tag names it; extract, verification and load follow."""
    contract = analyst.project / "external_models.yaml"
    tag = "[now, keep_history, 'personal:last_name'"
    assert tag in contract.read_text()
    contract.write_text(
        contract.read_text().replace(tag, "['on:updated_at', keep_history, 'personal:last_name'")
    )
    done = extract_and_load(analyst, LATER)
    (change,) = [change for change in done.changes if change.table == "crm__customers"]
    days = analyst.rows("SELECT MIN(updated_at), MAX(updated_at) FROM sources.crm__customers")
    assert [(change.first_day, change.last_day)] == days
    (file,) = read_manifest(analyst.data / "sources").tables["crm.customers"]
    assert [(file.first_date, file.last_date)] == days
    assert extract_and_load(analyst, LATER).changed is False
