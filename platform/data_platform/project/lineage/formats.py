"""The lineage of a model or column for other programs: Mermaid, JSON."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from data_platform.project.lineage.graph import Impact, Lineage, column_of, model_of


def edges(lineage: Lineage, name: str) -> list[tuple[str, str]]:
    """Every step, from what is read to what reads it, that leads to or from a model or column."""
    above, below = (
        set(lineage.reach(name, direction)) for direction in (lineage.upstream, lineage.downstream)
    )
    return sorted(
        (parent, child)
        for group, direction in ((above, lineage.upstream), (below, lineage.upstream))
        for child in group
        for parent in direction(child)
        if parent in group and parent != child
    )


def lineage_json(lineage: Lineage, name: str) -> str:
    """All that lies upstream and downstream, with the steps between and what would change."""
    found: dict[str, Any] = {
        "name": name,
        "personal": name in lineage.marked("personal"),
        "upstream": sorted(lineage.reach(name, lineage.upstream)[1:]),
        "downstream": sorted(lineage.reach(name, lineage.downstream)[1:]),
        "edges": edges(lineage, name),
        "impact": impact_as_json(lineage.impact([name])),
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def impact_as_json(impact: Impact) -> dict[str, Any]:
    """What would change: columns by model, models whose rows would, and the exports among them."""
    columns: dict[str, list[str]] = {}
    for column in impact.columns:
        columns.setdefault(model_of(column), []).append(column_of(column))
    return {
        "exports": impact.exports,
        "charts": impact.charts,
        "columns": columns,
        "rows_of": impact.rows_of,
    }


def as_mermaid(steps: Iterable[Sequence[str]], focus: str = "") -> str:
    """A flow chart of steps from one model or column to the next, grouped by model."""
    steps = list(steps)
    names = sorted({name for step in steps for name in step} | ({focus} if focus else set()))
    ids = {name: f"n{number}" for number, name in enumerate(names)}
    lines = ["flowchart LR"]
    groups: dict[str, list[str]] = {}
    for name in names:
        is_column = name.count(".") > 1
        groups.setdefault(model_of(name) if is_column else "", []).append(name)
    for model, members in groups.items():
        if model:
            lines.append(f'  subgraph {ids[members[0]]}_model["{model}"]')
        for name in members:
            shown = (column_of(name) if model else name).replace('"', "#quot;")
            lines.append(f'  {"  " if model else ""}{ids[name]}["{shown}"]')
        if model:
            lines.append("  end")
    lines += [f"  {ids[parent]} --> {ids[child]}" for parent, child in steps]
    if focus:
        lines.append(f"  style {ids[focus]} stroke-width:4px")
    return "\n".join(lines) + "\n"
