"""What SQLGlot does not say in PostgreSQL's SQL by itself."""

from sqlglot import exp

from data_platform.project.translation import difference_of_days, untranslated

_ENGINE = "PostgreSQL"


def in_postgres(expression: exp.Expression, catalogue: str) -> exp.Expression:
    """An expression of DuckDB's with what PostgreSQL lacks put in its words.

    Args:
        catalogue: what SQLMesh calls the database, which bears another name in each run.

    Raises:
        PlatformError: it would mean something else there.
    """

    def put(node: exp.Expression) -> exp.Expression:
        if way_out := _refusal(node):
            raise untranslated(node, _ENGINE, way_out)
        if isinstance(node, exp.Table) and node.catalog == catalogue:
            node = node.copy()
            node.set("catalog", None)
        elif isinstance(node, exp.Anonymous) and str(node.this).upper() == "NFC_NORMALIZE":
            return exp.func("NORMALIZE", _within(node.expressions[0]), exp.var("NFC"))
        elif isinstance(node, exp.EndsWith):
            sides = (_within(node.this), _within(node.expression))
            return exp.func("STARTS_WITH", *(exp.func("REVERSE", side) for side in sides))
        elif isinstance(node, exp.Explode) and isinstance(node.this, exp.GenerateSeries):
            return _within(node.this)  # gives rows by itself
        elif isinstance(node, exp.ArgMin | exp.ArgMax):
            return _first(
                _within(node.this), _within(node.expression), isinstance(node, exp.ArgMax)
            )
        elif isinstance(node, exp.DateDiff):
            return difference_of_days(node, _ENGINE)
        elif isinstance(node, exp.Boolean) and isinstance(node.parent, exp.Group):
            return exp.Literal.number(1).eq(1)  # a constant would be a column's number
        return node

    def _within(inside: exp.Expression) -> exp.Expression:
        return inside.transform(put)

    return expression.transform(put)


def _refusal(node: exp.Expression) -> str | None:
    """What to write in the place of what SQLGlot would turn into something else."""
    if isinstance(node, exp.TryCast):
        return "test the value before it is cast"
    if isinstance(node, exp.Substring) and isinstance(node.args.get("start"), exp.Neg):
        return "use RIGHT"
    if isinstance(node, exp.RegexpLike) and node.args.get("flag"):
        return "say the option within the pattern"
    is_part = isinstance(node.parent, exp.Filter | exp.Window)
    if isinstance(node, exp.ArgMin | exp.ArgMax) and (node.args.get("count") or is_part):
        return "number the rows with ROW_NUMBER"
    return None


def _first(value: exp.Expression, by: exp.Expression, is_last: bool) -> exp.Expression:
    """The value of the row in which another one is the smallest or largest; no NULL of either."""
    order = exp.Order(this=value, expressions=[exp.Ordered(this=by, desc=is_last)])
    known = exp.and_(*(one.copy().is_(exp.null()).not_() for one in (value, by)))
    every = exp.Filter(this=exp.ArrayAgg(this=order), expression=exp.Where(this=known))
    return exp.Bracket(this=exp.paren(every), expressions=[exp.Literal.number(1)], offset=1)
