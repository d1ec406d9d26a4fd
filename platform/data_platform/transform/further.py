"""The months that changed rows point to, as the tags of models tell (`project/reach.py`)."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING

from data_platform.names import EXTRACTS
from data_platform.project.reach import Pointer, day_of, event_of, months_query
from data_platform.project.window import Window
from data_platform.record.loads import Change
from data_platform.sql import short_name

if TYPE_CHECKING:
    from data_platform.transform.model_tables import Tables


def months_pointed_to(
    tables: "Tables", changes: Mapping[str, Change], all_time: Window
) -> dict[str, Window]:
    """The months that changes reach by what changed rows point to, by the models that say so.

    Args:
        changes: of the source tables, by the name under which models read them.
    """
    found: dict[str, Window] = {}
    for node in tables.nodes:
        for pointer in node.further.months_of:
            window = _months_of(tables, pointer, changes, all_time)
            if window is not None:
                known = found.get(node.name, window)
                found[node.name] = known | window
    return found


def _months_of(
    tables: "Tables", pointer: Pointer, changes: Mapping[str, Change], all_time: Window
) -> Window | None:
    models = {short_name(s.name): s.model for s in tables.snapshots.values()}
    event = event_of(models[pointer.model], models)
    pointed_day = day_of(models[pointer.pointed], models)
    if event is None or pointed_day is None:  # code of before it was looked at
        return all_time
    source, day = event
    change = changes.get(source)
    if change is not None and change.removed:  # rows that are gone point to nothing any more
        return all_time
    # A day that comes lets rows count that were there before, a day that goes lets them wait.
    firsts = [
        changes[table].first_day for table in (source, f"sources.{EXTRACTS}") if table in changes
    ]
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
