"""The commands that read: what is published, also while a run is at work on its private copy."""

import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

import click

from data_platform.cli import options, parsing
from data_platform.cli.action import Action, Call, refuse_in_data_folder, run_of
from data_platform.names import LineageFormat, ResultFormat, StatusFormat
from data_platform.result import counted

if TYPE_CHECKING:
    from data_platform.project.lineage.graph import Impact
    from data_platform.result import Result

_IN_MEMORY = 1 << 24  # characters of an answer; what is longer waits in a temporary file


def _query(call: Call, sql: str | None, result_format: str, failed: bool) -> int:
    from data_platform.delivery import query

    settings = query.lakehouse(call.settings, failed)
    if sql is None:
        from data_platform.delivery.browse import shell

        return shell(settings, call.settings.data_dir)
    with closing(query.query(settings, sql)) as pieces:
        _show_rows(call, pieces, result_format)
    return 0


def _show_rows(call: Call, pieces: "Iterable[Result]", result_format: str) -> None:
    from data_platform import result

    shapes = {
        ResultFormat.CSV: result.as_csv,
        ResultFormat.JSON: result.as_json,
        ResultFormat.MARKDOWN: result.as_markdown,
    }
    if shape := shapes.get(ResultFormat(result_format)):
        with SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="utf-8", newline="") as whole:
            for text in shape(pieces):  # whose last row may be the one that fails
                whole.write(text)
            whole.seek(0)
            call.reporter.write_from(whole)
    else:
        first, *more = islice(pieces, 2)
        call.reporter.table(first, has_more=bool(more))


@click.command("query", cls=parsing.Interspersed)
@click.argument("sql", required=False)
@options.result_format
@options.failed
def query_command(sql: str | None, result_format: str, failed: bool) -> Action:
    """Run SQL on the lakehouse, read-only; without SQL, open the DuckDB shell."""
    act = partial(_query, sql=sql, result_format=result_format, failed=failed)
    return Action("query", act, writes=False)


def _tables(call: Call, result_format: str) -> None:
    from data_platform.delivery.query import tables

    _show_rows(call, [tables(call.settings)], result_format)


@click.command("tables", cls=parsing.Command)
@options.result_format
def tables_command(result_format: str) -> Action:
    """List what can be read: the tables and views of the lakehouse, a line each."""
    return Action("tables", partial(_tables, result_format=result_format), writes=False)


def _status(call: Call, status_format: str) -> int:
    from data_platform.operations.status import status
    from data_platform.operations.status_formats import (
        lines,
        runs_table,
        sources_table,
        status_json,
    )

    found = status(call.settings)
    if status_format == StatusFormat.JSON:
        call.reporter.write(json.dumps(status_json(found), indent=1, default=str) + "\n")
    else:
        for line in lines(found):
            call.reporter.say(line)
        for problem in found.problems:
            call.reporter.warn(problem)
        call.reporter.table(runs_table(found))
        call.reporter.table(sources_table(found))
    return 0 if found.is_healthy else 1


@click.command("status", cls=parsing.Command)
@options.status_format
def status_command(status_format: str) -> Action:
    """Tell what is published and what the last runs did; fails when one failed or data is stale."""
    return Action("status", partial(_status, status_format=status_format), writes=False)


