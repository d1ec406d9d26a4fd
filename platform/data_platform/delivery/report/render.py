"""Renders the report: one folder that opens with a double click, without server or network."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from data_platform.delivery.report import pages
from data_platform.delivery.report.catalogue import sizes
from data_platform.delivery.report.charts import LANGUAGES, fetch, read_charts
from data_platform.delivery.report.kept import (
    SIZES,
    Kept,
    Unchanged,
    data_file,
    fetched,
    kept_of,
)
from data_platform.delivery.report.languages import Contents, LanguagePages
from data_platform.delivery.report.paths import graph
from data_platform.delivery.report.scripts import assigned, vega_script
from data_platform.errors import PlatformError
from data_platform.files import replace_text, writable_folder
from data_platform.lakehouse.connection import reading
from data_platform.project.lineage.graph import PERSONAL
from data_platform.project.lineage.production import read_production
from data_platform.record.loads import loaded_tables
from data_platform.record.promotions import promotions
from data_platform.record.rows import FailedAudit, Row, RunRow
from data_platform.record.standing_warnings import standing_warnings
from data_platform.record.transforms import change_number, require_up_to_date
from data_platform.settings import Settings
from data_platform.sources.freshness import freshness

_PACKAGE = "data_platform.delivery.report"
_FIGURES = "figures.json"
# What it says at least.
_SAID = {"figures", "warnings", "promotions", "load", "columns", "checks", "is_public"}
# What a report consists of; whatever else lies there is somebody else's.
_OWN = (*LANGUAGES, "assets", "data", "index.html", _FIGURES)
_NOTHING = Unchanged()
_PARTS = ("**/*.html", "assets/*", "data/*.js", "*/search.js")


@dataclass
class _Folder:
    """Where pages go; only those whose text differs are written."""

    path: Path
    texts: dict[str, str] = field(default_factory=dict)
    kept: set[Path] = field(default_factory=set)

    def put(self, name: str, text: str) -> None:
        self.texts[name] = text

    def keep(self, *patterns: str) -> None:
        """Leave files of the report before as they are."""
        for pattern in patterns:
            self.kept.update(self.path.glob(pattern))

    def write(self) -> int:
        """Write what differs, remove what is no page any longer; how many files were written."""
        written = 0
        for name, text in self.texts.items():
            place = self.path / name
            if not (place.is_file() and place.read_text(encoding="utf-8") == text):
                replace_text(place, text)
                written += 1
        kept = {*self.kept, *(self.path / name for name in self.texts)}
        for place in {one for part in _PARTS for one in self.path.glob(part)} - kept:
            if place.relative_to(self.path).parts[0] in _OWN and place.is_file():
                place.unlink()
        return written


@dataclass(frozen=True)
class Reported:
    """A report that was rendered."""

    path: Path
    pages: int
    files_written: int


def report(
    settings: Settings,
    output: Path | None = None,
    is_public: bool = False,
    run: RunRow | None = None,
    noted: Sequence[Row] = (),
    unchanged: Unchanged = _NOTHING,
) -> Reported:
    """Render what a lakehouse shows.

    Args:
        output: a folder of one's own; by default that of the data folder.
        is_public: leave out personal columns, and the SQL, whose literals may tell of people.
        run: the run that publishes it, and what it has noted so far.
        unchanged: models whose rows the data folder's own report has fetched, if it is not older.

    Raises:
        PlatformError: there is no lakehouse yet, the models are behind the last load, a chart's
            specification is none, or the folder cannot be written.
    """
    folder = writable_folder(output or settings.report_dir)
    if output is not None and any(folder.iterdir()) and not _is_report(folder):
        raise PlatformError(f"{folder} holds files that are no report; choose an empty folder")
    charts = read_charts(settings.project_dir)
    with reading(settings) as connection:
        load = require_up_to_date(connection)
        code = read_production(connection, settings.project_dir)
        personal = frozenset(code.lineage.marked(PERSONAL)) if is_public else frozenset()
        if is_public:  # whose rows are of persons, with or without their names
            charts = [one for one in charts if not code.lineage.personal(one.model)]
        is_own = output is None and not is_public
        earlier = _earlier(folder, is_public) if is_own else {}
        kept = kept_of(folder, earlier.get("fetched", {}), charts, unchanged)
        shown = {
            chart.name: kept.charts.get(chart.name) or fetch(connection, chart) for chart in charts
        }
        published = pages.Published(
            connection=connection,
            project_dir=settings.project_dir,
            as_of=load.as_of,
            load_number=load.load_number,
            warnings=[_named(one, is_public) for one in standing_warnings(connection)],
            code=code,
            run=run,
            noted=noted,
            export_files=frozenset(
                path.name for path in settings.exports_dir.glob("*") if output is None
            ),
            is_public=is_public,
            stale=_stale(settings, connection),
        )
        contents = Contents(published, charts, shown, personal, is_public)
        return _render(folder, contents, kept, is_own)


def _named(warning: FailedAudit, is_public: bool) -> FailedAudit:
    """A warning; for the public without the arguments of its audit, which are SQL, and keys."""
    return replace(warning, audit=warning.name, keys=()) if is_public else warning


def _stale(settings: Settings, connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The sources whose data is older than sources.yaml allows."""
    as_of = {t.partition("__")[0]: o.batch.as_of for t, o in loaded_tables(connection).items()}
    found = freshness(settings.project_dir, as_of)
    return frozenset(one.source for one in found if one.is_stale)


