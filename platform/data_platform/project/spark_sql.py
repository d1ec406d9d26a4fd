"""What SQLGlot does not say in Spark's SQL by itself."""

import unicodedata
from functools import cache

from sqlglot import exp, parse_one

from data_platform.project.translation import difference_of_days, untranslated

_ENGINE = "Spark"

# Marks that follow the letter which they belong to.
_MARKS = "[\u0300-\u036f]"
# A UUID as text, as every engine writes one.
_UUID = "REGEXP_REPLACE(digest, '^(.{8})(.{4})(.{4})(.{4})(.{12})$', '$1-$2-$3-$4-$5')"


def in_spark(expression: exp.Expression) -> exp.Expression:
    """An expression of DuckDB's with what Spark lacks put in its words.

    Raises:
        PlatformError: it would mean something else there.
    """
    return expression.transform(_put)


def _put(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Anonymous) and str(node.this).upper() == "NFC_NORMALIZE":
        return _composed(node.expressions[0])
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.MD5) and node.is_type("uuid"):
        return _filled(_UUID, digest=node.this)
    if isinstance(node, exp.GroupConcat) and isinstance(node.this, exp.Order):
        return _joined(node)
    if isinstance(node, exp.DateDiff):
        return difference_of_days(node, _ENGINE)
    if isinstance(node, exp.Values):
        return _of_one_type(node)
    if way_out := _refusal(node):
        raise untranslated(node, _ENGINE, way_out)
    return node


def _refusal(node: exp.Expression) -> str | None:
    """What to write in the place of what SQLGlot would turn into something else."""
    if isinstance(node, exp.ArrayAgg) and isinstance(node.this, exp.Order):
        return "join texts in their order with STRING_AGG, or number the rows with ROW_NUMBER"
    if isinstance(node, exp.RegexpReplace) and "g" not in str(node.args.get("modifiers") or ""):
        return "say the option 'g', by which all are replaced"
    if isinstance(node, exp.DayOfWeek) or (
        isinstance(node, exp.Extract) and node.name.upper() in ("DOW", "DAYOFWEEK")
    ):
        return "use ISODOW"
    return None


def _of_one_type(values: exp.Values) -> exp.Values:
    """Rows whose texts take the type that the other rows of their column have, if it is one.

    Spark refuses a date beside one that is written as a text.
    """
    for column in zip(*(row.expressions for row in values.expressions), strict=False):
        types = {value.to for value in column if isinstance(value, exp.Cast)}
        if len(types) != 1:
            continue
        (type_,) = types
        for value in column:
            if isinstance(value, exp.Literal) and value.is_string:
                value.replace(exp.cast(value.copy(), type_))
    return values


def _joined(node: exp.GroupConcat) -> exp.Expression:
    """Texts joined in an order, which Spark's own aggregate does not know; NULL without any.

    Raises:
        PlatformError: by more than one column, or of different ones alone.
    """
    values = node.this
    is_part = isinstance(node.parent, exp.Filter | exp.Window)
    if len(values.expressions) != 1 or isinstance(values.this, exp.Distinct) or is_part:
        raise untranslated(
            node, _ENGINE, "order by one column, in a query that has picked the rows"
        )
    (by,) = values.expressions
    sorted_ = "ARRAY_SORT(COLLECT_LIST(STRUCT(sorted_by AS sorted_by, joined AS joined)))"
    return _filled(
        "CASE WHEN COUNT(joined) > 0 THEN ARRAY_JOIN(TRANSFORM("
        f"{f'REVERSE({sorted_})' if by.args.get('desc') else sorted_}, one -> one.joined), "
        "separator_between) END",
        sorted_by=by.this,
        joined=values.this,
        separator_between=node.args.get("separator") or exp.Literal.string(","),
    )


def _composed(text: exp.Expression) -> exp.Expression:
    """Text in Unicode's form NFC: a letter and its marks made one, where there is such a one.

    Marks in another order than Unicode's stay as they are.
    """
    return _filled(_compose(), text_to_compose=text)


def _filled(template: str, **parts: exp.Expression) -> exp.Expression:
    """Spark's SQL with expressions in the place of columns that are called like them."""
    found = _parsed(template).copy()
    for column in list(found.find_all(exp.Column)):
        if column.name in parts:
            column.replace(in_spark(parts[column.name].copy()))
    return found


@cache
def _parsed(template: str) -> exp.Expression:
    return parse_one(template, dialect="spark")


@cache
def _compose() -> str:
    apart, composed = zip(*_compositions(), strict=True)
    said = {"apart": ",".join(apart), "composed": ",".join(composed)}
    return (
        f"CASE WHEN text_to_compose RLIKE '{_MARKS}' THEN AGGREGATE(ARRAYS_ZIP("
        f"SPLIT('{said['apart']}', ','), SPLIT('{said['composed']}', ',')), text_to_compose, "
        "(t, p) -> REPLACE(t, p.`0`, p.`1`)) ELSE text_to_compose END"
    )


def _compositions() -> list[tuple[str, str]]:
    """(letter and mark, the letter that they make) of the Basic Multilingual Plane."""
    found = []
    for code in range(0xC0, 0x2000):
        decomposed = unicodedata.decomposition(chr(code)).split()
        if len(decomposed) != 2 or decomposed[0].startswith("<"):
            continue
        pair = "".join(chr(int(one, 16)) for one in decomposed)
        if unicodedata.normalize("NFC", pair) == chr(code):
            found.append((pair, chr(code)))
    # A letter that has a mark already may get another.
    return sorted(found, key=lambda one: len(unicodedata.normalize("NFD", one[1])))
