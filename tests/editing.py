"""Edits of a project, as an analyst makes them, and what they change."""

import re

from conftest import Platform

MONTHLY = "models/marts/kpi__monthly_turnover.sql"
EXPORT = "models/exports/monthly_turnover.sql"


def edit(platform: Platform, path: str, old: str, new: str) -> None:
    """Change a text of a file of the project, which has to be there."""
    model = platform.project / path
    text = model.read_text()
    assert old in text
    model.write_text(text.replace(old, new))


def double_the_turnover(platform: Platform, keeps_control_total: bool = False) -> None:
    """An edit that shows: every amount twice, without the checks that would stop it."""
    edit(platform, MONTHLY, "COALESCE(turnover.amount, 0)", "COALESCE(turnover.amount * 2, 0)")
    text = (platform.project / MONTHLY).read_text()
    without = re.sub(r",\s*totals_agree\([^)]*\)", "", text)
    assert without != text
    (platform.project / MONTHLY).write_text(without)
    expected = platform.project / "tests/marts/test_kpi__monthly_turnover.yaml"
    doubled = re.sub(
        r"(issue_month_date: [^,]*, amount: )([\d.]+)",
        lambda found: f"{found[1]}{2 * float(found[2])}",
        expected.read_text(),
    )
    expected.write_text(doubled)
    if not keeps_control_total:
        edit(platform, EXPORT, "  tags 'control_total:Turnover (in €)',\n", "")


def total(platform: Platform, schema: str) -> object:
    """The turnover that the mart of a schema shows, over all months."""
    return platform.rows(f"SELECT SUM(amount) FROM {schema}.kpi__monthly_turnover")[0][0]


def table_of(platform: Platform, model: str, environment: str = "") -> str:
    """The table that a model has in an environment, in production by default."""
    schema, name = model.split(".")
    view = f"{schema}__{environment}" if environment else schema
    (row,) = platform.rows(
        f"SELECT sql FROM duckdb_views() WHERE schema_name = '{view}' AND view_name = '{name}'"
    )
    found = re.search(rf"sqlmesh__{schema}\.\w+", row[0])
    assert found is not None, row
    return found[0]


def invoiced(platform: Platform) -> object:
    """What was invoiced in all."""
    return platform.rows("SELECT SUM(amount) FROM sources.app__invoices")[0][0]
