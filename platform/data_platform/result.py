"""Rows to show, and the shapes in which they go to other programs."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from typing import Any


@dataclass(frozen=True)
class Result:
    """The columns and rows of a statement."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def counted(number: int, noun: str) -> str:
    """A number of things, in words that agree: 1 model, 2 models."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def as_csv(result: Result) -> str:
    """Header and rows, comma-separated."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(result.columns)
    writer.writerows(result.rows)
    return text.getvalue()


def _json_value(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else str(value)


def as_json(result: Result) -> str:
    """A list of objects, one a row."""
    rows = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
    return json.dumps(rows, indent=1, ensure_ascii=False, default=_json_value) + "\n"


def as_markdown(result: Result) -> str:
    """A table in Markdown."""

    def line(cells: Iterable[object]) -> str:
        texts = ("" if cell is None else str(cell) for cell in cells)
        return "| " + " | ".join(t.replace("|", "\\|").replace("\n", " ") for t in texts) + " |\n"

    def lines(rows: Sequence[Sequence[object]]) -> str:
        return "".join(line(row) for row in rows)

    return line(result.columns) + line("---" for _ in result.columns) + lines(result.rows)
