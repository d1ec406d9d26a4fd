"""The pages in one language."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from data_platform.delivery.report import catalogue, pages
from data_platform.delivery.report.charts import LANGUAGES, PAGES, Chart, Shown
from data_platform.delivery.report.scripts import assigned, safe_json
from data_platform.delivery.report.wording import filled, shown, worded

_NAVIGATION = (*PAGES, "changes", "catalogue", "lineage")

# What the script of the graph says.
_OF_THE_GRAPH = (
    "title", "model", "columns", "reads", "read_by", "personal", "counts", "sql", "relation",
    "from_here", "to_there", "makes", "chooses",
    "colon", "there_is_no", "exports_made", "exports_rows", "report_made", "report_rows",
)  # fmt: skip


@dataclass(frozen=True)
class Contents:
    """What the pages of all languages show."""

    published: pages.Published
    charts: Sequence[Chart]
    # The rows of each chart; None where production has no such view yet.
    shown: Mapping[str, Shown | None]
    # Columns to leave out.
    personal: frozenset[str]
    is_public: bool
    # Not where the catalogue is that of the report before.
    has_catalogue: bool = False


@dataclass
class LanguagePages:
    """Renders the pages in one language; `put` takes a file's name and its text."""

    report: Contents
    put: Callable[[str, str], None]
    environment: Environment
    language: str
    t: Mapping[str, str]
    # What the report before said; empty where there is none.
    before: Mapping[str, Any]

    def render(self, figures: Mapping[str, Any]) -> None:
        """Render all pages; those of the catalogue only where they are asked for."""
        report, published = self.report, self.report.published
        models = list(published.code.lineage.models)
        urls = {name: f"{name}.html" for name in models}
        from_above = {name: f"model/{url}" for name, url in urls.items()}
        for page in PAGES:
            charts = [chart for chart in report.charts if chart.page == page]
            more = pages.trust(published, self.t, from_above) if page == "trust" else {}
            self._page(
                page,
                "trust.html" if page == "trust" else "figures.html",
                self.t[page],
                charts=[
                    pages.chart(
                        report.shown[c.name], published, c.name, c.titles, self.t, self.language
                    )
                    for c in charts
                ],
                shows=charts,
                texts=("not_by", "by_entity", "by_month"),
                **more,
            )
        self._page("changes", "changes.html", self.t["changes"], **self._changes(figures))
        if report.has_catalogue:
            self._catalogue(urls, from_above)

    def _catalogue(self, urls: Mapping[str, str], from_above: Mapping[str, str]) -> None:
        report, published = self.report, self.report.published
        models = list(published.code.lineage.models)
        described = {name: published.code.lineage.models[name].description for name in models}
        self._page(
            "catalogue",
            "catalogue.html",
            self.t["catalogue"],
            scripts=[f"{self.language}/search.js"],
            models=[
                (n.partition(".")[0], {"url": from_above[n], "text": n}, described[n])
                for n in models
            ],
        )
        found = [_found(n, described[n], from_above[n]) for n in models]
        tests = catalogue.unit_tests(published.project_dir)
        claims = pages.claims(published.project_dir)
        for name in models:
            of = catalogue.model(
                name, published, urls, report.personal,
                tests.get(name, []), claims, self.t,
            )  # fmt: skip
            sql = "" if report.is_public else published.code.sql.get(name, "")
            scripts = [] if report.is_public else ["data/sizes.js"]
            self._page(name, "model.html", name, inside="model/", sql=sql, scripts=scripts,
                       texts=("number_of_rows", "sample"), **of)  # fmt: skip
            for link, _, said, *_ in of["columns"]:
                full = f"{name}.{link['text']}"
                found.append(_found(full, said, catalogue.in_graph(full, "")["url"]))
        self.put(f"{self.language}/search.js", assigned("search", found))
        scripts = ["data/lineage.js", "assets/graph.js", "assets/lineage.js"]
        title = self.t["lineage"]
        self._page("lineage", "lineage.html", title, scripts=scripts, texts=_OF_THE_GRAPH)

    def _changes(self, figures: Mapping[str, Any]) -> dict[str, Any]:
        """What differs from the report before."""
        empty: dict[str, Any] = {
            "figures": [], "new_warnings": [], "gone_warnings": [], "promotions": [],
            "columns": [], "checks": [],
        }  # fmt: skip
        before = self.before
        if not before:
            return {**empty, "said": self.t["first_report"]}
        known = before["figures"], before["warnings"], before["promotions"], before["load"]
        when = (
            f"{self.t['as_of'].format(day=worded(before['as_of'], 'day', self.language))}, "
            f"{self.t['load'].format(number=known[3])}"
        )
        rows = [
            one
            for chart in self.report.charts
            for one in self._changed(
                chart, known[0].get(chart.name, []), figures["figures"].get(chart.name, [])
            )
        ]
        was, now = known[1], figures["warnings"]
        found = {
            "figures": rows,
            "new_warnings": [said for which, said in now.items() if which not in was],
            "gone_warnings": [said for which, said in was.items() if which not in now],
            "promotions": [p for p in figures["promotions"] if p not in known[2]],
            **{part: self._came_and_went(part, figures) for part in ("columns", "checks")},
        }
        said = self.t["changed_since" if any(found.values()) else "nothing_changed"]
        return {**found, "said": said.format(before=when)}

    def _changed(
        self, chart: Chart, was: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]
    ) -> list[tuple[str, str, str]]:
        """(figure, before, now) of what a chart's words are made of.

        Where they speak of the first row, which may be another one now, they are compared whole.
        """
        title, found = chart.titles[self.language], []
        if chart.words.get("row") == "first":
            never = self.t["never"]
            said = [
                " ".join(
                    filled(chart.words[self.language], row, chart.columns, self.language, never)
                    for row in rows
                )
                for rows in (was, now)
            ]
            return [(title, said[0] or "–", said[1] or "–")] if said[0] != said[1] else []
        for number, row in enumerate(now):
            earlier = was[number] if number < len(was) else {}
            for column in chart.columns:
                old, new = earlier.get(column.name), row.get(column.name)
                if old != new:
                    values = (shown(column, value, self.language) for value in (old, new))
                    old_said, new_said = values
                    what = f"{title}{self.t['colon']} {column.titles[self.language]}"
                    found.append((what, old_said, new_said))
        return found

    def _came_and_went(self, part: str, figures: Mapping[str, Any]) -> list[str]:
        """What a list of names has that it had not before, and the other way round."""
        was, now = self.before.get(part, figures[part]), figures[part]
        came = [self.t["new_one"].format(name=one) for one in now if one not in was]
        return [*came, *(self.t["gone_one"].format(name=one) for one in was if one not in now)]

    def _page(
        self,
        name: str,
        template: str,
        heading: str,
        inside: str = "",
        shows: Sequence[Chart] = (),
        scripts: Sequence[str] = (),
        texts: Sequence[str] = (),
        **more: Any,
    ) -> None:
        published = self.report.published
        other = next(one for one in LANGUAGES if one != self.language)
        up = "../../" if inside else "../"
        charts = [chart for chart in shows if self.report.shown[chart.name] is not None]
        of_page = {
            "language": self.language,
            "charts": [self._for_script(chart) for chart in charts],
            "texts": {one: self.t[one] for one in texts},
        }
        needs_vega = ["assets/vega.js"] if any(chart.vega for chart in charts) else []
        text = self.environment.get_template(template).render(
            t=self.t,
            language=self.language,
            other=other,
            up=up,
            home="../" if inside else "",
            path=f"{inside}{name}.html",
            here=name,
            pages=_NAVIGATION,
            heading=heading,
            # The catalogue is of the code, whatever is loaded.
            has_date=not inside and name not in ("catalogue", "lineage"),
            as_of=worded(str(published.as_of), "day", self.language),
            load_number=published.load_number,
            is_stale=bool(published.stale),
            page_json=Markup(safe_json(json.dumps(of_page, ensure_ascii=False))),
            scripts=[
                *needs_vega, *(f"data/{chart.name}.js" for chart in charts), *scripts,
                "assets/report.js",
            ],
            **more,
        )  # fmt: skip
        self.put(f"{self.language}/{inside}{name}.html", text)

    def _for_script(self, chart: Chart) -> dict[str, Any]:
        return {
            "name": chart.name,
            "title": chart.titles[self.language],
            "columns": [
                {
                    "name": c.name,
                    "as": c.shown_as,
                    "title": c.titles[self.language],
                    "values": {value: said[self.language] for value, said in c.values.items()},
                }
                for c in chart.columns
            ],
            "vega": chart.vega,
        }


def _found(name: str, said: str, url: str) -> dict[str, str]:
    """What the search finds; `text` is what it looks in."""
    return {"name": name, "said": said, "url": url, "text": f"{name} {said}".lower()}
