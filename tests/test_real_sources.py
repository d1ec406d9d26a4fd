"""Real applications in the simulator's place: exact, of one moment, or refused in a line."""

import re
from datetime import date, timedelta

import polars as pl
import pytest

from applications import (
    SIMULATED,
    Database,
    address,  # noqa: F401
    database,  # noqa: F401
    needs_postgres,
    of_app,
    tables_of,
)
from conftest import AS_OF, Platform, options_of
from database import PASSWORD, execute, fill
from editing import invoiced, total
from faults import status_of


@needs_postgres
def test_a_database_gives_the_rows_that_the_simulator_gives(
    database: Database, simulated: dict[str, pl.DataFrame]
) -> None:
    platform = database.platform
    platform.call("extract", "load")
    found = tables_of(platform.data / "sources")
    for name, rows in simulated.items():
        assert found[name].equals(rows), name
    manifest = (platform.data / "sources/manifest.json").read_text()
    assert re.search(r'"position": "[0-9A-F]+/[0-9A-F]+"', manifest)
    assert PASSWORD not in manifest and "s3cret" not in manifest
    again = platform.call("extract", "load")
    assert "0 files written" in again.stdout and "nothing changed" in again.stdout
    # Late rows, deletions and what the future brings.
    tomorrow = AS_OF + timedelta(days=1)
    execute(
        database.address,
        "DELETE FROM invoices WHERE reference = (SELECT MIN(reference) FROM invoices)",
        "INSERT INTO invoices SELECT 'late', job_contract_id, client_id, 'JMP99998', 7.5, "
        "issue_date FROM invoices ORDER BY reference LIMIT 1",
        "INSERT INTO invoices SELECT 'early', job_contract_id, client_id, 'JMP99999', 1, "
        f"'{tomorrow}' FROM invoices ORDER BY reference LIMIT 1",
        "INSERT INTO job_contracts SELECT 'to come', user_id, entity, "
        f"DATE '{tomorrow}', NULL FROM job_contracts LIMIT 1",
        "UPDATE job_contracts SET end_date = '2999-12-31' WHERE id = "
        "(SELECT MIN(id) FROM job_contracts WHERE end_date IS NULL)",
    )
    done = platform.call("extract", "load")
    assert "1 row new" in done.stdout or "rows new" in done.stdout
    contracts = platform.rows("SELECT id FROM sources.app__job_contracts")
    assert ("to come",) not in contracts
    references = {row[0] for row in platform.rows("SELECT reference FROM sources.app__invoices")}
    assert "JMP99998" in references and "JMP99999" not in references


@needs_postgres
@pytest.mark.slow(reason="two first runs; that the extracts are equal is tried each time")
def test_a_run_over_a_database_shows_what_one_over_the_simulator_shows(
    database: Database, begun: Platform
) -> None:
    database.platform.call("run")
    assert total(database.platform, "marts") == invoiced(database.platform)
    for path in sorted((begun.data / "exports").glob("*.csv")):
        ours = database.platform.data / "exports" / path.name
        assert ours.read_bytes() == path.read_bytes(), path.name
    # Contracts may end after the as-of date, and are open until then.
    stagnant = "SELECT COUNT(*) FROM marts.care__stagnant_freelancers"
    before = database.platform.rows(stagnant)
    execute(
        database.address, "UPDATE job_contracts SET end_date = '2999-12-31' WHERE end_date IS NULL"
    )
    database.platform.call("run")
    assert database.platform.rows(stagnant) == before
    for path in sorted((begun.data / "exports").glob("*.csv")):
        ours = database.platform.data / "exports" / path.name
        assert ours.read_bytes() == path.read_bytes(), path.name


@needs_postgres
def test_a_real_application_does_not_go_back_nor_into_a_simulated_company_s_lakehouse(
    database: Database,
) -> None:
    platform = database.platform
    platform.call("extract", "load")
    done = platform.call("extract", "--inject", "orphan-invoices", check=False)
    assert done.returncode == 2 and "--inject plants errors in the simulated" in done.stderr
    done = platform.call("extract", options=options_of(date(2024, 1, 31)), check=False)
    assert done.returncode == 1
    assert "source app is a real application" in done.stderr
    database.state(SIMULATED.format("app"))
    done = platform.call("run", check=False)
    assert done.returncode == 1
    assert "the lakehouse holds another company, expected seed 42, scale 0.2, found real data" in (
        done.stderr
    )


