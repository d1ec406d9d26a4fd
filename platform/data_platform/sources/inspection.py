"""What a table of an application looks like before anybody has stated it.

What a database declares is so; what the rows of a file let suppose is a guess.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from data_platform.errors import PlatformError
from data_platform.simulation import Simulation
from data_platform.sources.entries import Entry
from data_platform.sources.files.csv_text import csv_blocks
from data_platform.sources.files.spreadsheet import sheet_as_texts
from data_platform.sources.real import Session
from data_platform.sources.registry import open_source
from data_platform.sql import literal

_DELIMITERS, _ENCODINGS = (",", ";", "\t", "|"), ("utf-8", "cp1252")
# What a contract calls the types that databases declare.
_DECLARED = {
    "integer": "int", "smallint": "int", "int": "int", "mediumint": "int", "tinyint": "int",
    "bigint": "bigint", "double precision": "double", "double": "double", "real": "double",
    "date": "date", "datetime": "timestamp", "text": "text", "varchar": "text", "char": "text",
    "character varying": "text", "character": "text", "uuid": "text", "enum": "text",
    "mediumtext": "text", "longtext": "text", "tinytext": "text",
}  # fmt: skip
_KINDS = {"postgresql": "postgres", "postgres": "postgres", "mysql": "mysql"}
_FILES = {".csv": "files", ".parquet": "files", ".xlsx": "files", ".duckdb": "duckdb",
          ".sqlite": "sqlite", ".sqlite3": "sqlite", ".db": "sqlite"}  # fmt: skip
_PERSONAL = re.compile(
    r"(^|_)(e?mail|phone|mobile|first_?name|last_?name|surname|full_?name|birth\w*|address|street"
    r"|iban|nom|prenom|telephone|adresse)($|_)"
)
_MONEY = re.compile(r"(^|_)(amount|price|total|cost|fee|salary|montant|prix)($|_)")


@dataclass(frozen=True)
class FoundColumn:
    """A column as it was found; `type` is as the contract writes it."""

    name: str
    type: str
    nullable: bool
    # The SQL that makes such a type of it, where it has another.
    expression: str | None = None

    @property
    def is_likely_personal(self) -> bool:
        """Whether its name sounds like a person's data."""
        return bool(_PERSONAL.search(self.name.lower()))

    @property
    def is_likely_money(self) -> bool:
        """Whether it sounds like an amount of money."""
        return self.type.startswith("decimal") and bool(_MONEY.search(self.name.lower()))


@dataclass(frozen=True)
class Found:
    """A table as it was found; `kind`, `options` and `of_table` are as sources.yaml says them."""

    kind: str
    options: Mapping[str, str]
    columns: Sequence[FoundColumn]
    # The columns that tell rows apart, as far as one can see; none perhaps.
    key: tuple[str, ...]
    of_table: Mapping[str, str] = field(default_factory=dict)

    @property
    def event(self) -> str | None:
        """The first column of days that is never missing: perhaps when a row happened."""
        days = (c.name for c in self.columns if c.type == "date" and not c.nullable)
        return next(days, None)


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
    raise PlatformError(
        "nothing is known of such a place; expected postgresql://… or mysql://…, or a file that "
        f"ends in {', '.join(_FILES)}"
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
        return _of_file(Path(place), table, folder)
    options = {"url_env": variable} if "://" in place else {"file": _relative(place, folder)}
    entry = Entry(source, kind, options, None, None, folder)
    of_table = {} if there == table else {"table": there}
    opened: Any = open_source(entry, (), Simulation(0, 1), date.max)
    with opened.opens() as session:
        if kind == "sqlite":
            rows = session.ask(f"SELECT * FROM `{there.replace('`', '``')}` LIMIT 100000")
            names = [
                r[0] for r in session.ask(f"SELECT name FROM pragma_table_info({literal(there)})")
            ]
            texts = [[None if v is None else str(v) for v in row] for row in rows]
            frame = pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String), orient="row")
            columns, key = _guessed(frame), _unique(frame)
        else:
            columns, key = _declared(session, there, kind)
    if not columns:
        raise PlatformError(f"source {source}: there is no table {there}")
    if any(column.type == "timestamp" for column in columns):
        options["time_zone"] = "UTC"
    return Found(kind, options, columns, key, of_table)


def _declared(session: Session, table: str, kind: str) -> tuple[list[FoundColumn], tuple[str, ...]]:
    """The columns that a database declares, and its primary key."""
    schema = {"postgres": "'public'", "duckdb": "'main'", "mysql": "DATABASE()"}[kind]
    where = f"table_schema = {schema} AND table_name = {literal(table)}"
    columns = [
        _column(name, str(type_).lower(), precision, scale, nullable == "YES")
        for name, type_, precision, scale, nullable in session.ask(
            "SELECT column_name, data_type, numeric_precision, numeric_scale, is_nullable "
            f"FROM information_schema.columns WHERE {where} ORDER BY ordinal_position"
        )
    ]
    key = session.ask(
        "SELECT k.column_name FROM information_schema.key_column_usage AS k "
        "JOIN information_schema.table_constraints AS c ON c.table_schema = k.table_schema "
        "AND c.table_name = k.table_name AND c.constraint_name = k.constraint_name "
        f"WHERE c.constraint_type = 'PRIMARY KEY' AND k.{where.replace('AND ', 'AND k.')} "
        "ORDER BY k.ordinal_position"
    )
    return columns, tuple(str(row[0]) for row in key)


