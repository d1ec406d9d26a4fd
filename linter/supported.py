"""What SQLMesh accepts of a model, the platform does right or refuses."""

from __future__ import annotations

from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model

from data_platform.errors import near
from data_platform.project.kinds import STANDALONE, by_short_name, refusals
from data_platform.sql import short_name


class NoUnsupportedModel(Rule):
    """A model asks of SQLMesh what makes it show, at any time, what a full rebuild would show."""

    def check_model(self, model: Model) -> list[RuleViolation] | None:
        if model.kind.is_external:
            return None
        start = self.context.config_for_node(model).model_defaults.start
        known = by_short_name(self.context.models.values())
        return [self.violation(said) for said in refusals(model, start, known)] or None


class NoStandaloneAudit(Rule):
    """Every audit belongs to a model; one that does not is told with a model that it reads."""

    def check_model(self, model: Model) -> list[RuleViolation] | None:
        found = [
            name
            for name, audit in self.context.standalone_audits.items()
            if model.fqn == min(audit.depends_on, default=model.fqn)
        ]
        return [self.violation(f"Audit {name}: {STANDALONE}.") for name in found] or None


class NoUnknownTable(Rule):
    """A model reads models and source tables of the contract, and nothing else."""

    def check_model(self, model: Model) -> list[RuleViolation] | None:
        known = {short_name(name) for name in self.context.models}
        unknown = sorted({short_name(name) for name in model.depends_on} - known)
        return [
            self.violation(
                f"There is neither a model nor a source table {name} to read{near(name, known)}"
            )
            for name in unknown
        ] or None
