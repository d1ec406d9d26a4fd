"""Personal data is marked where it comes from, and nobody exports it without saying so."""

from __future__ import annotations

import typing as t
from operator import is_not

from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model

from data_platform.names import SHOWN_TO_READERS
from data_platform.project.lineage.graph import ANONYMOUS, PERSONAL, Lineage, column_of, model_of
from data_platform.project.lineage.working_tree import lineage_of
from data_platform.sql import short_name


class NoUnmarkedPersonalData(Rule):
    """An export marks the personal columns it shows; a model calls anonymous only what is not."""

    def check_model(self, model: Model) -> list[RuleViolation] | None:
        if model.kind.is_external or not model.depends_on <= self.context.models.keys():
            return None  # what is not there has a rule of its own
        lineage = _lineage_of([*self.context.models.values()], self.context.default_catalog)
        found = list(_faults(lineage, short_name(model.fqn)))
        return [self.violation(fault) for fault in found] or None


# The models that were looked at last, and their lineage: the rule is asked of each of them.
_LAST: list[tuple[list[Model], Lineage]] = []


def _lineage_of(models: list[Model], catalog: str | None) -> Lineage:
    known, lineage = _LAST[0] if _LAST else ([], None)
    if lineage is None or len(known) != len(models) or any(map(is_not, known, models)):
        lineage = lineage_of(models, catalog)
        _LAST[:] = [(models, lineage)]
    return lineage


def _faults(lineage: Lineage, name: str) -> t.Iterator[str]:
    model, personal = lineage.models[name], lineage.personal(name)
    marked, anonymous = model.tagged(PERSONAL), model.tagged(ANONYMOUS)
    if unknown := (marked | anonymous) - model.types.keys():
        yield f"There is no column {', '.join(sorted(unknown))} to mark."
    unmarked = personal - marked if model.layer in SHOWN_TO_READERS else set()
    if unmarked:
        origins = {
            origin
            for column in unmarked
            for origin in lineage.reach(f"{name}.{column}", lineage.upstream)
            if column_of(origin) in lineage.models[model_of(origin)].tagged(PERSONAL)
        }
        yield (
            f"Exports personal data in {', '.join(sorted(unmarked))}, made of "
            f"{', '.join(sorted(origins))}; mark it with a tag like {PERSONAL}:<column>, or leave "
            "it out."
        )
    for column in sorted(anonymous & model.types.keys()):
        if not any(parent in lineage.marked(PERSONAL) for parent in model.made_of[column]):
            yield f"{column} is made of nothing personal; its tag {ANONYMOUS} says nothing."
