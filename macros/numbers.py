"""Numbers that several models compute or show alike."""

from sqlglot import exp, parse_one
from sqlmesh import macro

# Would you recommend Jump, 0 to 10? The groups of the net promoter score (Reichheld 2003).
_LEAST_OF_PROMOTERS, _MOST_OF_DETRACTORS = 9, 6


def _counted(condition: exp.Expression) -> exp.Expression:
    return exp.Count(this=exp.case().when(condition, exp.Literal.number(1)))


@macro()
def count_promoters(evaluator, score):
    """How many scores are a promoter's."""
    return _counted(exp.GTE(this=score, expression=exp.Literal.number(_LEAST_OF_PROMOTERS)))


@macro()
def count_passives(evaluator, score):
    """How many scores are neither a promoter's nor a detractor's."""
    low, high = _MOST_OF_DETRACTORS + 1, _LEAST_OF_PROMOTERS - 1
    return _counted(score.between(low, high))


@macro()
def count_detractors(evaluator, score):
    """How many scores are a detractor's."""
    return _counted(exp.LTE(this=score, expression=exp.Literal.number(_MOST_OF_DETRACTORS)))


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
