"""Charts: a view of the schema `report` each, and beside it a specification of how it is shown.

models/report/<name>.sql gives the figures, models/report/<name>.yaml says:

    page: finance                    # overview, finance, care, sales or trust
    order: 1                         # on its page
    title: {en: …, fr: …}
    words: {row: last, en: "{month}: {amount}", fr: …}   # the figure in words
    columns: {month: {as: month, en: Month, fr: Mois}}   # of its table, in order; a text's
                                     # `values: {both: {en: …, fr: …}}` says what is shown for it
    sort: [month]                    # columns, each perhaps with desc
    most: 500                        # rows shown
    chart: {mark: bar, encoding: …}  # Vega-Lite; a table alone without
    download: receivables            # the export that has all rows
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from string import Formatter
from typing import Any

import duckdb
import yaml

from data_platform.errors import PlatformError, one_line
from data_platform.names import Layer
from data_platform.sql import has_table, quoted

LANGUAGES = ("en", "fr")
PAGES = ("overview", "finance", "care", "sales", "trust")
SHOWN_AS = (
    "month", "day", "euros", "percent", "share", "decimal", "count", "curve", "text",
)  # fmt: skip
_KNOWN = {
    "page", "order", "title", "words", "columns", "sort", "most", "chart", "download",
}  # fmt: skip
# Of which rows the words speak.
_ROWS = ("first", "last", "last complete month")
_MOST_ROWS = 5_000
_MOST_SENTENCES = 12


@dataclass(frozen=True)
class ChartColumn:
    """A column of a chart's table."""

    name: str
    shown_as: str
    titles: Mapping[str, str]
    # What is shown for a value, by language.
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Chart:
    """How a view of the report is shown."""

    name: str
    page: str
    order: int
    titles: Mapping[str, str]
    columns: tuple[ChartColumn, ...]
    words: Mapping[str, Any] = field(default_factory=dict)
    sort: tuple[str, ...] = ()
    most: int = _MOST_ROWS
    vega: Mapping[str, Any] | None = None
    download: str | None = None

    @property
    def model(self) -> str:
        """The name of its view."""
        return f"{Layer.REPORT}.{self.name}"


@dataclass(frozen=True)
class Shown:
    """A chart's rows; each value is a text that says it exactly, or None."""

    chart: Chart
    rows: Sequence[Mapping[str, str | None]]
    # How many there are in all.
    total: int

    def told(self, as_of: date) -> list[Mapping[str, str | None]]:
        """The rows of which the sentence speaks."""
        which = self.chart.words.get("row")
        if which is None or not self.rows:
            return []
        rows = list(self.rows)
        if which == "first":
            return rows[:1]
        if which == "last complete month":
            tomorrow = as_of + timedelta(days=1)
            complete = f"{tomorrow.replace(day=1):%Y-%m-%d}"
            rows = [row for row in rows if str(row["month"]) < complete] or rows
        last = rows[-1]
        each = self.chart.words.get("each")
        return [row for row in rows if row["month"] == last["month"]] if each else [last]

    def without(self) -> Sequence[Mapping[str, str | None]]:
        """The rows in which there is nothing of what `zero` names; not too many of them."""
        if "zero" not in self.chart.words:
            return []
        of = self.chart.words["zero"]["of"]
        found = [row for row in self.rows if row[of] is not None and not Decimal(str(row[of]))]
        return found[-_MOST_SENTENCES:]


def read_charts(project_dir: Path) -> list[Chart]:
    """The charts of a project, in the order of pages.

    Raises:
        PlatformError: a specification is none.
    """
    found = []
    for path in sorted((project_dir / "models" / Layer.REPORT).glob("*.yaml")):
        try:
            found.append(_chart(path))
        except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise PlatformError(
                f"{path} specifies no chart: {one_line(str(error))}; docs/report.md has an example"
            ) from error
    return sorted(found, key=lambda chart: (PAGES.index(chart.page), chart.order, chart.name))


