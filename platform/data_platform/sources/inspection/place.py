"""Where a table is: a file, or a database by its address."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from data_platform.errors import PlatformError
from data_platform.simulation import Simulation
from data_platform.sources.entries import Entry
from data_platform.sources.inspection.declared import declared
from data_platform.sources.inspection.found import Found, clean_name, renamed
from data_platform.sources.inspection.guessed import guessed, read_file, unique
from data_platform.sources.registry import open_source

_KINDS = {"postgresql": "postgres", "postgres": "postgres", "mysql": "mysql"}
_FILES = {".csv": "files", ".parquet": "files", ".xlsx": "files", ".duckdb": "duckdb",
          ".sqlite": "sqlite", ".sqlite3": "sqlite", ".db": "sqlite"}  # fmt: skip


def kind_of_place(place: str) -> str:
    """The kind of source that a file or an address is.

    Raises:
        PlatformError: nothing is known of such a place.
    """
    if "://" in place:
        scheme = place.partition("://")[0]
        if scheme in _KINDS:
            return _KINDS[scheme]
    elif kind := _FILES.get(Path(place).suffix.lower()):
        if Path(place).is_file():
            return kind
        raise PlatformError(f"there is no file {place}")
    unset = "there is no environment variable of that name, and " if place.isidentifier() else ""
    raise PlatformError(
        f"{unset}nothing is known of such a place; expected postgresql://… or mysql://…, the "
        f"variable that holds one, or a file that ends in {', '.join(_FILES)}"
    )


def inspect(place: str, source: str, table: str, there: str, variable: str, folder: Path) -> Found:
    """Look at a table of an application.

    Args:
        place: a file, or the address of a database, which `variable` of the environment holds.
        source: what the application is to be called.
        table: what its table is to be called.
        there: what the application calls it.
        folder: of sources.yaml, from which paths go.

    Raises:
        PlatformError: there is no such table, or nothing is known of such a place.
    """
    kind = kind_of_place(place)
    if kind == "files":
        sheet = there if there != table and place.lower().endswith(".xlsx") else None
        return _of_file(Path(place), table, sheet, folder)
    options = {"url_env": variable} if "://" in place else {"file": _relative(place, folder)}
    entry = Entry(source, kind, options, None, None, folder)
    of_table = {} if there == table else {"table": there}
    opened: Any = open_source(entry, (), Simulation(0, 1), date.max)
    with opened.opens() as session:
        if kind == "sqlite":
            place_there = f"`{there.replace('`', '``')}`"
            names = session.database.names(f"SELECT * FROM {place_there}")
            rows = session.ask(f"SELECT * FROM {place_there} LIMIT 100000")
            texts = [[None if v is None else str(v) for v in row] for row in rows]
            frame = pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String), orient="row")
            columns, key = renamed(guessed(frame), "`{}`"), tuple(map(clean_name, unique(frame)))
        else:
            columns, key = declared(session, there, kind)
    if not columns:
        raise PlatformError(f"source {source}: there is no table {there}")
    if any(column.type == "timestamp" for column in columns):
        options["time_zone"] = "UTC"
    return Found(kind, options, columns, key, of_table)


def _of_file(path: Path, table: str, sheet: str | None, folder: Path) -> Found:
    columns, key, how = read_file(path, sheet)
    options = {"folder": _relative(str(path.parent), folder), **how}
    if any(column.type == "timestamp" for column in columns):
        options["time_zone"] = "UTC"
    of_table: dict[str, str] = {}
    if not path.name.startswith(table):
        stem = re.sub(r"[\d_.-]+$", "", path.stem)
        of_table["files"] = f"{stem}*{path.suffix}"
    if sheet:
        of_table["sheet"] = sheet
    return Found("files", options, renamed(columns), tuple(map(clean_name, key)), of_table)


def _relative(place: str, folder: Path) -> str:
    path = Path(place).expanduser().resolve()
    inside = path.is_relative_to(folder.resolve())
    return str(path.relative_to(folder.resolve())) if inside else str(path)
