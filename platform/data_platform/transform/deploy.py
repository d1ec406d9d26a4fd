"""Code becomes production's: the working tree's, a reviewed environment's, or an earlier one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmesh.core.plan import PlanBuilder
from sqlmesh.core.snapshot import DeployabilityIndex, Snapshot
from sqlmesh.utils.errors import SQLMeshError

from data_platform.names import PROD
from data_platform.project.context import Project
from data_platform.record.loads import LastLoad
from data_platform.record.promotions import Action
from data_platform.transform.model_tables import Tables
from data_platform.transform.transformed import failure


@dataclass(frozen=True)
class Deployment:
    """Models to make production's, by SQLMesh's names, and why, for the record."""

    snapshots: Mapping[str, Snapshot]
    action: Action
    environment: str = ""
    goes_back_to: int | None = None


def apply_code(
    project: Project, load: LastLoad, deployment: Deployment, layers: Sequence[str]
) -> None:
    """Let a plan of SQLMesh's make some models production's.

    Args:
        layers: deploy only the models of these and what they read; all of them without.

    Raises:
        StoppedError: a model failed, or an audit of it that blocks.
    """
    context = project.context
    try:
        with project.evaluator.at_once():
            if deployment.action is Action.DEPLOYED:
                context.plan(
                    PROD,
                    execution_time=load.execution_time,
                    select_models=[f"+{layer}.*" for layer in layers] or None,
                    skip_tests=True,
                    no_prompts=True,
                    auto_apply=True,
                )
            else:  # SQLMesh's plans are of the working tree
                difference = context._context_diff(PROD, dict(deployment.snapshots))
                builder = PlanBuilder(
                    difference,
                    execution_time=load.execution_time,
                    default_start=context.config.model_defaults.start,
                    environment_suffix_target=context.config.environment_suffix_target,
                    environment_catalog_mapping=context.config.environment_catalog_mapping,
                    console=context.console,
                )
                context.apply(builder.build())
    except SQLMeshError as error:
        raise failure(project.evaluation, error) from error


def tables_to_deploy(project: Project, deployment: Deployment) -> Tables:
    """The tables that production has once a deployment is made."""
    return Tables(
        project,
        {s.snapshot_id: s for s in deployment.snapshots.values() if s.version},
        DeployabilityIndex.all_deployable(),
    )


def built_elsewhere(
    project: Project, deployment: Deployment, production: Tables | None
) -> tuple[Tables, set[str]]:
    """The tables of a deployment, and the models of it whose table an environment has built."""
    built = tables_to_deploy(project, deployment)
    taken = {production.table(s) for s in production.in_order} if production else set()
    elsewhere = {
        name
        for name, snapshot in built.by_name.items()
        if built.table(snapshot) not in taken
        and project.context.engine_adapter.table_exists(built.table(snapshot))
    }
    return built, elsewhere
