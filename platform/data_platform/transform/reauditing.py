"""Audits of what was not computed now: of models that come back, and once a week of everything.

A day's audits look at what the day has changed, which is all that can have come to break their
claims, as long as every table shows what a rebuild would show. The recount asks without relying on
that: once a week by itself, and by `data-platform audit`.
"""

from collections.abc import Collection, Sequence

from data_platform.record.loads import LastLoad
from data_platform.record.rows import Audited
from data_platform.record.transforms import record_recount, recounted_as_of
from data_platform.transform.model_tables import Tables
from data_platform.transform.recompute import audit_sources, compute
from data_platform.transform.transformed import Progress

_EVERY_DAYS = 7


def is_due(tables: Tables, load: LastLoad) -> bool:
    """Whether the last recount was of data a week older than a load's, or newer."""
    last = recounted_as_of(tables.project.cursor)
    return last is None or not 0 <= (load.as_of - last).days < _EVERY_DAYS


def recount(tables: Tables, load: LastLoad, progress: Progress) -> None:
    """Audit all models over all of time; what was found is in the project's evaluation."""
    audit_sources(tables, load)
    names = [name for name, snapshot in tables.by_name.items() if snapshot.model.audits]
    compute(tables, tables.all_of(names, load), load, (), progress, audits_only=True)
    evaluation = tables.project.evaluation
    if not (evaluation.stops or evaluation.errors):
        record_recount(tables.project.cursor, load.load_number, load.as_of)


def audit_what_has_come_back(
    tables: Tables,
    changed: Collection[str],
    load: LastLoad,
    audited_before: Sequence[Audited],
    progress: Progress,
) -> None:
    """Audit models whose code is another one now, though no table of theirs was computed.

    Args:
        changed: the models whose code is another one.
        audited_before: results of tables that are taken over as they are.
    """
    evaluation = tables.project.evaluation
    audited = {*evaluation.seconds, *(one.model_name for one in audited_before)}
    names = {name for name in changed if tables.by_name[name].model.audits} - audited
    if names:
        compute(tables, tables.all_of(names, load), load, (), progress, audits_only=True)
