"""Readers ask in SQL, of a lakehouse that they cannot change."""

import csv
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from conftest import PROJECT, Platform

QUERY = (
    "SELECT 'a|b' AS text, 1.50::DECIMAL(5, 2) AS amount, DATE '2024-01-31' AS day, NULL AS none"
)


def test_a_query_comes_in_the_shape_that_is_asked_for(finished: Platform) -> None:
    table = finished.call("query", QUERY).stdout
    assert "a|b" in table and "1.50" in table and "2024-01-31" in table
    found = list(csv.reader(io.StringIO(finished.call("query", QUERY, "--format", "csv").stdout)))
    assert found == [["text", "amount", "day", "none"], ["a|b", "1.50", "2024-01-31", ""]]
    rows = json.loads(finished.call("query", QUERY, "--format", "json").stdout)
    assert rows == [{"text": "a|b", "amount": 1.5, "day": "2024-01-31", "none": None}]
    markdown = finished.call("query", QUERY, "--format", "markdown").stdout
    assert markdown == (
        "| text | amount | day | none |\n"
        "| --- | --- | --- | --- |\n"
        "| a\\|b | 1.50 | 2024-01-31 |  |\n"
    )


def test_rows_come_in_pieces_as_if_they_were_one(finished: Platform) -> None:
    many = "SELECT range AS n, 'a' || range AS text FROM range(25_000)"
    found = finished.call("query", many, "--format", "csv").stdout
    assert found.splitlines() == ["n,text", *(f"{n},a{n}" for n in range(25_000))]
    rows = json.loads(finished.call("query", many, "--format", "json").stdout)
    assert rows == [{"n": n, "text": f"a{n}"} for n in range(25_000)]
    lines = finished.call("query", many, "--format", "markdown").stdout.splitlines()
    assert lines[:3] == ["| n | text |", "| --- | --- |", "| 0 | a0 |"] and len(lines) == 25_002
    none = finished.call("query", "SELECT 1 AS n LIMIT 0", "--format", "json").stdout
    assert json.loads(none) == []


@pytest.mark.parametrize(
    ("rows", "told"),
    [(1_000, ""), (10_000, "10,000 rows, the first"), (10_001, "more than 10,000 rows, the first")],
)
def test_a_table_says_how_many_rows_there_are(finished: Platform, rows: int, told: str) -> None:
    said = finished.call("query", f"FROM range({rows})").stderr
    assert said.startswith(told) and bool(said) == bool(told)


def test_an_answer_is_of_one_encoding(finished: Platform) -> None:
    program = str(Path(sys.executable).with_name("data-platform"))
    many = "SELECT IF(range = 15_000, '€', 'é') AS text FROM range(20_000)"
    for sql, encoding in ((many, "utf-8"), (f"{many} LIMIT 12_000", "latin-1")):
        done = subprocess.run(
            [program, "-d", str(finished.data), "query", sql, "--format", "csv"],
            capture_output=True,
            cwd=PROJECT,
            env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        )
        assert done.stdout.decode(encoding).splitlines()[:2] == ["text", "é"]


def test_what_fails_in_the_end_shows_nothing(finished: Platform) -> None:
    sql = "SELECT IF(range < 1_500_000, '1', 'x')::INT AS n FROM range(2_000_000)"
    for file_format in ("csv", "json", "markdown"):
        done = finished.call("query", sql, "--format", file_format, check=False)
        assert (done.returncode, done.stdout) == (1, "") and "the query failed" in done.stderr


def in_a_program_without_a_file(code: str, *words: str) -> str:
    """What DuckDB takes for a notebook, in which it draws progress on the standard output."""
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=PROJECT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_progress_is_drawn_among_rows(finished: Platform) -> None:
    program = "import sys; from data_platform.cli import main; sys.exit(main())"
    words = ["query", "SELECT current_setting('enable_progress_bar') AS bar", "--format", "csv"]
    told = in_a_program_without_a_file(program, "-d", str(finished.data), *words)
    assert told.split() == ["bar", "False"]


