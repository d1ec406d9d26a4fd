"""What the rows of a file let suppose of a table; others of its rows may come otherwise."""

import codecs
from contextlib import suppress
from pathlib import Path

import polars as pl

from data_platform.errors import PlatformError
from data_platform.sources.files.csv_text import csv_blocks
from data_platform.sources.files.spreadsheet import sheet_as_texts
from data_platform.sources.inspection.found import FoundColumn

_DELIMITERS, _ENCODINGS = (",", ";", "\t", "|"), ("utf-8", "cp1252")
_CHARACTERS_AT_ONCE = 1 << 20


def read_file(
    path: Path, sheet: str | None
) -> tuple[list[FoundColumn], tuple[str, ...], dict[str, str]]:
    """(columns, the key, the options by which it is read) of a file.

    Raises:
        PlatformError: it cannot be read.
    """
    where, how = f"file {path.name}", dict[str, str]()
    if path.suffix.lower() == ".parquet":
        try:
            rows = pl.read_parquet(path, n_rows=100_000)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise PlatformError(f"{where} cannot be read as Parquet") from error
        return [_of_parquet(series) for series in rows], unique(rows), how
    if path.suffix.lower() == ".xlsx":
        texts = sheet_as_texts(path, sheet, where)
    else:
        texts, how = _csv(path, where)
    return guessed(texts.with_columns(pl.all().replace("", None))), unique(texts), how


def _csv(path: Path, where: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """(the first lines of a file, the options by which it is read)."""
    encoding = _encoding(path, where)
    with path.open(encoding=encoding) as lines:
        header = next(lines, "")
    delimiter = max(_DELIMITERS, key=header.count)
    try:
        frame = next(csv_blocks(path, encoding, delimiter, where))
    except pl.exceptions.PolarsError as error:
        raise PlatformError(f"{where} cannot be read as CSV") from error
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


def _encoding(path: Path, where: str) -> str:
    """The first encoding that all of a file can be read in."""
    with path.open("rb") as file:
        start = file.read(2)
    wide = ("utf-16",) if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else ()
    for encoding in wide or _ENCODINGS:
        with suppress(UnicodeError), path.open(encoding=encoding) as text:
            while text.read(_CHARACTERS_AT_ONCE):
                pass
            return encoding
    raise PlatformError(f"{where} is written neither in {' nor in '.join(wide or _ENCODINGS)}")


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


def guessed(texts: pl.DataFrame) -> list[FoundColumn]:
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
        return f"decimal(18, {max(2, *filter(None, decimals))})"
    if all_are(r"^\d{4}-\d{2}-\d{2}$"):
        return "date"
    if all_are(r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}"):
        return "timestamp"
    return "text"


def unique(frame: pl.DataFrame) -> tuple[str, ...]:
    """The first column in which no value is missing or comes twice, one called id before all."""
    names = sorted(
        frame.columns, key=lambda name: (name.lower() != "id", frame.columns.index(name))
    )
    for name in names:
        values = frame[name]
        if values.dtype.is_nested() or values.dtype == pl.Binary:
            continue
        if not values.null_count() and values.n_unique() == len(frame):
            return (name,)
    return ()
