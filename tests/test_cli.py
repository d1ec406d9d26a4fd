"""The program as a process: what a person types, reads and gets."""

import json
import os
import pty
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from conftest import PROJECT, Platform, begin
from data_platform.settings import yesterday
from forked import Boundary

TOMORROW = date.fromordinal(yesterday().toordinal() + 1)


def test_help_and_extract_start_without_sqlmesh(platform: Platform) -> None:
    code = (
        "import sys\nfrom data_platform.cli.program import main\n"
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
    (["extract", "load", "--pristine"], "load has no option --pristine; it is one of extract, run"),
    (["-p", "/no/such/folder", "extract"], "'/no/such/folder' does not exist"),
    (["-d", "/no/such/folder/data", "extract"], "folder /no/such/folder does not exist"),
    *(
        (["--gateway", gateway, command], f"no gateway '{gateway}' in config.yaml; there are duck")
        for gateway, command in (("nowhere", "extract"), ("", "tables"))
    ),
    (["--wait", "-1", "extract"], "-1.0 is not in the range x>=0"),
    (["--wait", "nan", "extract"], "'nan' is not a number"),
    (["ui", "--port", "99999"], "99999 is not in the range 1<=x<=65535"),
    (["review", "no-such-branch"], "there is no branch or commit 'no-such-branch'"),
    (["backfill", "--from", "2024-03-01", "--to", "2024-02-01"], "lies before --from 2024-03-01"),
    (["extract", "status", "--format", "xml"], "'xml' is not one of 'table', 'json'"),
    (["status", "--format", "xml"], "'xml' is not one of 'table', 'json'"),
    (["lineage", "nothing.like.this"], "there is no model or column nothing.like.this"),
    (["-d", "", "extract"], "the name of the folder is empty"),
    (["export", "--output-dir", ""], "the name of the folder is empty"),
    (["-d", str(PROJECT), "extract"], "is the project's folder"),
    (["query", "--version"], "No such option '--version'"),
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
    assert re.match(r"Done in [\d.]+ s, 3 warnings.$", closing)
    assert re.match(
        r"(Warning: source (app|crm|billing) is as of 2024-02-29, \d+ days .*\n){3}", done.stderr
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
    assert links == {"current", "lakehouse", "sources", "exports", "report"}
    folders = {path.name for path in finished.data.iterdir()} - links
    assert folders == {"releases", "runs"}
    assert [path.name for path in (finished.data / "lakehouse").iterdir()] == ["lakehouse.duckdb"]
    assert {path.name for path in (finished.data / "runs").iterdir()} <= {
        "lock",
        "holder.json",
        "standing.json",
        "snapshots",
        "spare-lakehouse.duckdb",
    }
    assert not list(finished.data.rglob("*.partial"))


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
    "receivables": "Client,Month,Invoiced (in €),Paid (in €),Outstanding (in €),Overdue (in €)",
    "reference_gaps": "First Missing Reference,Last Missing Reference,Missing References,"
    "Issued Before,Issued After",
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
        last = r"\d{4}/\d\d/\d\d$" if name == "reference_gaps" else r'"-?\d+,\d\d"$'
        assert all(re.search(last, line) for line in lines[1:]), name
    monthly = (folder / "monthly_turnover.csv").read_text(encoding="utf-8").splitlines()
    assert '2023/10,"0,00"' in monthly
    assert monthly[-1].startswith("2024/02,")


def test_the_program_s_options_are_understood_after_a_command_too(platform: Platform) -> None:
    where = ["-p", str(PROJECT), "-d", str(platform.data)]
    words = ["extract", "--scale", "0.05", "--as-of", "2023-01-31", "-r", "7", "load", "-v", *where]
    done = platform.call(*words, options=[])
    assert "as of 2023-01-31, seed 7, scale 0.05" in done.stdout
    assert "app__users" in done.stdout  # -v
    # The last word counts.
    done = platform.call("--scale", "2", "extract", "--scale", "0.05", options=["-q", "-r", "7"])
    assert done.stdout == ""
    words = ["--format", "csv", "--gateway", "duckdb", "-q", "--wait", "1", "--no-warm"]
    done = platform.call("query", "SELECT 1", *words)
    assert done.stdout == "1\n1\n"
    done = platform.call("load", "--scale", "soon", check=False)
    assert (done.returncode, "'soon' is not a number" in done.stderr) == (2, True)
    done = platform.call("extract", "--scal", "1", check=False)
    assert "--scale" in done.stderr and "--source" not in done.stderr
    done = platform.call("backfill", "--from", "2023-02-01", "--to", "2023-02-01", "--as-of",
                         "2023-02-01", check=False, options=[])  # fmt: skip
    assert (done.returncode, "not from --as-of" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "variable", "is_told"),
    [(["-v"], "", True), (["-qv"], "", True), (["--verbose"], "", True), ([], "1", True),
     ([], "", False), (["-q"], "0", False), ([], "neither", False)],
)  # fmt: skip
def test_a_traceback_is_told_where_it_is_asked_for(
    words: list[str], variable: str, is_told: bool, monkeypatch: pytest.MonkeyPatch,
    platform: Platform,
) -> None:  # fmt: skip
    monkeypatch.setattr(Platform, "environment", lambda self: {"DATA_PLATFORM_VERBOSE": variable})
    done = platform.call("query", "SELEKT", *words, options=[], check=False)
    assert done.returncode in (1, 2) and "Error: " in done.stderr
    assert ("Traceback" in done.stderr) == is_told


def test_a_command_s_help_says_where_the_other_options_are(platform: Platform) -> None:
    told = platform.call("run", "--help", options=[]).stdout
    assert "--start-over" in told and "--scale" not in told
    assert "data-platform --help" in told


def test_a_folder_that_is_no_project_is_refused(platform: Platform, tmp_path: Path) -> None:
    done = platform.call("-p", str(tmp_path), "status", check=False, options=[])
    assert (done.returncode, f"{tmp_path} is not a project" in done.stderr) == (2, True)


@pytest.mark.parametrize("below", ["models/marts", "platform/data_platform"])
def test_a_project_is_found_from_any_folder_of_it(finished: Platform, below: str) -> None:
    program = str(Path(sys.executable).with_name("data-platform"))
    done = subprocess.run(
        [program, "-d", str(finished.data), "query", "SELECT 42 AS answer", "--format", "csv"],
        cwd=PROJECT / below,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "answer\n42\n", done.stderr


def test_outside_of_a_project_nothing_is_made(tmp_path: Path) -> None:
    program = str(Path(sys.executable).with_name("data-platform"))
    for words in (["run"], ["status"], ["-p", str(tmp_path), "run"]):
        done = subprocess.run([program, *words], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2
        assert re.match(r"Error: [^\n]*project of the data platform [^\n]+\n\Z", done.stderr)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a?b", "a*b", "a[b]", "a\tb"])
def test_a_data_folder_that_duckdb_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    done = Platform(tmp_path / name).call("extract", check=False)
    assert done.returncode == 2
    assert "which DuckDB reads as more than a name" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow(reason="a whole run for each odd name of a folder")
def test_a_data_folder_may_be_called_what_people_call_folders(tmp_path: Path) -> None:
    folder = tmp_path / 'Zoé\'s "data" \\ 50% $HOME; {x} #1'
    folder.mkdir()
    platform = Platform(folder / "data")
    platform.call("run")
    assert "promoters" in platform.call("query", "FROM marts.kpi__nps").stdout
    platform.call("plan", "dev")
    assert re.search(r"Found \d\d audit", platform.sqlmesh("audit", check=False).stdout)


def test_exports_of_one_s_own_do_not_go_where_the_next_run_throws_them_away(
    begun: Platform, tmp_path: Path
) -> None:
    before = published(begun)
    for folder in ("exports", "exports/2026-11", "current/exports", "own"):
        for command in ("export", "run"):
            done = begun.call(command, "--output-dir", str(begun.data / folder), check=False)
            assert done.returncode == 2, done.stdout
            assert "lies in the data folder" in done.stderr
    assert published(begun) == before
    assert not (begun.data / "own").exists()
    begun.call("export", "--output-dir", str(tmp_path / "2026-11"))
    assert {path.stem for path in (tmp_path / "2026-11").iterdir()} == set(HEADERS)


@pytest.mark.slow(reason="a run to remove, at a terminal of its own")
def test_clean_says_what_goes_and_waits_for_nobody_s_run(analyst: Platform, tmp_path: Path) -> None:
    begin(analyst)
    (analyst.data / "notes.txt").write_text("mine")
    running = analyst.start(
        "run", boundary=Boundary("delivery.export_files", "_read_back"), gate=tmp_path / "g"
    )
    running.reach(tmp_path / "g")
    done = analyst.call("clean", "--yes", check=False)
    assert done.returncode == 1
    assert re.search(r"run 2 \(`run`, process \d+\) has been writing", done.stderr)
    (tmp_path / "g").touch()
    assert running.join() == 0
    done = analyst.call("clean", check=False)
    assert done.returncode == 2 and "nobody is there to be asked" in done.stderr
    assert (analyst.data / "current").exists()
    done = analyst.call("clean", "--yes")
    assert f"To remove: {analyst.data / 'releases'} (" in done.stdout
    assert "the history of 1 load up to 2024-02-29" in done.stdout
    assert [path.name for path in analyst.data.iterdir()] == ["notes.txt"]
    assert not (analyst.project / ".cache").exists()
    assert "There is nothing to remove." in analyst.call("clean").stdout
    analyst.call("run")


def test_clean_asks_at_a_terminal(analyst: Platform) -> None:
    begin(analyst)
    program = str(Path(sys.executable).with_name("data-platform"))
    words = [program, "-p", str(analyst.project), "-d", str(analyst.data), "clean"]
    master, slave = pty.openpty()
    with subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave) as asking:
        os.close(slave)
        os.write(master, b"n\n")
        asking.wait(60)
        told = os.read(master, 65536)
    os.close(master)
    assert b"Remove all of it? [y/N]" in told and b"Nothing was removed." in told
    assert (analyst.data / "current").exists()
    # An answer counts wherever it comes from.
    done = subprocess.run(words, input="n\n", capture_output=True, text=True)
    assert "Nothing was removed." in done.stdout
    assert (analyst.data / "current").exists()
    done = subprocess.run(words, input="y\n", capture_output=True, text=True)
    assert done.stdout.endswith("Removed.\n")
    assert not analyst.data.exists()
    # A link to where the data is to go stays.
    begin(analyst)
    analyst.data.rename(analyst.project / "elsewhere")
    analyst.data.symlink_to(analyst.project / "elsewhere")
    assert subprocess.run([*words, "--yes"], capture_output=True).returncode == 0
    assert analyst.data.is_symlink() and not any(analyst.data.iterdir())


def test_a_reader_who_leaves_does_not_undo_what_is_done(begun: Platform) -> None:
    """`… | head -1`: the pipe is closed long before the run ends."""
    program = str(Path(sys.executable).with_name("data-platform"))
    words = [program, "-p", str(PROJECT), "-d", str(begun.data), "--scale", "0.2"]
    words += ["--as-of", "2024-03-02", "extract", "load"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.stdout.close()
        running.wait(120)
    assert running.returncode == 0
    latest = "SELECT MAX(as_of) FROM sources.platform__extracts"
    assert begun.rows(latest) == [(date(2024, 3, 2),)]


def test_words_of_success_come_after_the_publication(begun: Platform, tmp_path: Path) -> None:
    """A run that dies at its publication has not said that anything is done."""
    options = ["--scale", "0.2", "--as-of", "2024-03-02"]
    boundary = Boundary("lakehouse.releases", "Releases.publish")
    for words, claim in ((["export"], "export: "), (["plan"], "plan dev: ")):
        dying = begun.start(*words, options=options, boundary=boundary)
        assert dying.join() < 0
        assert claim not in dying.stdout
        assert "Done in" not in dying.stdout


def test_files_that_the_platform_did_not_make_are_left_alone(tmp_path: Path) -> None:
    for name in ("exports/thesis.csv", "sources/main.c", "runs/work-thesis/log"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    done = Platform(tmp_path).call("extract", check=False)
    assert done.returncode == 1
    assert "not made by the platform; choose another --data-dir" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before
    done = Platform(PROJECT / "models").call("extract", check=False)
    assert done.returncode == 2
    assert "lies in the project's folder models" in done.stderr


def test_some_layers_alone_are_computed_and_nothing_is_exported(platform: Platform) -> None:
    done = platform.call("run", "--layer", "staging")
    assert "transform: " in done.stdout and "export: " not in done.stdout
    assert not list((platform.data / "exports").iterdir())
