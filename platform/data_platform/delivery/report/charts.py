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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
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
_MOST_ROWS = 5_000


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
    words: Mapping[str, str] = field(default_factory=dict)
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
    if unknown := stated.keys() - _KNOWN:
        raise ValueError(f"it has {min(unknown)}, expected {', '.join(sorted(_KNOWN))}")
    if stated["page"] not in PAGES:
        raise ValueError(f"page is {stated['page']}, expected one of {', '.join(PAGES)}")
    columns = []
    for name, of in stated["columns"].items():
        if of["as"] not in SHOWN_AS:
            raise ValueError(f"{name} is shown as {of['as']}, expected {', '.join(SHOWN_AS)}")
        values = {
            value: {one: said[one] for one in LANGUAGES}
            for value, said in of.get("values", {}).items()
        }
        titles = {one: of[one] for one in LANGUAGES}
        columns.append(ChartColumn(name, of["as"], titles, values))
    if not path.with_suffix(".sql").is_file():
        raise ValueError(f"there is no {path.with_suffix('.sql').name} beside it")
    return Chart(
        name=path.stem,
        page=stated["page"],
        order=int(stated["order"]),
        titles={one: stated["title"][one] for one in LANGUAGES},
        columns=tuple(columns),
        words=stated.get("words", {}),
        sort=tuple(stated.get("sort", ())),
        most=int(stated.get("most", _MOST_ROWS)),
        vega=stated.get("chart"),
        download=stated.get("download"),
    )


def fetch(
    connection: duckdb.DuckDBPyConnection, chart: Chart, hidden: frozenset[str] = frozenset()
) -> Shown | None:
    """The rows of a chart; None where production has no such view, or no such columns, yet.

    Args:
        hidden: columns that are not to be shown.
    """
    if not has_table(connection, Layer.REPORT, chart.name):
        return None
    view = f"{Layer.REPORT}.{quoted(chart.name)}"
    names = [column.name for column in chart.columns if column.name not in hidden]
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
