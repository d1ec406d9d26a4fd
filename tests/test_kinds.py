"""What SQLMesh accepts of a model, the platform does right or refuses in a sentence."""

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conftest import Platform
from data_platform.deployment.plan import plan
from data_platform.deployment.promote import promote, rollback
from data_platform.ingest.extract import extract
from data_platform.ingest.load import load
from data_platform.names import Layer
from data_platform.record.schema import prepare
from data_platform.settings import Settings
from data_platform.simulation import Simulation
from data_platform.transform.transform import transform
from sample_models import HAS_ROWS, HEADER, OF_AMOUNTS
from tampering import rewrite

COMPANY, START = Simulation(42, 0.04), date(2023, 9, 20)


# A model of each kind, and of each option of a header that has a say; FACTOR is edited.
SUPPORTED = {
    "a_view": f"""
MODEL (name intermediate.a_view, kind VIEW, {HEADER});
SELECT issue_date::DATE AS at, (SUM(amount) * FACTOR)::DECIMAL(18, 2) AS "Amount; of the day"
FROM intermediate.invoices GROUP BY issue_date
""",
    "a_full_table": f"""
MODEL (
  name intermediate.a_full_table, kind FULL, {HEADER}, partitioned_by at, clustered_by name,
  columns (at DATE, name TEXT, amount DECIMAL(18, 2)), cron '@daily', tags odd
);
SELECT
  MAX(issue_date)::DATE AS at, name::TEXT AS name, (SUM(amount) * FACTOR)::DECIMAL(18, 2) AS amount
FROM intermediate.invoices AS i JOIN intermediate.clients AS c ON i.client_sk = c.sk GROUP BY name
""",
    # What one row says depends on all rows before it, in whichever month.
    "a_time_range": f"""
MODEL (name intermediate.a_time_range, kind INCREMENTAL_BY_TIME_RANGE (time_column at), {HEADER});
SELECT
  issue_date::TIMESTAMP AS at,
  (SUM(amount * FACTOR) OVER (ORDER BY issue_date, reference))::DECIMAL(18, 2) AS so_far
FROM intermediate.invoices WHERE issue_date BETWEEN @start_ds::DATE AND @end_ds::DATE
""",
    # Its own time is not that of the rows that it reads, and may be to come.
    "a_shifted_time_range": f"""
MODEL (
  name intermediate.a_shifted_time_range,
  kind INCREMENTAL_BY_TIME_RANGE (time_column (at, '%Y%m%d'), partition_by_time_column FALSE),
  {HEADER}
);
SELECT
  STRFTIME(issue_date + INTERVAL '45' DAY, '%Y%m%d')::TEXT AS at,
  reference::TEXT AS reference,
  (amount * FACTOR)::DECIMAL(18, 2) AS amount
FROM intermediate.invoices
WHERE issue_date + INTERVAL '45' DAY BETWEEN @start_date AND @end_date
""",
    "by_month": f"""
MODEL (
  name intermediate.by_month, kind INCREMENTAL_BY_TIME_RANGE (time_column at), {HEADER},
  tags by_month
);
SELECT
  DATE_TRUNC('MONTH', issue_date)::DATE AS at, (SUM(amount) * FACTOR)::DECIMAL(18, 2) AS amount
FROM intermediate.invoices WHERE issue_date BETWEEN @start_ds::DATE AND LAST_DAY(@end_ds::DATE)
GROUP BY DATE_TRUNC('MONTH', issue_date)
""",
    # Its rows are of the months of what they point to.
    "by_month_pointed_to": f"""
MODEL (
  name intermediate.by_month_pointed_to, kind INCREMENTAL_BY_TIME_RANGE (time_column at), {HEADER},
  tags ('by_month',
    'months_of:sources.billing__payments.invoice_reference=intermediate.invoices.reference')
);
SELECT
  DATE_TRUNC('MONTH', i.issue_date)::DATE AS at, (SUM(p.amount) * FACTOR)::DECIMAL(18, 2) AS amount
FROM sources.billing__payments AS p
JOIN intermediate.invoices AS i ON p.invoice_reference = i.reference
WHERE i.issue_date BETWEEN @start_ds::DATE AND LAST_DAY(@end_ds::DATE)
GROUP BY DATE_TRUNC('MONTH', i.issue_date)
""",
    "reads_itself": f"""
MODEL (
  name intermediate.reads_itself, kind INCREMENTAL_BY_TIME_RANGE (time_column at), {HEADER}
);
WITH before AS (SELECT COALESCE(MAX(amount), 0) AS highest FROM intermediate.reads_itself)
SELECT
  DATE_TRUNC('MONTH', issue_date)::DATE AS at,
  (SUM(i.amount) * FACTOR + MAX(before.highest))::DECIMAL(18, 2) AS amount
FROM intermediate.invoices AS i CROSS JOIN before
WHERE issue_date BETWEEN @start_ds::DATE AND @end_ds::DATE
GROUP BY DATE_TRUNC('MONTH', issue_date)
""",
}  # fmt: skip


EXTRA = [*SUPPORTED, "in_python"]


