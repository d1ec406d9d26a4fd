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


@macro()
def person_key(evaluator, last_name, first_name, email):
    """The surrogate key of a person: cleaned names, compared upper-case, and cleaned e-mail."""
    return surrogate_key(evaluator, exp.Upper(this=last_name), exp.Upper(this=first_name), email)


@macro()
def client_key(evaluator, name):
    """The surrogate key of a client: the cleaned name, compared upper-case."""
    return surrogate_key(evaluator, exp.Upper(this=name))
