"""Real applications in the simulator's place: exact, of one moment, or refused in a line."""

import re
from datetime import date, timedelta
from pathlib import Path

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


# --- Files ------------------------------------------------------------------------------------


CRM = "crm:\n  kind: files\n  folder: drop\n"
REST = "".join(SIMULATED.format(name) for name in ("app", "billing"))


@pytest.fixture
def dropped(analyst: Platform, simulated: dict[str, pl.DataFrame]) -> Path:
    """A platform's folder into which the CRM delivers, with one delivery in it."""
    (analyst.project / "sources.yaml").write_text(CRM + REST)
    folder = analyst.project / "drop"
    folder.mkdir()
    simulated["crm.customers"].write_csv(folder / "customers_2024-02-29.csv")
    return folder


def test_a_delivery_gives_the_rows_that_the_simulator_gives(
    dropped: Path, analyst: Platform, simulated: dict[str, pl.DataFrame]
) -> None:
    analyst.call("extract")
    found = tables_of(analyst.data / "sources")
    assert found["crm.customers"].equals(simulated["crm.customers"])
    # The newest delivery is what counts, in whatever order its columns are, and in Parquet too.
    rows = simulated["crm.customers"].head(50)
    rows.select(rows.columns[::-1]).write_csv(dropped / "customers_2024-03-01.csv")
    analyst.call("extract")
    assert len(tables_of(analyst.data / "sources")["crm.customers"]) == 50
    rows.head(40).write_parquet(dropped / "customers_2024-03-02.parquet")
    analyst.call("extract")
    assert len(tables_of(analyst.data / "sources")["crm.customers"]) == 40


def test_payments_after_the_as_of_date_wait_for_their_day(
    analyst: Platform, simulated: dict[str, pl.DataFrame]
) -> None:
    text = "billing:\n  kind: files\n  folder: .\n"
    states = text + "".join(SIMULATED.format(name) for name in ("app", "crm"))
    (analyst.project / "sources.yaml").write_text(states)
    payments = simulated["billing.payments"]
    late = payments.head(1).with_columns(id=pl.lit("late"), paid_on=AS_OF + timedelta(days=1))
    pl.concat([late, payments]).write_csv(analyst.project / "payments_1.csv")
    analyst.call("extract", "load")
    assert tables_of(analyst.data / "sources")["billing.payments"].equals(payments)
    analyst.call("extract", "load", options=options_of(AS_OF + timedelta(days=1)))
    assert analyst.rows("SELECT id FROM sources.billing__payments WHERE id = 'late'")


def test_the_file_of_a_french_spreadsheet_is_read_as_it_is_written(
    dropped: Path, analyst: Platform
) -> None:
    text = "last_name;first_name;email;satisfaction_score;updated_at\r\n"
    text += 'Lefèvre;"Zoé; dite Z";z@x.test;9;2024-01-31\r\nRoux;;r@x.test;;2024-02-01\r\n'
    (dropped / "customers_2024-03-01.csv").write_bytes(text.encode("cp1252"))
    states = '  delimiter: ";"\n  encoding: cp1252\n'
    (analyst.project / "sources.yaml").write_text(CRM + states + REST)
    analyst.call("extract")
    rows = tables_of(analyst.data / "sources")["crm.customers"].rows()
    assert rows == [
        ("Lefèvre", "Zoé; dite Z", "z@x.test", 9, date(2024, 1, 31)),
        ("Roux", "", "r@x.test", None, date(2024, 2, 1)),
    ]


