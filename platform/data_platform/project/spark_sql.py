"""What SQLGlot does not say in Spark's SQL by itself."""

import unicodedata
from functools import cache

from sqlglot import exp, parse_one

# Marks that follow the letter which they belong to.
_MARKS = "[\u0300-\u036f]"
# A UUID as text, as every engine writes one.
_UUID = "REGEXP_REPLACE(digest, '^(.{8})(.{4})(.{4})(.{4})(.{12})$', '$1-$2-$3-$4-$5')"


def in_spark(expression: exp.Expression) -> exp.Expression:
    """An expression of DuckDB's with what Spark lacks put in its words."""
    if not expression.find(exp.Anonymous, exp.GroupConcat, exp.MD5):
        return expression
    return expression.transform(_put)


def _put(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Anonymous) and str(node.this).upper() == "NFC_NORMALIZE":
        return _composed(node.expressions[0])
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.MD5) and node.is_type("uuid"):
        return _filled(_UUID, digest=node.this)
    if isinstance(node, exp.GroupConcat) and isinstance(node.this, exp.Order):
        return _joined(node.this, node.args.get("separator"))
    return node


def _joined(values: exp.Order, separator: exp.Expression | None) -> exp.Expression:
    """Texts joined in an order: Spark's own aggregate knows none."""
    (by,) = values.expressions
    return _filled(
        "ARRAY_JOIN(TRANSFORM(ARRAY_SORT(COLLECT_LIST(STRUCT(sorted_by AS sorted_by, "
        "joined AS joined))), one -> one.joined), separator_between)",
        sorted_by=by.this,
        joined=values.this,
        separator_between=separator or exp.Literal.string(""),
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
