"""Personal data stays where it belongs, and hostile text is text."""

import csv
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import polars as pl
import pytest

from conftest import PROJECT, Platform, begin
from data_platform.delivery.export import export
from data_platform.errors import without_values
from data_platform.ingest.load import load
from data_platform.ingest.manifest import read_manifest
from data_platform.names import ExportFormat
from data_platform.transform.transform import transform
from editing import edit
from faults import state
from sample_models import IN_PYTHON
from tampering import rewrite

HOSTILE = [
    "O'Brien",
    'Say "hi"',
    "Robert'); DROP TABLE users;--",
    "two\nlines\rand\ta tab",
    "<script>alert('x')</script>",
    "Zoé 😀 Ünïcode",
    "\u202eright to left\u202c\u200f",
    "x" * 10_000,
    "comma, semicolon; pipe| and \\N",
    "NULL",
    "$HOME `id` %s {} @VAR",
]
FORMULAS = ["=cmd|'/c calc'!A0", "+1+1", "@SUM(A1)", "-2+3"]
# What a French Excel splits at the semicolon, and others where they may.
SPLIT = {
    "Petit;=1+1": "Petit;'=1+1",
    "Petit; @SUM(A1)": "Petit; '@SUM(A1)",
    'Petit;"=1+1"': 'Petit;"\'=1+1"',
    "Petit,-2+3|+1": "Petit,'-2+3|'+1",
    "-1;+2": "'-1;'+2",
    "＝1+1": "'＝1+1",
}


def last_names(platform: Platform, names: list[str]) -> list[str]:
    """Give people under contract hostile last names; the names as they are when clean."""
    contracts = pl.concat(
        [pl.read_parquet(path) for path in platform.data.glob("sources/app/job_contracts/*")]
    )
    ids = contracts["user_id"].unique().sort()[: len(names)]
    assert len(ids) == len(names)
    renamed = pl.DataFrame({"id": ids, "hostile": names})
    rewrite(
        platform,
        "app.users",
        lambda f: (
            f.join(renamed, on="id", how="left", maintain_order="left")
            .with_columns(last_name=pl.coalesce("hostile", "last_name"))
            .drop("hostile")
        ),
    )
    return [" ".join(name.split()) for name in names]


def sheet(path: Path) -> set[str]:
    """The texts of a workbook's cells; no formula but our totals may be in it."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as book:
        for name in book.namelist():
            if name.startswith("xl/worksheets/sheet"):
                formulas = re.findall(rb"<f>(.*?)</f>", book.read(name))
                assert all(re.fullmatch(rb"SUBTOTAL\(109,\w+:\w+\)", one) for one in formulas)
        texts = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
    return {"".join(part.text or "" for part in cell.iter(f"{space}t")) for cell in texts}


def test_hostile_names_travel_unharmed_to_every_export(platform: Platform) -> None:
    begin(platform)
    clean = last_names(platform, [*HOSTILE, *FORMULAS, *SPLIT])
    settings = platform.settings()
    load(settings)
    transform(settings)
    export(settings, [*ExportFormat])
    neutral = {SPLIT.get(name, f"'{name}" if name in FORMULAS else name) for name in clean}
    neutral = {name.replace("users;--", "users;'--") for name in neutral}
    folder = platform.data / "exports"
    with (folder / "turnover_by_cohort.csv").open(newline="", encoding="utf-8") as file:
        assert neutral <= {row[0] for row in csv.reader(file)}
    # A cell of a sheet is one, whatever is in it.
    cells = {f"'{name}" if name[0] in "=+-@＝" else name for name in clean}
    assert cells <= sheet(folder / "exports.xlsx")
    parquet = pl.read_parquet(folder / "turnover_by_cohort.parquet")
    assert set(clean) <= set(parquet["Freelancer Last Name"])


@pytest.mark.slow(reason="a run over a cell of a megabyte")
def test_a_name_that_is_too_long_for_a_reader_stays_out_of_errors(begun: Platform) -> None:
    """A megabyte in one cell: a CSV file holds it, a sheet's cell does not, and says so."""
    clean = last_names(begun, ["Dupont " * 150_000])
    begun.call("load", "transform", "export")
    with (begun.data / "exports/turnover_by_cohort.csv").open(newline="", encoding="utf-8") as file:
        csv.field_size_limit(1 << 30)
        assert {row[0] for row in csv.reader(file)} > {clean[0].strip()}
    done = begun.call("export", "--format", "xlsx", check=False)
    assert done.returncode == 1
    said = "column Freelancer Last Name has a text of 1,049,999 characters, a sheet's cell holds"
    assert said in done.stderr
    assert "Dupont" not in done.stderr + begun.call("status", check=False).stderr


