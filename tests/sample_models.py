"""Models that tests add to a project."""

# What a model of one row says of itself, and the audit that it names.
HEADER = "owner data, grain at, description 'One row.', audits (has_rows)"
HAS_ROWS = "AUDIT (name has_rows); SELECT 1 AS none FROM @this_model WHERE FALSE"

# Of people: a column of names, and one of numbers.
IN_PYTHON = """
import typing as t

import pandas as pd
from sqlmesh import ExecutionContext, model


@model(
    "marts.people",
    kind="FULL",
    columns={"who": "text", "score": "int"},
    depends_on=["intermediate.freelancers"],
    owner="care",
    grain="who",
    description="One row per person.",
    column_descriptions={"who": "The person.", "score": "A score."},
)
def execute(context: ExecutionContext, **kwargs: t.Any) -> pd.DataFrame:
    frame = context.fetchdf(f"FROM {context.resolve_table('intermediate.freelancers')}")
    frame["who"] = frame["last_name"]
    frame["score"] = frame["satisfaction_score"].fillna(0).astype("int32") * 1
    return frame[["who", "score"]]
"""

# Of amounts by date.
OF_AMOUNTS = """
import typing as t
from datetime import datetime

import pandas as pd
from sqlmesh import ExecutionContext, model
from sqlmesh.core.model import ModelKindName


@model(
    "intermediate.in_python",
    kind="FULL",
    columns={"at": "date", "amount": "decimal(18, 2)"},
    depends_on=["intermediate.invoices"],
    owner="data",
    grain="at",
    description="One row.",
)
def execute(
    context: ExecutionContext,
    start: datetime,
    end: datetime,
    execution_time: datetime,
    **kwargs: t.Any,
) -> pd.DataFrame:
    table = context.resolve_table("intermediate.invoices")
    sql = f"SELECT issue_date AS at, SUM(amount) AS amount FROM {table} GROUP BY ALL"
    frame = context.fetchdf(sql)
    frame["amount"] = frame["amount"] * FACTOR
    return frame
"""