def write_models(project: Path, factor: int) -> None:
    folder = project / "models/intermediate"
    for name, code in SUPPORTED.items():
        (folder / f"{name}.sql").write_text(code.replace("FACTOR", str(factor)))
    (folder / "in_python.py").write_text(OF_AMOUNTS.replace("FACTOR", str(factor)))


def make_project(platform: Platform) -> None:
    platform.copy_project()
    config = platform.project / "config.yaml"
    config.write_text(config.read_text().replace("  enabled: true\n", "  enabled: false\n"))
    (platform.project / "audits/has_rows.sql").write_text(HAS_ROWS)
    shutil.rmtree(platform.project / "tests")
    write_models(platform.project, 1)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project and data of a platform with a model of each kind after its first run."""
    folder = tmp_path_factory.mktemp("kinds") / "project"
    platform = Platform(folder / "data", folder)
    make_project(platform)
    here = platform.settings(START)
    extract(here, COMPANY)
    load(here)
    transform(here)
    return folder


def shown(database: Path) -> dict[str, list[tuple]]:
    """The rows of each model of the platform's own and of each of these."""
    with duckdb.connect(str(database), read_only=True) as connection:
        names = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE list_contains(?, table_schema) ORDER BY ALL",
            [[*Layer]],
        ).fetchall()
        return {
            f"{schema}.{name}": sorted(
                connection.execute(f'FROM "{schema}"."{name}"').fetchall(), key=repr
            )
            for schema, name in names
        }


def rebuilt(platform: Platform, here: Settings, folder: Path) -> dict[str, list[tuple]]:
    """The same after a full rebuild of what is loaded."""
    fresh = Platform(folder / "data", platform.project).settings(here.as_of)
    fresh.lakehouse.parent.mkdir(parents=True)
    with duckdb.connect(str(fresh.lakehouse)) as connection:
        prepare(connection)
        connection.execute(f"ATTACH '{here.lakehouse}' AS old (READ_ONLY)")
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = 'old' "
            "AND schema_name = 'sources'"
        ).fetchall():
            connection.execute(f"CREATE TABLE sources.{name} AS FROM old.sources.{name}")
        for name in ("loads", "loaded_files"):
            connection.execute(f"INSERT INTO ops.{name} FROM old.ops.{name}")
    transform(fresh)
    return shown(fresh.lakehouse)


# Days on or back, a correction of what was loaded, another company, other code and its way back.
STEPS = st.one_of(
    st.integers(1, 40),
    st.integers(-90, -1),
    st.sampled_from(["correct", "start over", "promote", "roll back", "load only"]),
)


def corrected(invoices: pl.DataFrame) -> pl.DataFrame:
    """The invoices of a month come to a euro more."""
    return invoices.with_columns((pl.col("amount") + 1).cast(pl.Decimal(10, 2)))


def assert_every_kind_equals_a_rebuild_after(steps: list, deployed: Path, folder: Path) -> None:
    shutil.copytree(deployed, folder / "project", symlinks=True)
    platform = Platform(folder / "project/data", folder / "project")
    here, company, factor, factors = platform.settings(START), COMPANY, 1, [1]
    for step in [*steps, 2]:
        if isinstance(step, int):
            day = max(date(2022, 3, 1), here.as_of + timedelta(days=step))
            here = platform.settings(day)
            extract(here, company)
            load(here)
        elif step == "load only":
            day = here.as_of + timedelta(days=5)
            here = platform.settings(day)
            extract(here, company)
            load(here)
            continue
        elif step == "correct":
            rewrite(platform, "app.invoices", corrected, 3)
            load(here)
        elif step == "start over":
            company = replace(company, random_seed=company.random_seed + 1)
            extract(here, company)
            load(here, starts_over=True)
        elif step == "promote":
            transform(here)
            factor += 1
            factors.append(factor)
            write_models(platform.project, factor)
            plan(here, "dev")
            day = here.as_of + timedelta(days=20)
            here = platform.settings(day)
            extract(here, company)
            load(here)
            transform(here)
            plan(here, "dev")
            promote(here, "dev")
        elif len(factors) > 1:
            transform(here)
            rollback(here)
            factors.pop()
            write_models(platform.project, factors[-1])
        transform(here)
    found, expected = shown(here.lakehouse), rebuilt(platform, here, folder)
    found = {name: rows for name, rows in found.items() if "__dev" not in name}
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []
    assert all(found[f"intermediate.{name}"] for name in EXTRA)


@pytest.mark.slow(reason="every kind of model rebuilt after promotions and rollbacks")
def test_after_a_sequence_of_everything_each_kind_of_model_shows_what_a_rebuild_shows(
    deployed: Path, tmp_path: Path
) -> None:
    steps = [11, "correct", -40, "promote", "load only", "start over", "roll back"]
    assert_every_kind_equals_a_rebuild_after(steps, deployed, tmp_path)


@pytest.mark.slow(reason="the same over random sequences, rebuilt each time")
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, min_size=2, max_size=5))
@example(steps=["promote", -80, "roll back", "correct", 33])
def test_after_random_sequences_each_kind_of_model_shows_what_a_rebuild_shows(
    deployed: Path, tmp_path_factory: pytest.TempPathFactory, steps: list
) -> None:
    assert_every_kind_equals_a_rebuild_after(steps, deployed, tmp_path_factory.mktemp("steps"))
