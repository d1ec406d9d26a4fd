"""The transform step: SQLMesh brings production up to date with the last load.

SQLMesh does not see that the data of an external table changed, so the platform keeps, for each
physical version of a model, the number of the load that it reflects (`ops.model_versions`). What
production shows from an earlier load, or from a load nobody knows of, is restated. That covers a
new load, code that was just deployed from an environment built before it, and code that went back
to an old version whose table is still there with "nothing missing".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlmesh.core.environment import Environment
from sqlmesh.core.model import ModelKindName
from sqlmesh.utils.errors import SQLMeshError

from data_platform.contract import SCHEMA, read_contract
from data_platform.errors import PlatformError
from data_platform.lakehouse import LastLoad, last_load, loaded_tables, reading
from data_platform.project import (
    Evaluation,
    FailedAudit,
    Project,
    innermost,
    open_project,
)
from data_platform.settings import Settings

PROD = "prod"


@dataclass(frozen=True)
class Transformed:
    """What a transform did."""

    load_number: int
    deployed: bool
    models_computed: int
    audits_passed: int
    warnings: tuple[FailedAudit, ...]
    # Models whose code in the working tree is not production's, which was kept.
    undeployed: tuple[str, ...]


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


def _differences(project: Project, production: Environment) -> tuple[str, ...]:
    """Models whose own code differs between the working tree and production, in order."""
    theirs = {info.name: info.fingerprint for info in production.snapshots}
    ours = {name: snapshot.fingerprint for name, snapshot in project.context.snapshots.items()}
    names = [
        name
        for name in sorted(theirs.keys() | ours.keys())
        if name not in theirs
        or name not in ours
        or (theirs[name].data_hash, theirs[name].metadata_hash)
        != (ours[name].data_hash, ours[name].metadata_hash)
    ]
    return tuple(name.replace('"', "").partition(".")[2] for name in names)


def _production(project: Project) -> Environment | None:
    return project.context.state_reader.get_environment(PROD)


def _was_ever_complete(project: Project) -> bool:
    cursor = project.context.engine_adapter.cursor
    cursor.execute("SELECT COUNT(*) FROM ops.transforms")
    return bool(cursor.fetchall()[0][0])


def _versions_of(project: Project, load_number: int) -> set[tuple[str, str]]:
    """The physical versions that reflect a load."""
    cursor = project.context.engine_adapter.cursor
    cursor.execute(
        "SELECT model_name, version FROM ops.model_versions WHERE load_number = ?", [load_number]
    )
    return set(cursor.fetchall())


def _record(project: Project, load_number: int, is_complete: bool) -> None:
    """Note that the versions computed in this process reflect the load."""
    cursor = project.context.engine_adapter.cursor
    if versions := sorted(project.evaluation.versions):
        cursor.executemany(
            "INSERT OR REPLACE INTO ops.model_versions VALUES (?, ?, ?)",
            [[name, version, load_number] for name, version in versions],
        )
    if is_complete:
        cursor.execute("INSERT INTO ops.transforms VALUES (?, NOW())", [load_number])


def _failure(evaluation: Evaluation, error: SQLMeshError) -> PlatformError:
    blocking = [audit for audit in evaluation.failed_audits if audit.blocking]
    if blocking:
        return PlatformError("an audit stopped the run: " + "; ".join(map(str, blocking)))
    reasons = evaluation.errors or [innermost(error)]
    return PlatformError("SQLMesh failed: " + "; ".join(dict.fromkeys(reasons)))


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
        UsageError: there is no such layer or gateway.
        PlatformError: nothing is loaded, a blocking audit failed, or a model did.
    """
    load = loaded(settings)
    # Time stops at the as-of date: SQLMesh's days end with the last complete one.
    now = load.as_of + timedelta(days=1)

    with open_project(settings, progress) as project:
        context, evaluation = project.context, project.evaluation
        production = _production(project)
        # The first deployment goes on until all of production has once reflected a load.
        is_first = production is None or not _was_ever_complete(project)
        deploys = deploy or is_first
        try:
            if deploys:
                context.plan(
                    PROD,
                    execution_time=now,
                    select_models=[f"+{layer}.*" for layer in layers] or None,
                    skip_tests=True,
                    no_prompts=True,
                    auto_apply=True,
                )
                production = _production(project)
            assert production is not None
            behind = _behind(project, production, load.load_number)
            if layers:
                behind &= _with_ancestors(project, layers)
            if behind:
                context.plan(
                    PROD,
                    restate_models=_selection(project, behind),
                    backfill_models=[f"{layer}.*" for layer in layers] or None,
                    start=context.config.model_defaults.start,
                    end=load.as_of,
                    execution_time=now,
                    skip_tests=True,
                    skip_linter=True,
                    no_prompts=True,
                    auto_apply=True,
                )
        except SQLMeshError as error:
            raise _failure(evaluation, error) from error
        still_behind = _behind(project, production, load.load_number)
        is_complete = not still_behind and not (is_first and layers)
        _record(project, load.load_number, is_complete)
        return Transformed(
            load_number=load.load_number,
            deployed=deploys,
            models_computed=len(evaluation.versions),
            audits_passed=evaluation.audits_passed,
            warnings=tuple(audit for audit in evaluation.failed_audits if not audit.blocking),
            undeployed=() if deploys else _differences(project, production),
        )


def _behind(project: Project, production: Environment, load_number: int) -> set[str]:
    """Production's models (fully qualified) that are not known to reflect the load."""
    current = _versions_of(project, load_number) | project.evaluation.versions
    return {
        info.name
        for info in production.snapshots
        if info.kind_name != ModelKindName.EXTERNAL and (info.name, info.version) not in current
    }


def _with_ancestors(project: Project, layers: Sequence[str]) -> set[str]:
    """The models of some layers, and everything that they read."""
    models = project.context.models
    chosen = {name for name, model in models.items() if model.fully_qualified_table.db in layers}
    return chosen.union(*(project.context.dag.upstream(name) for name in chosen))


def _selection(project: Project, models: set[str]) -> list[str]:
    """What to restate: these models, or everything where the working tree lacks one of them."""
    if models <= project.context.models.keys():
        return sorted(project.context.models[name].name for name in models)
    return [f"{SCHEMA}.*"]
