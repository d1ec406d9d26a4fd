"""The simulated company: the same every time, with a past that never changes."""

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from applications import tables_of
from conftest import AS_OF, COMPANY, PROJECT
from data_platform.ingest.extract import extract
from data_platform.ingest.manifest import Manifest, read_manifest
from data_platform.names import FaultKind
from data_platform.settings import Settings
from data_platform.simulation import Simulation
from data_platform.sources.contract_file import read_contract
from data_platform.sources.simulated import app, billing, draws
from data_platform.sources.simulated.company import Company
from data_platform.sources.simulated.references import reference_digits
from reference import clean, clean_email, is_test, person_key

LAST = date(2026, 10, 31)
DAYS = st.dates(date(2022, 1, 1), LAST)
SCALES = st.sampled_from([0.001, 0.02, 0.1, 0.3])
SEEDS = st.integers(-1000, 1000)
some = settings(max_examples=8, suppress_health_check=list(HealthCheck))


def extracted(
    folder: Path,
    as_of: date,
    seed: int = 42,
    scale: float = 0.1,
    sources: Sequence[str] = (),
    **options: Any,
) -> Manifest:
    simulation = Simulation(seed, scale, **options)
    extract(Settings(as_of, PROJECT, folder, "duckdb"), simulation, sources)
    return read_manifest(folder / "sources")


def tables(folder: Path) -> dict[str, pl.DataFrame]:
    """Every table of the extracts, with the contract's columns also where it has no rows."""
    manifest = read_manifest(folder / "sources")
    contract = {table.key: table for table in read_contract(PROJECT).extracted}
    return {
        name: pl.concat(
            [
                pl.DataFrame(schema=contract[name].polars_schema),
                *(pl.read_parquet(folder / "sources" / file.path) for file in files),
            ]
        )
        for name, files in manifest.tables.items()
    }


def truth(folder: Path, source: str) -> dict[str, dict]:
    kinds = json.loads((folder / "sources" / "truth.json").read_text())
    return {kind: entry for kind, entry in kinds.items() if entry["source"] == source}


@some
@given(seed=SEEDS, scale=SCALES, as_of=DAYS)
def test_the_same_company_on_the_same_day_is_the_same_bytes(
    seed: int, scale: float, as_of: date
) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        first = extracted(Path(one) / "data", as_of, seed, scale)
        assert first == extracted(Path(other) / "data", as_of, seed, scale)


@some
@given(seed=SEEDS, scale=SCALES, as_of=DAYS, days=st.integers(1, 400))
def test_time_adds_to_the_past_and_never_rewrites_it(
    seed: int, scale: float, as_of: date, days: int
) -> None:
    later = min(as_of + timedelta(days=days), LAST)
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        before = extracted(Path(one), as_of, seed, scale)
        after = extracted(Path(other), later, seed, scale)
        old, new = tables(Path(one)), tables(Path(other))
    complete = {
        file for file in before.tables["app.invoices"] if file.last_date < as_of.replace(day=1)
    }
    assert complete <= set(after.tables["app.invoices"])
    paid = {
        file for file in before.tables["billing.payments"] if file.last_date < as_of.replace(day=1)
    }
    assert paid <= set(after.tables["billing.payments"])
    for name in ("app.users", "app.clients", "app.invoices"):
        assert old[name].equals(new[name].head(len(old[name]))), name
    contracts = new["app.job_contracts"].head(len(old["app.job_contracts"]))
    ended_since = pl.col("end_date") > as_of
    untold = contracts.with_columns(end_date=pl.when(~ended_since).then("end_date"))
    assert old["app.job_contracts"].equals(untold)
    seen = set(map(person_key, old["crm.customers"].to_dicts()))
    assert seen <= set(map(person_key, new["crm.customers"].to_dicts()))


