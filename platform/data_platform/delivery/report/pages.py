"""What each page shows, as its template takes it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from data_platform.delivery.export_files import WORKBOOK
from data_platform.delivery.report.charts import Shown
from data_platform.delivery.report.wording import filled, worded
from data_platform.names import PROD
from data_platform.project.lineage.production import ProductionCode
from data_platform.record.audits import audit_history, last_audits
from data_platform.record.computed import computed_for
from data_platform.record.journal import has_record, recorded_runs, recorded_steps
from data_platform.record.loads import changes_since, loaded_tables
from data_platform.record.rows import Audited, FailedAudit, ModelRan, Row, RunRow, StepRow

_RUNS = 20
Cell = Any


@dataclass(frozen=True)
class Published:
    """What a report is of."""

    connection: duckdb.DuckDBPyConnection
    project_dir: Path
    as_of: date
    load_number: int
    warnings: Sequence[FailedAudit]
    code: ProductionCode
    # The run that renders it, and what it has noted so far; none where nothing runs.
    run: RunRow | None
    noted: Sequence[Row]
    # The files of exports that lie where the pages look for them.
    export_files: frozenset[str]
    # The sources whose data is older than sources.yaml allows.
    stale: frozenset[str] = frozenset()
    # Whether it says nothing of how anything is computed.
    is_public: bool = False

    def export_file(self, name: str) -> str:
        """The file that has all rows of an export; empty where there is none."""
        there = (one for one in (f"{name}.csv", WORKBOOK) if one in self.export_files)
        return next(there, "")


def chart(shown: Shown | None, published: Published, name: str, titles: Any, t: Mapping[str, str],
          language: str) -> dict[str, Any]:  # fmt: skip
    """A chart as its template takes it; `shown` is None where production has no such view."""
    model = f"report.{name}"
    of = published.code.lineage
    upstream = set(of.reach(model, of.upstream)) if model in of.models else {model}
    found: dict[str, Any] = {
        "name": name,
        "model": model,
        "title": titles[language],
        "badge": f"{t['as_of'].format(day=worded(str(published.as_of), 'day', language))}, "
        f"{t['load'].format(number=published.load_number)}",
        "is_stale": any(_source(one) in published.stale for one in upstream),
        "warnings": sum(warning.model in upstream for warning in published.warnings),
        "is_there": shown is not None,
        "is_drawn": shown is not None and shown.chart.vega is not None and bool(shown.rows),
        "total": shown.total if shown else 0,
        "sentences": [],
        "more": "",
        "incomplete": "",
        "download": "",
    }
    if shown is None:
        return found
    words = shown.chart.words
    spoken = [(words.get(language, ""), row) for row in shown.told(published.as_of)]
    spoken += [(words["zero"][language], row) for row in shown.without()]
    found["sentences"] = [
        {
            "text": filled(sentence, row, shown.chart.columns, language, t["never"]),
            "entity": row.get("entity") or "",
            "month": (row.get("month") or "")[:7],
        }
        for sentence, row in spoken
        if sentence
    ]
    this_month = f"{published.as_of:%Y-%m}-01"
    is_over = (published.as_of + timedelta(days=1)).day == 1
    if not is_over and any(row.get("month") == this_month for row in shown.rows):
        found["incomplete"] = t["incomplete"].format(
            month=worded(this_month, "month", language),
            day=worded(str(published.as_of), "day", language),
        )
    if shown.total > len(shown.rows):
        found["more"] = t["first_rows"].format(
            shown=worded(str(len(shown.rows)), "count", language),
            total=worded(str(shown.total), "count", language),
        )
    if shown.chart.download:
        found["download"] = published.export_file(shown.chart.download)
    return found


def _source(table: str) -> str:
    """The application of a source's table; empty for a model."""
    layer, _, name = table.partition(".")
    return name.partition("__")[0] if layer == "sources" else ""


