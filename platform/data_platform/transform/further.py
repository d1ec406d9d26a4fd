"""The months that changed rows point to, as the tags of models tell (`project/reach.py`)."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from sqlmesh.core.model import Model

from data_platform.names import EXTRACTS
from data_platform.project.kinds import by_short_name
from data_platform.project.reach import Pointer, day_of, event_of, months_query
from data_platform.project.window import Window
from data_platform.record.loads import Change

if TYPE_CHECKING:
    from data_platform.transform.model_tables import Tables

# Whose one row comes with each load.
AS_OF_TABLE = f"sources.{EXTRACTS}"


def months_pointed_to(
    tables: "Tables", changes: Mapping[str, Change], all_time: Window
) -> dict[str, Window]:
    """The months that changes reach by what changed rows point to, by the models that say so.

    Args:
        changes: of the source tables, by the name under which models read them.
    """
    found: dict[str, Window] = {}
    models = by_short_name(snapshot.model for snapshot in tables.snapshots.values())
    for node in tables.nodes:
        for pointer in node.further.months_of:
            window = _months_of(tables, models, pointer, changes, all_time)
            if window is not None:
                known = found.get(node.name, window)
                found[node.name] = known | window
    return found


def _months_of(
    tables: "Tables",
    models: Mapping[str, Model],
    pointer: Pointer,
    changes: Mapping[str, Change],
    all_time: Window,
) -> Window | None:
    model, pointed = models.get(pointer.model), models.get(pointer.pointed)
    event = model and event_of(model, models)
    pointed_day = pointed and day_of(pointed, models)
    if event is None or pointed_day is None:  # by other hands, or of before it was looked at
        return all_time
    source, day = event
    change = changes.get(source)
    if change is not None and change.removed:  # rows that are gone point to nothing any more
        return all_time
    # A day that comes lets rows count that were there before, a day that goes lets them wait.
    firsts = [changes[table].first_day for table in (source, AS_OF_TABLE) if table in changes]
    first_day = min((first for first in firsts if first), default=None)
    if first_day is None:
        return None

    def table(name: str) -> str:
        is_model = name in tables.by_name
        return tables.table(tables.by_name[name]) if is_model else models[name].fqn

    query = months_query(
        pointer,
        (day, pointed_day),
        (table(pointer.model), table(pointer.pointed)),
        first_day.isoformat(),
    )
    engine = tables.project.context.engine_adapter
    try:
        with engine.transaction():
            row = engine.fetchone(query)
    except Exception:  # whatever an engine may raise: a column that is gone, memory
        return all_time
    if row is None or row[0] is None:
        return None
    first, last = row
    return Window.of_months(_clamped(first, all_time), _clamped(last, all_time))


def _clamped(day: date, all_time: Window) -> date:
    return min(max(day, all_time.first), all_time.last)
