"""MySQL, SQLite, DuckDB and spreadsheets in the simulator's place: exact, or refused."""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path

import duckdb
import polars as pl
import pytest
import xlsxwriter

import mysql
from applications import SIMULATED, TABLES, of_app, tables_of
from conftest import AS_OF, PROJECT, Platform
from data_platform.sources.databases.query import OF_A_TABLE
from data_platform.sources.entries import Entry
from data_platform.sources.files.drop_folder import _OF_A_TABLE
from data_platform.sources.registry import KINDS, open_source

needs_mysql = pytest.mark.skipif(
    mysql.program() is None and "CI" not in os.environ, reason="MariaDB is not installed"
)
REST = "".join(SIMULATED.format(name) for name in ("crm", "billing"))


def fill_sqlite(path: Path, tables: dict[str, pl.DataFrame]) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        for name, frame in tables.items():
            texts = frame.with_columns(pl.selectors.date().cast(pl.String))
            reals = texts.with_columns(pl.selectors.decimal().cast(pl.Float64))
            columns = ", ".join(
                f'"{n}" {"REAL" if t == pl.Float64 else "TEXT"}' for n, t in reals.schema.items()
            )
            connection.execute(f'CREATE TABLE "{name}" ({columns})')
            marks = ", ".join("?" * reals.width)
            connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', reals.rows())


def fill_duckdb(path: Path, tables: dict[str, pl.DataFrame]) -> None:
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        for name, frame in tables.items():
            assert len(frame)
            connection.execute(f'CREATE TABLE "{name}" AS FROM frame')


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with mysql.server() as found:
        yield found


@pytest.fixture(params=["sqlite", "duckdb", pytest.param("mysql", marks=needs_mysql)])
def application(
    request: pytest.FixtureRequest,
    simulated: dict[str, pl.DataFrame],
    analyst: Platform,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., None]:
    """The simulated application in a database of some kind; call it to change the database."""
    kind, path = request.param, analyst.project / "app.db"
    stated = "file: app.db"
    if kind == "mysql":
        found = request.getfixturevalue("address")
        monkeypatch.setenv("APP_DATABASE_URL", found)
        mysql.fill(found, of_app(simulated))
        stated = "url_env: APP_DATABASE_URL"
    else:
        {"sqlite": fill_sqlite, "duckdb": fill_duckdb}[kind](path, of_app(simulated))
    (analyst.project / "sources.yaml").write_text(f"app:\n  kind: {kind}\n  {stated}\n{REST}")

    def execute(*statements: str) -> None:
        if kind == "mysql":
            mysql.execute(found, *statements)
        elif kind == "duckdb":
            with duckdb.connect(str(path)) as connection:
                for statement in statements:
                    connection.execute(statement)
        else:
            with closing(sqlite3.connect(path)) as connection, connection:
                for statement in statements:
                    connection.execute(statement)

    execute.kind = kind  # type: ignore[attr-defined]
    return execute


def test_any_database_gives_the_rows_that_the_simulator_gives(
    application: Callable[..., None], analyst: Platform, simulated: dict[str, pl.DataFrame]
) -> None:
    analyst.call("extract")
    found = tables_of(analyst.data / "sources")
    for name, rows in simulated.items():
        assert found[name].equals(rows), name
    manifest = (analyst.data / "sources/manifest.json").read_text()
    assert "s3cret" not in manifest
    application("DELETE FROM invoices WHERE reference = 'JMP00003'")
    assert "1 file written" in analyst.call("extract").stdout