def trust(published: Published, t: Mapping[str, str], models: Mapping[str, str]) -> dict[str, Any]:
    """Warnings, audits, loads and runs."""

    def link(model: str) -> Cell:
        name = model if model in models else f"sources.{model.replace('.', '__')}"
        return {"url": models[name], "text": model} if name in models else model

    audits = audits_of(published)
    history = audit_history(published.connection, PROD, _RUNS)
    claimed = claims(published.project_dir)
    number = published.run.run_number if published.run else 0
    for row in published.noted:
        if isinstance(row, Audited) and row.environment in ("", PROD):
            key = row.model_name, row.audit
            known = history.get(key, [])
            before = sum(rows for run, rows in known if run == number)
            earlier = [one for one in known if one[0] != number]
            found = before + row.number_of_rows + row.is_unknown
            history[key] = [(number, found), *earlier][:_RUNS]
    return {
        "warnings": [
            (link(w.model), w.audit, w.sentence or str(w), w.since) for w in published.warnings
        ],
        "audits": [
            (
                link(one.model_name),
                ": ".join(
                    filter(
                        None,
                        [one.name if published.is_public else one.audit, claimed.get(one.name)],
                    )
                ),
                t["rows_break_it"].format(number=one.number_of_rows)
                if one.number_of_rows or one.is_unknown
                else t["holds"],
                run,
                _held(history.get((one.model_name, one.audit), []), t),
            )
            for run, one in (audits[key] for key in sorted(audits))
        ],
        "loaded": [
            (link(f"sources.{change.table}"), change.added, change.removed, change.first_day or "")
            for change in changes_since(published.connection, published.load_number - 1)
        ],
        "computed": [
            (link(one.model_name), one.first_day or "", one.last_day or "", f"{one.seconds:.2f}")
            for one in _computed(published)
        ],
        "sources": [
            (
                link(f"sources.{name}"),
                table.batch.as_of,
                t["stale"] if _source(f"sources.{name}") in published.stale else "",
                table.batch.batch_id,
            )
            for name, table in loaded_tables(published.connection).items()
        ],
        "runs": [
            (
                run.run_number,
                run.command,
                t["this_run"] if run is published.run else t[f"run_{run.outcome}"],
                f"{run.started_at:%Y-%m-%d %H:%M}",
                "" if run.seconds is None else f"{run.seconds:.1f}",
                ", ".join(f"{s.step} {s.seconds:.1f} s" for s in steps if s.seconds is not None),
            )
            for run, steps in _runs(published)
        ],
    }


def audits_of(published: Published) -> dict[tuple[str, str], tuple[int, Audited]]:
    """(run number, result) of the last time that each audit ran, by model and audit."""
    audits = last_audits(published.connection, PROD)
    number = published.run.run_number if published.run else 0
    for row in published.noted:
        if isinstance(row, Audited) and row.environment in ("", PROD):
            audits[row.model_name, row.audit] = (number, row)
    return audits


def _held(history: Sequence[tuple[int, int]], t: Mapping[str, str]) -> str:
    """In how many of its last runs an audit held, and in which it did not."""
    broken = [str(run) for run, rows in history if rows]
    said = t["held"].format(held=len(history) - len(broken), runs=len(history))
    return f"{said}; {t['not_in'].format(runs=', '.join(reversed(broken)))}" if broken else said


def _computed(published: Published) -> list[ModelRan]:
    """What was computed so that production reflects the last load."""
    known = computed_for(published.connection, PROD, published.load_number)
    noted = [
        one
        for one in published.noted
        if isinstance(one, ModelRan)
        and (one.environment, one.load_number) == (PROD, published.load_number)
    ]
    return [*known, *noted]


def _runs(published: Published) -> list[tuple[RunRow, Sequence[StepRow]]]:
    """The last runs with their steps, the one that renders the report first."""
    connection, own = published.connection, published.run
    runs = recorded_runs(connection, _RUNS) if has_record(connection) else []
    found = [
        (run, recorded_steps(connection, run.run_number))
        for run in runs
        if own is None or run.run_number != own.run_number
    ]
    if own is None:
        return [*found]
    return [(own, [one for one in published.noted if isinstance(one, StepRow)]), *found]


def claims(project_dir: Path) -> dict[str, str]:
    """What each audit claims, in a sentence: the first of the comment in its file."""
    found = {}
    for path in (project_dir / "audits").glob("*.sql"):
        comment = re.search(r"/\*(.*?)\*/", path.read_text(encoding="utf-8"), re.DOTALL)
        words = " ".join(comment[1].split()) if comment else ""
        if sentence := re.match(r"(?:[A-Z]+-\d+: )?(.+?)\.(?: |$)", words):
            found[path.stem] = sentence[1]
    return found
