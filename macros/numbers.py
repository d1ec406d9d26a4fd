"""Numbers that several models compute or show alike."""

from sqlglot import exp, parse_one
from sqlmesh import macro


@macro()
def net_promoter_score(evaluator, promoters, detractors, respondents):
    """100 * (promoters - detractors) / respondents, rounded half away from zero to 2 places.

    Exact: whole hundredths in integers, since division of decimals is in floating point on DuckDB.
    Null without respondents.
    """
    hundredths = f"10000 * ({promoters.sql('duckdb')} - {detractors.sql('duckdb')})"
    total = respondents.sql("duckdb")
    return parse_one(
        f"CASE WHEN {total} > 0 THEN CAST(SIGN({hundredths}) AS BIGINT) "
        f"* ((2 * ABS({hundredths}) + {total}) // (2 * {total})) * 0.01 END",
        dialect="duckdb",
    )


@macro()
def euros(evaluator, amount):
    """An amount as French readers write it: 34,15."""
    return exp.func(
        "REPLACE",
        exp.cast(exp.cast(amount, "decimal(18, 2)"), "text"),
        exp.Literal.string("."),
        exp.Literal.string(","),
    )