def _render(path: Path, contents: Contents, kept: Kept, is_own: bool) -> Reported:
    folder, published = _Folder(path), contents.published
    for name in ("report.css", "report.js", "graph.js", "lineage.js"):
        text = files(_PACKAGE).joinpath("assets", name).read_text(encoding="utf-8")
        folder.put(f"assets/{name}", text)
    folder.put("assets/vega.js", vega_script())
    if not contents.is_public:
        known = sizes(
            published.connection, published.code.lineage, contents.shown.values(), kept.sizes
        )
        folder.put(SIZES, assigned("sizes", known))
    for name, shown in contents.shown.items():
        folder.put(data_file(name), assigned("data", list(shown.rows) if shown else [], name))
    texts = yaml.safe_load(files(_PACKAGE).joinpath("texts.yaml").read_bytes())
    environment = Environment(
        loader=PackageLoader(_PACKAGE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True,
    )  # fmt: skip
    last, figures = _earlier(path, contents.is_public), _figures(contents)
    # Rendered again over the same data, it is compared with what that was compared with.
    is_again = last.get("load") == figures["load"]
    before = last.get("before", {}) if is_again or not last else {**last, "before": {}}
    figures["before"] = before
    if figures["catalogue"] == last.get("catalogue"):
        folder.keep(
            "*/model/*.html", "*/catalogue.html", "*/lineage.html", "*/search.js", "data/lineage.js"
        )
    else:
        contents = replace(contents, has_catalogue=True)
        known = graph(published.code, contents.personal, not contents.is_public)
        folder.put("data/lineage.js", assigned("lineage", known))
    for language in LANGUAGES:
        t = {name: said[language] for name, said in texts.items()}
        LanguagePages(contents, folder.put, environment, language, t, before).render(figures)
    folder.put("index.html", environment.get_template("index.html").render())
    if is_own:
        change = change_number(published.connection)
        figures["fetched"] = fetched(folder.texts, change, contents.charts, contents.shown)
    folder.put(_FIGURES, json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    written = folder.write()
    return Reported(path, sum(1 for _ in path.rglob("*.html")), written)


def _figures(contents: Contents) -> dict[str, Any]:
    """What the next report is compared with."""
    published = contents.published
    values = {
        name: [dict(row) for row in shown.told(published.as_of)]
        for name, shown in contents.shown.items()
        if shown is not None
    }
    return {
        "as_of": str(published.as_of),
        "is_public": contents.is_public,
        "load": published.load_number,
        "figures": values,
        "warnings": {f"{one.model} {one.audit}": str(one) for one in published.warnings},
        "promotions": [str(one) for one in promotions(published.connection)],
        "columns": [
            f"{name}.{column} {type_}"
            for name, model in published.code.lineage.models.items()
            for column, type_ in model.types.items()
            if f"{name}.{column}" not in contents.personal
        ],
        "checks": [
            f"{name} {audit}" for name, of in published.code.facts.items() for audit in of.audits
        ],
        "catalogue": _catalogue(contents),
    }


def _catalogue(contents: Contents) -> str:
    """A digest of all that the pages of the catalogue are made of."""
    digest = hashlib.sha256(contents.published.code.digest.encode())
    digest.update(str(sorted(contents.published.export_files)).encode())
    for part in (
        "catalogue.py", "charts.py", "graph.py", "languages.py", "pages.py", "paths.py",
        "scripts.py", "texts.yaml",
    ):  # fmt: skip
        digest.update(files(_PACKAGE).joinpath(part).read_bytes())
    for template in ("base.html", "macros.html", "model.html", "catalogue.html", "lineage.html"):
        digest.update(files(_PACKAGE).joinpath("templates", template).read_bytes())
    for pattern in ("tests/*/*.yaml", "audits/*.sql"):
        for path in sorted(contents.published.project_dir.glob(pattern)):
            digest.update(path.read_bytes())
    digest.update(str(contents.is_public).encode())
    return digest.hexdigest()[:16]


def _is_report(folder: Path) -> bool:
    """Whether a folder holds a report, for whomever."""
    return bool(_earlier(folder, True) or _earlier(folder, False))


def _earlier(path: Path, is_public: bool) -> Mapping[str, Any]:
    """What the report before said; empty where there is none, or none for the same readers."""
    try:
        found = json.loads((path / _FIGURES).read_text(encoding="utf-8"))
        is_one = found.keys() >= _SAID and isinstance(found["warnings"], dict)
        return found if is_one and found["is_public"] == is_public else {}
    except (OSError, ValueError, AttributeError):
        return {}
