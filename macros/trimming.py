"""White space at the ends of a text: space, tab and line breaks, as in cleaning.py."""

from sqlglot import exp
from sqlmesh import macro


@macro()
def trimmed(evaluator, text):
    """Without white space at either end."""
    return exp.RegexpReplace(
        this=text,
        expression=exp.Literal.string(r"^[ \t\r\n]+|[ \t\r\n]+$"),
        replacement=exp.Literal.string(""),
        modifiers=exp.Literal.string("g"),
    )