def _chart(path: Path) -> Chart:
    stated = yaml.safe_load(path.read_bytes())
    if not isinstance(stated, dict):
        raise ValueError("it is empty")
    if unknown := stated.keys() - _KNOWN:
        raise ValueError(f"it has {min(unknown)}, expected {', '.join(sorted(_KNOWN))}")
    if lacking := {"page", "order", "title", "columns"} - stated.keys():
        raise ValueError(f"it lacks {min(lacking)}")
    if stated["page"] not in PAGES:
        raise ValueError(f"page is {stated['page']}, expected one of {', '.join(PAGES)}")
    if not path.with_suffix(".sql").is_file():
        raise ValueError(f"there is no {path.with_suffix('.sql').name} beside it")
    columns = tuple(_column(name, of) for name, of in stated["columns"].items())
    names = {column.name for column in columns}
    words = stated.get("words", {})
    if words:
        _check_words(words, columns)
    if unsaid := {*_fields(stated.get("chart"))} - names:
        raise ValueError(f"chart draws {min(unsaid)}, which is none of its columns")
    sort = stated.get("sort", [])
    if not isinstance(sort, list):
        raise ValueError(f"sort is {sort}, expected a list of columns, each perhaps with desc")
    download = stated.get("download")
    if download is not None and not re.fullmatch(r"\w+", download):
        raise ValueError(f"download is {download}, expected the name of an export")
    return Chart(
        name=path.stem,
        page=stated["page"],
        order=_whole(stated, "order"),
        titles=_in_each_language(stated["title"], "title"),
        columns=columns,
        words=words,
        sort=tuple(sort),
        most=_whole(stated, "most", _MOST_ROWS),
        vega=stated.get("chart"),
        download=download,
    )


def _column(name: str, of: Mapping[str, Any]) -> ChartColumn:
    if of.get("as") not in SHOWN_AS:
        raise ValueError(f"{name} is shown as {of.get('as')}, expected {', '.join(SHOWN_AS)}")
    values = {
        value: _in_each_language(said, f"{name}: {value}")
        for value, said in of.get("values", {}).items()
    }
    return ChartColumn(name, of["as"], _in_each_language(of, name), values)


def _in_each_language(said: Mapping[str, Any], what: str) -> dict[str, str]:
    if lacking := [one for one in LANGUAGES if one not in said]:
        raise ValueError(f"{what} lacks its words in '{lacking[0]}'")
    return {one: str(said[one]) for one in LANGUAGES}


def _whole(stated: Mapping[str, Any], name: str, default: int = 0) -> int:
    value = stated.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value}, expected a number from 1")
    return value


def _check_words(words: Mapping[str, Any], columns: Sequence[ChartColumn]) -> None:
    names = {column.name for column in columns}
    if "month" not in names and (words.get("row") == _ROWS[-1] or "each" in words):
        raise ValueError("words: rows of a month need a column month")
    if words.get("row") not in _ROWS:
        raise ValueError(f"words: row is {words.get('row')}, expected {', '.join(_ROWS)}")
    if unknown := words.keys() - {"row", "each", "zero", *LANGUAGES}:
        raise ValueError(
            f"words: has {min(unknown)}, expected row, each, zero, {', '.join(LANGUAGES)}"
        )
    numbers = {one.name for one in columns if one.shown_as in ("euros", "count", "decimal")}
    if "zero" in words and words["zero"].get("of") not in numbers:
        raise ValueError(
            f"words: zero is of {words['zero'].get('of')}, which is no column of numbers"
        )
    said = [_in_each_language(one, "words") for one in (words, words.get("zero", words))]
    for sentence in (sentence for one in said for sentence in one.values()):
        for _, field_, specification, conversion in Formatter().parse(sentence):
            if field_ is not None and field_ not in names:
                raise ValueError(f"words: there is no column {field_!r}")
            if specification or conversion:
                raise ValueError(
                    f"words: {field_} is shown as its column is, without :{specification}"
                )


def _fields(chart: Any) -> Iterator[str]:
    """The columns that a chart draws, without those that it calculates itself."""
    if not isinstance(chart, Mapping):
        return
    own = {one["as"] for one in chart.get("transform", ()) if "as" in one}
    for part in (chart, *chart.get("layer", ())):
        for of in part.get("encoding", {}).values():
            if "field" in of and of["field"] not in own:
                yield of["field"]


def fetch(connection: duckdb.DuckDBPyConnection, chart: Chart) -> Shown | None:
    """The rows of a chart; None where production has no such view, or no such columns, yet."""
    if not has_table(connection, Layer.REPORT, chart.name):
        return None
    view = f"{Layer.REPORT}.{quoted(chart.name)}"
    names = [column.name for column in chart.columns]
    there = {name for name, *_ in connection.execute(f"DESCRIBE {view}").fetchall()}
    if not {*names, *(one.partition(" ")[0] for one in chart.sort)} <= there:
        return None
    order = ", ".join(
        f"{quoted(name)} {'DESC' if way == 'desc' else ''} NULLS FIRST"
        for name, _, way in (one.partition(" ") for one in chart.sort)
    ) or ", ".join(map(quoted, names))
    chosen = ", ".join(f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}" for name in names)
    rows = connection.execute(
        f"SELECT {chosen} FROM (FROM {view} ORDER BY {order} LIMIT {chart.most})"
    ).fetchall()
    total = len(rows)
    if total == chart.most:  # perhaps there are more
        counted = connection.execute(f"SELECT COUNT(*) FROM {view}").fetchone()
        total = counted[0] if counted else 0
    return Shown(chart, [dict(zip(names, row, strict=True)) for row in rows], total)