EVERY_CONNECTION = """
import sys
from datetime import date
from pathlib import Path

import duckdb

from data_platform.lakehouse.connection import reading
from data_platform.project.context import open_project
from data_platform.settings import Settings
from data_platform.sources.databases import duckdb_file
from data_platform.sources.entries import Entry

project, data = map(Path, sys.argv[1:])
settings = Settings(date(2024, 2, 29), project, data, "duckdb")
setting = "SELECT current_setting('enable_progress_bar')"
found = [duckdb.execute(setting).fetchall()]  # as a notebook has it
with reading(settings) as connection:
    found.append(connection.execute(setting).fetchall())
with open_project(settings) as opened:
    found.append(opened.context.engine_adapter.fetchall(setting))
entry = Entry("app", "duckdb", {}, None, None, project)
with duckdb_file._session(entry, str(settings.lakehouse)) as session:
    found.append(session.database.ask(setting))
print([bar for ((bar,),) in found])
"""


def test_no_connection_draws_progress(finished: Platform) -> None:
    told = in_a_program_without_a_file(EVERY_CONNECTION, str(PROJECT), str(finished.data))
    assert told == "[True, False, False, False]\n"


# Of a process that is started by a small one: a fork of this one counts as what this one takes.
PEAK = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def test_many_rows_take_little_memory(finished: Platform) -> None:
    big = "SELECT range AS n, repeat('x', 100) AS text FROM range(2_000_000)"
    program = str(Path(sys.executable).with_name("data-platform"))
    words = [program, "-d", str(finished.data), "query", big, "--format", "csv"]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *words], capture_output=True, text=True, cwd=PROJECT
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 200_000  # KB; rows and texts at once take 700,000


