"""The folders show the flow: what a layer may read."""

from __future__ import annotations

from sqlglot import exp
from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model, SqlModel

from data_platform.names import CUSTOMERS_LOG, EXTRACTS, Layer
from data_platform.project.evaluation import short_name

_MAY_READ = {
    Layer.STAGING: {"sources"},
    # A source that is no copy of an application's table has no staging view.
    Layer.INTERMEDIATE: {"sources", Layer.STAGING, Layer.INTERMEDIATE},
    Layer.MARTS: {Layer.INTERMEDIATE},
    Layer.EXPORTS: {Layer.MARTS},
}
_NOT_STAGED = {f"sources.{name}" for name in (CUSTOMERS_LOG, EXTRACTS)}


class NoUpwardReading(Rule):
    """A layer reads the one below: staging sources, marts intermediate models, exports marts."""

    def check_model(self, model: Model) -> RuleViolation | None:
        if model.kind.is_external:
            return None
        layer, read = model.schema_name, set()
        if isinstance(model, SqlModel):  # what an audit reads beside is not told here
            for table in model.query.find_all(exp.Table):
                if table.db:
                    read.add(f"{table.db}.{table.name}")
        else:
            read = {short_name(name) for name in model.depends_on}
        wrong = {
            name
            for name in read
            if name.partition(".")[0] not in _MAY_READ.get(layer, ())
            or (
                layer == Layer.INTERMEDIATE
                and name.startswith("sources.")
                and name not in _NOT_STAGED
            )
        }
        if layer not in _MAY_READ:
            return self.violation(f"There is no layer {layer}; there are {', '.join(_MAY_READ)}.")
        if wrong:
            may = " and ".join(sorted(_MAY_READ[layer]))
            return self.violation(f"{layer} reads {may}, not {', '.join(sorted(wrong))}.")
        return None
