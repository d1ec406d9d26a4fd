"""The code of each version of a model that production ever had, and what was planned after which.

SQLMesh's janitor forgets versions of models that no environment holds. The platform keeps the code
of each version that production ever had, so that a rollback works whatever the janitor did.
"""

from collections.abc import Collection
from datetime import UTC, datetime
from importlib.metadata import version

from sqlmesh.core.environment import Environment
from sqlmesh.core.snapshot import Snapshot, SnapshotId

from data_platform.errors import PlatformError
from data_platform.names import PROD
from data_platform.project.context import Project
from data_platform.record.model_code import (
    promotion_before_plan,
    record_code,
    record_plan,
    recorded_code,
    recorded_versions,
)
from data_platform.record.promotions import (
    Action,
    Promotion,
    identifiers,
    promotions,
    record_promotion,
)
from data_platform.sql import short_name


def note_promotion(
    project: Project,
    production: Collection[Snapshot],
    load_number: int,
    action: Action,
    environment: str = "",
    goes_back_to: int | None = None,
) -> bool:
    """Record a promotion if production's model versions differ from those recorded last; do they?

    Args:
        production: the models that production shows now, with the sources that they read.
        environment: the one that was promoted.
        goes_back_to: the promotion that a rollback restores.
    """
    cursor = project.cursor
    known = promotions(cursor)
    before = identifiers(cursor, known[-1].number) if known else {}
    now = {snapshot.name: snapshot.identifier for snapshot in production}
    if now == before:
        return False
    changed = sorted(
        short_name(name) for name in now.keys() | before.keys() if now.get(name) != before.get(name)
    )
    number = known[-1].number + 1 if known else 1
    _note_plans(project, number - 1)
    promotion = Promotion(
        number, action, environment, datetime.now(UTC), goes_back_to, tuple(changed)
    )
    record_promotion(cursor, promotion, load_number, now)
    kept = recorded_versions(cursor)
    for snapshot in production:
        if (snapshot.name, snapshot.identifier) not in kept:
            # When it was computed, and where, is not part of the code.
            code = snapshot.copy(update={"intervals": [], "dev_intervals": []}).json()
            record_code(cursor, snapshot.name, snapshot.identifier, code, version("sqlmesh"))
    return True


def snapshots_of(project: Project, number: int) -> dict[str, Snapshot]:
    """The models that production showed after a promotion, with the sources that they read.

    Raises:
        PlatformError: the lakehouse does not hold their code.
    """
    wanted = identifiers(project.cursor, number)
    ids = [SnapshotId(name=name, identifier=identifier) for name, identifier in wanted.items()]
    found = {s.name: s for s in project.context.state_reader.get_snapshots(ids).values()}
    for name in wanted.keys() - found.keys():
        row = recorded_code(project.cursor, name, wanted[name])
        if row is None:
            raise PlatformError(f"the code of {short_name(name)} in promotion {number} is lost")
        code, written_by = row
        if written_by not in (None, version("sqlmesh")):  # which migrates its own state alone
            raise PlatformError(
                f"the code of {short_name(name)} in promotion {number} was kept by SQLMesh "
                f"{written_by}, this is {version('sqlmesh')}, which may read it otherwise; check "
                "out the code of that promotion, then: just plan, just promote"
            )
        found[name] = Snapshot.parse_raw(code)
    return found


def _note_plans(project: Project, promotion_number: int) -> None:
    """Note of each plan that nobody has noted yet that it came after a promotion."""
    for environment in project.context.state_reader.get_environments():
        if environment.name == PROD:
            continue
        name, plan_id = environment.name, environment.plan_id
        if promotion_before_plan(project.cursor, name, plan_id) is None:
            record_plan(project.cursor, name, plan_id, promotion_number)


def note_plan(project: Project, environment: str) -> None:
    """Record that an environment was planned against production's current code."""
    known, found = promotions(project.cursor), project.context.state_reader
    if (planned := found.get_environment(environment)) is not None:
        number = known[-1].number if known else 0
        record_plan(project.cursor, environment, planned.plan_id, number)


def planned_after(project: Project, environment: Environment) -> int:
    """The number of the promotion after which an environment was planned."""
    recorded = promotion_before_plan(project.cursor, environment.name, environment.plan_id)
    if recorded is not None:
        return recorded
    known = promotions(project.cursor)
    return known[-1].number if known else 0
