"""Build the working tree's models in an environment of their own, over what is loaded."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sqlmesh.core.plan import Plan
from sqlmesh.core.snapshot import DeployabilityIndex
from sqlmesh.utils.errors import SQLMeshError

from data_platform.deployment.code_changes import CodeChanges, compare
from data_platform.errors import PlatformError, UsageError
from data_platform.ingest.loaded import loaded
from data_platform.lakehouse.connection import reading
from data_platform.names import PROD
from data_platform.project.context import Project, open_project
from data_platform.project.kinds import reach_of
from data_platform.project.lineage.working_tree import lineage_of
from data_platform.record.loads import LastLoad
from data_platform.record.rows import Audited, ModelRan
from data_platform.record.standing_warnings import Beside, warnings_beside
from data_platform.record.transforms import loads_of_tables
from data_platform.settings import Settings
from data_platform.sql import short_name
from data_platform.transform.code_history import note_plan
from data_platform.transform.contents import vouch
from data_platform.transform.environments import differing, own_tables, tables_of
from data_platform.transform.model_tables import Tables
from data_platform.transform.production import Production
from data_platform.transform.readers import show_to_readers
from data_platform.transform.recompute import compute
from data_platform.transform.transformed import failure


@dataclass(frozen=True)
class Built:
    """What an environment was given; nothing by a dry run."""

    # Models that were computed.
    computed: tuple[str, ...] = ()
    # Models that have tables or views of their own in the environment.
    own: tuple[str, ...] = ()
    ran: tuple[ModelRan, ...] = ()
    audits: tuple[Audited, ...] = ()
    warnings: tuple[Beside, ...] = ()


@dataclass(frozen=True)
class Planned:
    """What a plan found and did."""

    environment: str
    load_number: int
    # How the working tree's code differs from production's.
    code: CodeChanges
    # How many passed.
    unit_tests: int
    built: Built = Built()


def plan(
    settings: Settings,
    environment: str,
    progress: Callable[[int, int, str], None] = lambda done, total, model: None,
    on_preview: Callable[[Planned], None] = lambda planned: None,
    dry_run: bool = False,
) -> Planned:
    """Make an environment show what is loaded through the working tree's models.

    The unit tests of what changed run first. Production is not touched: what did not change is
    shared with it, what did is computed apart, what an earlier plan computed is brought up to date.

    Args:
        on_preview: called with what will happen, before it does.
        dry_run: find out, and build nothing.

    Raises:
        UsageError: the environment is production, or its name is none.
        PlatformError: production does not reflect the last load, a unit test or a blocking audit
            failed, or a model did.
    """
    if environment.lower() == PROD:
        raise UsageError(
            "plan is for environments beside production; to change it: just promote ENV"
        )
    if not environment.replace("_", "").isalnum() or not environment.isascii():
        raise UsageError(f"{environment!r} is not a name; use letters, digits and _, like dev_b")
    environment = environment.lower()
    with reading(settings) as connection:
        load = loaded(connection, settings)
    with open_project(settings, progress) as project:
        production = Production(project, progress)
        theirs = production.tables
        if theirs is None or theirs.behind(load):
            raise PlatformError(
                f"production does not reflect load {load.load_number} yet; before planning, "
                "run: data-platform transform"
            )
        evaluation = project.evaluation
        evaluation.start(load.load_number, environment)
        project.refuse_unsupported(project.context.models.values())
        try:
            intended = _intended(project, environment, load)
        except SQLMeshError as error:
            raise failure(evaluation, error) from error
        code = _code_changes(project, intended, theirs)
        planned = Planned(environment, load.load_number, code, evaluation.unit_tests)
        on_preview(planned)
        if dry_run:
            return planned
        refreshed = _refresh(project, intended, theirs, load, progress)
        try:
            if refreshed:  # SQLMesh need not compute them
                intended = _intended(project, environment, load)
            if _computes_aside(intended):
                project.context.apply(_intended(project, environment, load, is_empty=True))
                intended = _intended(project, environment, load)
            with project.evaluator.at_once():
                project.context.apply(intended)
        except SQLMeshError as error:
            raise failure(evaluation, error) from error
        built = _bring_up_to_date(project, production, environment, load, refreshed, progress)
        note_plan(project, environment)
        return Planned(environment, load.load_number, code, evaluation.unit_tests, built)


def _intended(project: Project, environment: str, load: LastLoad, is_empty: bool = False) -> Plan:
    """SQLMesh's plan for an environment; an empty one computes nothing, and tests nothing."""
    builder = project.context.plan_builder(
        environment,
        execution_time=load.execution_time,
        include_unmodified=True,
        test_changed_only=not is_empty,
        skip_tests=is_empty,
        skip_backfill=is_empty,
    )
    return builder.build()


