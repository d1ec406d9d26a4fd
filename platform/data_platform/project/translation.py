"""What engines beside DuckDB need said otherwise, and what is refused as it would mean another."""

from sqlglot import exp

from data_platform.errors import PlatformError

# Units in which DuckDB counts the boundaries that lie between two days, and how many a year has.
_BOUNDARIES = {"MONTH": 12, "QUARTER": 4, "YEAR": 1}


def untranslated(node: exp.Expression, engine: str, way_out: str) -> PlatformError:
    """A phrase that means something else on an engine, or nothing."""
    said = node.sql(dialect="duckdb")
    return PlatformError(f"{said}: has no equal on {engine}; {way_out}")


def difference_of_days(node: exp.DateDiff, engine: str) -> exp.Expression:
    """DATE_DIFF as DuckDB counts it: from the 31st to the 1st is a month; others count whole ones.

    Raises:
        PlatformError: it counts what is not known to be counted alike.
    """
    unit = str(node.args.get("unit") or "DAY").upper()
    if unit == "DAY":
        return node
    if unit not in _BOUNDARIES:
        raise untranslated(node, engine, "count days, months, quarters or years")

    def count(of: exp.Expression) -> exp.Expression:
        year = exp.Extract(this=exp.var("YEAR"), expression=of.copy())
        if unit == "YEAR":
            return year
        within = exp.Extract(this=exp.var(unit), expression=of.copy())
        return exp.paren(year * exp.Literal.number(_BOUNDARIES[unit]) + within)

    return exp.cast(exp.paren(count(node.this) - count(node.expression)), "bigint")
