"""The program as a process: what a person types, reads and gets."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from conftest import PROJECT, Platform
from data_platform.settings import yesterday

TOMORROW = date.fromordinal(yesterday().toordinal() + 1)


def test_help_and_extract_start_without_sqlmesh(platform: Platform) -> None:
    code = (
        "import sys\nfrom data_platform.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as done: assert not done.code, done.code\n"
        "assert not [m for m in sys.modules if m.startswith(('sqlmesh', 'sqlglot'))]"
    )
    for words in (["--help"], ["-p", str(PROJECT), "-d", str(platform.data), "extract", "load"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


USAGE_ERRORS = [
    (["--as-of", str(TOMORROW), "extract"], f"{TOMORROW} is after {yesterday()}"),
    (["--as-of", "2021-12-31", "extract"], "2021-12-31 is before 2022-01-01"),
    (["--as-of", "soon", "extract"], "'soon' is not a date; write it like 2026-11-22"),
    (["--scale", "0", "extract"], "0 is not above 0"),
    (["--scale", "-1", "extract"], "-1 is not above 0"),
    (["--scale", "nan", "extract"], "nan is not above 0"),
    (["--scale", "big", "extract"], "'big' is not a number"),
    (["-r", "x", "extract"], "'x' is not a whole number"),
    (["extract", "-s", "erp"], "'erp' is not one of 'app', 'crm'"),
    (["load", "-s", "erp"], "'erp' is not one of 'app', 'crm'"),
    (["extract", "--inject", "gremlins"], "'gremlins' is not one of 'overlapping-contracts'"),
    (["extract", "-s", "crm", "--inject", "unknown-entity"], "add -s app"),
    (["transform", "--layer", "attic"], "'attic' is not one of 'staging'"),
    (["export", "--format", "pdf"], "'pdf' is not one of 'csv', 'parquet', 'xlsx'"),
    (["query", "SELECT 1", "--format", "xml"], "'xml' is not one of"),
    (["dance"], "No such command 'dance'"),
    (["--no-such-option", "run"], "No such option"),
    (["-p", "/no/such/folder", "extract"], "'/no/such/folder' does not exist"),
    (["-d", "/no/such/folder/data", "extract"], "folder /no/such/folder does not exist"),
    (["--gateway", "nowhere", "transform"], "no gateway nowhere in config.yaml"),
    (["--wait", "-1", "extract"], "-1.0 is not in the range x>=0"),
    (["backfill", "--from", "2024-03-01", "--to", "2024-02-01"], "lies before --from 2024-03-01"),
    (["extract", "status", "--format", "xml"], "'xml' is not one of 'table', 'json'"),
    (["status", "--format", "xml"], "'xml' is not one of 'table', 'json'"),
    (["lineage", "nothing.like.this"], "there is no model or column nothing.like.this"),
]  # fmt: skip


def published(platform: Platform) -> dict[Path, int]:
    """When each published file was last written."""
    files = (platform.data / "current").resolve().rglob("*")
    return {path: path.stat().st_mtime_ns for path in files}


@pytest.mark.parametrize(("words", "message"), USAGE_ERRORS, ids=lambda x: str(x)[:40])
def test_a_usage_error_is_one_line_and_exit_code_2(
    finished: Platform, tmp_path: Path, words: list[str], message: str
) -> None:
    before = published(finished)
    done = finished.call(*words, check=False, options=[])
    assert done.returncode == 2, done.stderr
    assert re.match(r"Error: [^\n]+\n\Z", done.stderr), done.stderr
    assert message in done.stderr
    assert published(finished) == before
    assert not list((finished.data / "runs").glob("*.jsonl"))  # nothing ran


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["load"], "there is no extract"),
        (["transform"], "there is no lakehouse yet"),
        (["export"], "there is no lakehouse yet"),
        (["query", "SELECT 1"], "there is no lakehouse yet"),
        (["query"], "there is no lakehouse yet"),
        (["status"], "there is no lakehouse yet"),
        (["extract", "-s", "app", "load"], "no extract of source crm in the manifest"),
        (["extract", "load", "-s", "app", "transform"], "source crm is not loaded"),
        (["extract", "load", "export"], "the models are behind: they reflect no load"),
    ],
    ids=str,
)
def test_a_step_that_comes_too_early_is_one_line_and_exit_code_1(
    platform: Platform, words: list[str], message: str
) -> None:
    done = platform.call(*words, check=False)
    assert done.returncode == 1
    *warnings, error = done.stderr.splitlines()
    assert all(line.startswith("Warning: source ") for line in warnings)
    assert error.startswith("Error: ")
    assert message in error


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sources").write_text("in the way")
    done = Platform(tmp_path / "data").call("extract", check=False)
    assert done.returncode == 1
    assert re.match(r"Error: .*/sources is to be a link to [^\n]+\n\Z", done.stderr)
    (tmp_path / "data" / "sources").unlink()
    (tmp_path / "data" / "releases" / "0").rename(tmp_path / "elsewhere")
    (tmp_path / "data" / "releases").rmdir()
    (tmp_path / "data" / "releases").write_text("in the way")
    done = Platform(tmp_path / "data").call("extract", check=False)
    assert done.returncode == 1
    assert re.match(r"Error: cannot make the folder .*/releases: [^\n]+\n\Z", done.stderr)


def test_a_pipe_sees_a_plain_line_a_step_and_a_closing_line(platform: Platform) -> None:
    done = platform.call("extract", "load")
    extract, load, closing = done.stdout.splitlines()
    assert re.match(r"extract: [\d,]+ rows as of 2024-02-29, seed 42, scale 0.2, dirty, ", extract)
    assert re.match(r"load: [\d,]+ rows .*, load 1, [\d,]+ rows new, 0 gone in [\d.]+ s$", load)
    assert re.match(r"Done in [\d.]+ s, 2 warnings.$", closing)
    assert re.match(
        r"(Warning: source (app|crm) is as of 2024-02-29, \d+ days .*\n){2}", done.stderr
    )
    assert platform.call("-q", "extract").stdout == ""


def test_an_error_shows_where_it_came_from_when_asked(platform: Platform) -> None:
    assert "Traceback" not in platform.call("load", check=False).stderr
    assert "Traceback" in platform.call("-v", "load", check=False).stderr


def test_global_options_come_from_the_environment_too(platform: Platform) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("data-platform")), "extract"],
        env={
            **os.environ,
            "DATA_PLATFORM_PROJECT_DIR": str(PROJECT),
            "DATA_PLATFORM_DATA_DIR": str(platform.data),
            "DATA_PLATFORM_RANDOM_SEED": "7",
            "DATA_PLATFORM_SCALE": "0.01",
            "DATA_PLATFORM_AS_OF": "2023-01-31",
        },
        capture_output=True,
        text=True,
    )
    assert "as of 2023-01-31, seed 7, scale 0.01" in done.stdout, done.stderr


def test_what_is_written_is_for_its_owner_alone(finished: Platform) -> None:
    for path in [finished.data, *finished.data.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_no_step_leaves_debris(finished: Platform) -> None:
    links = {path.name for path in finished.data.iterdir() if path.is_symlink()}
    assert links == {"current", "lakehouse", "sources", "exports"}
    folders = {path.name for path in finished.data.iterdir()} - links
    assert folders == {"releases", "runs"}
    assert [path.name for path in (finished.data / "lakehouse").iterdir()] == ["lakehouse.duckdb"]
    assert {path.name for path in (finished.data / "runs").iterdir()} <= {
        "lock",
        "holder.json",
        "snapshots",
    }
    assert not list(finished.data.rglob("*.partial"))


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


def test_the_status_tells_what_is_loaded_and_whether_it_shows(finished: Platform) -> None:
    found = json.loads(finished.call("status", "--format", "json", check=False).stdout)
    assert found["load"]["as_of"] == "2024-02-29"
    assert found["is_current"]
    assert "references_are_consecutive" in {warning["audit"] for warning in found["warnings"]}
    rows = {table["name"]: table["rows"] for table in found["tables"]}
    assert (
        rows["app__invoices"] == finished.rows("SELECT COUNT(*) FROM sources.app__invoices")[0][0]
    )
    assert "Production reflects it." in finished.call("status", check=False).stdout


HEADERS = {
    "turnover_by_cohort": "Freelancer Last Name,Freelancer First Name,Cohort,Entity,Month,"
    "Turnover (in €)",
    "cumulative_turnover": "Freelancer Last Name,Freelancer First Name,Job Contract Start Date,"
    "Job Contract End Date,Entity,Month,Turnover (in €),Turnover of the Month (in €)",
    "monthly_turnover": "Month,Turnover (in €)",
    "stagnant_freelancers": "Freelancer Last Name,Freelancer First Name,Entity,"
    "Job Contract Start Date,Last Invoice Date,Cumulative Turnover (in €)",
}


def test_the_exports_are_csv_to_the_letter(finished: Platform) -> None:
    folder = finished.data / "exports"
    assert {path.stem for path in folder.iterdir()} == set(HEADERS)
    for name, header in HEADERS.items():
        text = (folder / f"{name}.csv").read_bytes().decode("utf-8")
        lines = text.splitlines()
        assert lines[0] == header
        assert text.endswith("\n")
        assert "\r" not in text
        assert all(re.search(r'"-?\d+,\d\d"$', line) for line in lines[1:]), name
    monthly = (folder / "monthly_turnover.csv").read_text(encoding="utf-8").splitlines()
    assert '2023/10,"0,00"' in monthly
    assert monthly[-1].startswith("2024/02,")


def test_exports_come_as_parquet_and_xlsx_too(finished: Platform, tmp_path: Path) -> None:
    for file_format in ("csv", "parquet", "xlsx"):
        finished.call("export", "--format", file_format, "--output-dir", str(tmp_path / "out"))
    for name, header in HEADERS.items():
        frames = [
            pl.read_csv(tmp_path / "out" / f"{name}.csv", infer_schema=False),
            pl.read_parquet(tmp_path / "out" / f"{name}.parquet"),
        ]
        assert frames[0].columns == header.split(",")
        assert frames[0].rows() == frames[1].rows(), name
        assert (tmp_path / "out" / f"{name}.xlsx").stat().st_size > 1_000
    assert (finished.data / "exports" / "monthly_turnover.csv").exists()
