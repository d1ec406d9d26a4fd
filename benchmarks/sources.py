"""A database of ten million invoices: read whole, again, and after a day, beside what others take.

The others read the invoices alone, into Parquet: psql's COPY into nothing (what the server gives at
most), connectorx (whole table in memory) and dlt (rows by Arrow). Each is a process of its own.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT / "tests"))
AS_OF = date(2026, 6, 15)
CHANGED = 16_000
READERS = PROJECT / ".cache/readers/bin/python"
PLAIN = "app:\n  kind: postgres\n  url_env: APP_DATABASE_URL\n"
CURSOR = "  tables:\n    invoices: {cursor: updated_at, key: id, compare_every_days: 30}\n"
OTHERS = "".join(f"{name}:\n  kind: simulated\n" for name in ("crm", "billing"))

INVOICES = "SELECT id, job_contract_id, client_id, reference, amount, issue_date FROM invoices"

CONNECTORX = """
import os, sys, connectorx, pyarrow.parquet as pq
query = "SELECT id, job_contract_id, client_id, reference, amount, issue_date FROM invoices"
pq.write_table(connectorx.read_sql(os.environ["APP_DATABASE_URL"], query, return_type="arrow"),
               sys.argv[1] + "/invoices.parquet")
"""
DLT = """
import os, sys, dlt
from dlt.sources.sql_database import sql_table
url = os.environ["APP_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://")
os.environ["DESTINATION__FILESYSTEM__BUCKET_URL"] = sys.argv[1]
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
table = sql_table(url, table="invoices", backend="pyarrow", chunk_size=100_000,
                  included_columns=["id", "job_contract_id", "client_id", "reference", "amount",
                                    "issue_date"])
dlt.pipeline("invoices", pipelines_dir=sys.argv[1] + "/pipelines", destination="filesystem",
             dataset_name="app").run(table, loader_file_format="parquet")
"""


@dataclass(frozen=True)
class Measured:
    """What a process took."""

    seconds: float
    peak_megabytes: float


def measure(words: Sequence[str], folder: Path, output: Path | None = None) -> Measured:
    """Run a process to its end; peak memory is that of the largest process it started."""
    told = folder / "time"
    with (output or Path(os.devnull)).open("wb") as out:
        done = subprocess.run(
            ["/usr/bin/time", "-o", str(told), "-f", "%e %M", *words],
            stdout=out, stderr=subprocess.PIPE, cwd=folder, text=False,
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr.decode()[-2000:])
    seconds, kilobytes = told.read_text().split()
    return Measured(float(seconds), int(kilobytes) / 1024)


def ours(folder: Path, entry: str, as_of: date, *words: str) -> Measured:
    """An extract of the database; the other sources are the simulator's, and left out."""
    stated = folder / "sources.yaml"
    stated.write_text(entry + OTHERS)
    os.environ["DATA_PLATFORM_SOURCES"] = str(stated)
    command = [
        str(Path(sys.executable).with_name("data-platform")),
        "-q",
        "-p",
        str(PROJECT),
        "-d",
        str(folder / "data"),
    ]
    return measure([*command, "--as-of", str(as_of), "extract", "-s", "app", *words], folder)


def prepare(address: str, folder: Path, scale: float) -> int:
    """Fill the database with the simulated application; how many invoices it has."""
    from data_platform.ingest.extract import extract
    from data_platform.ingest.manifest import read_manifest
    from data_platform.settings import Settings
    from data_platform.simulation import Simulation
    from database import execute, fill

    settings = Settings(AS_OF + timedelta(days=1), PROJECT, folder / "simulated", "duckdb")
    extract(settings, Simulation(42, scale), ["app"])
    tables = read_manifest(settings.sources_dir).tables
    for name, files in tables.items():
        frames = (pl.read_parquet(settings.sources_dir / file.path) for file in files)
        fill(address, {name.partition(".")[2]: frames}, fresh=name == next(iter(tables)))
    execute(
        address,
        "ALTER TABLE invoices ADD COLUMN updated_at timestamptz DEFAULT '2026-06-01'",
        "UPDATE invoices SET updated_at = '2026-06-14' WHERE ctid < '(1,0)'",
        "ALTER TABLE invoices ADD PRIMARY KEY (id)",
        "CREATE INDEX ON invoices (updated_at)",
        "ANALYZE",
    )
    return sum(file.rows for file in tables["app.invoices"])


def change(address: str) -> None:
    """A day of work: invoices of the last weeks, and a few of all years."""
    from database import execute

    of_late = f"SELECT id FROM invoices WHERE issue_date > DATE '{AS_OF}' - 21 LIMIT {CHANGED - 20}"
    execute(
        address,
        f"UPDATE invoices SET amount = amount + 0.01, updated_at = now() WHERE id IN ({of_late})",
        "UPDATE invoices SET amount = amount + 0.01, updated_at = now() WHERE id IN "
        "(SELECT id FROM invoices ORDER BY md5(id) LIMIT 20)",
    )


def main() -> None:
    """Measure, and tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=20)
    scale = parser.parse_args().scale
    from database import programs, server

    bin_ = programs()
    if bin_ is None:
        raise SystemExit("PostgreSQL is not installed")
    console, rows = Console(), []
    with server() as address, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["APP_DATABASE_URL"] = address
        invoices = prepare(address, folder, scale)
        psql = [str(bin_ / "psql"), "-d", address, "-c", f"COPY ({INVOICES}) TO STDOUT"]
        base = measure(psql, folder)

        def note(what: str, found: Measured) -> None:
            rate = invoices / found.seconds / 1e6
            share = base.seconds / found.seconds
            peak = f"{found.peak_megabytes:,.0f}"
            rows.append((what, f"{found.seconds:.1f}", f"{rate:.2f}", f"{share:.2f}", peak))

        note("psql COPY TO nothing", base)
        note("data-platform extract, whole", ours(folder, PLAIN, AS_OF))
        note("data-platform extract, nothing changed", ours(folder, PLAIN, AS_OF))
        note("data-platform extract, whole, with a cursor", ours(folder, PLAIN + CURSOR, AS_OF))
        change(address)
        tomorrow = AS_OF + timedelta(days=1)
        note(
            f"a day of {CHANGED:,} changed rows, by cursor", ours(folder, PLAIN + CURSOR, tomorrow)
        )
        note("the same day, whole", ours(folder, PLAIN, tomorrow))
        if READERS.exists():
            for name, script in (("connectorx", CONNECTORX), ("dlt", DLT)):
                (folder / name).mkdir()
                words = [str(READERS), "-c", script, str(folder / name)]
                note(f"{name} to Parquet", measure(words, folder))
        note("psql COPY TO nothing, again", measure(psql, folder))
    table = Table("what", "seconds", "million rows/s", "of psql", "peak MB",
                  title=f"{invoices:,} invoices")  # fmt: skip
    for row in rows:
        table.add_row(*row)
    console.print(table)


if __name__ == "__main__":
    main()
