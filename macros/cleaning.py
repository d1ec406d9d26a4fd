"""What cleaning means, stated once. White space is space, tab and line breaks."""

from sqlglot import exp
from sqlmesh import macro

_TEST_DOMAIN = "@jump.example"


def _replace_all(text, pattern, replacement):
    return exp.RegexpReplace(
        this=text,
        expression=exp.Literal.string(pattern),
        replacement=exp.Literal.string(replacement),
        modifiers=exp.Literal.string("g"),
    )


@macro()
def clean_name(evaluator, text):
    """Trimmed, inner runs of white space made one space, the spelling kept."""
    # TRIM alone would take other white space too, a no-break space among it.
    one_spaced = _replace_all(text, r"[ \t\r\n]+", " ")
    return exp.Trim(this=one_spaced, expression=exp.Literal.string(" "))


@macro()
def trimmed(evaluator, text):
    """Without white space at either end."""
    # Nearly all texts have none at all, which is seen in half the time.
    has_white_space = exp.or_(
        *(
            exp.Like(this=text.copy(), expression=exp.Literal.string(f"%{one}%"))
            for one in " \t\r\n"
        )
    )
    without = _replace_all(text.copy(), r"^[ \t\r\n]+|[ \t\r\n]+$", "")
    return exp.case().when(has_white_space, without).else_(text.copy())


@macro()
def clean_email(evaluator, text):
    """Trimmed and lower-cased."""
    return exp.Lower(this=trimmed(evaluator, text))


@macro()
def is_test_account(evaluator, clean_email):
    """Whether a cleaned e-mail address is one of Jump's internal test accounts."""
    return exp.func("ENDS_WITH", clean_email, exp.Literal.string(_TEST_DOMAIN), dialect="duckdb")
