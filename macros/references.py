"""What the numbers on invoices are, stated once: JMP and digits."""

from sqlglot import exp
from sqlmesh import macro

_MOST_DIGITS_OF_AN_INTEGER, _MOST_DIGITS = 18, 37
_LETTERS = 3


@macro()
def is_numbered(evaluator, reference):
    """Whether a reference is JMP and digits, no more of them than an exact number holds."""
    pattern = exp.func(
        "REGEXP_MATCHES", reference, exp.Literal.string("^JMP[0-9]+$"), dialect="duckdb"
    )
    return exp.and_(pattern, _is_shorter(reference, _MOST_DIGITS))


@macro()
def reference_number(evaluator, reference):
    """The number of a reference that is numbered; through an integer, where it fits into one."""
    digits = exp.func("SUBSTRING", reference.copy(), exp.Literal.number(_LETTERS + 1))
    exact = exp.DataType.build("decimal(38, 0)")
    short = exp.cast(exp.cast(digits.copy(), "bigint"), exact)  # a hundred times faster
    return (
        exp.case()
        .when(_is_shorter(reference, _MOST_DIGITS_OF_AN_INTEGER), short)
        .else_(exp.cast(digits, exact))
    )


def _is_shorter(reference: exp.Expression, digits: int) -> exp.Expression:
    length = exp.Length(this=reference.copy())
    return exp.LTE(this=length, expression=exp.Literal.number(digits + _LETTERS))