@some
@given(seed=SEEDS, scale=SCALES, as_of=DAYS)
def test_business_rules_always_hold(seed: int, scale: float, as_of: date) -> None:
    with TemporaryDirectory() as folder:
        extracted(Path(folder), as_of, seed, scale)
        found = tables(Path(folder))
    users = {row["id"]: row for row in found["app.users"].to_dicts()}
    contracts = found["app.job_contracts"].to_dicts()
    invoices = found["app.invoices"]
    assert users
    assert len(found["app.clients"]) >= 1

    by_person: dict[tuple, list[dict]] = {}
    for row in contracts:
        assert row["entity"] in ("blue", "green")
        assert row["start_date"] <= (row["end_date"] or as_of) <= as_of
        assert not is_test(users[row["user_id"]])
        by_person.setdefault(person_key(users[row["user_id"]]), []).append(row)
    for rows in by_person.values():
        rows.sort(key=lambda row: row["start_date"])
        for earlier, next_one in itertools.pairwise(rows):
            assert earlier["end_date"] < next_one["start_date"]

    terms = {row["id"]: row for row in contracts}
    clients = set(found["app.clients"]["id"])
    for row in invoices.to_dicts():
        term = terms[row["job_contract_id"]]
        assert term["start_date"] <= row["issue_date"] <= (term["end_date"] or as_of)
        assert row["client_id"] in clients
        assert row["amount"] > 0
        assert (row["issue_date"].year, row["issue_date"].month) != (2023, 10)
    assert invoices["issue_date"].is_sorted()
    assert invoices["reference"].is_unique().all()
    assert invoices["reference"].is_sorted()
    width = reference_digits(scale)
    assert invoices["reference"].str.contains(f"^JMP[0-9]{{{width}}}$").all()
    assert invoices["id"].is_unique().all()

    customers = found["crm.customers"]
    assert (customers["updated_at"] <= as_of).all()
    assert customers["satisfaction_score"].drop_nulls().is_between(0, 10).all()
    for name, frame in found.items():
        nullable = {"end_date", "satisfaction_score"}
        for column in set(frame.columns) - nullable:
            assert frame[column].null_count() == 0, (name, column)


def test_a_score_is_never_older_than_the_sign_up(tmp_path: Path) -> None:
    company = Company(42, 0.5, date(2025, 6, 30))
    extracted(tmp_path, company.as_of, scale=0.5, is_pristine=True)
    updated = (tables(tmp_path)["crm.customers"]["updated_at"] - date(2022, 1, 1)).dt.total_days()
    assert (updated.to_numpy() >= company.people.signup).all()


def test_scale_one_has_the_size_that_the_design_names(tmp_path: Path) -> None:
    extracted(tmp_path, date(2026, 10, 31), scale=1)
    found = tables(tmp_path)
    assert 900 <= len(found["app.users"]) <= 1_100
    assert 17 <= len(found["app.clients"]) <= 23
    assert 13_500 <= len(found["app.invoices"]) <= 16_500
    people = Counter(found["app.job_contracts"]["user_id"])
    contracts = Counter(
        person_key(row) for row in found["app.users"].to_dicts() for _ in range(people[row["id"]])
    )
    assert 0.07 <= sum(n > 1 for n in contracts.values()) / len(contracts) <= 0.15


def test_counts_grow_in_proportion_to_the_scale(tmp_path: Path) -> None:
    sizes = []
    for scale in (0.5, 2):
        extracted(tmp_path / str(scale), date(2025, 12, 31), scale=scale)
        sizes.append({name: len(frame) for name, frame in tables(tmp_path / str(scale)).items()})
    for name in ("app.users", "app.invoices", "app.job_contracts", "crm.customers"):
        assert 3.6 <= sizes[1][name] / sizes[0][name] <= 4.4, name


def test_a_second_extract_rewrites_only_what_changed(tmp_path: Path) -> None:
    extracted(tmp_path, date(2024, 5, 30))
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")}
    extracted(tmp_path, date(2024, 5, 30))
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")} == before
    extracted(tmp_path, date(2024, 5, 31))
    kept = {p for p in before if p.exists() and p.stat().st_mtime_ns == before[p]}
    assert {p.name[:7] for p in before.keys() - kept if "invoices" in str(p)} <= {"2024-05"}
    listed = {
        tmp_path / "sources" / file.path
        for files in read_manifest(tmp_path / "sources").tables.values()
        for file in files
    }
    assert set(tmp_path.rglob("*.parquet")) == listed


