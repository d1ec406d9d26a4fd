"""A drop folder in the simulator's place: files are read as they are written, or refused."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from applications import SIMULATED, of_app, tables_of
from conftest import AS_OF, Platform, options_of

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
