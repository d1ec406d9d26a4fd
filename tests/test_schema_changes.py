"""The contract of a loaded table changes: the raw table follows with its history, or says why."""

import re
from collections.abc import Callable
from datetime import date, timedelta

import polars as pl
import pytest
import yaml

from conftest import AS_OF, COMPANY, Platform, begin
from data_platform.errors import PlatformError
from data_platform.ingest.extract import extract
from data_platform.ingest.load import load
from data_platform.sources.contract_file import read_contract
from faults import state
from tampering import extract_and_load, rewrite

USERS, INVOICES, CLIENTS = "sources.app__users", "sources.app__invoices", "sources.app__clients"
CUSTOMERS, LOG = "sources.crm__customers", "sources.crm__customers_log"


def edit_contract(platform: Platform, change: Callable[[dict], None], *names: str) -> None:
    """Change the entries of some tables in the contract."""
    path = platform.project / "external_models.yaml"
    entries = yaml.safe_load(path.read_text())
    for entry in entries:
        if entry["name"] in names:
            change(entry)
    path.write_text(yaml.safe_dump(entries, sort_keys=False, allow_unicode=True))


def add(name: str, type_: str = "text", tag: str = "", required: bool = False) -> Callable:
    def change(entry: dict) -> None:
        last = list(entry["columns"].items())[-1]
        if entry["name"] == LOG:  # the day on which it was seen stays the last
            entry["columns"].pop(last[0])
        entry["columns"][name] = type_
        if entry["name"] == LOG:
            entry["columns"][last[0]] = last[1]
        entry["tags"] = [*entry.get("tags", []), *([tag] if tag else [])]
        if required:
            columns = entry["audits"][0]["columns"]
            entry["audits"][0]["columns"] = columns.replace(")", f", {name})")

    return change


def retype(name: str, type_: str) -> Callable:
    return lambda entry: entry["columns"].update({name: type_})


def rename(old: str, new: str) -> Callable:
    def change(entry: dict) -> None:
        entry["columns"] = {new if n == old else n: t for n, t in entry["columns"].items()}
        entry["column_descriptions"][new] = entry["column_descriptions"].pop(old)
        entry["tags"] = [t.replace(f":{old}", f":{new}") for t in entry.get("tags", [])]
        entry["tags"].append(f"was:{new}={old}")
        audit = entry["audits"][0]
        audit["columns"] = re.sub(rf"\b{old}\b", new, audit["columns"])

    return change


def drop(name: str) -> Callable:
    def change(entry: dict) -> None:
        entry["columns"].pop(name)
        entry["column_descriptions"].pop(name)
        entry["tags"] = [t for t in entry.get("tags", []) if t != f"personal:{name}"]
        audit = entry["audits"][0]
        audit["columns"] = re.sub(rf",? ?\b{name}\b", "", audit["columns"]).replace("(, ", "(")

    return change


