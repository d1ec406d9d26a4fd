"""A model is checked twice: its code by unit tests, its data by audits, of its grain above all."""

from __future__ import annotations

import typing as t

from sqlglot import exp
from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model, SqlModel

# Audits that find two rows with the same key, and which of their arguments name the key.
_CLAIM_UNIQUENESS = {
    "primary_key": ("key_columns",),
    "unique_over_time": ("key_column",),
    "months_are_complete": ("month_column", "key_columns"),
}
# Audits that compare numbers of rows, and which of their arguments names the other model.
_COMPARES_ROWS = {"same_number_of_rows": "other", "same_rows_and_total": "there"}
# The model, below or above, whose audits find it when a row of this one is there twice.
_AUDITED_BY = "grain_audited_by:"


def _names(arguments: t.Iterable[exp.Expr | None]) -> set[str]:
    return {c.name for a in arguments if a is not None for c in a.find_all(exp.Column, exp.Literal)}


def _audits_its_grain(model: Model) -> bool:
    grain = _names(model.grains)
    for audit, arguments in model.audits:
        key = _names(arguments.get(name) for name in _CLAIM_UNIQUENESS.get(audit, ()))
        if audit == "has_one_row" or (key and key <= grain):
            return True
        # As many rows as a model below it, whose own grain is audited.
        here = arguments.get("here")
        below = arguments.get(_COMPARES_ROWS[audit]) if audit in _COMPARES_ROWS else None
        if below is None or (here is not None and here.sql() != model.name):
            continue
        if below.sql().partition(".")[0] not in ("sources", "staging"):
            return True
    return False


class NoMissingGrainAudit(Rule):
    """An audit finds two rows of the same grain, here or in the model that a tag names."""

    def check_model(self, model: Model) -> RuleViolation | None:
        if model.kind.is_external or _audits_its_grain(model):
            return None
        for tag in model.tags:
            name = tag.removeprefix(_AUDITED_BY)
            other = self.context.get_model(name) if name != tag else None
            if other is None or not _audits_its_grain(other):
                continue
            if model.fqn in other.depends_on or other.fqn in model.depends_on:
                return None
        return self.violation(
            f"No audit of the grain; add one of {', '.join(_CLAIM_UNIQUENESS)}, or where a model "
            f"that reads this one, or that it reads, has it, the tag {_AUDITED_BY}<model>."
        )


class NoMissingModelTest(Rule):
    """A model that does more than take columns of one table as they are has a unit test."""

    def check_model(self, model: Model) -> RuleViolation | None:
        if model.kind.is_external or model.name in self.context.models_with_tests:
            return None
        if isinstance(model, SqlModel) and _is_mere_projection(model.query):
            return None
        layer, _, name = model.name.partition(".")
        return self.violation(f"No unit test; write tests/{layer}/test_{name}.yaml.")


def _is_mere_projection(query: exp.Expr) -> bool:
    does = ("with_", "joins", "where", "group", "having", "qualify", "distinct", "limit")
    if not isinstance(query, exp.Select) or any(query.args.get(name) for name in does):
        return False
    return all(isinstance(_uncast(column), exp.Column) for column in query.selects)


def _uncast(column: exp.Expr) -> exp.Expr:
    column = column.unalias()
    return column.this if isinstance(column, exp.Cast) else column