HEADER = "last_name,first_name,email,satisfaction_score,updated_at\n"
UNFIT = {
    "nothing": ("", "is empty"),
    "half a line": (HEADER + "Roux,Max,m@x.test,9,2024-0", "ends within a line"),
    "a value less": (HEADER + "Roux,Max,m@x.test\n", "line 2 has 3 values, expected 5; 1 line"),
    "a value more": (HEADER + 3 * "R,M,m,9,2024-01-31\n" + "Roux,Max,m@x.test,9,2024-01-31,7\n",
                     "line 5 has 6 values, expected 5"),
    "a column twice": (HEADER.replace("email", "last_name") + "R,M,m,9,2024-01-31\n",
                       "has column 'last_name' twice"),
    "a quote within": (HEADER + 'R,5" pipe,m,9,2024-01-31\n', ""),
    "another encoding": ("\xe9".join((HEADER, "\n")), "is not written in utf-8"),
    "no number": (HEADER + "R,M,m,nine,2024-01-31\n", "satisfaction_score expected a whole"),
    "no day": (HEADER + "R,M,m,9,2024-02-30\n", "updated_at expected a date"),
    "another day": (HEADER + "R,M,m,9,31/01/2024\n", "updated_at expected a date like"),
    "a column more": (HEADER.replace("email", "email,age") + "R,M,m,3,9,2024-01-31\n",
                      "has column age"),
    "a column less": (HEADER.replace("email,", "") + "R,M,9,2024-01-31\n", "has no column email"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNFIT)
def test_a_delivery_that_does_not_fit_is_refused_in_a_line(
    dropped: Path, analyst: Platform, what: str
) -> None:
    text, said = UNFIT[what]
    (dropped / "customers_2024-03-01.csv").write_bytes(text.encode("latin-1"))
    done = analyst.call("extract", check=False)
    assert done.returncode == 1
    assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert "crm.customers: file customers_2024-03-01.csv" in done.stderr
    assert not (analyst.data / "sources/manifest.json").exists()


STATED = {
    "kind: files, folder: drop, folder: drops": "folder is there twice",
    "kind: files, folder: drop, time_zone: Mars/Olympus": "expected one like Europe/Paris",
    "kind: files, folder: drop, delimiter: ';;'": "delimiter is to be one character",
    "kind: files, folder: drop, tables: {customers: {columns: {mail: email}}}": "has mail, which",
    "kind: files, folder: drop, tables: {customers: customers}": "expected names and values",
    "kind: postgress": "did you mean postgres",
    "kind: files": "has no folder",
    "kind: files, folder: drop, delimeter: ';'": "did you mean delimiter",
    "kind: files, folder: nowhere": "nowhere does not exist",
    "kind: files, folder_env: NO_SUCH_VARIABLE": "NO_SUCH_VARIABLE is not set",
    "kind: files, folder: drop, tables: {people: {}}": "tables has people",
    "kind: postgres": "has no url_env",
    "kind: simulated, folder: drop": "which a simulated source does not know",
    "max_age_days: 1": "has no kind",
}


@pytest.mark.parametrize("stated", STATED)
def test_an_entry_that_says_something_else_is_refused(
    dropped: Path, analyst: Platform, stated: str
) -> None:
    (analyst.project / "sources.yaml").write_text(f"crm: {{{stated}}}\n{REST}")
    done = analyst.call("extract", check=False)
    assert done.returncode == 1
    assert STATED[stated] in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_a_point_is_no_decimal_where_that_is_a_comma(
    analyst: Platform, simulated: dict[str, pl.DataFrame]
) -> None:
    (analyst.project / "sources.yaml").write_text(
        "billing:\n  kind: files\n  folder: .\n  decimal: ','\n  delimiter: ;\n"
        + "".join(SIMULATED.format(name) for name in ("app", "crm"))
    )
    text = "id;invoice_reference;amount;paid_on\np1;JMP1;{};2024-01-31\n"
    (analyst.project / "payments_1.csv").write_text(text.format("1250,5"))
    analyst.call("extract")
    (analyst.project / "payments_1.csv").write_text(text.format("1.250"))
    done = analyst.call("extract", check=False)
    assert "column amount expected a number" in done.stderr


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("_31-01-2024", "_01-02-2024"), "do not tell which delivery is the newest"),
        (("_2024-01", "_backup"), "do not tell which delivery is the newest"),
        (("_1", "_9", "_10"), ""),
    ],
)
def test_the_newest_delivery_is_known_or_refused(
    analyst: Platform, simulated: dict[str, pl.DataFrame], names: tuple[str, ...], said: str
) -> None:
    (analyst.project / "sources.yaml").write_text(CRM + REST)
    folder = analyst.project / "drop"
    folder.mkdir()
    rows = simulated["crm.customers"]
    for number, name in enumerate(names, start=1):
        rows.head(number).write_csv(folder / f"customers{name}.CSV")
    done = analyst.call("extract", check=False)
    assert said in done.stderr and bool(said) == bool(done.returncode), done.stderr
    if not said:
        assert len(tables_of(analyst.data / "sources")["crm.customers"]) == len(names)


@pytest.mark.parametrize(
    "tag", ["not_befor:issue_date=2024-01-01", "keep_histry", "onn:issue_date"]
)
def test_a_tag_that_is_none_is_refused(analyst: Platform, tag: str) -> None:
    contract = analyst.project / "external_models.yaml"
    text = contract.read_text()
    contract.write_text(text.replace("['on:issue_date'", f"['{tag}', 'on:issue_date'"))
    done = analyst.call("extract", check=False)
    assert done.returncode == 1 and f"there is no tag '{tag}'" in done.stderr
    assert "did you mean" in done.stderr


def test_a_delivery_counts_once_it_is_complete_and_is_one(
    analyst: Platform, simulated: dict[str, pl.DataFrame]
) -> None:
    states = "app:\n  kind: files\n  folder: drop\n"
    (analyst.project / "sources.yaml").write_text(
        states + "".join(SIMULATED.format(name) for name in ("crm", "billing"))
    )
    folder = analyst.project / "drop"
    folder.mkdir()
    tables = of_app(simulated)
    for name, rows in tables.items():
        rows.write_csv(folder / f"{name}_2024-02-28.csv")
        if name != "invoices":  # of the newer delivery, one file is not there yet
            rows.head(1).write_csv(folder / f"{name}_2024-02-29.csv")
    analyst.call("extract", "-s", "app")
    assert tables_of(analyst.data / "sources")["app.users"].equals(simulated["app.users"])
    tables["invoices"].head(1).write_parquet(folder / "invoices_2024-02-29.parquet")
    analyst.call("extract", "-s", "app")
    assert {len(tables_of(analyst.data / "sources")[f"app.{name}"]) for name in tables} == {1}
    tables["invoices"].write_csv(folder / "invoices_2024-02-29.csv")
    done = analyst.call("extract", "-s", "app", check=False)
    assert done.returncode == 1 and "are of one delivery; remove one" in done.stderr
    # All of them: what is there twice is there twice.
    (analyst.project / "sources.yaml").write_text(
        states
        + "  deliveries: all\n"
        + "".join(SIMULATED.format(name) for name in ("crm", "billing"))
    )
    analyst.call("extract", "-s", "app")
    found = tables_of(analyst.data / "sources")["app.users"]
    assert len(found) == len(simulated["app.users"]) + 1
