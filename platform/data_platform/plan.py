"""Build the working tree's models in an environment of their own, over what is loaded."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlmesh.utils.errors import SQLMeshError

from data_platform.environment import PROD, own_tables, tables_of
from data_platform.errors import PlatformError, UsageError
from data_platform.evaluation import short_name
from data_platform.lakehouse import reading
from data_platform.production import Production, failure
from data_platform.project import open_project
from data_platform.record import Audited, ModelRan
from data_platform.settings import Settings
from data_platform.transform import loaded


@dataclass(frozen=True)
class Planned:
    """What a plan did; `changed` are the models whose code is not production's."""

    environment: str
    load_number: int
    changed: tuple[str, ...]
    computed: tuple[str, ...]
    # Models that have tables or views of their own in the environment.
    own: tuple[str, ...]
    ran: tuple[ModelRan, ...]
    audits: tuple[Audited, ...]


def plan(
    settings: Settings,
    environment: str,
    progress: Callable[[int, int, str], None] = lambda done, total, model: None,
) -> Planned:
    """Make an environment show what is loaded through the working tree's models.

    Production is not touched: what did not change is shared with it, what did is computed apart,
    and what an earlier plan computed is brought up to date with the last load.

    Raises:
        UsageError: the environment is production.
        PlatformError: production does not reflect the last load, a unit test or a blocking audit
            failed, or a model did.
    """
    if environment.lower() == PROD:
        raise UsageError("plan is for environments beside production; to change it: just promote")
    with reading(settings.lakehouse) as connection:
        load = loaded(connection, settings)
    with open_project(settings, progress) as project:
        production = Production(project, progress)
        if production.tables is None or production.tables.behind(load):
            raise PlatformError(
                f"production does not reflect load {load.load_number} yet, on which an environment "
                "is to build; run: data-platform transform"
            )
        evaluation = project.evaluation
        evaluation.start(load.load_number, environment)
        try:
            project.context.plan(
                environment,
                execution_time=load.as_of + timedelta(days=1),
                include_unmodified=True,
                no_prompts=True,
                auto_apply=True,
            )
        except SQLMeshError as error:
            raise failure(evaluation, error) from error
        tables = tables_of(project, environment)
        if tables is None:
            raise PlatformError(f"SQLMesh made no environment {environment}")
        own = own_tables(tables, production.tables)
        fresh = {name for name in own if tables.by_name[name].snapshot_id in evaluation.computed}
        tables.mark_as_reflecting(load, fresh)
        to_do = {name: why for name, why in tables.behind(load).items() if name in own}
        tables.compute(to_do, load, progress=progress)
        if evaluation.stops or evaluation.errors:
            raise failure(evaluation)
        tables.mark_as_reflecting(load, own)
        production.note_environments(load)
        return Planned(
            environment=environment,
            load_number=load.load_number,
            changed=production.undeployed(),
            computed=tuple(
                short_name(snapshot.name)
                for snapshot in tables.in_order
                if snapshot.snapshot_id in evaluation.computed
            ),
            own=tuple(sorted(own)),
            ran=tuple(evaluation.ran),
            audits=tuple(evaluation.audits),
        )