@pytest.mark.slow(reason="hypothesis over extracts; a day over another is tried by every run")
@some
@given(
    days=st.lists(st.tuples(DAYS, st.booleans()), min_size=2, max_size=4), scale=SCALES, seed=SEEDS
)
def test_an_extract_over_another_is_the_same_as_one_in_an_empty_folder(
    days: list[tuple[date, bool]], scale: float, seed: int
) -> None:
    with TemporaryDirectory() as over, TemporaryDirectory() as fresh:
        for as_of, pristine in days:
            extracted(Path(over), as_of, seed, scale, is_pristine=pristine)
        extracted(Path(fresh), as_of, seed, scale, is_pristine=pristine)
        for name in ("manifest.json", "truth.json"):
            mine, theirs = (Path(folder) / "sources" / name for folder in (over, fresh))
            assert mine.read_bytes() == theirs.read_bytes(), name
        files = {path.relative_to(over).as_posix() for path in Path(over).rglob("*.parquet")}
        assert files == {
            path.relative_to(fresh).as_posix() for path in Path(fresh).rglob("*.parquet")
        }


def test_a_month_that_is_settled_is_drawn_again_when_its_file_is_damaged(tmp_path: Path) -> None:
    manifest = extracted(tmp_path, date(2023, 8, 20))
    path = tmp_path / "sources" / manifest.tables["app.invoices"][0].path
    content = path.read_bytes()
    for damage in (lambda: path.write_bytes(content[:-1]), path.unlink):
        damage()
        extracted(tmp_path, date(2023, 8, 21))
        assert path.read_bytes() == content


def test_extracting_one_source_leaves_the_other_alone(tmp_path: Path) -> None:
    before = extracted(tmp_path, date(2024, 5, 30))
    after = extracted(tmp_path, date(2024, 6, 30), sources=["crm"])
    assert after.sources["app"] == before.sources["app"]
    assert after.sources["crm"].as_of == date(2024, 6, 30)
    for name in ("app.users", "app.invoices", "app.job_contracts", "app.clients"):
        assert after.tables[name] == before.tables[name]
    assert truth(tmp_path, "app")["test-accounts"]["count"] > 0
    assert truth(tmp_path, "crm")["people-twice-in-the-crm"]["count"] > 0


def test_the_dirt_is_what_the_truth_says(tmp_path: Path) -> None:
    extracted(tmp_path, date(2026, 10, 31), scale=1)
    found = tables(tmp_path)
    app, crm = truth(tmp_path, "app"), truth(tmp_path, "crm")
    users = found["app.users"].to_dicts()
    for kind in app | crm:
        assert (app | crm)[kind]["count"] == len((app | crm)[kind]["keys"]) > 0, kind
    assert {row["id"] for row in users if is_test(row)} == set(app["test-accounts"]["keys"])
    spaced = {r["id"] for r in users for c in ("first_name", "last_name") if clean(r[c]) != r[c]}
    assert spaced == set(app["spaces-in-names"]["keys"])
    emails = {r["id"] for r in users if clean_email(r["email"]) != r["email"]}
    assert emails == set(app["case-in-emails"]["keys"]) | set(app["spaces-in-emails"]["keys"])

    people: dict[tuple, list[str]] = {}
    for row in users:
        people.setdefault(person_key(row), []).append(row["id"])
    seconds = sum(len(accounts) - 1 for accounts in people.values())
    assert seconds == app["second-accounts"]["count"]
    names = Counter(clean(name).upper() for name in found["app.clients"]["name"])
    assert sum(n - 1 for n in names.values()) == app["second-clients"]["count"]

    numbers = found["app.invoices"]["reference"].str.slice(3).cast(pl.Int64).to_list()
    missing = set(range(1, numbers[-1])) - set(numbers)
    gaps = {int(key[3:]) for key in app["reference-gaps"]["keys"]}
    assert missing == gaps

    in_crm = Counter(map(person_key, found["crm.customers"].to_dicts()))
    real = {person_key(row) for row in users if not is_test(row)}
    assert len(real - in_crm.keys()) == crm["users-whom-the-crm-lacks"]["count"]
    assert len(in_crm.keys() - real) == crm["crm-people-who-are-no-users"]["count"]
    twice = sum(n - 1 for n in in_crm.values())
    assert twice == crm["people-twice-in-the-crm"]["count"]