def _refresh(
    project: Project,
    intended: Plan,
    theirs: Tables,
    load: LastLoad,
    progress: Callable[[int, int, str], None],
) -> set[str]:
    """Bring up to date what earlier plans have built of the same code and loads have changed since.

    SQLMesh would compute the days that have come, and audit that: audits over all of time would
    compare tables of which the months before are those of another load.

    Returns:
        The models that these tables hold.

    Raises:
        StoppedError: a model failed, or an audit of it that blocks.
    """
    snapshots = {i: s for i, s in intended.snapshots.items() if s.version}
    tables = Tables(project, snapshots, DeployabilityIndex.create(snapshots.values()))
    known, reflected = loads_of_tables(project.cursor), tables.reflected()
    earlier = {
        name
        for name in own_tables(tables, theirs)
        if tables.table(tables.by_name[name]) in known and reflected[name] != load.load_number
    }
    _make_reflect(tables, earlier, load, progress)
    return earlier


def _make_reflect(
    tables: Tables,
    names: Collection[str],
    load: LastLoad,
    progress: Callable[[int, int, str], None],
) -> set[str]:
    """Make some models reflect a load; gives those that had to be computed or, views, audited."""
    evaluation = tables.project.evaluation
    to_do = {name: why for name, why in tables.behind(load).items() if name in names}
    compute(tables, to_do, load, progress=progress)
    if evaluation.stops or evaluation.errors:
        raise failure(evaluation)
    tables.mark_as_reflecting(load, names)
    return set(to_do)


def _computes_aside(intended: Plan) -> bool:
    """Whether tables would be computed under a name that nobody looks for afterwards.

    A view that only follows a change which breaks nothing keeps production's. SQLMesh's state says
    so, its plan does not yet: it takes the view for one apart, and what reads it and is computed
    for another reason goes to a table apart, too (`…__dev`).
    """
    return any(
        not intended.deployability_index.is_deployable(snapshot)
        and not snapshot.is_indirect_non_breaking
        and not snapshot.model.kind.is_view
        for snapshot in intended.new_snapshots
    )


def _bring_up_to_date(
    project: Project,
    production: Production,
    environment: str,
    load: LastLoad,
    refreshed: Collection[str],
    progress: Callable[[int, int, str], None],
) -> Built:
    """What SQLMesh has built shows the last load, and readers see it.

    Args:
        refreshed: models whose tables were brought up to date before, and audited in part.
    """
    evaluation, theirs = project.evaluation, production.tables
    tables = tables_of(project, environment)
    if tables is None or theirs is None:
        raise PlatformError(f"SQLMesh made no environment {environment}")
    own = own_tables(tables, theirs)
    fresh = {
        name
        for name in own.difference(refreshed)
        if tables.by_name[name].snapshot_id in evaluation.computed
    }
    tables.mark_as_reflecting(load, fresh)
    _make_reflect(tables, own, load, progress)
    vouch(tables, fresh, load)
    production.note_environments(load)
    show_to_readers(project)
    return Built(
        computed=tuple(
            short_name(snapshot.name)
            for snapshot in tables.in_order
            if snapshot.snapshot_id in evaluation.computed and not snapshot.model.kind.is_view
        ),
        own=tuple(sorted(own)),
        ran=tuple(evaluation.ran),
        audits=tuple(evaluation.audits),
        warnings=warnings_beside(
            project.cursor,
            environment,
            {name: tables.by_name[name].identifier for name in own},
            evaluation.audits,
        ),
    )


def _code_changes(project: Project, intended: Plan, theirs: Tables) -> CodeChanges:
    """How the working tree differs from production, and what that costs to build."""
    snapshots = {short_name(s.name): s for s in intended.snapshots.values()}
    after = lineage_of([s.model for s in snapshots.values()], project.context.default_catalog)
    categories = {
        name: snapshot.change_category.name.removeprefix("INDIRECT_").lower().replace("_", "-")
        for name, snapshot in snapshots.items()
        if snapshot.change_category is not None
    }
    missing = {
        short_name(one.snapshot_id.name)
        for one in intended.missing_intervals
        if not intended.snapshots[one.snapshot_id].model.kind.is_view
    }
    retagged = {
        name
        for name, snapshot in theirs.by_name.items()
        if name in snapshots and reach_of(snapshot.model) != reach_of(snapshots[name].model)
    }
    return compare(
        theirs.lineage,
        after,
        differing(theirs, snapshots.values()),
        categories,
        missing,
        _rows(project, theirs),
        retagged,
    )


def _rows(project: Project, theirs: Tables) -> Mapping[str, int]:
    """How many rows each table of production's models has, by DuckDB's own count.

    Of another engine, DuckDB has the copy that it shows to readers.
    """
    counted = dict(
        project.cursor.execute(
            "SELECT schema_name || '.' || table_name, estimated_size FROM duckdb_tables()"
        ).fetchall()
    )
    places = {
        name: theirs.table(snapshot).replace('"', "").partition(".")[2]
        for name, snapshot in theirs.by_name.items()
        if not snapshot.model.kind.is_view
    }
    if project.record is not None:
        places = {name: name for name in places}
    return {name: counted[place] for name, place in places.items() if place in counted}