NOT_A_NUMBER = "column amount expected a number of at most 8 digits and 2 decimals, found someth"
UNFIT = {
    "another number": (
        "UPDATE invoices SET amount = 0.1 + 0.2 WHERE reference = 'JMP00001'",
        NOT_A_NUMBER, ("sqlite",),
    ),
    "a text": (
        "UPDATE invoices SET amount = 'many' WHERE reference <= 'JMP00002'",
        rf"{NOT_A_NUMBER}.* in 2 of", ("sqlite",),
    ),
    "bytes": (
        "UPDATE users SET last_name = x'ff00'", "last_name holds bytes that are no text",
        ("sqlite",),
    ),
    "no utf-8": (
        "UPDATE users SET last_name = CAST(x'ff41' AS TEXT)", "invalid UTF-8", ("sqlite",),
    ),
    "no number": (
        "ALTER TABLE invoices ALTER amount TYPE DOUBLE; UPDATE invoices SET amount = 'nan' WHERE "
        "reference = 'JMP00001'", NOT_A_NUMBER, ("duckdb",),
    ),
    "a list": (
        "ALTER TABLE users ALTER last_name TYPE VARCHAR[] USING [last_name]",
        r"last_name is of type VARCHAR\[\]", ("duckdb",),
    ),
    "a wider scale": (
        "ALTER TABLE invoices MODIFY amount DECIMAL(12,3); UPDATE invoices SET amount = 1.005 "
        "WHERE reference = 'JMP00001'", NOT_A_NUMBER, ("mysql",),
    ),
    "a day that is none": (
        "SET sql_mode = ''; UPDATE invoices SET issue_date = '0000-00-00'",
        "issue_date expected a date like .*, found one that does not exist in", ("mysql",),
    ),
    "a short float": (
        "ALTER TABLE invoices MODIFY amount FLOAT", "amount is of type FLOAT, which MySQL does not",
        ("mysql",),
    ),
    "a null": (
        "UPDATE invoices SET issue_date = NULL WHERE reference = 'JMP00001'",
        "column issue_date expected a value, found none in 1 of", ("sqlite", "duckdb", "mysql"),
    ),
    "a time": (
        "ALTER TABLE invoices ALTER issue_date TYPE TIMESTAMP",
        "issue_date expected a date like .*, found something else", ("duckdb",),
    ),
    "a missing column": (
        "ALTER TABLE clients DROP COLUMN name", "app.clients: .*name",
        ("sqlite", "duckdb", "mysql"),
    ),
    "a missing table": ("DROP TABLE clients", "app.clients: .*clients",
                        ("sqlite", "duckdb", "mysql")),
}  # fmt: skip


def test_what_does_not_fit_is_refused_in_a_line(
    application: Callable[..., None],
    analyst: Platform,
    simulated: dict[str, pl.DataFrame],
    request: pytest.FixtureRequest,
) -> None:
    for what, (sql, said, kinds) in UNFIT.items():
        if (kind := application.kind) not in kinds:  # type: ignore[attr-defined]
            continue
        application(*sql.split("; "))
        done = analyst.call("extract", check=False)
        assert done.returncode == 1, what
        assert re.search(said, done.stderr), (what, done.stderr)
        assert done.stderr.count("\n") == 1 and "s3cret" not in done.stderr, done.stderr
        assert not (analyst.data / "sources/manifest.json").exists()
        path = analyst.project / "app.db"
        if kind == "mysql":
            mysql.fill(request.getfixturevalue("address"), of_app(simulated))
        else:
            {"sqlite": fill_sqlite, "duckdb": fill_duckdb}[kind](path, of_app(simulated))


@pytest.mark.parametrize("application", ["sqlite", pytest.param("mysql", marks=needs_mysql)],
                         indirect=True)  # fmt: skip
def test_all_tables_are_read_as_of_the_moment_of_the_first(
    application: Callable[..., None], analyst: Platform
) -> None:
    kind = application.kind  # type: ignore[attr-defined]
    options = {"file": "app.db"} if kind == "sqlite" else {"url_env": "APP_DATABASE_URL"}
    if kind == "sqlite":
        application("PRAGMA journal_mode = WAL")
    entry = Entry("app", kind, options, None, None, analyst.project)
    tables = [TABLES["app.clients"], TABLES["app.users"]]
    with open_source(entry, tables, None, AS_OF).opens() as session:  # type: ignore
        before = [session.count(table) for table in tables]
        application("DELETE FROM clients", "DELETE FROM users")
        assert [session.count(table) for table in tables] == before
    with open_source(entry, tables, None, AS_OF).opens() as session:  # type: ignore
        assert [session.count(table) for table in tables] == [0, 0]


