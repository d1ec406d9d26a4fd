"""Promotes a reviewed environment to production, or rolls production's last change back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlmesh.core.environment import Environment

from data_platform.errors import PlatformError
from data_platform.ingest.loaded import loaded
from data_platform.lakehouse.connection import reading
from data_platform.names import Layer
from data_platform.project.context import Project, open_project
from data_platform.record.loads import LastLoad
from data_platform.record.promotions import (
    Action,
    Promotion,
    last_and_before,
    promotions,
    undone_by,
)
from data_platform.record.rows import Audited
from data_platform.record.transforms import change_number
from data_platform.result import counted
from data_platform.settings import Settings
from data_platform.transform.code_history import planned_after, snapshots_of
from data_platform.transform.contents import Contents, vouched
from data_platform.transform.deploy import Deployment, tables_to_deploy
from data_platform.transform.environments import (
    environments_behind,
    find_environment,
    own_tables,
    tables_of,
    versions,
)
from data_platform.transform.model_tables import Tables
from data_platform.transform.production import Production
from data_platform.transform.recompute import compute
from data_platform.transform.transformed import Progress, Transformed, failure


@dataclass(frozen=True)
class Promoted:
    """What a promotion or a rollback did to production."""

    # The models whose code is another one now, added or removed.
    models: tuple[str, ...]
    # The promotion that was undone, and the one whose code is back; None in a promotion.
    undone: Promotion | None
    back_to: Promotion | None
    # Of the environment's tables, before anything changed.
    audits_before: tuple[Audited, ...]
    # How many the record vouches for.
    vouched: int
    transformed: Transformed
    # Models that show what they showed at production's change number `since`.
    unchanged: tuple[str, ...]
    since: int

    @property
    def exports_unchanged(self) -> tuple[str, ...]:
        """The exports among them, by the names of their files."""
        of = f"{Layer.EXPORTS}."
        return tuple(name.removeprefix(of) for name in self.unchanged if name.startswith(of))

    @property
    def audits(self) -> tuple[Audited, ...]:
        """All audits, those before anything changed and those after."""
        return (*self.audits_before, *self.transformed.audits)

    @property
    def summary(self) -> str:
        """What was done, in a few words."""
        count = len(self.models)
        changed = f"{counted(count, 'model')} changed"
        parts = [changed if count else "production had this code already"]
        if self.undone:
            parts.append(f"undone: {self.undone}")
        computed = self.transformed.computed
        parts.append(f"computed again: {', '.join(computed)}" if computed else "nothing computed")
        passed = sum(audit.passed for audit in self.audits)
        parts += [f"{counted(passed, 'audit')} passed"] if passed else []
        found = counted(self.vouched, "audit")
        parts += [f"{found} found nothing in these tables before"] if self.vouched else []
        return ", ".join(parts)


def promote(
    settings: Settings,
    environment: str,
    progress: Progress = lambda done, total, model: None,
    with_lineage: bool = False,
) -> Promoted:
    """Make an environment's models production's, as they were reviewed.

    Its tables become production's by changing views, so that nothing is computed again. The
    working tree does not matter.

    Args:
        progress: called with (models done, models in all, model).
        with_lineage: give back the lineage of production's models, too.

    Raises:
        UsageError: there is no such environment, or it is production.
        PlatformError: the environment has expired, is behind production's code or data, or a
            blocking audit of its tables fails; production is what it was.
    """
    with reading(settings) as connection:
        load = loaded(connection, settings)
    with open_project(settings, progress, with_unit_tests=False) as project:
        found = find_environment(project, environment)
        production = Production(project, progress)
        theirs = production.tables
        tables = tables_of(project, found.name)
        if theirs is None or tables is None:
            raise PlatformError("production was never built; run: data-platform run")
        own = own_tables(tables, theirs)
        production.record_external_promotion(load)  # which the environment may be behind
        _refuse_what_is_behind(project, found, tables, theirs, load)
        evaluation = project.evaluation
        evaluation.start(load.load_number, found.name)
        in_record = vouched(tables, own, load)
        asked = own - {audit.model_name for audit in in_record}
        compute(tables, tables.all_of(asked, load), load, progress=progress, audits_only=True)
        if evaluation.stops or evaluation.errors:
            raise failure(evaluation)
        passed = tuple(evaluation.audits)
        wanted = {snapshot.name: snapshot for snapshot in tables.snapshots.values()}
        deployment = Deployment(wanted, Action.PROMOTED, found.name)
        return _deploy(project, production, load, deployment, passed, in_record, with_lineage)


def rollback(
    settings: Settings,
    progress: Progress = lambda done, total, model: None,
    with_lineage: bool = False,
) -> Promoted:
    """Take production's code back to before its last change, with the data of the last load.

    Raises:
        PlatformError: production has its first code, or what it goes back to fails over the data
            of the last load; production is what it was.
    """
    with reading(settings) as connection:
        load = loaded(connection, settings)
    with open_project(settings, progress, with_unit_tests=False) as project:
        production = Production(project, progress)
        production.record_external_promotion(load)
        undone, target = last_and_before(promotions(project.cursor))
        wanted = snapshots_of(project, target.number)
        deployment = Deployment(wanted, Action.ROLLED_BACK, goes_back_to=target.number)
        tables, shown = tables_to_deploy(project, deployment), versions(production.tables)
        back = {name for name, one in versions(tables).items() if shown.get(name) != one}
        in_record = vouched(tables, back, load)
        return _deploy(
            project, production, load, deployment, (), in_record, with_lineage, undone, target
        )


def _deploy(
    project: Project,
    production: Production,
    load: LastLoad,
    deployment: Deployment,
    audits_before: tuple[Audited, ...],
    in_record: Sequence[Audited],
    with_lineage: bool,
    undone: Promotion | None = None,
    back_to: Promotion | None = None,
) -> Promoted:
    shown_before, since = production.tables, change_number(project.cursor)
    before = versions(shown_before)
    done = production.bring_up_to(
        load, deployment=deployment, audited_before=(*in_record, *audits_before)
    )
    after = versions(production.tables)
    models = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
    unchanged: set[str] = set()
    shown_now = production.tables
    if shown_before and shown_now and not _shows_other_data(shown_before, shown_now, done.restated):
        contents = Contents(project.cursor)
        unchanged = after.keys() - set(models)
        if project.record is None:  # in another engine nothing is looked at
            # To look at an export takes a tenth of the time that it takes to write its file.
            unchanged |= {
                name
                for name in models
                if contents.are_alike(
                    shown_before, shown_now, name, looks=name.startswith(f"{Layer.EXPORTS}.")
                )
            }
    return Promoted(
        models=tuple(models),
        unchanged=tuple(sorted(unchanged)),
        since=since,
        undone=undone,
        back_to=back_to,
        audits_before=audits_before,
        vouched=len(in_record),
        transformed=production.complete(done, load, with_lineage),
    )


def _shows_other_data(before: Tables, after: Tables, restated: Collection[str]) -> bool:
    """Whether a table that production had before shows another load's data now."""
    had = {before.table(snapshot) for snapshot in before.in_order}
    return any(
        name in after.by_name and after.table(after.by_name[name]) in had for name in restated
    )


def _refuse_what_is_behind(
    project: Project, found: Environment, tables: Tables, theirs: Tables, load: LastLoad
) -> None:
    ours_now: Mapping[str, str] = versions(tables)
    for promotion, models in undone_by(
        promotions(project.cursor), planned_after(project, found), ours_now, versions(theirs)
    ):
        raise PlatformError(
            f"environment {found.name} is behind production: it was planned before {promotion} "
            f"and would undo it in {', '.join(models)}; take that change into your working tree, "
            f"then: just plan {found.name}"
        )
    missing = [
        name
        for name in sorted(own_tables(tables, theirs))
        if not project.context.engine_adapter.table_exists(tables.table(tables.by_name[name]))
    ]
    if missing:
        raise PlatformError(
            f"environment {found.name} has no table of its own of {', '.join(missing)}: SQLMesh's "
            f"own plan has computed it aside; run: just plan {found.name}"
        )
    if behind := environments_behind(project, theirs, load).get(found.name):
        raise PlatformError(
            f"environment {found.name} is behind production: it does not show load "
            f"{load.load_number} in {', '.join(behind)}; run: just plan {found.name}"
        )