def _lineage(call: Call, name: str, lineage_format: str, impact: bool) -> None:
    from data_platform.project.lineage.formats import (
        as_mermaid,
        edges,
        impact_as_json,
        lineage_json,
    )
    from data_platform.project.lineage.graph import PERSONAL, model_of
    from data_platform.project.lineage.working_tree import read_lineage

    lineage = read_lineage(call.settings.project_dir)
    lineage.check(name)
    if impact and lineage_format == LineageFormat.JSON:
        found = impact_as_json(lineage.impact([name]))
        call.reporter.write(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    elif impact:
        for line in impact_lines(name, lineage.impact([name])):
            call.reporter.say(line)
    elif lineage_format == LineageFormat.TREE:
        call.reporter.tree(f"{name} is made of", name, lineage.upstream)
        call.reporter.tree(f"{name} goes into", name, lineage.downstream)
        if chosen := sorted(model for model, of in lineage.models.items() if name in of.rows_by):
            call.reporter.say(f"It chooses, matches or groups the rows of {', '.join(chosen)}.")
        if name in lineage.marked(PERSONAL):
            call.reporter.say("It is personal data.")
    elif lineage_format == LineageFormat.JSON:
        call.reporter.write(lineage_json(lineage, name))
    elif lineage_format == LineageFormat.MERMAID:
        call.reporter.write(as_mermaid(edges(lineage, name), name))
    else:
        from openlineage.client.serde import Serde

        from data_platform.operations.lineage_events import static_events

        models = dict.fromkeys(
            model_of(other)
            for direction in (lineage.upstream, lineage.downstream)
            for other in lineage.reach(name, direction)
        )
        for event in static_events(lineage, models, call.settings):
            call.reporter.write(Serde.to_json(event) + "\n")


def impact_lines(name: str, impact: "Impact") -> list[str]:
    """What would change, for a person: exports and charts first."""
    if not impact.models:
        return [f"Nothing is made of {name}."]
    lines = []
    for title, names in (
        ("Exports", impact.exports),
        ("Charts", impact.charts),
        (
            "Models",
            tuple(m for m in impact.models if m not in (*impact.exports, *impact.charts)),
        ),
    ):
        lines.append(f"{title} that would change with {name}: {len(names) or 'none'}")
        lines += [f"  {model}: {impact.why(model)}" for model in names]
    return lines


@click.command("lineage", cls=parsing.Interspersed)
@click.argument("name", metavar="MODEL[.COLUMN]")
@options.lineage_format
@options.impact
def lineage_command(name: str, lineage_format: str, impact: bool) -> Action:
    """Show what a model or a column is made of, and what is made of it."""
    if impact and lineage_format not in (LineageFormat.TREE, LineageFormat.JSON):
        raise click.UsageError("--impact is told as lines or with --format json")
    act = partial(_lineage, name=name, lineage_format=lineage_format, impact=impact)
    return Action("lineage", act, writes=False)


def _ui(call: Call, host: str, port: int) -> int:
    from data_platform.delivery.browse import ui

    def say_where() -> None:
        call.reporter.say(f"SQLMesh's UI: http://{host}:{port} (end it with Ctrl-C)")

    call.reporter.detail("Opening SQLMesh's UI on a snapshot")
    return ui(call.settings, host, port, say_where, call.reporter.verbose)


@click.command("ui", cls=parsing.Command)
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, help="Port to listen on.")
def ui_command(host: str, port: int) -> Action:
    """Open SQLMesh's UI on a snapshot of the lakehouse."""
    return Action("ui", partial(_ui, host=host, port=port), writes=False)


def _sources(call: Call, result_format: str) -> None:
    from data_platform.operations.sources import sources

    _show_rows(call, [sources(call.settings)], result_format)


def _check_sources(call: Call, asked: tuple[str, ...], result_format: str) -> int:
    from data_platform.operations.sources import check

    with call.reporter.busy("asking the applications"):
        found = check(call.settings, call.company, asked)
    shown = found.tables
    if result_format == ResultFormat.TABLE:  # too narrow for what does not fit, which is told below
        said = [(*row[:3], "refused" if row[3] in found.faults else row[3]) for row in shown.rows]
        shown = replace(shown, rows=said)
    _show_rows(call, [shown], result_format)
    for fault in found.faults if result_format == ResultFormat.TABLE else ():
        call.reporter.warn(fault)
    for change in found.schema_changes:
        call.reporter.warn(f"the next load: {change}")
    if found.faults:
        refused = counted(len(found.faults), "table")
        call.reporter.warn(f"{refused} would be refused; nothing was changed")
    return 1 if found.faults else 0


@click.command("sources", cls=parsing.Interspersed)
@click.argument("what", metavar="[check]", type=click.Choice(["check"]), required=False)
@options.source
@options.result_format
def sources_command(what: str | None, sources: tuple[str, ...], result_format: str) -> Action:
    """List the applications; check: connect, compare with the contract, count, extract nothing."""
    if what is None:
        if sources:
            raise click.UsageError("-s is for sources check; sources alone lists all of them")
        return Action("sources", partial(_sources, result_format=result_format), writes=False)
    act = partial(_check_sources, asked=sources, result_format=result_format)
    return Action("sources", act, writes=False)


def _report(call: Call, opens: bool, output: Path | None, is_public: bool) -> None:
    if output is None:
        from data_platform.operations.pipeline import report_step

        run = run_of(call)
        report_step(run)
        if opens:
            call.reporter.do_when_published(
                partial(click.launch, str(run.published.report_dir / "index.html"))
            )
    else:
        from data_platform.delivery.report.render import report

        with call.reporter.busy("rendering the report"):
            done = report(call.settings, output.absolute(), is_public)
        where = done.path / "index.html"
        call.reporter.say(f"{counted(done.pages, 'page')} in {where}")
        if opens:
            click.launch(str(where))


@click.command("report", cls=parsing.Command)
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
@click.option(
    "--output",
    type=parsing.Folder(file_okay=False, path_type=Path),
    help="An empty folder for it, or one with an earlier report; by default it is published.",
)
@click.option("--public", "is_public", is_flag=True, help="Leave out personal data and SQL.")
def report_command(opens: bool, output: Path | None, is_public: bool) -> Action:
    """Render the report: pages that open with a double click, as each run leaves them."""
    if is_public and output is None:
        raise click.UsageError("--public needs --output, a folder to hand on")
    act = partial(_report, opens=opens, output=output, is_public=is_public)
    check = partial(refuse_in_data_folder, place=output, option="--output")
    return Action("report", act, output is None, check)