FORBIDDEN = [
    "CREATE TABLE sources.more AS SELECT 1",
    "DELETE FROM sources.app__users",
    "UPDATE sources.app__users SET email = ''",
    "DROP SCHEMA marts CASCADE",
    "COPY (SELECT 1) TO 'stolen.csv'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_csv('https://example.com/x.csv')",
    "ATTACH 'other.duckdb'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "EXPORT DATABASE 'copy'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SELECT * FROM no.such_table",
    "SELEC 1",
    "SELECT 1; DROP TABLE sources.app__users",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_a_query_can_neither_write_nor_leave_the_lakehouse(finished: Platform, sql: str) -> None:
    before = finished.settings().lakehouse.read_bytes()
    done = finished.call("query", sql, check=False)
    assert done.returncode == 1
    assert re.match(r"Error: the query failed: [^\n]+\n\Z", done.stderr), done.stderr
    assert finished.settings().lakehouse.read_bytes() == before
    assert not list(finished.data.parent.glob("*stolen*"))


def test_a_query_may_begin_with_a_comment(finished: Platform) -> None:
    for comment in ("-- how many\n", "--\tone\n", "/* one */ "):
        words = ["query", f"{comment}SELECT 42 AS n", "--format", "csv"]
        told = finished.call(*words, options=[]).stdout
        assert told == "n\n42\n"


def test_a_query_cannot_write_beside_the_lakehouse_where_duckdb_spills(finished: Platform) -> None:
    folder = (finished.data / "current").resolve() / "lakehouse"
    place = folder / "lakehouse.duckdb.tmp"
    for sql in (
        f"EXPORT DATABASE '{place}'",
        f"COPY (SELECT 1) TO '{place}/x.csv'",
        f"EXPLAIN ANALYZE COPY (SELECT 1) TO '{place}/x.csv'",
    ):
        assert finished.call("query", sql, options=[], check=False).returncode == 1
    assert [path.name for path in folder.iterdir()] == ["lakehouse.duckdb"]


def test_without_sql_the_shell_reads_and_does_not_write(finished: Platform) -> None:
    command = [str(Path(sys.executable).with_name("data-platform")), "-d", str(finished.data)]

    def shell(text: str) -> str:
        done = subprocess.run(
            [*command, "-p", str(PROJECT), "query"], input=text, capture_output=True, text=True
        )
        return done.stdout + done.stderr

    assert "promoters" in shell("FROM marts.kpi__nps;")
    assert "read-only mode" in shell("CREATE TABLE t AS SELECT 1;")
    assert "root:" not in shell("SELECT * FROM read_text('/etc/passwd');")
    assert "safe mode" in shell(".shell echo trapped\n")


def test_tables_lists_what_can_be_read_with_a_line_each(finished: Platform) -> None:
    rows = json.loads(finished.call("tables", "--format", "json").stdout)
    found = {row["name"]: row["one row is"] for row in rows}
    assert all(found.values()), [name for name, said in found.items() if not said]
    assert next(iter(found)).startswith("exports.")
    assert found["marts.kpi__nps"].startswith("One row: the net promoter score")
    assert found["sources.app__users"].startswith("One row per account")
    assert found["ops.runs"].startswith("One row a run")
    assert not [name for name in found if "sqlmesh" in name]


def test_show_tables_in_the_shell_shows_them_too(finished: Platform) -> None:
    command = [str(Path(sys.executable).with_name("data-platform")), "-d", str(finished.data)]
    done = subprocess.run(
        [*command, "-p", str(PROJECT), "query"],
        input="SHOW TABLES;",
        capture_output=True,
        text=True,
    )
    for name in ("turnover_by_cohort", "kpi__nps", "freelancers", "app__invoices", "runs"):
        assert name in done.stdout


@pytest.mark.parametrize(
    ("sql", "count"),
    [("SELECT 1; SELECT 2", 2), ("SELECT 1;;SELECT 2;", 2), ("", 0), ("/* x */", 0)],
)
def test_one_statement_is_asked_for(finished: Platform, sql: str, count: int) -> None:
    done = finished.call("query", sql, check=False)
    assert done.returncode == 1
    assert f"it holds {count} statements, expected one" in done.stderr


def test_json_is_right_whatever_the_columns_and_numbers_are(finished: Platform) -> None:
    sql = """SELECT 1 AS a, 2 AS a, 3 AS a_1, 'nan'::DOUBLE AS x, '-infinity'::DOUBLE AS y,
        12345678901234567.89::DECIMAL(20, 2) AS exact, 34.15::DECIMAL(10, 2) AS amount,
        [1.5::DOUBLE, 'nan'::DOUBLE] AS list, {'d': DATE '2024-01-31'} AS struct,
        '\\xAB'::BLOB AS bytes, TRUE AS yes, 170141183460469231731687303715884105727 AS huge"""
    (row,) = json.loads(finished.call("query", sql, "--format", "json").stdout)
    assert row == {
        "a": 1, "a_2": 2, "a_1": 3, "x": None, "y": None, "exact": "12345678901234567.89",
        "amount": 34.15, "list": [1.5, None], "struct": {"d": "2024-01-31"}, "bytes": "ab",
        "yes": True, "huge": 170141183460469231731687303715884105727,
    }  # fmt: skip


def at_a_terminal(words: list[str], columns: int = 80) -> str:
    """What a person sees who types the words at a terminal."""
    program = str(Path(sys.executable).with_name("data-platform"))
    master, slave = pty.openpty()
    size = struct.pack("HHHH", 40, columns, 0, 0)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, size)
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(columns)}
    with subprocess.Popen(
        [program, *words], stdin=slave, stdout=slave, stderr=slave, env=environment
    ) as running:
        os.close(slave)
        shown = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
    os.close(master)
    assert running.returncode == 0, shown
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r\n", "\n")


def test_a_table_fits_the_terminal_s_width(finished: Platform) -> None:
    where = ["-p", str(PROJECT), "-d", str(finished.data)]
    shown = at_a_terminal([*where, "query", "SELECT repeat('long ', 60) AS text, 1 AS number"])
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" in shown
    assert "--format csv gives them whole" in shown
    # No column shrinks to nothing beside a long one.
    row = ", ".join(f"'value {n}' AS column_{n}" for n in range(7))
    shown = at_a_terminal([*where, "query", f"SELECT {row}, repeat('long ', 60) AS text"])
    assert all(f"value {n}" in shown for n in range(7))
    # Too many columns for a line: a row at a time.
    wide = at_a_terminal([*where, "query", "FROM ops.runs"])
    assert "row 1" in wide
    assert re.search(r"^ +run_number │ 1$", wide, re.MULTILINE)
    assert max(map(len, wide.splitlines())) <= 80
    # What would move the cursor or ring a bell does not.
    shown = at_a_terminal([*where, "query", "SELECT 'a' || chr(27) || '[2Jb' || chr(7) AS text"])
    assert "\x1b[2J" not in shown and "\x07" not in shown