BROKEN = {
    "a wider scale": ("ALTER TABLE invoices ALTER amount TYPE numeric; UPDATE invoices SET amount "
                      "= 1.005 WHERE reference = 'JMP00001'",
                      "app.invoices: column amount expected a number of at most 8 digits and 2 "
                      "decimals, found something else in 1 of"),
    "no number": ("ALTER TABLE invoices ALTER amount TYPE numeric; UPDATE invoices SET amount = "
                  "'NaN' WHERE reference <= 'JMP00002'", "column amount expected .* in 2 of"),
    "a number too large": ("ALTER TABLE invoices ALTER amount TYPE numeric; UPDATE invoices SET "
                           "amount = 100000000", "column amount expected a number"),
    "a null": ("UPDATE invoices SET issue_date = NULL WHERE reference = 'JMP00001'",
               "column issue_date expected a value, found none in 1 of"),
    "infinity": ("UPDATE invoices SET issue_date = '-infinity' WHERE reference = 'JMP00001'",
                 "column issue_date expected a date, found infinity in 1 of"),
    "another type": ("ALTER TABLE invoices ALTER issue_date TYPE timestamp",
                     "column issue_date is of type timestamp without time zone, expected date"),
    "a missing column": ("ALTER TABLE clients DROP COLUMN name", "app.clients: .*name"),
    "a missing table": ("DROP TABLE clients", "app.clients: .*clients"),
    "before the company": ("UPDATE invoices SET issue_date = '2021-12-31' WHERE reference = "
                           "'JMP00001'", "expected nothing before 2022-01-01"),
}  # fmt: skip


@needs_postgres
def test_what_does_not_fit_is_refused_in_a_line_and_changes_nothing(
    database: Database, simulated: dict[str, pl.DataFrame]
) -> None:
    platform = database.platform
    platform.call("extract", "load")
    before = status_of(platform)["load"]
    for what, (sql, said) in BROKEN.items():
        execute(database.address, *sql.split("; "))
        done = platform.call("extract", "load", check=False)
        assert done.returncode == 1, what
        assert re.search(said, done.stderr), (what, done.stderr)
        assert done.stderr.count("\n") == 1 and "s3cret" not in done.stderr, done.stderr
        assert status_of(platform)["load"] == before
        fill(database.address, of_app(simulated))


@needs_postgres
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda address: "", "the environment variable APP_DATABASE_URL is not set"),
        (lambda address: address.replace("s3cret", "wr0ng"), "password authentication failed"),
        (lambda address: address.replace("127.0.0.1", "no.such.host.invalid"), "no.such.host"),
        (lambda address: address.replace("/postgres", "/nothing"), "nothing"),
        (lambda address: address.replace("s3cret%20word", "s3cret/w@rd"), "are written %2F"),
        (
            lambda address: address.replace("127.0.0.1", "[::1"),
            "holds no address like",
        ),  # libpq would quote it
    ],
    ids=[
        "no address",
        "a wrong password",
        "an unknown host",
        "no database",
        "an open password",
        "no address at all",
    ],
)
def test_a_database_that_cannot_be_reached_is_told_without_its_password(
    database: Database, monkeypatch: pytest.MonkeyPatch, change, said: str
) -> None:
    monkeypatch.setenv("APP_DATABASE_URL", change(database.address))
    done = database.platform.call("extract", check=False)
    assert done.returncode == 1
    assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert "wr0ng" not in done.stderr and "s3cret" not in done.stderr


@needs_postgres
def test_another_table_a_query_and_an_expression_take_the_place_of_names(
    database: Database, simulated: dict[str, pl.DataFrame]
) -> None:
    execute(
        database.address,
        "ALTER TABLE users RENAME TO accounts",
        "ALTER TABLE accounts RENAME COLUMN email TO mail",
        "ALTER TABLE invoices ADD COLUMN is_draft boolean DEFAULT false",
    )
    database.state(
        "app:\n  kind: postgres\n  url_env: APP_DATABASE_URL\n  tables:\n"
        "    users: {table: accounts, columns: {email: mail}}\n"
        "    invoices: {query: SELECT * FROM public.invoices WHERE NOT is_draft}\n"
    )
    database.platform.call("extract")
    found = tables_of(database.platform.data / "sources")
    assert found["app.users"].equals(simulated["app.users"])
    assert found["app.invoices"].equals(simulated["app.invoices"])
