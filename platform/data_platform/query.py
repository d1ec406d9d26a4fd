"""Read the lakehouse: a statement's rows in several shapes, or the DuckDB shell."""

import csv
import importlib.util
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

import duckdb

from data_platform.errors import PlatformError
from data_platform.lakehouse import one_line, reading
from data_platform.settings import Settings


@dataclass(frozen=True)
class Result:
    """The columns and rows of a statement."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def query(settings: Settings, sql: str) -> Result:
    """Run SQL that can only read the lakehouse, and nothing else.

    Raises:
        PlatformError: there is no lakehouse, or DuckDB refuses the statement.
    """
    with reading(settings.lakehouse) as connection:
        try:
            cursor = connection.execute(sql)
            columns = tuple(column[0] for column in cursor.description or ())
            return Result(columns, cursor.fetchall() if columns else [])
        except duckdb.Error as error:
            raise PlatformError(f"the query failed: {one_line(str(error))}") from error


def shell(settings: Settings) -> None:
    """Replace this process by the DuckDB shell, read-only and without access to anything else.

    Raises:
        PlatformError: there is no lakehouse, or the shell is not installed.
    """
    with reading(settings.lakehouse):
        pass
    # The package's own launcher sets an option first, which -safe forbids.
    package = importlib.util.find_spec("duckdb_cli")
    places = package.submodule_search_locations if package else None
    replace_process(
        "duckdb",
        Path(next(iter(places or []), ".")),
        ["-no-init", "-safe", "-readonly", str(settings.lakehouse)],
    )


def replace_process(program: str, folder: Path, arguments: Sequence[str]) -> NoReturn:
    """Go on as another program.

    Raises:
        PlatformError: the folder has no such program.
    """
    found = shutil.which(program, path=str(folder))
    if found is None:
        raise PlatformError(f"{program} is not installed in {folder}; run: just setup")
    os.execv(found, [found, *arguments])


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
