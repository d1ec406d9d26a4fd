"""A plan for a reviewer: lines for a terminal, Markdown, JSON."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from data_platform.deployment.code_changes import CodeChanges, ModelChange
from data_platform.project.lineage.formats import impact_as_json
from data_platform.result import counted, markdown_table
from data_platform.transform.environments import How

if TYPE_CHECKING:
    from data_platform.deployment.plan import Planned

_NO_CHANGE = "Nothing differs from production: {environment} shows what production shows."


def plan_lines(planned: "Planned") -> list[str]:
    """What will change, for a person."""
    code = planned.code
    if not code.changes:
        return [_NO_CHANGE.format(environment=planned.environment)]
    lines = [f"Changed against production ({counted(planned.unit_tests, 'unit test')} passed):"]
    lines += [f"  {one.model}: {_how(one)}: {'; '.join(one.why)}" for one in code.own]
    follow = [one for one in code.changes if one.how is How.INDIRECTLY_MODIFIED]
    if follow:
        lines.append("Changed by what they read:")
        lines += [f"  {one.model}: {one.category or 'not categorised'}" for one in follow]
    touched = [one for one in code.changes if one.columns]
    if touched:
        lines.append("Columns whose values may differ:")
        lines += [f"  {one.model}: {', '.join(one.columns)}" for one in touched]
    there = {one.model for one in code.changes if one.how not in (How.ADDED, How.REMOVED)}
    rows_of = [name for name in code.impact.rows_of if name in there]
    if rows_of:
        lines.append(f"Rows may differ as well in {', '.join(rows_of)}")
    return [*lines, cost(code)]


def cost(code: CodeChanges) -> str:
    """How much has to be computed."""
    computed = [change for change in code.changes if change.is_computed]
    later = [change.model for change in code.changes if change.is_retagged]
    if not computed and later:
        return f"To compute: nothing now; once promoted, all months of {', '.join(later)}."
    if not computed:
        return "To compute: nothing; views and tables that are there already tell it all."
    known = sum(change.rows or 0 for change in computed)
    names = ", ".join(
        f"{one.model} ({'new' if one.rows is None else f'{one.rows:,} rows'})" for one in computed
    )
    return f"To compute: {counted(len(computed), 'table')}, {known:,} rows in production: {names}"


def _how(change: ModelChange) -> str:
    return ", ".join(filter(None, [change.how, change.category]))


def plan_markdown(planned: "Planned") -> str:
    """What will change, for a pull request."""
    code = planned.code
    if not code.changes:
        return f"### Plan\n\n{_NO_CHANGE.format(environment=planned.environment)}\n"
    rows: list[tuple[Any, ...]] = [
        (
            f"`{one.model}`",
            _how(one),
            "; ".join(one.why),
            ", ".join(f"`{column}`" for column in one.columns),
        )
        for one in code.changes
    ]
    table = markdown_table(("Model", "Change", "Why", "Columns that may differ"), rows)
    parts = [
        f"### Plan\n\n{counted(planned.unit_tests, 'unit test')} passed. {cost(code)}\n\n{table}",
        f"### Impact\n\n{impact_markdown(code)}",
    ]
    return "\n".join(parts)


def impact_markdown(code: CodeChanges) -> str:
    """The exports that would change, and in what."""
    own = {change.model: change for change in code.own}
    exports = sorted({*code.impact.exports, *(name for name in own if name.startswith("exports."))})
    if not exports:
        return "No export changes.\n"
    lines = []
    for name in exports:
        reached = [code.impact.why(name)] if name in code.impact.exports else []
        lines.append(
            f"- `{name}`: {'; '.join([*reached, *(own[name].why if name in own else ())])}"
        )
    return "\n".join(lines) + "\n"


def plan_json(planned: "Planned") -> str:
    """What will change, for another program."""
    found = {
        "environment": planned.environment,
        "load_number": planned.load_number,
        "unit_tests": planned.unit_tests,
        "changes": [
            {
                "model": one.model,
                "how": one.how,
                "category": one.category,
                "why": one.why,
                "columns": one.columns,
                "is_computed": one.is_computed,
                "rows": one.rows,
            }
            for one in planned.code.changes
        ],
        "impact": impact_as_json(planned.code.impact),
        "computed": planned.built.computed,
        "own": planned.built.own,
        "warnings": [asdict(warning) for warning in planned.built.warnings],
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"
