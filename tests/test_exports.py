"""Export files as people open them: workbooks, a French Excel's CSV, LibreOffice."""

import csv
import os
import shutil
import subprocess
import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from conftest import Platform, options_of
from data_platform.delivery import export_files, few_values, workbook
from data_platform.delivery.export import _is_kept, export
from data_platform.delivery.export_files import Target, write
from data_platform.errors import PlatformError
from data_platform.lakehouse.connection import writing
from data_platform.names import ExportFormat

EXPORTS = (
    "cumulative_turnover", "monthly_turnover", "receivables", "reference_gaps",
    "stagnant_freelancers", "turnover_by_cohort",
)  # fmt: skip
NO_LIBREOFFICE = pytest.mark.skipif(
    not shutil.which("soffice") and "CI" not in os.environ, reason="no LibreOffice here"
)


def as_written(value: object, column: str) -> str | None:
    """A cell's value as the CSV file writes it."""
    if isinstance(value, date):
        return f"{value:%Y/%m}" if column in ("Month", "Cohort") else f"{value:%Y/%m/%d}"
    if isinstance(value, float):
        return f"{value:.2f}".replace(".", ",") if "€" in column else f"{value:.0f}"
    return str(value) if value != "" else None


def test_a_workbook_has_a_sheet_an_export_equal_to_its_csv_file(
    finished: Platform, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for file_format in ("csv", "parquet", "xlsx"):
        finished.call("export", "--format", file_format, "--output-dir", str(out))
    endings = ("csv", "parquet")
    assert {path.name for path in out.iterdir()} == {
        "exports.xlsx", *(f"{name}.{ending}" for name in EXPORTS for ending in endings)
    }  # fmt: skip
    invoiced = float(finished.rows("SELECT SUM(amount) FROM sources.app__invoices")[0][0])
    with CalamineWorkbook.from_path(out / "exports.xlsx") as book:
        assert tuple(book.sheet_names) == EXPORTS
        for name in EXPORTS:
            header, *rows = book.get_sheet_by_name(name).to_python()
            written = pl.read_csv(out / f"{name}.csv", infer_schema=False)
            assert header == written.columns
            assert written.rows() == pl.read_parquet(out / f"{name}.parquet").rows()
            if "Total" in rows[-1]:  # in the column that adds up to the invoices
                assert [value for value in rows.pop() if value not in ("", "Total")] == [invoiced]
            else:
                assert name in ("reference_gaps", "stagnant_freelancers")
            numbers = [n for n in header if "€" in n or n == "Missing References"]
            for row in rows:  # which add up and sort, unlike texts
                of = dict(zip(header, row, strict=True))
                assert all(isinstance(of[one], float | int) for one in numbers), of
            found = [tuple(map(as_written, row, header)) for row in rows]
            assert found == written.rows(), name


def converted(source: Path, to: str, folder: Path, reads: str = "") -> None:
    """Open a file in LibreOffice and save it as another."""
    filters = [f"--infilter={reads}"] if reads else []
    home = f"-env:UserInstallation=file://{folder}/office"
    subprocess.run(
        ["soffice", home, "--headless", *filters, "--convert-to", to, "--outdir", str(folder),
         str(source)],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip


@NO_LIBREOFFICE
@pytest.mark.slow(reason="starts LibreOffice")
def test_libreoffice_opens_a_workbook_and_finds_what_the_csv_files_say(
    finished: Platform, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for file_format in ("csv", "xlsx"):
        finished.call("export", "--format", file_format, "--output-dir", str(out))
    every_sheet = "csv:Text - txt - csv (StarCalc):44,34,76,1,,1033,false,true,false,false,false,-1"
    converted(out / "exports.xlsx", every_sheet, tmp_path)
    for name in EXPORTS:
        opened = [*csv.reader((tmp_path / f"exports-{name}.csv").open(encoding="utf-8"))]
        written = [*csv.reader((out / f"{name}.csv").open(encoding="utf-8"))]
        assert opened[0] == written[0]
        for one, other in zip(opened[1:], written[1:], strict=False):
            for column, shown, said in zip(written[0], one, other, strict=True):
                if "€" in column:
                    assert Decimal(shown) == Decimal(said.replace(",", ".")), (name, column)
                elif said[:4].isdigit() and "/" in said:
                    month, day, year = shown.split("/")
                    assert f"{year}/{month}/{day}".startswith(said)
                else:
                    assert shown == said
        assert len(opened) - len(written) in (0, 1)


@NO_LIBREOFFICE
@pytest.mark.slow(reason="starts LibreOffice")
def test_a_french_spreadsheet_opens_its_csv_as_columns_and_numbers(
    finished: Platform, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    finished.call("export", "--csv-dialect", "excel-fr", "--output-dir", str(out))
    for name in ("turnover_by_cohort", "receivables"):
        assert (out / f"{name}.csv").is_file()
        french = out / f"{name}.excel-fr.csv"
        converted(french, "xlsx", tmp_path, "CSV:59,34,76,1,,1036,false,true")
        with CalamineWorkbook.from_path(tmp_path / f"{name}.excel-fr.xlsx") as book:
            header, *rows = book.get_sheet_by_index(0).to_python()
        written = [*csv.reader((out / f"{name}.csv").open(encoding="utf-8"))]
        assert header == written[0]
        for row, said in zip(rows, written[1:], strict=True):
            assert row[0] == said[0]
            amounts = [value for value in row if isinstance(value, float)]
            assert amounts == [float(one.replace(",", ".")) for one in said if "," in one]


ODD = """SELECT * FROM (VALUES
  (TIMESTAMPTZ '2024-03-31 12:00:00+02', INTERVAL 3 DAY, ['a', '=b'], {'x': 1}, TIME '12:30:00',
   170141183460469231731687303715884105727::HUGEINT, 'NaN'::DOUBLE, DATE '1815-06-18', '=x'::BLOB,
   TRUE, 1234567890123456.78::DECIMAL(18, 2), 0.10::DECIMAL(4, 2), TIMESTAMP '2024-03-31 12:00:00',
   9007199254740993::BIGINT, '2024/13/45', NULL, 0.1::FLOAT, [1.5::DECIMAL(5, 2)],
   TIMESTAMP '2024-03-31 12:00:00.123456', 'infinity'::DATE, '=2+2'::ENUM('ok', '=2+2'),
   0.30000000000000004::DOUBLE, DATE '0044-03-15 (BC)', '-infinity'::TIMESTAMP, '1٣')
) AS t(moment, length, list, struct, hour, huge, nan, waterloo, blob, yes, large, small, plain,
       odd, no_day, nothing, single, many, micro, infinite, enum, third, old, never, digits)"""


def test_whatever_a_view_holds_is_written_as_it_is_or_as_its_text(
    begun: Platform, tmp_path: Path
) -> None:
    begun.write(f"CREATE VIEW exports.odd AS {ODD}")
    out = tmp_path / "out"
    for options in (["--format", "xlsx"], ["--csv-dialect", "excel-fr"]):
        begun.call("export", *options, "--output-dir", str(out))
    with CalamineWorkbook.from_path(out / "exports.xlsx") as book:
        header, row = book.get_sheet_by_name("odd").to_python()
    found = dict(zip(header, row, strict=True))
    texts = {
        "length": "3 days", "struct": "{'x': 1}", "hour": "12:30:00",
        "huge": "170141183460469231731687303715884105727", "nan": "nan", "waterloo": "1815-06-18",
        "blob": "'=x", "large": "1234567890123456.78", "odd": "9007199254740993",
        "no_day": "2024/13/45", "nothing": "", "list": "[a, '=b']", "single": 0.1, "many": "[1.50]",
        "micro": "2024-03-31 12:00:00.123456", "infinite": "infinity", "enum": "'=2+2",
        "third": "0.30000000000000004", "old": "0044-03-15 (BC)", "never": "-infinity",
        "digits": "1٣",
    }  # fmt: skip
    for name, text in texts.items():
        assert found[name] == text, name
    assert str(found["moment"]).startswith("2024-03-31 ") and found["yes"] is True
    assert found["small"] == 0.1 and str(found["plain"]) == "2024-03-31 12:00:00"
    french = (out / "odd.excel-fr.csv").read_bytes().decode("utf-8-sig").splitlines()
    assert french[0].split(";") == header
    assert ";VRAI;1234567890123456,78;0,10;" in french[1]


FORMULAS = """SELECT '=2+2'::ENUM('ok', '=2+2') AS enum, '=cmd'::BLOB AS blob,
  union_value(t := '=2+2') AS "union", ['a;=2+2', 'b'] AS list, {'x': 'a;=2+2'} AS struct,
  '"a;=2+2"'::JSON AS json"""


def test_a_text_within_another_type_is_no_formula_either(begun: Platform, tmp_path: Path) -> None:
    begun.write(f"CREATE VIEW exports.formulas AS {FORMULAS}")
    out = tmp_path / "out"
    begun.call("export", "--csv-dialect", "excel-fr", "--output-dir", str(out))
    for name, delimiter in (("formulas.csv", ","), ("formulas.excel-fr.csv", ";")):
        with (out / name).open(newline="", encoding="utf-8-sig") as file:
            _, row = csv.reader(file, delimiter=delimiter)
        assert row[:3] == ["'=2+2", "'=cmd", "'=2+2"]
        assert row[3:] == ["['a;'=2+2', b]", "{'x': 'a;'=2+2'}", '"a;\'=2+2"'], name


REFUSED = {
    "two columns that a sheet takes for one": (
        """CREATE VIEW exports.v AS SELECT 1 AS "É", 2 AS "é" """, ["--format", "xlsx"],
        "export v: a sheet takes columns É and é for one",
    ),
    "a column's name of 300 characters": (
        f"""CREATE VIEW exports.v AS SELECT 1 AS "{"n" * 300}" """, ["--format", "xlsx"],
        "export v: a sheet's column cannot be called 'nnn",
    ),
    "a text of more than a cell": (
        "CREATE VIEW exports.v AS SELECT REPEAT('😀', 16_384) AS a", ["--format", "xlsx"],
        "export v: column a has a text of 32,768 characters",
    ),
    "a number beyond Parquet": (
        "CREATE VIEW exports.v AS SELECT 170141183460469231731687303715884105727::HUGEINT AS a",
        ["--format", "parquet"], "export v: ",
    ),
    "a name that leads elsewhere": (
        """CREATE VIEW exports."../evil" AS SELECT 1 AS a""", [], "its name cannot be a file's",
    ),
    "a name that is too long": (
        f"""CREATE VIEW exports."{"v" * 250}" AS SELECT 1 AS a""", [],
        "its name cannot be a file's",
    ),
    "two exports of one file": (
        """CREATE VIEW exports.v AS SELECT 1 AS a;
           CREATE VIEW exports."v.excel-fr" AS SELECT 1 AS a""",
        ["--csv-dialect", "excel-fr"], "would both be v.excel-fr.csv",
    ),
}  # fmt: skip


_TEXTS = st.one_of(
    st.none(),
    st.sampled_from(
        ["", "-5", "=1+1", "-x", "a,=b", "Ünal", "Zoé", "\t", "2024/01", 'a"b', "a\nb", "a\x00b"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)


@settings(max_examples=60)
@given(rows=st.lists(st.tuples(_TEXTS, _TEXTS, st.integers(-3, 3)), max_size=30))
@pytest.mark.parametrize(
    "file_format",
    [
        ExportFormat.CSV,
        pytest.param(
            ExportFormat.EXCEL_FR, marks=pytest.mark.slow(reason="the same of another dialect")
        ),
    ],
)
def test_a_file_of_many_rows_is_the_same_as_if_they_were_few(
    rows: list[tuple[str | None, str | None, int]], file_format: ExportFormat
) -> None:
    written = []
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA exports; CREATE SCHEMA ops;")
        connection.execute("CREATE TABLE ops.control_totals (export_name TEXT, column_name TEXT)")
        connection.execute('CREATE TABLE exports."a ""b" ("x ""y" TEXT, z TEXT, n INTEGER)')
        for row in rows:
            connection.execute('INSERT INTO exports."a ""b" VALUES (?, ?, ?)', row)
        path = Path(folder) / "a"
        for many, most in ((1, 65_000), (1, 1), (1_000_000, 0)):
            with patch.multiple(few_values, _MANY_ROWS=many, _MOST_VALUES=most):
                number, _ = write(connection, Target(path, ('a "b',), file_format), path)
            assert number == len(rows)
            written.append(path.read_bytes())
        left = "SELECT type_name FROM duckdb_types() WHERE type_name LIKE 'values_of%'"
        assert not connection.execute(f"{left}").fetchall()
    assert written[0] == written[1] == written[2]


AMOUNTS = {
    "decimal commas": "('a', '1,50'), ('b', '-0,25'), (NULL, NULL)",
    "decimal points": "('a', '1.50'), ('b', '-0.25')",
    "both, and none": "('a', '1,00'), ('b', '0.25'), ('c', '0')",
    "a text longer than a usual line": "(REPEAT('x,', 2_000_000), '1,50'), ('\n\"', '-0,25')",
    "numbers": "('a', 1.50::DECIMAL(9, 2)), ('b', -0.25)",
}


@pytest.mark.parametrize("file_format", [one for one in ExportFormat if one != ExportFormat.XLSX])
@pytest.mark.parametrize("kind", AMOUNTS)
def test_amounts_are_read_back_however_they_are_written(
    kind: str, file_format: ExportFormat, tmp_path: Path
) -> None:
    target = Target(tmp_path / "a", ("v",), file_format)
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE SCHEMA exports; CREATE SCHEMA ops; CREATE SCHEMA sources;"
            "CREATE TABLE ops.control_totals AS SELECT 'v' AS export_name, 'n' AS column_name;"
            "CREATE TABLE sources.app__invoices AS SELECT 1.25::DECIMAL(10, 2) AS amount;"
            f"CREATE TABLE exports.v AS FROM (VALUES {AMOUNTS[kind]}) AS t(x, n);"
        )
        rows = connection.execute("SELECT COUNT(*) FROM exports.v").fetchall()[0][0]
        with patch.object(export_files, "_counted", wraps=export_files._counted) as counted:
            assert write(connection, target, target.path) == (rows, Decimal("1.25"))
        is_read_at_once = kind == "decimal commas" or file_format == ExportFormat.PARQUET
        is_read_at_once |= (kind, file_format) == ("numbers", ExportFormat.EXCEL_FR)
        assert counted.call_count == (1 if is_read_at_once else 2)
        connection.execute("INSERT INTO sources.app__invoices VALUES (0.01)")
        with pytest.raises(PlatformError, match=r"n come to 1\.25, expected 1\.26"):
            write(connection, target, target.path)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_written_as_it_is_is_refused_and_nothing_is_written(
    begun: Platform, tmp_path: Path, kind: str
) -> None:
    views, options, said = REFUSED[kind]
    begun.write(views)
    done = begun.call("export", *options, "--output-dir", str(tmp_path / "out"), check=False)
    assert done.returncode == 1 and said in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    assert not [*(tmp_path / "out").iterdir()]
    assert not (tmp_path / "evil.csv").exists()


def test_a_folder_in_the_place_of_a_file_stops_all_of_them(begun: Platform, tmp_path: Path) -> None:
    (tmp_path / "out/receivables.csv").mkdir(parents=True)
    done = begun.call("export", "--output-dir", str(tmp_path / "out"), check=False)
    assert done.returncode == 1 and "receivables.csv is a folder; remove it" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["receivables.csv"]


def test_no_part_of_a_workbook_lies_elsewhere_and_what_was_killed_is_swept(
    begun: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    seen: list[Path] = []

    def look(*args: object, **options: object) -> pl.DataFrame:
        seen.extend((tmp_path / "out").iterdir())
        raise OSError("no more room")

    (tmp_path / "out").mkdir()
    left = tmp_path / "out/.exports.xlsx.999999.partial"
    left.write_text("half")
    left.with_name(f"{left.name}.parts").mkdir()
    other = tmp_path / f"out/.exports.xlsx.{os.getppid()}.partial"
    other.write_text("of a process that lives")
    monkeypatch.setattr(pl.DataFrame, "write_excel", look)
    with pytest.raises(PlatformError, match="no more room"):
        export(begun.settings(), [ExportFormat.XLSX], tmp_path / "out")
    assert any(path.name.endswith(".parts") for path in seen) and left not in seen
    assert not [*(tmp_path / "tmp").iterdir()] and other.exists()
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.endswith(".parts")]


@pytest.mark.slow(reason="two runs; formats are tried by export each time")
def test_a_run_writes_several_formats_and_tells_what_it_removes(begun: Platform) -> None:
    exports = begun.data / "exports"
    words = ["--format", "csv", "--format", "xlsx", "--csv-dialect", "excel-fr"]
    begun.call("run", *words, options=options_of("2024-03-01"))
    names = {path.name for path in exports.iterdir()}
    assert {"exports.xlsx", "receivables.csv", "receivables.excel-fr.csv"} <= names
    done = begun.call("run", options=options_of("2024-03-02"))
    assert "Removed, as they showed an earlier state: cumulative_turnover.excel-fr.csv" in (
        done.stdout
    )
    assert {path.suffixes[-1] for path in exports.iterdir()} == {".csv"}


def test_sheets_are_called_as_sheets_may_be() -> None:
    names = ["a/b", "a:b", "history", "'quoted'", "Été", "été", "[x]*?", "n" * 40]
    found = workbook.sheet_names(names)
    assert len({name.lower() for name in found}) == len(names)
    assert all(0 < len(name) <= 31 and not set(name) & set("[]:*?/\\") for name in found)
    assert found[0] == "a_b" and found[3] == "quoted" and found[4] == "Été"


def test_what_a_sheet_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"n": [1, 2, 3]})
    workbook.check_fits("three", frame)
    monkeypatch.setattr(workbook, "_ROWS", 4)
    with pytest.raises(PlatformError, match="export three has 3 rows, a sheet holds 2; export it"):
        workbook.check_fits("three", frame)


def test_sheets_whose_long_names_begin_alike_are_two(tmp_path: Path) -> None:
    frame = pl.DataFrame({"amount": ["1,00", "2,50"], "who": ["a", "=b"]})
    names = ["turnover_of_freelancers_by_month", "turnover_of_freelancers_by_month_and_entity"]
    total = {names[0]: ("amount", Decimal("3.50"))}
    workbook.write_workbook(dict.fromkeys(names, frame), total, tmp_path / "w.xlsx")
    with CalamineWorkbook.from_path(tmp_path / "w.xlsx") as book:
        first, second = book.sheet_names
        assert first != second and all(len(one) <= 31 for one in book.sheet_names)
        assert book.get_sheet_by_name(first).to_python()[-1] == [3.5, ""]
        assert book.get_sheet_by_name(second).to_python()[-1] == [2.5, "=b"]
    workbook.write_workbook({}, {}, tmp_path / "none.xlsx")
    assert (tmp_path / "none.xlsx").stat().st_size > 0


@pytest.mark.slow(reason="four exports of a dialect")
def test_a_french_file_stays_as_long_as_it_is_current(begun: Platform) -> None:
    exports = begun.data / "exports"
    begun.call("export", "--csv-dialect", "excel-fr")
    assert (exports / "receivables.excel-fr.csv").is_file()
    begun.call("export")
    assert (exports / "receivables.excel-fr.csv").is_file()
    begun.call("run", options=options_of("2024-03-01"))
    assert not (exports / "receivables.excel-fr.csv").exists()
    done = begun.call("export", "--csv-dialect", "excel-fr", "--format", "xlsx", check=False)
    assert done.returncode == 2 and "--csv-dialect excel-fr needs --format csv" in done.stderr


def test_an_export_is_read_back_in_little_memory(begun: Platform) -> None:
    settings = begun.settings()
    with writing(settings) as connection:
        connection.execute("SET memory_limit = '600MB'")
        done = export(
            settings, [ExportFormat.CSV, ExportFormat.EXCEL_FR], None, connection=connection
        )
    assert len(done.files) == 2 * len(EXPORTS)


def test_a_workbook_is_kept_only_with_the_sheets_of_the_exports_that_there_are(
    begun: Platform,
) -> None:
    settings, book = begun.settings(), begun.data / "exports/exports.xlsx"
    begun.write("CREATE VIEW exports.passing AS SELECT 1 AS a")
    export(settings, [ExportFormat.XLSX])
    assert "passing" in workbook.sheets_of(book)
    begun.write("DROP VIEW exports.passing")
    assert not _is_kept(book, EXPORTS, EXPORTS, 1, 1)
    export(settings, [ExportFormat.XLSX])
    assert workbook.sheets_of(book) == list(EXPORTS)
    assert _is_kept(book, EXPORTS, EXPORTS, 1, 1) and not _is_kept(book, EXPORTS, EXPORTS[1:], 1, 1)
    book.write_text("no workbook")
    assert workbook.sheets_of(book) == []