def _column(name: str, type_: str, precision: Any, scale: Any, nullable: bool) -> FoundColumn:
    plain = re.sub(r"\(.*", "", type_).strip()
    if plain in ("numeric", "decimal"):
        digits = (int(precision), int(scale)) if precision else (18, 2)
        return FoundColumn(name, f"decimal({digits[0]}, {digits[1]})", nullable)
    if plain.startswith("timestamp"):
        return FoundColumn(name, "timestamp", nullable)
    if plain in _DECLARED:
        return FoundColumn(name, _DECLARED[plain], nullable)
    return FoundColumn(name, "text", nullable, f"CAST({name} AS char)")


def _of_file(path: Path, table: str, folder: Path) -> Found:
    where = f"file {path.name}"
    options = {"folder": _relative(str(path.parent), folder)}
    if path.suffix.lower() == ".parquet":
        texts = pl.read_parquet(path, n_rows=100_000)
        columns = [_of_parquet(series) for series in texts]
    else:
        if path.suffix.lower() == ".xlsx":
            texts = sheet_as_texts(path, None, where)
        else:
            texts, how = _csv(path, where)
            options |= how
        columns = _guessed(texts.with_columns(pl.all().replace("", None)))
    if any(column.type == "timestamp" for column in columns):
        options["time_zone"] = "UTC"
    of_table = {} if path.name.startswith(table) else {"files": f"*{path.suffix}"}
    stem = re.sub(r"[\d_.-]+$", "", path.stem)
    if of_table and stem:
        of_table = {"files": f"{stem}*{path.suffix}"}
    return Found("files", options, columns, _unique(texts), of_table)


def _csv(path: Path, where: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """(the first lines of a file, the options by which it is read)."""
    fault: PlatformError | None = None
    for encoding in _ENCODINGS:
        frames: dict[str, pl.DataFrame] = {}
        try:
            for delimiter in _DELIMITERS:
                try:
                    frames[delimiter] = next(csv_blocks(path, encoding, delimiter, where))
                except pl.exceptions.PolarsError:
                    continue
        except PlatformError as error:
            fault = fault or error
            continue
        if not frames:
            continue
        delimiter = max(frames, key=lambda one: frames[one].width)
        frame = frames[delimiter]
        options = {} if encoding == "utf-8" else {"encoding": encoding}
        if delimiter != ",":
            options["delimiter"] = delimiter
        commas = frame.select(pl.all().str.contains(r"^-?\d+,\d+$").any()).row(0)
        if delimiter != "," and any(commas):
            options["decimal"] = ","
            frame = frame.with_columns(
                pl.col(name).str.replace(",", ".", literal=True)
                for name, is_number in zip(frame.columns, commas, strict=True)
                if is_number
            )
        return frame, options
    raise fault or PlatformError(f"{where} cannot be read as CSV")


def _of_parquet(series: pl.Series) -> FoundColumn:
    nullable = series.null_count() > 0
    match series.dtype:
        case pl.Decimal() as type_:
            return FoundColumn(series.name, f"decimal({type_.precision}, {type_.scale})", nullable)
        case pl.Date():
            return FoundColumn(series.name, "date", nullable)
        case pl.Datetime():
            return FoundColumn(series.name, "timestamp", nullable)
        case type_ if type_.is_float():
            return FoundColumn(series.name, "double", nullable)
        case pl.Int64() | pl.UInt32():
            return FoundColumn(series.name, "bigint", nullable)
        case type_ if type_.is_integer():
            return FoundColumn(series.name, "int", nullable)
    return FoundColumn(series.name, "text", nullable)


def _guessed(texts: pl.DataFrame) -> list[FoundColumn]:
    """Columns of texts, as the values in them let suppose; all of them may come otherwise."""
    return [FoundColumn(s.name, _guess(s.drop_nulls()), s.null_count() > 0) for s in texts]


def _guess(values: pl.Series) -> str:
    if not len(values):
        return "text"

    def all_are(pattern: str) -> bool:
        return bool(values.str.contains(pattern).all())

    if all_are(r"^-?(0|[1-9]\d{0,17})$"):  # 00123 is a code
        return "int" if all_are(r"^-?\d{1,9}$") else "bigint"
    if all_are(r"^-?(0|[1-9]\d{0,17})(\.\d{1,6})?$"):
        decimals = values.str.extract(r"\.(\d+)$", 1).str.len_chars().to_list()
        return f"decimal(18, {max(filter(None, decimals))})"
    if all_are(r"^\d{4}-\d{2}-\d{2}$"):
        return "date"
    if all_are(r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}"):
        return "timestamp"
    return "text"


def _unique(frame: pl.DataFrame) -> tuple[str, ...]:
    """The first column in which no value is missing or comes twice, one called id before all."""
    names = sorted(
        frame.columns, key=lambda name: (name.lower() != "id", frame.columns.index(name))
    )
    for name in names:
        if not frame[name].null_count() and frame[name].n_unique() == len(frame):
            return (name,)
    return ()


def _relative(place: str, folder: Path) -> str:
    path = Path(place).expanduser().resolve()
    inside = path.is_relative_to(folder.resolve())
    return str(path.relative_to(folder.resolve())) if inside else str(path)
