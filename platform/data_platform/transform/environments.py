"""The environments of SQLMesh beside each other: what differs, and what shows which load."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum

from sqlmesh.core.environment import Environment
from sqlmesh.core.snapshot import DeployabilityIndex, Snapshot, SnapshotId

from data_platform.errors import PlatformError, UsageError
from data_platform.names import PROD
from data_platform.project.context import Project
from data_platform.project.window import Kind
from data_platform.record.loads import LastLoad
from data_platform.sql import short_name
from data_platform.transform.model_tables import Tables


class How(StrEnum):
    """How a model differs from production's."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"  # its own code
    INDIRECTLY_MODIFIED = "follows"  # its code is the same, what it reads is not
    METADATA_ONLY = "described"  # no row of it can differ


def tables_of(project: Project, environment: str) -> Tables | None:
    """The models of an environment, None where there is no such environment."""
    found = project.context.state_reader.get_environment(environment)
    if found is None:
        return None
    snapshots = project.context.state_reader.get_snapshots(found.snapshots)
    return Tables(project, snapshots, _deployability(environment, snapshots))


def _deployability(
    environment: str, snapshots: Mapping[SnapshotId, Snapshot]
) -> DeployabilityIndex:
    if environment == PROD:
        return DeployabilityIndex.all_deployable()
    return DeployabilityIndex.create(snapshots.values())


def differing(production: Tables | None, snapshots: Iterable[Snapshot]) -> dict[str, How]:
    """The models that are not what production has, and how; sources apart."""
    theirs = {s.name: s for s in (production.in_order if production else ())}
    ours = {snapshot.name: snapshot for snapshot in snapshots if not snapshot.is_external}
    found = {short_name(name): How.REMOVED for name in theirs.keys() - ours.keys()}
    for name, snapshot in ours.items():
        if name not in theirs:
            found[short_name(name)] = How.ADDED
            continue
        mine, other = snapshot.fingerprint, theirs[name].fingerprint
        if mine.data_hash != other.data_hash:
            found[short_name(name)] = How.CHANGED
        elif mine.metadata_hash != other.metadata_hash:
            found[short_name(name)] = How.METADATA_ONLY
        elif mine != other:
            found[short_name(name)] = How.INDIRECTLY_MODIFIED
    return found


def own_tables(tables: Tables, production: Tables) -> set[str]:
    """The models that an environment does not share with production."""
    shared = {production.table(snapshot) for snapshot in production.in_order}
    return {
        name for name, snapshot in tables.by_name.items() if tables.table(snapshot) not in shared
    }


def environments_behind(
    project: Project, production: Tables, load: LastLoad
) -> dict[str, tuple[str, ...]]:
    """The tables of each environment beside production that do not reflect the load.

    Tables that it shares with production are production's to bring up to date. One that the
    platform has not seen was built by SQLMesh's own commands since the load, and reflects it: each
    load records those that are there before it (`record_unknown_tables`).
    """
    found = {}
    for summary in project.context.state_reader.get_environments_summary():
        tables = (
            None if summary.name == PROD or summary.expired else tables_of(project, summary.name)
        )
        if tables is None:
            continue
        own, reflected = own_tables(tables, production), tables.reflected()
        behind = tuple(
            name
            for name, restatement in tables.behind(load).items()
            if name in own and restatement.kind is not Kind.VIEW and reflected[name] is not None
        )
        if behind:
            found[summary.name] = behind
    return found


def versions(tables: Tables | None) -> dict[str, str]:
    """The version of each model of an environment, by its short name."""
    return {name: s.identifier for name, s in (tables.by_name if tables else {}).items()}


def find_environment(project: Project, name: str) -> Environment:
    """An environment beside production.

    Raises:
        UsageError: there is none of that name, or it is production.
        PlatformError: it has expired.
    """
    known = {e.name: e for e in project.context.state_reader.get_environments()}
    if name.lower() == PROD:
        raise UsageError("name an environment beside production, like dev")
    found = known.get(Environment.sanitize_name(name).lower())
    if found is None:
        others = ", ".join(sorted(known.keys() - {PROD})) or "none yet"
        raise UsageError(
            f"there is no environment {name} (there are: {others}); just plan makes it"
        )
    if found.expired:
        expired = datetime.fromtimestamp((found.expiration_ts or 0) / 1000, UTC)
        raise PlatformError(
            f"environment {name} has expired at {expired:%Y-%m-%d %H:%M} UTC; "
            f"to build it anew: just plan {name}"
        )
    return found
