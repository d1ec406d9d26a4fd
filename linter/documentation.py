"""A model file is a document: whose it is, what one row is, what each column says and is."""

from __future__ import annotations

from sqlglot import exp
from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model, SqlModel


def _is_ours(model: Model) -> bool:
    """Rules see external models too, which external_models.yaml describes in its own way."""
    return not model.kind.is_external


class NoMissingOwner(Rule):
    """Every model names the team that answers for it."""

    def check_model(self, model: Model) -> RuleViolation | None:
        if _is_ours(model) and not model.owner:
            return self.violation("The model has no owner.")
        return None


class NoMissingGrain(Rule):
    """Every model says which columns make a row unique."""

    def check_model(self, model: Model) -> RuleViolation | None:
        if _is_ours(model) and not model.grains:
            return self.violation("The model has no grain.")
        return None


class NoMissingDescription(Rule):
    """Every model and every column of it is described, and nothing that does not exist."""

    def check_model(self, model: Model) -> RuleViolation | None:
        if not _is_ours(model):
            return None
        if not model.description:
            return self.violation("The model has no description.")
        columns = set(model.columns_to_types or {})
        if missing := sorted(columns - set(model.column_descriptions)):
            return self.violation(f"No description of column {', '.join(missing)}.")
        if unknown := sorted(set(model.column_descriptions) - columns):
            return self.violation(f"There is no column {', '.join(unknown)} to describe.")
        return None


class NoMissingCast(Rule):
    """Every column of the result is cast, so that its type is what the file says."""

    def check_model(self, model: Model) -> RuleViolation | None:
        if not (isinstance(model, SqlModel) and isinstance(model.query, exp.Query)):
            return None
        loose = [
            projection.alias_or_name
            for projection in model.query.selects
            if not isinstance(projection.unalias(), exp.Cast)
        ]
        if loose:
            return self.violation(f"No cast of column {', '.join(loose)}.")
        return None