def test_a_pristine_company_has_no_dirt(tmp_path: Path) -> None:
    manifest = extracted(tmp_path, date(2026, 10, 31), scale=1, is_pristine=True)
    assert manifest.sources["app"].company.variant == "pristine"
    assert not any(kind["count"] for kind in truth(tmp_path, "app").values())
    assert not any(kind["count"] for kind in truth(tmp_path, "crm").values())
    found = tables(tmp_path)
    users, customers = found["app.users"].to_dicts(), found["crm.customers"].to_dicts()
    assert Counter(map(person_key, users)) == Counter(map(person_key, customers))
    assert all(clean(row["last_name"]) == row["last_name"] for row in users + customers)
    assert not any(is_test(row) for row in users)
    numbers = found["app.invoices"]["reference"].str.slice(3).cast(pl.Int64).to_list()
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("kind", list(FaultKind))
def test_an_injected_error_is_planted_and_told(tmp_path: Path, kind: FaultKind) -> None:
    manifest = extracted(tmp_path / "bad", date(2024, 3, 31), faults=(kind,))
    extracted(tmp_path / "good", date(2024, 3, 31))
    assert manifest.sources["app"].company.variant == kind
    assert truth(tmp_path / "bad", "app")[kind]["count"] == 3
    bad, good = tables(tmp_path / "bad"), tables(tmp_path / "good")
    changed = {name for name in good if not good[name].equals(bad[name])}
    assert len(changed) == 1


def test_invoices_are_paid_late_in_parts_never_or_twice(tmp_path: Path) -> None:
    extracted(tmp_path, date(2026, 10, 31), scale=1)
    found, noted = tables(tmp_path), truth(tmp_path, "billing")
    payments = found["billing.payments"].with_columns(
        reference=pl.col("invoice_reference").str.strip_chars(" \t\r\n")
    )
    both = payments.join(found["app.invoices"], on="reference", suffix="_of_invoice")
    unknown = payments.join(found["app.invoices"], on="reference", how="anti")
    assert len(unknown) == noted["payments-of-no-invoice"]["count"] > 0
    spaced = payments.filter(pl.col("reference") != pl.col("invoice_reference"))
    assert len(spaced) == noted["spaces-in-payment-references"]["count"] > 0
    assert payments["id"].is_unique().all()
    days = (both["paid_on"] - both["issue_date"]).dt.total_days()
    assert (days.min(), days.max()) == (5, 75)
    assert 0.15 < (days > 30).mean() < 0.35  # type: ignore[operator]
    paid = both.group_by("reference").agg(
        pl.col("amount").sum(), pl.len().alias("times"), pl.col("amount_of_invoice").first()
    )
    complete = paid["amount"] == paid["amount_of_invoice"]
    assert ((paid["times"] == 2) & complete).sum() > 100  # in two parts
    assert (paid["amount"] < paid["amount_of_invoice"]).sum() > 100
    twice = (paid["amount"] > paid["amount_of_invoice"]).sum()
    assert 0 < twice < 0.003 * len(paid)
    old = found["app.invoices"].filter(pl.col("issue_date") < date(2026, 8, 1))
    never = old.join(payments, on="reference", how="anti")
    assert 0.02 < len(never) / len(old) < 0.05


# Of each table's values, written as CSV: the first half of SHA-256.
HISTORY = {
    "app.clients": "fdb655af07d48d41",
    "app.invoices": "3a87120ff61e6447",
    "app.job_contracts": "4f0e93749d27efbd",
    "app.users": "1cc4db64efc81284",
    "billing.payments": "680b759ebafa8deb",
    "crm.customers": "4b4a1464e232460a",
}


def test_the_history_of_a_seed_is_that_of_earlier_versions(
    simulated: dict[str, pl.DataFrame],
) -> None:
    """Otherwise every row of a lakehouse would differ after an update of the platform."""
    assert {
        name: hashlib.sha256(table.write_csv().encode()).hexdigest()[:16]
        for name, table in simulated.items()
    } == HISTORY


def test_a_table_is_the_same_in_whatever_pieces_it_is_made(
    tmp_path: Path, simulated: dict[str, pl.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a company that is small, each table and each month is one piece."""
    for module in (app, billing, draws):
        monkeypatch.setattr(module, "PIECE_ROWS", 8)
    extracted(tmp_path, AS_OF, COMPANY.random_seed, COMPANY.scale)
    found = tables_of(tmp_path / "sources")
    assert found.keys() == simulated.keys()
    assert [name for name, table in found.items() if not table.equals(simulated[name])] == []
