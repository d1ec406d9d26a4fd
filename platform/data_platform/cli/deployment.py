"""The commands that change models: plan, diff, promote, rollback."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from data_platform.cli import options, parsing
from data_platform.cli.action import Action, Call, run_of
from data_platform.cli.telling import tell_step, tell_transformed, warn_of_environments
from data_platform.files import replace_text
from data_platform.names import ExportFormat, ReviewFormat
from data_platform.result import counted

if TYPE_CHECKING:
    from data_platform.deployment.plan import Planned

# Large enough for every kind of row, small enough for a pull request.
_REVIEW_SCALE = 0.2


_Found = TypeVar("_Found")
# How something is told as lines, in Markdown and as JSON.
_Shapes = tuple[Callable[[_Found], list[str]], Callable[[_Found], str], Callable[[_Found], str]]


def _show(call: Call, review_format: str, found: _Found, shapes: _Shapes[_Found]) -> None:
    """Tell what a reviewer asked for; a program is told once it is published."""
    as_lines, as_markdown, as_json = shapes
    if review_format == ReviewFormat.TEXT:
        for line in as_lines(found):
            call.reporter.say(line)
    else:
        shape = as_json if review_format == ReviewFormat.JSON else as_markdown
        write = call.reporter.write if call.run is None else call.reporter.write_when_published
        write(shape(found))


def _plan(call: Call, environment: str, review_format: str) -> None:
    from data_platform.deployment.plan import plan
    from data_platform.deployment.plan_formats import plan_json, plan_lines, plan_markdown

    shapes = (plan_lines, plan_markdown, plan_json)
    as_text = review_format == ReviewFormat.TEXT
    call.reporter.quiet |= not as_text

    def preview(planned: "Planned") -> None:
        if as_text:  # before it takes its time; others are told when it is done
            _show(call, review_format, planned, shapes)

    with run_of(call).step(f"plan {environment}", is_told_later=True) as step:
        planned = plan(call.settings, environment, step.advance, preview)
        done, changed = planned.built, counted(len(planned.code.changes), "model")
        summary = "nothing differs from production"
        if done.own:
            summary = (
                f"{counted(len(done.own), 'model')} of its own, {len(done.computed)} computed now"
            )
        elif planned.code.changes:  # removed, described or audited otherwise
            summary = f"{changed} changed, none with a table or view of its own"
        step.done(summary, None, done.ran, done.audits)
    if not as_text:
        _show(call, review_format, planned, shapes)
    for warning in done.warnings if as_text else ():
        call.reporter.say_when_published(f"Warning in {environment}: {warning}")
    for model in done.own:
        how = "computed now" if model in done.computed else "computed before, or a view"
        call.reporter.detail(f"  {model}: {how}")
    if done.own or planned.code.changes:
        look = f'; to look at it: just query "FROM marts__{environment}.…"' if done.own else ""
        call.reporter.say_when_published(
            f"Next: just diff {environment}, just promote {environment}{look}"
        )


def _preview(call: Call, environment: str, review_format: str) -> None:
    """Show what a plan would do, on a snapshot; nothing is built."""
    from data_platform.deployment.plan import plan
    from data_platform.deployment.plan_formats import plan_json, plan_lines, plan_markdown
    from data_platform.lakehouse.reader_copy import snapshot

    with snapshot(call.settings) as copy:
        found = plan(copy, environment, dry_run=True)
    _show(call, review_format, found, (plan_lines, plan_markdown, plan_json))


def _diff(
    call: Call,
    environment: str,
    models: tuple[str, ...],
    review_format: str,
    fail_on: tuple[str, ...],
    show_personal: bool,
) -> int:
    """Compare on a snapshot, so that whatever goes on beside it is not in the way."""
    from data_platform.deployment.diff import TOTAL, diff
    from data_platform.deployment.diff_formats import diff_json, diff_lines, diff_markdown
    from data_platform.ingest.loaded import loaded
    from data_platform.lakehouse.connection import reading
    from data_platform.lakehouse.reader_copy import snapshot
    from data_platform.project.context import open_project

    with call.reporter.busy("comparing"), snapshot(call.settings) as copy:
        with reading(copy) as connection:
            load = loaded(connection, copy)
        with open_project(copy, with_unit_tests=False, computes=False) as project:
            found = diff(
                project,
                environment,
                load,
                models,
                [name for name in fail_on if name != TOTAL],
                show_personal,
            )
    if found.behind:
        warn_of_environments(call, {found.environment: found.behind}, load.load_number)
    if found.not_planned:
        call.reporter.warn(
            f"environment {found.environment} is not the working tree: "
            f"{', '.join(found.not_planned)} differ since it was planned; to plan it: just plan "
            f"{found.environment}"
        )
    _show(call, review_format, found, (diff_lines, diff_markdown, diff_json))
    changed = found.fails_on(fail_on)
    if changed:
        call.reporter.fail(f"changed in {found.environment}: {', '.join(changed)}")
    return 1 if changed else 0


def _promote(call: Call, environment: str | None, formats: tuple[ExportFormat, ...]) -> None:
    """Promote an environment, or without one roll back, and renew the exports."""
    from data_platform.deployment.promote import promote, rollback
    from data_platform.operations.pipeline import export_step, report_step

    name = "rollback" if environment is None else f"promote {environment}"
    with run_of(call).step(name, is_told_later=True) as step:
        with_lineage = call.settings.tells_lineage
        if environment is None:
            done = rollback(call.settings, step.advance, with_lineage)
        else:
            done = promote(call.settings, environment, step.advance, with_lineage)
        run_of(call).renews_production, call.findings.lineage = True, done.transformed.lineage
        step.done(done.summary, None, done.transformed.ran, done.audits)
    if done.back_to:
        call.reporter.say_when_published(f"Production has the code of {done.back_to} again.")
    if done.models:
        call.reporter.say_when_published(f"Changed in production: {', '.join(done.models)}")
    tell_transformed(call, done.transformed)
    exported = export_step(
        run_of(call),
        formats,
        unchanged=done.exports_unchanged,
        since=done.since,
    )
    tell_step(call, exported)
    report_step(run_of(call), unchanged=done.unchanged, since=done.since)


@click.command("plan", cls=parsing.Interspersed)
@click.argument("environment", default="dev", metavar="ENVIRONMENT")
@options.review_format
@options.dry_run
def plan_command(environment: str, review_format: str, dry_run: bool) -> Action:
    """Show what the working tree changes, and build it in an environment beside production."""
    if dry_run:
        act = partial(_preview, environment=environment, review_format=review_format)
        return Action(f"plan {environment} --dry-run", act, writes=False)
    act = partial(_plan, environment=environment, review_format=review_format)
    return Action(f"plan {environment}", act, writes=True, needs_sqlmesh=True)


@click.command("diff", cls=parsing.Interspersed)
@click.argument("environment", default="dev", metavar="ENVIRONMENT")
@options.model
@options.review_format
@options.fail_on_change
@options.show_personal
def diff_command(
    environment: str,
    models: tuple[str, ...],
    review_format: str,
    fail_on: tuple[str, ...],
    show_personal: bool,
) -> Action:
    """Compare the data of an environment with production's: rows, values, totals of money."""
    act = partial(
        _diff,
        environment=environment,
        models=models,
        review_format=review_format,
        fail_on=fail_on,
        show_personal=show_personal,
    )
    return Action(f"diff {environment}", act, writes=False)


