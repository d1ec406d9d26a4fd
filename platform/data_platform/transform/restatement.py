"""Which models have to be computed again, and over which months, after the source tables changed.

SQLMesh sees changed code, not changed data. The load reports what changed; this module follows the
changes through the models. Models computed by month are restated over these months, all others in
full:

    change of a source table              months restated
    events (tag on:)                      from the first to the last changed day
    rows with a start (tags from:, now)   from the first changed day to the end of time
    no dates, rows only added             none: rows that refer to them carry dates of their own
    no dates, rows removed or rewritten   all

The tags of a model may add to these months (`project/reach.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType

from data_platform.project.reach import FurtherReach
from data_platform.project.window import Kind, Window
from data_platform.record.loads import Change


@dataclass(frozen=True)
class Node:
    """What the decision needs to know of a model; `parents` are models and source tables."""

    name: str
    parents: tuple[str, ...]
    kind: Kind
    # A period builds on the one before it: whatever changes changes all that follows.
    extends_itself: bool = False
    # What the model's tags add to the months that a change reaches.
    further: FurtherReach = field(default_factory=FurtherReach)


@dataclass(frozen=True)
class Restatement:
    """A model to compute again over a window, because of some source tables.

    For models that are not computed by period, the window is all of time; for a view, the months in
    which what it shows may have changed.
    """

    kind: Kind
    window: Window
    because: tuple[str, ...]

    def __str__(self) -> str:
        how = {Kind.VIEW: "audited", Kind.INCREMENTAL: f"over {self.window}"}
        return f"{how.get(self.kind, 'in full')} because of {', '.join(self.because)}"


@dataclass(frozen=True)
class _Reach:
    """What has reached a table: changes of which sources, and over which months."""

    sources: frozenset[str] = frozenset()
    window: Window | None = None

    def __or__(self, other: "_Reach") -> "_Reach":
        windows = [window for window in (self.window, other.window) if window]
        hull = windows[0] | windows[-1] if windows else None
        return _Reach(self.sources | other.sources, hull)


def decide(
    models: Sequence[Node],
    changes: Mapping[str, Change],
    all_time: Window,
    pointed_to: Mapping[str, Window] = MappingProxyType({}),
) -> dict[str, Restatement]:
    """Decide what to compute again.

    Args:
        models: every model after those that it reads.
        changes: of the source tables, by the name under which models read them.
        all_time: from the first month that models know to the last that any of their rows may have.
        pointed_to: months of models to which changed rows point.

    Returns:
        The models that have to be computed again, by name; the others show what they should.
    """
    reached = {
        name: _reach(name, change, all_time)
        for name, change in changes.items()
        if not change.is_nothing
    }
    restatements = {}
    for model in models:
        reach = _union(reached[parent] for parent in model.parents if parent in reached)
        if not reach.sources:
            continue
        window = reach.window
        if model.further.any_month_of & reach.sources:
            window = all_time
        if window and model.further.looks_back_days:
            earlier = window.first - timedelta(days=model.further.looks_back_days)
            window = Window.of_months(max(earlier, all_time.first), window.last)
        if model.name in pointed_to:
            window = (window or pointed_to[model.name]) | pointed_to[model.name]
        if window and model.extends_itself:
            window = Window(window.first, all_time.last)
        reached[model.name] = _Reach(reach.sources, window)
        because = tuple(sorted(reach.sources))
        if model.kind is Kind.VIEW:
            restatements[model.name] = Restatement(model.kind, window or all_time, because)
        elif model.kind is not Kind.INCREMENTAL:
            restatements[model.name] = Restatement(model.kind, all_time, because)
        elif window:
            restatements[model.name] = Restatement(model.kind, window, because)
    return restatements


def _union(reaches: Iterable[_Reach]) -> _Reach:
    whole = _Reach()
    for reach in reaches:
        whole |= reach
    return whole


def _reach(name: str, change: Change, all_time: Window) -> _Reach:
    window = None
    if change.first_day is not None:
        window = Window.of_months(
            max(change.first_day, all_time.first), change.last_day or all_time.last
        )
    elif change.removed:
        window = all_time
    return _Reach(frozenset({name}), window)
