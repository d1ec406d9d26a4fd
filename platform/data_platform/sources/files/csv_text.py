"""CSV files of any encoding and delimiter, some lines at a time, as the texts that they hold."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from data_platform.errors import PlatformError
from data_platform.settings import SOURCES_FILE

_CHARACTERS_AT_ONCE = 2**25
_QUOTE = '"'
_QUOTED = re.compile(r'"(?:[^"]|"")*"')


def csv_blocks(path: Path, encoding: str, delimiter: str, where: str) -> Iterator[pl.DataFrame]:
    """The lines of a file below its line of names, as frames of texts.

    Args:
        where: which table and file this is, for errors.

    Raises:
        PlatformError: the file is empty, ends within a line, or is in another encoding.
    """
    header, records = "", 0
    names: tuple[str, ...] = ()
    for block in _whole_lines(path, encoding, where):
        body = block
        if not header:
            end = _end_of_line(block, 0, len(block))
            header, body = block[:end], block[end:]
            names = _names(header, delimiter, where)
        records = _refuse_ragged(body, delimiter, len(names), records, where)
        yield pl.read_csv(
            io.BytesIO((header + body).encode()),
            separator=delimiter,
            quote_char=_QUOTE,
            infer_schema=False,
        )


def _names(header: str, delimiter: str, where: str) -> tuple[str, ...]:
    """The names in a line of them, each of which is there once."""
    line = pl.read_csv(
        io.BytesIO(header.encode()),
        separator=delimiter,
        quote_char=_QUOTE,
        has_header=False,
        infer_schema=False,
    )
    names = tuple(str(name or "") for name in line.row(0))
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise PlatformError(f"{where} has column {twice!r} twice; expected each name once")
    return names


def _refuse_ragged(body: str, delimiter: str, width: int, before: int, where: str) -> int:
    """Refuse a line with fewer or more values than names; how many lines there were so far.

    Args:
        before: how many lines were before these.
    """
    outside = _QUOTED.sub("", body) if _QUOTE in body else body
    lines = pl.Series(outside.split("\n")[:-1], dtype=pl.String).str.strip_suffix("\r")
    values = lines.str.count_matches(delimiter, literal=True) + 1
    wrong = (values != width) & (lines != "")
    if wrong.any():
        place = wrong.arg_max() or 0
        raise PlatformError(
            f"{where}: line {before + place + 2:,} has {values[place]} values, expected {width}; "
            f"{int(wrong.sum()):,} lines do (a line break within quotes begins no line)"
        )
    return before + len(lines)


def _whole_lines(path: Path, encoding: str, where: str) -> Iterator[str]:
    """The text of a file, cut between lines; a line may break within quotes."""
    rest, is_empty = "", True
    try:
        with path.open(encoding=encoding, errors="strict", newline="") as file:
            while text := file.read(_CHARACTERS_AT_ONCE):
                if is_empty:
                    text = text.removeprefix("\ufeff")
                is_empty = is_empty and not text.strip()
                rest += text
                if end := _last_end_of_line(rest):
                    yield rest[:end]
                    rest = rest[end:]
    except (UnicodeError, LookupError) as error:
        raise PlatformError(
            f"{where} is not written in {encoding}; say in {SOURCES_FILE}: encoding: …"
        ) from error
    if is_empty:
        raise PlatformError(f"{where} is empty; expected a line of names at least")
    if rest:
        raise PlatformError(
            f"{where} ends within a line; it is still being written, or was cut short"
        )


def _last_end_of_line(text: str) -> int:
    """The place behind the last line break that is not within quotes, 0 where there is none."""
    end, quotes = len(text), text.count(_QUOTE)
    while (place := text.rfind("\n", 0, end)) >= 0:
        quotes -= text.count(_QUOTE, place, end)
        if quotes % 2 == 0:
            return place + 1
        end = place
    return 0


def _end_of_line(text: str, start: int, stop: int) -> int:
    """The place behind the first line break that is not within quotes."""
    place = start
    while (place := text.find("\n", place, stop)) >= 0:
        if text.count(_QUOTE, start, place) % 2 == 0:
            return place + 1
        place += 1
    return stop
