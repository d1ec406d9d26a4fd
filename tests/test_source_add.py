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
from data_platform.errors import PlatformError
from data_platform.operations import source_draft
from data_platform.operations.source_draft import Draft, write
from data_platform.sources.inspection.guessed import read_file

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
    odd = analyst.project / "odd.db"  # whose names are words of SQL, and hold commas
    with closing(sqlite3.connect(odd)) as connection, connection:
        connection.executescript(ODD["db"][0])
    analyst.call("source", "add", "other.odd", "--from", str(odd))
    drop = analyst.project / "drop"
    drop.mkdir()
    analyst.call("source", "add", "expenses.receipts", "--from", place("csv", drop, request))
    analyst.call("run")
    rows = analyst.rows("SELECT id, category, amount FROM staging.expenses__receipts ORDER BY id")
    assert rows == [("r1", "train", Decimal("12.50")), ("r2", None, Decimal("7.25"))]
    assert "`1` Tests" in analyst.sqlmesh("test", "-k", "expenses").stdout
    assert analyst.rows("SELECT order_, a_b FROM staging.other__odd") == [(7, "x")]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("receipts", "--from", "x.csv"), 2, "'receipts' is no name of a table"),
        (("app.users", "--from", "x.csv"), 1, "has sources.app__users already"),
        (("expenses.receipts", "--from", "x.csv"), 1, "there is no file x.csv"),
        (("expenses.receipts", "--from", "x.doc"), 1, "nothing is known of such a place"),
        (("expenses.receipts", "--from", "NO_URL"), 1, "no environment variable of that name"),
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