def _review(call: Call, base: str, scale: float | None, output: Path | None) -> int:
    from data_platform.deployment.review import review

    company = call.company if scale is None else replace(call.company, scale=scale)
    with call.reporter.busy(f"reviewing against {base}"):
        found = review(call.settings, company, base, call.reporter.detail)
    if output:
        replace_text(output, found.text)
        call.reporter.say(f"The review is in {output}")
    else:
        call.reporter.write(found.text)
    return 0 if found.passed else 1


@click.command("review", cls=parsing.Interspersed)
@click.argument("base", default="main", metavar="BASE")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    show_default="printed",
    help="File to write the review to.",
)
@click.pass_context
def review_command(ctx: click.Context, base: str, output: Path | None) -> Action:
    """Build a base branch at a small scale, and tell in Markdown what the working tree changes."""
    root = ctx.find_root()
    is_given = root.get_parameter_source("scale") is not click.core.ParameterSource.DEFAULT
    scale = None if is_given else _REVIEW_SCALE
    act = partial(_review, base=base, scale=scale, output=output)
    return Action(f"review {base}", act, writes=False)


@click.command("promote", cls=parsing.Interspersed)
@click.argument("environment", default="dev", metavar="ENVIRONMENT")
@options.export_formats
@options.csv_dialect
def promote_command(environment: str, formats: tuple[str, ...], csv_dialect: str) -> Action:
    """Make a reviewed environment production, computing nothing again, and renew the exports."""
    act = partial(
        _promote, environment=environment, formats=options.chosen_formats(formats, csv_dialect)
    )
    return Action(f"promote {environment}", act, writes=True, needs_sqlmesh=True)


@click.command("rollback", cls=parsing.Command)
@options.export_formats
@options.csv_dialect
def rollback_command(formats: tuple[str, ...], csv_dialect: str) -> Action:
    """Take production's code back to before its last change, with the data of the last load."""
    wanted = options.chosen_formats(formats, csv_dialect)
    act = partial(_promote, environment=None, formats=wanted)
    return Action("rollback", act, writes=True, needs_sqlmesh=True)
