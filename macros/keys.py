"""Surrogate keys, stated once for every model."""

from sqlglot import exp
from sqlmesh import macro


def _text(value: exp.Expression) -> exp.Expression:
    return exp.cast(value.copy(), "text")


def _encoded(value: exp.Expression) -> exp.Expression:
    """A value as its length, a colon and its text; null as a dash, which no value encodes to."""
    encoded = exp.func(
        "CONCAT",
        exp.cast(exp.Length(this=_text(value)), "text"),
        exp.Literal.string(":"),
        _text(value),
    )
    return (
        exp.case()
        .when(exp.Is(this=value.copy(), expression=exp.null()), exp.Literal.string("-"))
        .else_(encoded)
    )


@macro()
def surrogate_key(evaluator, *values):
    """A key of 128 bits over values: deterministic, null-safe, free of glued-together collisions.

    Every value is written as `<length>:<text>` before they are joined, so ('ab', 'c') and
    ('a', 'bc') differ. DuckDB stores the MD5 digest as a UUID: half the bytes of its text.
    """
    digest = exp.MD5(this=exp.func("CONCAT", *[_encoded(value) for value in values]))
    return exp.cast(digest, "uuid")


def _replaced(text: exp.Expression, old: str, new: str) -> exp.Expression:
    return exp.func("REPLACE", text, exp.Literal.string(old), exp.Literal.string(new))


@macro()
def compared_name(evaluator, clean_name):
    """A cleaned name as names are compared, the same on every engine: in upper case.

    Unicode writes é in two ways, which NFC makes one; engines disagree on the upper case of ß, so
    it is SS before they are asked, and so is ẞ; the other letters are upper-cased one by one.
    """
    composed = exp.func("NFC_NORMALIZE", clean_name, dialect="duckdb")
    return exp.Upper(this=_replaced(_replaced(composed, "ß", "SS"), "ẞ", "SS"))


@macro()
def person_key(evaluator, last_name, first_name, email):
    """The surrogate key of a person: cleaned names, as they are compared, and cleaned e-mail."""
    names = (compared_name(evaluator, name) for name in (last_name, first_name))
    return surrogate_key(evaluator, *names, email)


@macro()
def client_key(evaluator, name):
    """The surrogate key of a client: the cleaned name, as it is compared."""
    return surrogate_key(evaluator, compared_name(evaluator, name))


# What looks like nothing, and what looks like something else: a person sees one name.
_INVISIBLE = "[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]"
_LOOKS_LIKE = {"'": "’‘ʼʹ`´′", "-": "‐‑‒–—−", " ": "\u00a0\u2009\u202f"}
# Texts of these characters alone hold neither: nearly all, which take a tenth of the time so.
_PLAIN = "^[ -_a-~]*$"


def _seen(name: exp.Expression) -> exp.Expression:
    others = "".join(_LOOKS_LIKE.values())
    plain = "".join(one * len(alike) for one, alike in _LOOKS_LIKE.items())
    visible = exp.RegexpReplace(
        this=compared_name(None, name),
        expression=exp.Literal.string(_INVISIBLE),
        replacement=exp.Literal.string(""),
        modifiers=exp.Literal.string("g"),
    )
    alike = exp.func("TRANSLATE", visible, exp.Literal.string(others), exp.Literal.string(plain))
    is_plain = exp.RegexpLike(this=name.copy(), expression=exp.Literal.string(_PLAIN))
    return exp.Trim(this=exp.case().when(is_plain, exp.Upper(this=name.copy())).else_(alike))


@macro()
def seen_name(evaluator, name):
    """A name as a person sees it."""
    return _seen(name)


@macro()
def seen_names(evaluator, names):
    """Names as a person sees them: two that differ in nothing else are most likely one."""
    columns = names.expressions if isinstance(names, exp.Tuple | exp.Array) else [names]
    return [_seen(column.unnest()) for column in columns]
