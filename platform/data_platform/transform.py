"""The transform step: SQLMesh brings production up to date with the last load.

SQLMesh does not see that the data of an external table changed, so the platform keeps, for each
physical version of a model, the number of the load that it reflects (`ops.model_versions`). What
production shows from an earlier load, or from a load nobody knows of, is restated. That covers a
new load, code that was just deployed from an environment built before it, and code that went back
to an old version whose table is still there with "nothing missing".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlmesh.core.model import ModelKindName
from sqlmesh.core.snapshot import SnapshotTableInfo
from sqlmesh.utils.errors import SQLMeshError

from data_platform.contract import SCHEMA, read_contract
from data_platform.errors import PlatformError
from data_platform.lakehouse import (
    FailedAudit,
    LastLoad,
    last_load,
    loaded_tables,
    prepare,
    reading,
    standing_warnings,
)
from data_platform.project import (
    Evaluation,
    Project,
    innermost,
    open_project,
    short_name,
)
from data_platform.settings import Settings

PROD = "prod"


@dataclass(frozen=True)
class Transformed:
    """What a transform did."""

    load_number: int
    deployed: bool
    models_computed: int
    seconds: Mapping[str, float]  # by model, its audits included
    audits_passed: int
    # Of this transform, and those that stand from an earlier one.
    warnings: tuple[FailedAudit, ...]
    # Models whose code in the working tree is not production's, which was kept.
    undeployed: tuple[str, ...]


def transform(
    settings: Settings,
    layers: Sequence[str] = (),
    deploy: bool = False,
    progress: Callable[[int, int, str], None] = lambda done, total, model: None,
) -> Transformed:
    """Bring production up to date with the last load.

    The first transform deploys the working tree's models; a later one keeps production's code
    unless `deploy` says so.

    Args:
        layers: compute only the models of these layers, and what they read; others stay behind
            until the next transform.
        progress: called with (models done, models in all, model).

    Raises:
        UsageError: there is no such gateway.
        PlatformError: nothing is loaded, a blocking audit failed, or a model did.
    """
    load = loaded(settings)
    with open_project(settings, progress) as project:
        prepare(project.context.engine_adapter.cursor)
        production = _Production(project, load, tuple(layers))
        # The first deployment goes on until all of production has once reflected a load.
        is_first = not production.was_ever_complete()
        deploys = deploy or is_first
        try:
            if deploys:
                production.refresh_neighbours()
                production.deploy()
            production.restate(production.to_do())
        except SQLMeshError as error:
            raise _failure(project.evaluation, error) from error
        production.record(is_complete=not (is_first and layers))
        return Transformed(
            load_number=load.load_number,
            deployed=deploys,
            models_computed=len(project.evaluation.versions),
            seconds=project.evaluation.seconds,
            audits_passed=project.evaluation.audits_passed,
            warnings=production.standing_warnings(),
            undeployed=() if is_first else production.undeployed(),
        )


def loaded(settings: Settings) -> LastLoad:
    """The load that the lakehouse holds, once every source is in it.

    Raises:
        PlatformError: there is no lakehouse, or a source was never loaded.
    """
    with reading(settings.lakehouse) as connection:
        load, tables = last_load(connection), loaded_tables(connection)
    if load is None:
        raise PlatformError("nothing is loaded yet; run: data-platform extract load")
    for table in read_contract(settings.project_dir).extracted:
        if table.name not in tables:
            raise PlatformError(
                f"source {table.source} is not loaded; "
                f"run: data-platform extract -s {table.source} load -s {table.source}"
            )
    return load


def _failure(evaluation: Evaluation, error: SQLMeshError) -> PlatformError:
    if evaluation.stops:
        return PlatformError("an audit stopped the run: " + "; ".join(map(str, evaluation.stops)))
    reasons = evaluation.errors or [innermost(error)]
    return PlatformError("SQLMesh failed: " + "; ".join(dict.fromkeys(reasons)))


@dataclass(frozen=True)
class _Production:
    """SQLMesh's environment prod, against the load that it is to reflect."""

    project: Project
    load: LastLoad
    layers: tuple[str, ...]

    @property
    def _snapshots(self) -> dict[str, SnapshotTableInfo]:
        """Production's models by their fully qualified names, without the sources."""
        environment = self.project.context.state_reader.get_environment(PROD)
        return {
            info.name: info
            for info in (environment.snapshots if environment else ())
            if info.kind_name != ModelKindName.EXTERNAL
        }

    def _query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        cursor = self.project.context.engine_adapter.cursor
        cursor.execute(sql, list(parameters))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows

    def was_ever_complete(self) -> bool:
        """Whether all of production has reflected some load."""
        return self._query("SELECT COUNT(*) FROM ops.transforms") != [(0,)]

    def behind(self) -> set[str]:
        """All models that are not known to reflect the load."""
        current = self.project.evaluation.versions | set(
            self._query(
                "SELECT model_name, version FROM ops.model_versions WHERE load_number = ?",
                self.load.load_number,
            )
        )
        return {name for name, i in self._snapshots.items() if (name, i.version) not in current}

    def to_do(self) -> set[str]:
        """Models behind the load, of the chosen layers and what those read."""
        if not self.layers:
            return self.behind()
        context = self.project.context
        chosen = {
            name for name, model in context.models.items() if model.schema_name in self.layers
        }
        return self.behind() & chosen.union(*(context.dag.upstream(name) for name in chosen))

    def refresh_neighbours(self) -> None:
        """Before a deployment, bring up to date the tables that it takes over as they are.

        New code is computed, and new audits are run, over what those tables hold. An audit that the
        deployment itself changes may fail here in its old wording: the new one has the say later.
        """
        ours = self.project.context.snapshots
        kept = {
            name
            for name, info in self._snapshots.items()
            if name in ours and ours[name].fingerprint.to_version() == info.fingerprint.to_version()
        }
        try:
            self.restate(self.to_do() & kept, alone=True)
        except SQLMeshError:
            evaluation, changing = self.project.evaluation, self.undeployed()
            if not evaluation.stops or any(s.model not in changing for s in evaluation.stops):
                raise
            evaluation.failed_audits.clear()
            evaluation.blocking.clear()

    def undeployed(self) -> tuple[str, ...]:
        """Models whose own code differs from the working tree's, on either side."""
        theirs = {name: info.fingerprint for name, info in self._snapshots.items()}
        ours = {
            name: snapshot.fingerprint
            for name, snapshot in self.project.context.snapshots.items()
            if not snapshot.is_external
        }
        names = [
            name
            for name in sorted(theirs.keys() | ours.keys())
            if name not in theirs
            or name not in ours
            or (theirs[name].data_hash, theirs[name].metadata_hash)
            != (ours[name].data_hash, ours[name].metadata_hash)
        ]
        return tuple(map(short_name, names))

    def deploy(self) -> None:
        """Make the working tree's models production's."""
        self._plan(select_models=[f"+{layer}.*" for layer in self.layers] or None)

    def restate(self, models: set[str], alone: bool = False) -> None:
        """Compute models anew, and what depends on them: all, or that of the chosen layers.

        Args:
            alone: leave what depends on them behind.
        """
        if not models:
            return
        known = self.project.context.models
        if models <= known.keys():
            selected = sorted(known[name].name for name in models)
        else:  # the working tree has lost one of them: whatever reads a source
            selected = [f"{SCHEMA}.*"]
        self._plan(
            restate_models=selected,
            backfill_models=selected if alone else [f"{name}.*" for name in self.layers] or None,
            start=self.project.context.config.model_defaults.start,
            end=self.load.as_of,
            skip_linter=True,
        )

    def _plan(self, **options: Any) -> None:
        self.project.context.plan(
            PROD,
            # Time stops at the as-of date: SQLMesh's days end with the last complete one.
            execution_time=self.load.as_of + timedelta(days=1),
            skip_tests=True,
            no_prompts=True,
            auto_apply=True,
            **options,
        )

    def standing_warnings(self) -> tuple[FailedAudit, ...]:
        """The warnings of production's models, whenever they were last audited."""
        return standing_warnings(self.project.context.engine_adapter.cursor)

    def record(self, is_complete: bool) -> None:
        """Note what reflects the load, which warnings stand, and whether all of production does."""
        is_complete = is_complete and not self.behind()
        cursor = self.project.context.engine_adapter.cursor
        audited = list(self.project.evaluation.seconds)
        kept = [short_name(name) for name in self._snapshots]
        cursor.execute(
            "DELETE FROM ops.standing_warnings "
            "WHERE list_contains($audited, model_name) OR NOT list_contains($kept, model_name)",
            {"audited": audited, "kept": kept},
        )
        for warning in dict.fromkeys(self.project.evaluation.warnings):
            cursor.execute(
                "INSERT INTO ops.standing_warnings VALUES (?, ?, ?, ?, ?)",
                [
                    self.load.load_number,
                    warning.model,
                    warning.audit,
                    warning.rows,
                    list(warning.keys),
                ],
            )
        if versions := sorted(self.project.evaluation.versions):
            cursor.executemany(
                "INSERT OR REPLACE INTO ops.model_versions VALUES (?, ?, ?)",
                [[name, version, self.load.load_number] for name, version in versions],
            )
        if is_complete:
            cursor.execute("INSERT INTO ops.transforms VALUES (?, NOW())", [self.load.load_number])
