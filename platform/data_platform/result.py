"""Rows to show, and the shapes in which they go to other programs, a piece at a time."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from typing import Any


@dataclass(frozen=True)
class Result:
    """The columns and rows of a statement, or of a piece of what it gives."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def counted(number: int, noun: str) -> str:
    """A number of things, in words that agree: 1 model, 2 models."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def as_csv(pieces: Iterable[Result]) -> Iterator[str]:
    """Header and rows, comma-separated."""
    for place, piece in enumerate(pieces):
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if place == 0:
            writer.writerow(piece.columns)
        writer.writerows(piece.rows)
        yield text.getvalue()


def _json_value(value: object) -> object:
    """A value as JSON has it: exact, or as text; null for what is no number."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _json_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(inner) for inner in value]
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names with a number after those that were there before: a, a_1, a_2."""
    found: dict[str, None] = {}
    for name in names:
        number, other = 0, name
        while other in found or (number and other in names):
            number += 1
            other = f"{name}_{number}"
        found[other] = None
    return tuple(found)


def as_json(pieces: Iterable[Result]) -> Iterator[str]:
    """A list of objects, one a row; a column's name that comes twice gets a number."""
    before = "["
    for piece in pieces:
        names = distinct(piece.columns)
        rows = [dict(zip(names, map(_json_value, row), strict=True)) for row in piece.rows]
        if rows:
            text = json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)
            yield before + text.removeprefix("[").removesuffix("\n]")
            before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def as_markdown(pieces: Iterable[Result]) -> Iterator[str]:
    """A table in Markdown."""

    def line(cells: Iterable[object]) -> str:
        texts = ("" if cell is None else str(cell) for cell in cells)
        return "| " + " | ".join(t.replace("|", "\\|").replace("\n", " ") for t in texts) + " |\n"

    def lines(rows: Sequence[Sequence[object]]) -> str:
        return "".join(line(row) for row in rows)

    for place, piece in enumerate(pieces):
        header = line(piece.columns) + line("---" for _ in piece.columns) if place == 0 else ""
        yield header + lines(piece.rows)


def markdown_table(columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> str:
    """A table in Markdown of a few rows."""
    return "".join(as_markdown([Result(tuple(columns), list(rows))]))