def test_an_export_that_cannot_be_written_names_the_column_and_no_value(
    analyst: Platform,
) -> None:
    begin(analyst)
    view = "SELECT last_name AS who, CAST(last_name AS INT) AS n FROM intermediate.freelancers"
    analyst.write(f"CREATE VIEW exports.telltale AS {view}")
    done = analyst.call("export", check=False)
    assert done.returncode == 1
    assert "export telltale: column n cannot be written: Conversion Error" in done.stderr
    names = {name for (name,) in analyst.rows("SELECT last_name FROM intermediate.freelancers")}
    assert not [name for name in names if name in done.stderr]


def test_hostile_names_do_no_harm_to_a_table_at_a_terminal(platform: Platform) -> None:
    begin(platform)
    last_names(platform, HOSTILE)
    platform.call("load")
    shown = platform.call("query", "FROM sources.app__users").stdout
    assert "<script>alert('x')</script>" in shown
    for shape in ("csv", "json", "markdown"):
        assert (
            "DROP TABLE"
            in platform.call("query", "SELECT * FROM sources.app__users", "--format", shape).stdout
        )


def test_what_is_written_is_for_its_owner_alone_whatever_the_umask(begun: Platform) -> None:
    program = Path(sys.executable).with_name("data-platform")
    command = f"umask 000; {program} -p {PROJECT} -d {begun.data} {' '.join(begun.options)}"
    for words in ("extract --pristine", "extract", "load export --format xlsx", "query"):
        done = subprocess.run(["sh", "-c", f"{command} {words}"], input=b"", capture_output=True)
        assert done.returncode == 0, done.stderr
    assert len(list(begun.data.rglob("*"))) > 50
    for path in [begun.data, *begun.data.rglob("*")]:
        if not path.is_symlink():
            expected = 0o700 if path.is_dir() else 0o600
            assert path.stat().st_mode & 0o777 == expected, path


def people(platform: Platform) -> set[str]:
    """Every e-mail and every full name that the sources hold."""
    found: set[str] = set()
    manifest = read_manifest(platform.data / "sources")
    for table in ("app.users", "crm.customers"):
        for file in manifest.tables[table]:
            for row in pl.read_parquet(platform.data / "sources" / file.path).iter_rows(named=True):
                first, last = row["first_name"].strip(), row["last_name"].strip()
                found |= {row["email"].strip().lower(), f"{first} {last}".lower()}
                found |= {f"{last} {first}".lower(), f"{last}, {first}".lower()}
    assert len(found) > 100
    return found


def test_no_personal_data_in_errors_status_logs_or_the_record(analyst: Platform) -> None:
    begin(analyst)
    said: list[str] = []

    def note(*words: str, code: int = 0) -> str:
        done = analyst.call(*words, check=False)
        said.append(done.stdout + done.stderr)
        assert done.returncode == code, said[-1]
        return done.stderr

    note("run", "--inject", "overlapping-contracts", "--inject", "end-before-start", code=1)
    edit(
        analyst,
        "models/intermediate/freelancers.sql",
        "people.last_name::TEXT",
        "ERROR(people.email)",
    )
    error = note("transform", "--deploy", code=1)
    assert "intermediate.freelancers" in error, error
    note("run")
    note("status", code=1)
    note("status", "--format", "json", code=1)
    for (table,) in analyst.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'ops'"
    ):
        said += [str(row) for row in analyst.rows(f'FROM ops."{table}"')]
    logs = [*analyst.data.glob("runs/*.json*"), *(analyst.project / "logs").glob("*")]
    said += [path.read_text(encoding="utf-8") for path in logs]
    text = "\n".join(said).lower()
    assert len(text) > 20_000
    assert [person for person in people(analyst) if person in text] == []