# What changes in which tables, and what is said of it.
CHANGES = {
    "a nullable column": (add("phone"), (USERS,), ["phone is new"]),
    "a column with a default": (
        add("country", tag="default:country=FR", required=True), (USERS,), ["country is new"],
    ),
    "a wider amount": (
        retype("amount", "decimal(12, 2)"), (INVOICES,),
        ["amount is DECIMAL(12,2), was DECIMAL(10,2)"],
    ),
    "a wider score, of the log too": (
        retype("satisfaction_score", "bigint"), (CUSTOMERS, LOG),
        ["satisfaction_score is BIGINT, was INTEGER"] * 2,
    ),
    "a column of the log": (add("segment"), (CUSTOMERS, LOG), ["segment is new"] * 2),
    "a column of the log with a default": (
        add("channel", tag="default:channel=web", required=True), (CUSTOMERS, LOG),
        ["channel is new"] * 2,
    ),
    "a column that is gone": (drop("name"), (CLIENTS,), ["name is gone"]),
    "a renamed column": (rename("name", "label"), (CLIENTS,), ["name is now called label"]),
    "another order": (
        lambda e: e.update(columns=dict(reversed(e["columns"].items()))), (USERS,),
        ["its columns are in another order"],
    ),
    "a renamed day": (
        rename("issue_date", "issued_on"), (INVOICES,), ["issue_date is now called issued_on"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_raw_table_follows_its_contract_and_loses_no_row(analyst: Platform, name: str) -> None:
    begin(analyst)
    change, tables, told = CHANGES[name]
    seen = "SELECT email, updated_at, seen_as_of FROM sources.crm__customers_log ORDER BY ALL"
    log = analyst.rows(seen)
    counts = {table: analyst.rows(f"SELECT COUNT(*) FROM {table}") for table in tables}
    edit_contract(analyst, change, *tables)
    settings = analyst.settings()
    extract(settings, COMPANY)
    done = load(settings)
    assert [d for changed in done.schema_changes for d in changed.differences] == told
    assert analyst.rows(seen) == log
    for table, count in counts.items():
        assert analyst.rows(f"SELECT COUNT(*) FROM {table}") == count
        wanted = read_contract(analyst.project).tables[table.removeprefix("sources.")]
        found = analyst.rows(
            "SELECT column_name, data_type, is_nullable FROM duckdb_columns() WHERE "
            f"schema_name = 'sources' AND table_name = '{wanted.name}' ORDER BY column_index"
        )
        assert found == [(c.name, c.type, c.nullable) for c in wanted.columns]
    # It is written down, and once is enough.
    recorded = analyst.rows("SELECT change FROM ops.schema_changes")
    assert [change for (change,) in recorded] == told
    again = load(settings)
    assert (again.schema_changes, again.changed) == ((), False)


def test_a_new_column_has_its_default_in_rows_that_were_there(analyst: Platform) -> None:
    begin(analyst)
    channel = add("channel", tag="default:channel=web", required=True)
    edit_contract(analyst, channel, CUSTOMERS, LOG)
    settings = analyst.settings()
    extract(settings, COMPANY)
    load(settings)
    for table in (CUSTOMERS, LOG):
        assert analyst.rows(f"SELECT DISTINCT channel FROM {table}") == [("web",)]


@pytest.mark.slow(reason="computes all of time once more")
def test_the_next_day_does_not_hide_what_a_change_of_the_contract_rewrote(
    analyst: Platform,
) -> None:
    """A table that was rebuilt can differ in any month, whatever the loads after it brought."""
    begin(analyst)
    edit_contract(analyst, retype("amount", "decimal(12, 2)"), INVOICES)
    extract(analyst.settings(), COMPANY)
    more = (pl.col("amount") + 1).cast(pl.Decimal(12, 2))
    rewrite(analyst, "app.invoices", lambda frame: frame.with_columns(more))
    load(analyst.settings())
    extract_and_load(analyst, AS_OF + timedelta(days=1))
    analyst.call("transform")
    (row,) = analyst.rows(
        "SELECT (SELECT SUM(amount) FROM intermediate.invoices), "
        "(SELECT SUM(amount) FROM marts.kpi__monthly_turnover), (SELECT SUM(turnover) FROM "
        f"report.finance__cohorts), SUM(amount) FROM {INVOICES}"
    )
    assert len(set(row)) == 1


# What cannot be done, and what is said; nothing is changed.
IMPOSSIBLE = {
    "a required column of the application": (
        add("phone", required=True), (USERS,), "app.users: the application has no column phone",
    ),
    "a type that is none": (
        retype("amount", "money"), (INVOICES,), "app__invoices: column amount has type money, exp",
    ),
    "a narrower text": (
        retype("reference", "int"), (INVOICES,), "app.invoices: column reference cannot be INTEGER",
    ),
    "a log that does not follow": (
        add("segment"), (CUSTOMERS,), "crm__customers_log is to have the columns of .*customers",
    ),
    "a tag of no column": (
        lambda e: e["tags"].append("personal:nickname"), (USERS,), "'personal:nickname' names no c",
    ),
    "a day that is a text": (
        lambda e: e.update(tags=["on:reference"]), (INVOICES,), "'on:reference' .* expected date",
    ),
    "a name that is still there": (
        lambda e: e["tags"].append("was:email=first_name"), (USERS,), "which is no column any long",
    ),
    "the present and a day": (
        lambda e: e["tags"].append("on:updated_at"), (CUSTOMERS,), "contradict each other",
    ),
    "a table of the platform's own": (
        retype("scale", "decimal(5, 2)"), ("sources.platform__extracts",),
        "platform__extracts is to have the columns that the platform writes: expected scale double",
    ),
    "two cases of a name": (add("EMAIL"), (USERS,), "is there twice, in another case"),
    "two days": (
        lambda e: e["tags"].append("on:issue_date"), (INVOICES,), "several tags 'on', expected one",
    ),
    "a required column that is none": (
        lambda e: e["audits"][0].update(columns="(id, nick)"), (USERS,), "not_null names nick",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_a_raw_table_cannot_follow_is_refused_in_a_sentence(
    analyst: Platform, name: str
) -> None:
    begin(analyst)
    change, tables, message = IMPOSSIBLE[name]
    edit_contract(analyst, change, *tables)
    with pytest.raises(PlatformError, match=message) as caught:
        extract(analyst.settings(), COMPANY)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change", [drop("satisfaction_score"), add("segment", "int", "default:segment=a")]
)
def test_a_log_loses_no_value_unless_it_is_given_up(
    analyst: Platform, change: Callable[[dict], None]
) -> None:
    begin(analyst)
    edit_contract(analyst, change, CUSTOMERS, LOG)
    settings = analyst.settings()
    before = state(analyst.data)["sources.crm__customers_log"]
    try:
        extract(settings, COMPANY)
    except PlatformError as error:
        assert "column segment cannot be INTEGER" in str(error)
        return
    with pytest.raises(PlatformError, match=r"satisfaction_score is gone .* \d+ of \d+ rows hold"):
        load(settings)
    assert state(analyst.data)["sources.crm__customers_log"] == before
    done = load(settings, starts_over=True)
    assert "satisfaction_score is gone" in str(done.schema_changes)


def test_columns_in_another_order_keep_their_values(analyst: Platform) -> None:
    begin(analyst)
    names = "SELECT id, first_name, last_name, email FROM sources.app__users ORDER BY ALL"
    before = analyst.rows(names)
    edit_contract(analyst, CHANGES["another order"][0], USERS)
    extract(analyst.settings(), COMPANY)
    load(analyst.settings())
    assert analyst.rows(names) == before


def test_a_log_whose_rows_do_not_fit_is_left_alone(analyst: Platform) -> None:
    begin(analyst)
    edit_contract(analyst, retype("satisfaction_score", "decimal(2, 1)"), CUSTOMERS, LOG)
    settings = analyst.settings()
    rewrite(
        analyst,
        "crm.customers",
        lambda f: f.with_columns(pl.lit(None).cast(pl.Decimal(2, 1)).alias("satisfaction_score")),
    )
    before = state(analyst.data)["sources.crm__customers_log"]
    with pytest.raises(PlatformError, match=r"score is to be DECIMAL\(2,1\), but \d+ of \d+ rows"):
        load(settings)
    assert state(analyst.data)["sources.crm__customers_log"] == before


@pytest.mark.slow(reason="four runs; the migration itself is tried each time")
def test_a_run_over_a_renamed_column_is_no_dead_end(analyst: Platform) -> None:
    """Production reads the old name: the run says what to do, and doing it works."""
    begin(analyst)
    edit_contract(analyst, rename("name", "label"), CLIENTS)
    model = analyst.project / "models/staging/app__clients.sql"
    model.write_text(model.read_text().replace("@clean_name(name)", "@clean_name(label)"))
    before = state(analyst.data)
    done = analyst.call("run", check=False)
    assert done.returncode == 1
    assert "staging.app__clients (models/staging/app__clients.sql): Binder Error" in done.stderr
    assert re.search("the contract has changed in this run: .*just run --deploy", done.stderr)
    assert state(analyst.data) == before
    done = analyst.call("run", "--deploy")
    assert "sources.app__clients follows the contract: name is now called label." in done.stdout
    assert state(analyst.data)["intermediate.clients"] == before["intermediate.clients"]
    later = ["--scale", "0.2", "--as-of", str(date(AS_OF.year, 3, 2))]
    analyst.call("run", options=later)