@needs_mysql
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda address: address.replace("s3cret", "wr0ng"), "Access denied for user 'jump'"),
        (lambda address: address.replace("127.0.0.1", "no.such.host.invalid"), "no.such.host"),
        (lambda address: address.replace("/app", "/nothing"), "nothing"),
        (lambda address: address.replace("/app", ""), "holds no address like mysql://"),
    ],
    ids=["a wrong password", "an unknown host", "no database", "no name"],
)
def test_a_database_that_cannot_be_reached_is_told_without_its_password(
    address: str, analyst: Platform, monkeypatch: pytest.MonkeyPatch, change, said: str
) -> None:
    monkeypatch.setenv("APP_DATABASE_URL", change(address))
    stated = "app:\n  kind: mysql\n  url_env: APP_DATABASE_URL\n"
    (analyst.project / "sources.yaml").write_text(stated + REST)
    done = analyst.call("extract", check=False)
    assert done.returncode == 1
    assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert "wr0ng" not in done.stderr and "s3cret" not in done.stderr


# --- Spreadsheets ------------------------------------------------------------------------------


def test_a_spreadsheet_gives_the_rows_that_the_simulator_gives(
    analyst: Platform, simulated: dict[str, pl.DataFrame]
) -> None:
    states = "crm:\n  kind: files\n  folder: drop\nbilling:\n  kind: files\n  folder: drop\n"
    (analyst.project / "sources.yaml").write_text(states + SIMULATED.format("app"))
    folder = analyst.project / "drop"
    folder.mkdir()
    simulated["crm.customers"].write_excel(folder / "customers_1.xlsx")
    simulated["billing.payments"].write_excel(folder / "payments_1.xlsx")
    analyst.call("extract")
    found = tables_of(analyst.data / "sources")
    for name in ("crm.customers", "billing.payments"):
        assert found[name].equals(simulated[name]), name
    # A cell in error is none that is empty.
    with xlsxwriter.Workbook(str(folder / "payments_2.xlsx")) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, simulated["billing.payments"].columns)
        sheet.write_row(1, 0, ["p1", "JMP1"])
        sheet.write_formula(1, 2, "=1/0", None, "#DIV/0!")
    done = analyst.call("extract", "-s", "billing", check=False)
    assert "has 1 cells in error" in done.stderr
    # Half a file, and one that is none.
    content = (folder / "payments_1.xlsx").read_bytes()
    for broken in (content[: len(content) // 2], b"no spreadsheet"):
        (folder / "payments_2.xlsx").write_bytes(broken)
        done = analyst.call("extract", "-s", "billing", check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert "file payments_2.xlsx cannot be read as a spreadsheet" in done.stderr
    (folder / "payments_2.xlsx").unlink()
    (folder / "customers_1.xlsx").rename(folder / "customers_3.xlsx")
    wrong = simulated["billing.payments"].with_columns(amount=pl.lit(1.005))
    wrong.write_excel(folder / "payments_3.xlsx")
    done = analyst.call("extract", check=False)
    assert "column amount expected a number of at most 8 digits and 2 decimals" in done.stderr


# --- What the docs say ------------------------------------------------------------------------


def test_the_docs_name_every_kind_and_every_option() -> None:
    docs = (PROJECT / "docs/sources.md").read_text()
    for kind, module in KINDS.items():
        (line,) = [one for one in docs.splitlines() if one.startswith(f"| `{kind}` |")]
        options = getattr(import_module(f"data_platform.sources.{module}"), "_OPTIONS", ())
        assert set(re.findall(r"`([a-z_]+)`", line.split("|")[3])) >= {*options}, kind
    for option in (*OF_A_TABLE, *_OF_A_TABLE):
        assert re.search(rf"\b{option}\b", docs), option
