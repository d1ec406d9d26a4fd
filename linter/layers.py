"""The folders show the flow: what a layer may read."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlglot import exp
from sqlmesh.core.linter.rule import Rule, RuleViolation
from sqlmesh.core.model import Model, SqlModel

from data_platform.names import EXTRACTS, Layer
from data_platform.settings import CONTRACT_FILE
from data_platform.sources.contract_file import read_contract
from data_platform.sql import short_name

_MAY_READ = {
    Layer.STAGING: {"sources"},
    # A source that is no copy of an application's table has no staging view.
    Layer.INTERMEDIATE: {"sources", Layer.STAGING, Layer.INTERMEDIATE},
    Layer.MARTS: {Layer.INTERMEDIATE},
    Layer.EXPORTS: {Layer.MARTS},
    Layer.REPORT: {Layer.MARTS},
}


@cache
def _not_staged(project_dir: Path, changed: float) -> frozenset[str]:
    """The sources that the platform keeps itself, by a contract of some time."""
    logs = read_contract(project_dir).logs
    return frozenset(f"sources.{name}" for name in (EXTRACTS, *(log.name for log in logs)))


class NoUpwardReading(Rule):
    """A layer reads the one below: staging sources, marts intermediate models, exports marts."""

    def check_model(self, model: Model) -> RuleViolation | None:
        if model.kind.is_external:
            return None
        project_dir = Path(self.context.path)
        changed = (project_dir / CONTRACT_FILE).stat().st_mtime
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
                and name not in _not_staged(project_dir, changed)
            )
        }
        if layer not in _MAY_READ:
            return self.violation(f"There is no layer {layer}; there are {', '.join(_MAY_READ)}.")
        if wrong:
            may = " and ".join(sorted(_MAY_READ[layer]))
            return self.violation(f"{layer} reads {may}, not {', '.join(sorted(wrong))}.")
        return None
