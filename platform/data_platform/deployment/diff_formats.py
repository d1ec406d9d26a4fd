"""A diff for a reviewer: lines for a terminal, Markdown, JSON."""

import json
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from data_platform.result import counted, markdown_table

if TYPE_CHECKING:
    from data_platform.deployment.diff import Diff, ModelDiff


def diff_lines(found: "Diff") -> list[str]:
    """How an environment differs, for a person; the verdict last."""
    lines: list[str] = []
    for model in found.models:
        lines.append(f"{model.model}: {_counted(model, found.environment)}")
        lines += [f"  {line}" for line in _details(model)]
        for sample in model.samples:
            key = ", ".join(f"{name} {value}" for name, value in sample.key.items())
            values = "; ".join(
                f"{name} {_shown(a)} → {_shown(b)}" for name, (a, b) in sample.values.items()
            )
            where = "" if sample.where == "in both" else f" {sample.where}"
            lines.append(f"    {f'{key}:' if key else ''}{where}{' ' + values if values else ''}")
    lines += [f"Warning: {warning}" for warning in found.warnings]
    return [*lines, _verdict(found)]


def diff_markdown(found: "Diff") -> str:
    """How an environment differs, for a pull request; the verdict first."""
    parts = [f"### Data\n\n**{_verdict(found)}**\n"]
    if found.models:
        rows: list[tuple[Any, ...]] = [
            (f"`{model.model}`", _counted(model, found.environment), "<br>".join(_details(model)))
            for model in found.models
        ]
        parts.append(markdown_table(("Model", "Rows", "Differences"), rows))
    totals = [
        (f"`{model.model}`", f"`{column}`", _shown(before), _shown(after))
        for model in found.models
        for column, (before, after) in model.totals.items()
    ]
    if totals:
        header = ("Model", "Column", "Total in production", f"Total in {found.environment}")
        parts.append(markdown_table(header, list(totals)))
    if found.warnings:
        titles = ("Model", f"Warning in {found.environment}", "Warning in production")
        told = [(f"`{one.model}`", one.here or "", one.production or "") for one in found.warnings]
        parts.append(markdown_table(titles, list(told)))
    for model in found.models:
        if model.samples:
            shown: list[tuple[Any, ...]] = [
                (
                    ", ".join(f"{name} {value}" for name, value in sample.key.items()),
                    sample.where,
                    "; ".join(
                        f"{name} {_shown(a)} → {_shown(b)}"
                        for name, (a, b) in sample.values.items()
                    ),
                )
                for sample in model.samples
            ]
            table = markdown_table(("Row", "Where", "Difference"), shown)
            summary = f"<summary>Samples of <code>{model.model}</code></summary>"
            parts.append(f"<details>{summary}\n\n{table}\n</details>\n")
    return "\n".join(parts)


def diff_json(found: "Diff") -> str:
    """How an environment differs, for another program; amounts as text, to the cent."""
    shown = {
        "environment": found.environment,
        "verdict": found.verdict,
        "totals_differ": found.totals_differ,
        "behind": found.behind,
        "not_planned": found.not_planned,
        "warnings": [asdict(warning) for warning in found.warnings],
        "models": [
            {
                **asdict(model),
                "differs": model.differs,
                "differs_in_schema": model.differs_in_schema,
                "differs_in_rows": model.differs_in_rows,
                "totals_that_differ": [*model.totals_that_differ],
            }
            for model in found.models
        ],
    }
    return json.dumps(shown, indent=1, ensure_ascii=False, default=str) + "\n"


def _verdict(found: "Diff") -> str:
    return found.verdict[0].upper() + found.verdict[1:] + "."


def _counted(model: "ModelDiff", environment: str) -> str:
    before, after = model.rows
    if before is None:
        return f"new, {counted(after or 0, 'row')}"
    if after is None:
        return f"gone, {counted(before, 'row')} in production"
    if not model.differs_in_rows:
        return f"the same {counted(after, 'row')}"
    theirs, ours = model.rows_only
    return (
        f"{before:,} rows in production, {after:,} in {environment}: {model.rows_changed:,} "
        f"differ, {theirs:,} only in production, {ours:,} only in {environment}"
    )


def _details(model: "ModelDiff") -> list[str]:
    lines = [f"{here} is now called {there}" for here, there in model.columns_renamed.items()]
    lines += [f"{name} {type_} is new" for name, type_ in model.columns_added.items()]
    lines += [f"{name} {type_} is gone" for name, type_ in model.columns_removed.items()]
    lines += [f"{name} is {is_}, was {was}" for name, (was, is_) in model.columns_retyped.items()]
    lines += [
        f"{name} differs in {counted(count, 'row')}"
        for name, count in model.changed_by_column.items()
    ]
    for name, (before, after) in model.totals.items():
        if before == after:
            lines.append(f"total of {name}: {_shown(after)} in both")
        else:
            lines.append(f"total of {name}: {_shown(before)} in production, {_shown(after)} here")
    return lines


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return f"{value:,}" if isinstance(value, Decimal) else str(value)
