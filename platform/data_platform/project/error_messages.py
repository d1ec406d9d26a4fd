"""What is said where something fails, without the values of rows: those may be personal."""

import re
from typing import Any

import duckdb
from sqlglot.errors import SqlglotError
from sqlmesh.utils.errors import PythonModelEvalError, SQLMeshError

from data_platform.errors import is_about_values, one_line, without_values

_UNSAID = "the value is not shown, it may be personal"
# Of PostgreSQL's classes of errors: about the values of rows; about the SQL.
_VALUES, _SQL = "22", ("42", "0A")
# Of Spark's: [CAST_INVALID_INPUT] The value 'x' of the type …
_CLASS = re.compile(r"^\s*(?:\S*Exception: )?\[([A-Z_.]+)\]")
_ABOUT_VALUES = ("CAST_", "DIVIDE_BY_ZERO", "ARITHMETIC_OVERFLOW", "NUMERIC_", "INVALID_ARRAY")


def what_values_did(error: BaseException) -> str | None:
    """What is to be said of an error that the values of rows made; None of one about the SQL."""
    if isinstance(error, duckdb.Error):
        return without_values(str(error)) if is_about_values(str(error)) else None
    code = str(getattr(error, "pgcode", None) or "")
    if code.startswith(_VALUES):
        return f"{type(error).__name__}: {_UNSAID}"
    found = _CLASS.match(str(error))
    if found and found[1].startswith(_ABOUT_VALUES):
        return f"{found[1]}: {_UNSAID}"
    return None


def what_an_engine_says(error: BaseException) -> str | None:
    """An engine's message in one line, without values; None of what comes from no engine."""
    if isinstance(error, duckdb.Error):
        return without_values(str(error))
    if said := what_values_did(error):
        return said
    diagnosis: Any = getattr(error, "diag", None)
    if str(getattr(error, "pgcode", None) or "").startswith(_SQL):
        return f"{type(error).__name__}: {one_line(str(diagnosis.message_primary))}"
    if type(error).__name__ in ("AnalysisException", "ParseException") and _CLASS.match(str(error)):
        return one_line(str(error).partition(";")[0].splitlines()[0])
    return None


def innermost(error: BaseException) -> str:
    """What first went wrong, in one line and without the values of rows."""
    seen = [error]
    while seen[-1].__cause__ is not None:
        seen.append(seen[-1].__cause__)
    for one in reversed(seen):
        if said := what_an_engine_says(one):
            return said
    # What somebody's Python or a library says may quote the values that it stumbled over.
    if any(isinstance(one, PythonModelEvalError) for one in seen):
        return "an error in its Python; -v shows what it says"
    if isinstance(seen[-1], SQLMeshError | SqlglotError):
        return without_values(str(seen[-1]))
    return f"{type(seen[-1]).__name__}; -v shows what it says"