@pytest.mark.parametrize("broken", ["CAST(v AS INT)", "CAST(v AS DATE)", "ERROR(v)"])
def test_an_error_of_duckdb_s_loses_its_values(broken: str) -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error) as caught:
        connection.execute("CREATE TABLE t AS SELECT 'Zoé Petit' AS v")
        connection.execute(f"SELECT {broken} FROM t").fetchall()
    assert "Zoé" in str(caught.value)
    assert "Zoé" not in without_values(str(caught.value))


def test_a_query_that_fails_changes_nothing_and_the_failed_copy_is_locked_down_too(
    platform: Platform,
) -> None:
    begin(platform)
    platform.call("run", "--inject", "orphan-invoices", check=False)
    before = state(platform.data)
    rows = platform.call("query", "--failed", "FROM failed.intermediate__invoices__foreign_key")
    assert len(rows.stdout.splitlines()) > 3
    for sql in ("DROP SCHEMA marts CASCADE", "SELECT * FROM read_text('/etc/passwd')"):
        done = platform.call("query", "--failed", sql, check=False)
        assert done.returncode == 1
    assert state(platform.data) == before


@pytest.mark.slow(reason="Python models are rare; SQL models that fail are tried each time")
def test_what_a_python_model_says_when_it_fails_is_not_told(analyst: Platform) -> None:
    begin(analyst)
    for failing in (
        'raise ValueError(f"cannot place {frame.last_name[0]} <{frame.email[0]}>")',
        'frame["who"] = frame.email.astype(int)',
    ):
        code = IN_PYTHON.replace('frame["who"] = frame["last_name"]', failing)
        (analyst.project / "models/marts/people.py").write_text(code)
        config = analyst.project / "config.yaml"
        config.write_text(config.read_text().replace("  enabled: true\n", "  enabled: false\n"))
        done = analyst.call("plan", "dev", check=False)
        assert done.returncode == 1
        told = done.stderr + analyst.call("status", "--format", "json", check=False).stdout
        assert "marts.people (models/marts/people.py): an error in its Python; -v" in told
        assert "Traceback" not in done.stderr
        assert [person for person in people(analyst) if person in told.lower()] == []


@pytest.mark.slow(reason="Python models are rare; SQL models neither print nor end")
def test_a_python_model_neither_prints_into_an_answer_nor_ends_the_program(
    analyst: Platform,
) -> None:
    begin(analyst)
    config, model = analyst.project / "config.yaml", analyst.project / "models/marts/people.py"
    config.write_text(config.read_text().replace("  enabled: true\n", "  enabled: false\n"))
    line = '    frame["who"] = frame["last_name"]\n'
    computing = IN_PYTHON.replace(line, f'    print("computing")\n{line}')
    model.write_text(f'{computing}\nprint("loading")\n')
    done = analyst.call("plan", "dev", "--format", "json")
    assert json.loads(done.stdout)["environment"] == "dev"
    assert "computing" in done.stderr and "loading" in done.stderr
    for ending in (
        IN_PYTHON.replace(line, f"    raise SystemExit(0)\n{line}"),
        f"{IN_PYTHON}\nraise SystemExit(0)\n",
    ):
        model.write_text(ending)
        done = analyst.call("plan", "dev", check=False)
        (error,) = [told for told in done.stderr.splitlines() if told.startswith("Error: ")]
        assert done.returncode == 1
        assert "models/marts/people.py" in error and "its Python would end the program" in error
