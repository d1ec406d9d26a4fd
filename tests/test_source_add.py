"""A new application takes no Python: `source add` drafts all that it needs from what it finds."""

import re
import sqlite3
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

import database
import mysql
from applications import tables_of
from conftest import Platform

RECEIPTS = pl.DataFrame(
    {
        "id": ["r1", "r2"],
        "employee_email": ["Zoé@x.test", "max@x.test"],
        "category": ["train", None],
        "amount": [Decimal("12.50"), Decimal("7.25")],
        "bought_on": [date(2024, 1, 31), date(2024, 2, 1)],
        "approved_at": [datetime(2024, 2, 1, 10, 0, 0, 5), None],
    },
    schema_overrides={"amount": pl.Decimal(10, 2)},
)
COLUMNS = {
    "id": "text", "employee_email": "text", "category": "text", "amount": r"decimal\(1[08], 2\)",
    "bought_on": "date", "approved_at": "timestamp",
}  # fmt: skip
DDL = """CREATE TABLE receipts (id VARCHAR(40) PRIMARY KEY, employee_email VARCHAR(200) NOT NULL,
category VARCHAR(20), amount NUMERIC(10,2) NOT NULL, bought_on DATE NOT NULL,
approved_at {})"""
ROWS = """INSERT INTO receipts VALUES ('r1', 'Zoé@x.test', 'train', 12.5, '2024-01-31',
'2024-02-01 10:00:00.000005'), ('r2', 'max@x.test', NULL, 7.25, '2024-02-01', NULL)"""


def place(kind: str, folder: Path, request: pytest.FixtureRequest) -> str:
    """Put the receipts somewhere; gives where."""
    file = folder / f"receipts_1.{kind}"
    if kind == "csv":
        text = RECEIPTS.write_csv(separator=";")
        file.write_bytes(re.sub(r"(\d+)\.(\d\d);", r"\1,\2;", text).encode("cp1252"))
    elif kind == "xlsx":
        RECEIPTS.with_columns(pl.col("approved_at").dt.truncate("1s")).write_excel(file)
    elif kind == "parquet":
        RECEIPTS.write_parquet(file)
    elif kind == "db":
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute(DDL.format("TEXT"))
            connection.execute(ROWS)
    elif kind == "duckdb":
        with duckdb.connect(str(file)) as connection:
            connection.execute(DDL.format("TIMESTAMP"))
            connection.execute(ROWS)
    else:
        server = request.getfixturevalue(f"{kind}_server")
        execute = {"mysql": mysql.execute, "postgres": database.execute}[kind]
        type_ = {"mysql": "DATETIME(6)", "postgres": "timestamp"}[kind]
        execute(server, "DROP TABLE IF EXISTS receipts", DDL.format(type_), ROWS)
        return server
    return str(file)


@pytest.fixture(scope="module")
def mysql_server():
    with mysql.server() as address:
        yield address


@pytest.fixture(scope="module")
def postgres_server():
    with database.server() as address:
        yield address


NO_POSTGRES = pytest.mark.skipif(database.programs() is None, reason="no PostgreSQL")
NO_MYSQL = pytest.mark.skipif(mysql.program() is None, reason="no MariaDB")


@pytest.mark.parametrize(
    "kind",
    ["csv", "xlsx", "parquet", "db", "duckdb", pytest.param("postgres", marks=NO_POSTGRES),
     pytest.param("mysql", marks=NO_MYSQL)],
)  # fmt: skip
def test_a_table_of_any_kind_is_drafted_checked_and_extracted(
    kind: str, analyst: Platform, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = analyst.project / "drop"
    drop.mkdir()
    where = place(kind, drop, request)
    files = {p: p.read_text() for p in analyst.project.glob("*.yaml")}
    words = ["source", "add", "expenses.receipts", "--from", where]
    shown = analyst.call(*words, "--dry-run")
    assert "Nothing was written." in shown.stdout
    assert {p: p.read_text() for p in analyst.project.glob("*.yaml")} == files

    done = analyst.call(*words)
    assert "Written: 4 files." in done.stdout
    assert (
        "s3cret" not in shown.stdout + done.stdout + (analyst.project / "sources.yaml").read_text()
    )
    contract = (analyst.project / "external_models.yaml").read_text().partition("expenses__")[2]
    for name, type_ in COLUMNS.items():
        assert re.search(rf"    {name}: {type_}\n", contract), (name, contract)
    assert "'on:bought_on', 'money:amount', 'personal:employee_email'" in contract
    assert "columns: (id, employee_email, amount, bought_on)" in contract
    if "://" in where:
        assert "set EXPENSES_URL wherever" in done.stdout
        monkeypatch.setenv("EXPENSES_URL", where)
    checked = analyst.call("sources", "check", "-s", "expenses", "--format", "csv").stdout
    assert "expenses,receipts,2,fits" in checked
    analyst.call("extract")
    found = tables_of(analyst.data / "sources", analyst.project)["expenses.receipts"]
    exact = RECEIPTS.with_columns(
        pl.col("approved_at").dt.truncate("1s" if kind == "xlsx" else "1us")
    )
    assert found.with_columns(pl.col("amount").cast(pl.Decimal(10, 2))).equals(exact)


@pytest.mark.slow(reason="a first run; that the drafts are read is tried each time")
def test_what_is_drafted_runs_with_its_unit_test(
    analyst: Platform, request: pytest.FixtureRequest
) -> None:
    drop = analyst.project / "drop"
    drop.mkdir()
    analyst.call("source", "add", "expenses.receipts", "--from", place("csv", drop, request))
    analyst.call("run")
    rows = analyst.rows("SELECT id, category, amount FROM staging.expenses__receipts ORDER BY id")
    assert rows == [("r1", "train", Decimal("12.50")), ("r2", None, Decimal("7.25"))]
    assert "`1` Tests" in analyst.sqlmesh("test", "-k", "expenses").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("receipts", "--from", "x.csv"), 2, "'receipts' is no name of a table"),
        (("app.users", "--from", "x.csv"), 1, "has sources.app__users already"),
        (("expenses.receipts", "--from", "x.csv"), 1, "there is no file x.csv"),
        (("expenses.receipts", "--from", "x.doc"), 1, "nothing is known of such a place"),
        (("expenses.receipts", "--from", "oracle://u:s3cret@h/x"), 1, "nothing is known of such"),
        (("billing.refunds", "--from", "config.db"), 1, "says that billing is of kind simulated"),
        (("expenses.receipts", "--from", "config.db"), 1, "no such table: receipts"),
    ],
)
def test_what_cannot_be_drafted_is_told_in_a_line(
    analyst: Platform, words: tuple[str, ...], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(analyst.data.parent / "config.db")) as connection, connection:
        connection.execute("CREATE TABLE refunds (id TEXT)")
    done = analyst.call("source", "add", *words, check=False)
    assert done.returncode == code and said in done.stderr, done.stderr
    assert "s3cret" not in done.stderr and done.stderr.count("\n") <= 3