ODD = {
    "postgres": (
        """CREATE TYPE mood AS ENUM ('happy', 'sad'); DROP DOMAIN IF EXISTS pos;
        CREATE DOMAIN pos AS integer CHECK (value > 0);
        CREATE TABLE odd ("Order" pos PRIMARY KEY, "a, b" text NOT NULL, "qu""ote" boolean,
        status mood, payload jsonb, tags text[], price money, took interval, raw bytea,
        "semi;colon" numeric, day date);
        INSERT INTO odd VALUES (7, 'x', true, 'happy', '{"a": 1}', '{x,y}', 12.5, '1 day', 'ab',
        1.25, '2024-01-31')""",
        {"order_": 7, "a_b": "x", "qu_ote": "true", "status": "happy", "payload": '{"a": 1}',
         "tags": "{x,y}", "price": "$12.50", "took": "1 day", "raw": r"\x6162",
         "semi_colon": Decimal("1.25"), "day": date(2024, 1, 31)},
    ),
    "mysql": (
        """DROP TABLE IF EXISTS odd;
        CREATE TABLE odd (`Order` BIGINT UNSIGNED PRIMARY KEY, `a, b` VARCHAR(9) NOT NULL,
        f FLOAT, b BIT(8), raw VARBINARY(3), n INT UNSIGNED, flag TINYINT(1), y YEAR, day DATE);
        INSERT INTO odd VALUES (18446744073709551615, 'x', 16777217, b'10000001', x'FF00C3',
        4000000000, 2, 2024, '2024-01-31')""",
        {"order_": Decimal(18446744073709551615), "a_b": "x", "f": 16777216.0, "b": 129,
         "raw": "FF00C3", "n": 4000000000, "flag": 2, "y": "2024", "day": date(2024, 1, 31)},
    ),
    "duckdb": (
        """CREATE TABLE odd ("Order" HUGEINT PRIMARY KEY, "a, b" VARCHAR NOT NULL, flag BOOLEAN,
        tags VARCHAR[], took INTERVAL, day DATE);
        INSERT INTO odd VALUES (170141183460469231731687303715884105, 'x', true, ['x', 'y'],
        INTERVAL 1 DAY, '2024-01-31')""",
        {"order_": Decimal("170141183460469231731687303715884105"), "a_b": "x", "flag": "true",
         "tags": "[x, y]", "took": "1 day", "day": date(2024, 1, 31)},
    ),
    "db": (
        """CREATE TABLE odd ("Order" INTEGER PRIMARY KEY, "a, b" TEXT NOT NULL,
        day TEXT, twice INTEGER GENERATED ALWAYS AS ("Order" * 2));
        INSERT INTO odd ("Order", "a, b", day) VALUES (7, 'x', '2024-01-31')""",
        {"order_": 7, "a_b": "x", "day": date(2024, 1, 31), "twice": 14},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    ["db", "duckdb", pytest.param("postgres", marks=NO_POSTGRES),
     pytest.param("mysql", marks=NO_MYSQL)],
)  # fmt: skip
def test_odd_names_and_types_are_drafted_so_that_nothing_is_lost(
    kind: str, analyst: Platform, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements, wanted = ODD[kind]
    file = analyst.project / f"app.{kind}"
    if kind in ("postgres", "mysql"):
        where = request.getfixturevalue(f"{kind}_server")
        monkeypatch.setenv("ODD_URL", where)
        execute = {"mysql": mysql.execute, "postgres": database.execute}[kind]
        execute(where, "DROP TABLE IF EXISTS receipts", *re.split(r";\s+(?=[A-Z])", statements),
                *place_of_receipts(kind))  # fmt: skip
    elif kind == "duckdb":
        with duckdb.connect(str(file)) as connection:
            connection.execute(statements)
            connection.execute(DDL.format("TIMESTAMP"))
            connection.execute(ROWS)
    else:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.executescript(f"{statements};{DDL.format('TEXT')};{ROWS}")
    place_ = "ODD_URL" if kind in ("postgres", "mysql") else str(file)
    # A second table of the same database goes into the entry that is there, its comments stay.
    analyst.call("source", "add", "other.receipts", "--from", place_)
    sources = analyst.project / "sources.yaml"
    analyst.call("source", "add", "other.odd", "--from", place_)
    assert sources.read_text().startswith("# Where each application's data comes from")
    assert "# check this" in sources.read_text()
    checked = analyst.call("sources", "check", "-s", "other", "--format", "csv").stdout
    assert "other,odd,1,fits" in checked and "other,receipts,2,fits" in checked, checked
    analyst.call("extract")
    found = tables_of(analyst.data / "sources", analyst.project)["other.odd"].to_dicts()
    assert found == [wanted]


def place_of_receipts(kind: str) -> tuple[str, str]:
    type_ = {"mysql": "DATETIME(6)", "postgres": "timestamp"}[kind]
    return DDL.format(type_), ROWS


ODD_FILES = {
    "spaces in names": b"id, day , Amount (EUR),note\n1,2024-01-31,1.5,x\n",
    "utf-16": "id,day,amount_eur,note\n1,2024-01-31,1.5,\u00e9\n".encode("utf-16"),
}


@pytest.mark.parametrize("what", ODD_FILES)
def test_a_file_s_odd_names_are_drafted_so_that_the_project_goes_on(
    analyst: Platform, what: str
) -> None:
    (analyst.project / "receipts_1.csv").write_bytes(ODD_FILES[what])
    analyst.call("source", "add", "expenses.receipts", "--from",
                 str(analyst.project / "receipts_1.csv"))  # fmt: skip
    analyst.call("extract")
    (row,) = tables_of(analyst.data / "sources", analyst.project)["expenses.receipts"].to_dicts()
    assert row["day"] == date(2024, 1, 31)
    assert row["amount_eur"] == Decimal("1.5")


def test_a_file_that_cannot_be_drafted_leaves_the_project_as_it_is(analyst: Platform) -> None:
    file = analyst.project / "receipts_1.csv"
    file.write_text("id,day,amount\n1,2024-01-31\n")
    before = {p: p.read_bytes() for p in analyst.project.glob("*.yaml")}
    done = analyst.call("source", "add", "expenses.receipts", "--from", str(file), check=False)
    assert done.returncode == 1 and "line 2 has 2 values, expected 3" in done.stderr
    assert {p: p.read_bytes() for p in analyst.project.glob("*.yaml")} == before


@NO_POSTGRES
def test_a_check_tells_each_table_apart(
    analyst: Platform, postgres_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD_URL", postgres_server)
    database.execute(
        postgres_server, "DROP TABLE IF EXISTS receipts", *place_of_receipts("postgres")
    )
    analyst.call("source", "add", "other.receipts", "--from", "ODD_URL")
    database.execute(postgres_server, "CREATE TABLE again AS SELECT * FROM receipts")
    analyst.call("source", "add", "other.again", "--from", "ODD_URL")
    database.execute(postgres_server, "DROP TABLE receipts")
    done = analyst.call("sources", "check", "-s", "other", "--format", "csv", check=False)
    assert done.returncode == 1 and "other,again,2,fits" in done.stdout
    assert "receipts" in done.stdout and "SELECT" not in done.stdout, done.stdout
    sources = analyst.project / "sources.yaml"
    stated = "time_zone: UTC\n  tables: {again: {cursor: nosuch, key: id}}"
    sources.write_text(sources.read_text().replace("time_zone: UTC", stated))
    done = analyst.call("sources", "check", "-s", "other", "--format", "csv", check=False)
    assert "again.key is 'id', expected the column that tells rows apart" in done.stdout
    # A terminal's table is too narrow for why: that is told below it, whole.
    done = analyst.call("sources", "check", "-s", "other", check=False)
    assert done.stdout.count("refused") == 2
    assert "again.key is 'id', expected the column that tells rows apart" in done.stderr


def test_a_draft_that_would_stop_every_command_is_not_made(
    analyst: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    (analyst.project / "receipts_1.csv").write_text("id,day\n1,2024-01-31\n")
    monkeypatch.setattr(source_draft, "_contract", lambda key, found: "- name: [nothing]\n")
    with pytest.raises(PlatformError, match="is not a contract of sources"):
        place = str(analyst.project / "receipts_1.csv")
        source_draft.draft(analyst.settings(), "expenses.receipts", place, None)


def test_a_draft_is_written_whole_or_not_at_all(
    analyst: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {analyst.project / "sources.yaml": "a", analyst.project / "tests/staging/x.yaml": "b"}
    before = {path: path.exists() and path.read_text() for path in files}
    written = Path.write_text

    def fail(path: Path, text: str, **options: object) -> int:
        if text == "b":
            raise OSError("no space left")
        return written(path, text, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(OSError, match="no space left"):
        write(Draft(files, {}, ()))
    assert {path: path.exists() and path.read_text() for path in files} == before


def test_a_file_that_is_not_what_its_name_says_is_told(tmp_path: Path) -> None:
    for name in ("receipts.parquet", "receipts.xlsx"):
        (tmp_path / name).write_bytes(b"PAR1 or anything")
        with pytest.raises(PlatformError, match=name):
            read_file(tmp_path / name, None)


@pytest.mark.parametrize("before", [1, 3_000, 100_000])
def test_an_accent_tells_the_encoding_wherever_it_comes(tmp_path: Path, before: int) -> None:
    file, lines = tmp_path / "receipts.csv", "id;paid_by\n" + "7;someone\n" * before
    file.write_bytes(f"{lines}8;Zoé\n".encode("cp1252"))
    columns, _, options = read_file(file, None)
    assert options == {"encoding": "cp1252", "delimiter": ";"}
    assert [column.name for column in columns] == ["id", "paid_by"]
    file.write_bytes(lines.encode() + b"8;\x81\xe9\n")  # which is nothing in either
    with pytest.raises(PlatformError, match="neither in utf-8 nor in cp1252"):
        read_file(file, None)
