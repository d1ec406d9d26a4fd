"""The commands that write: each gives back a step of the run that they share."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from data_platform.cli import options, parsing
from data_platform.cli.step import Call, Step, run_of
from data_platform.cli.telling import (
    back_in_time,
    tell_warnings,
    warn_after_transform,
    warn_of_stale_sources,
)
from data_platform.errors import LakehouseInUseError, UsageError
from data_platform.names import ExportFormat, SourceName
from data_platform.record.rows import StoppedError
from data_platform.result import counted

if TYPE_CHECKING:
    from data_platform.ingest.load import Loaded
    from data_platform.transform.transformed import Transformed


def _extract(call: Call, sources: tuple[str, ...], pristine: bool, kinds: tuple[str, ...]) -> None:
    with call.step("extract", needs_lakehouse=False) as step:
        from data_platform.ingest.extract import extract

        done = extract(call.settings, sources, pristine, kinds, step.advance)
        run_of(call).set_batch(done.batch)
        step.done(
            f"{done.rows:,} rows {done.batch}, "
            f"{counted(done.files_written, 'file')} written, {done.files_unchanged} unchanged",
            done.rows,
        )


def _load(
    call: Call, sources: tuple[str, ...], accepts_new_columns: bool, starts_over: bool
) -> None:
    with call.step("load") as step:
        from data_platform.ingest.load import load

        done = load(
            call.settings, sources, accepts_new_columns, step.advance, starts_over, call.asked
        )
        run_of(call).set_batch(done.batch, done.load_number)
        step.done(
            f"{done.rows:,} rows {done.batch}, {_change(done)}", done.rows_changed, (), done.audits
        )
    for migration in done.schema_changes:
        call.findings.contract_changed = True
        call.reporter.say_when_published(f"{migration}.")
    if done.back_from:
        call.reporter.warn(back_in_time(done))
    for change in done.changes:
        if not change.is_nothing:
            call.reporter.detail(f"  {change}")
    tell_warnings(call, done.new_warnings, done.warnings)
    as_of = dict.fromkeys(sources or tuple(SourceName), done.batch.as_of)
    warn_of_stale_sources(call, as_of)


def _check_company(call: Call, starts_over: bool) -> None:
    """Refuse another company before it is extracted; the load looks again."""
    if starts_over or not call.settings.lakehouse.exists():
        return
    from data_platform.ingest.load import refuse_other_company
    from data_platform.lakehouse.connection import reading
    from data_platform.record.loads import last_load

    with suppress(LakehouseInUseError), reading(call.settings.lakehouse) as connection:
        if load := last_load(connection):
            settings = call.settings
            refuse_other_company(connection, load, settings.random_seed, settings.scale)


def _change(done: "Loaded") -> str:
    if not done.changed:
        return f"nothing changed since load {done.load_number}"
    added = sum(change.added for change in done.changes)
    removed = sum(change.removed for change in done.changes)
    return f"load {done.load_number}, {counted(added, 'row')} new, {removed:,} gone"


def _transform(call: Call, layers: tuple[str, ...], deploy: bool) -> None:
    with call.step("transform") as step:
        step.advance(0, None, "starting SQLMesh")
        from data_platform.transform.transform import transform

        try:
            done = transform(
                call.settings, layers, deploy, step.advance, call.settings.tells_lineage
            )
        except StoppedError as error:
            if call.findings.contract_changed and not deploy:
                error.args = (
                    f"{error}; the contract has changed in this run: if the working tree's models "
                    "follow it, just run --deploy",
                )
            raise
        run_of(call).renews_production, call.findings.lineage = True, done.lineage
        step.done(done.summary, None, done.ran, done.audits)
    for model in done.ran:
        why = done.restated.get(model.model_name)
        reason = f", {why}" if why else ""
        call.reporter.detail(f"  {model.model_name}{reason}: {model.seconds:.2f} s")
    warn_after_transform(call, done)


def write_exports(
    call: Call,
    file_format: str,
    output_dir: Path | None,
    unchanged: Sequence[str] = (),
    since: int = 0,
) -> None:
    """The export step."""
    with call.step("export", is_told_later=True) as step:
        from data_platform.delivery.export import export

        files = export(
            call.settings,
            ExportFormat(file_format),
            output_dir,
            step.advance,
            unchanged=unchanged,
            since=since,
        )
        rows = sum(file.rows for file in files)
        folder = output_dir or call.published.exports_dir
        step.done(f"{rows:,} rows in {counted(len(files), 'file')} in {folder}", rows)
    for file in files:
        total = "" if file.total is None else f", {file.total:,} € like the invoices"
        call.reporter.detail(f"  {file.path.name}: {file.rows:,} rows{total}")


def _check_output_dir(call: Call, output_dir: Path | None) -> None:
    """Exports of one's own go outside of the data folder, where only what a run publishes stays."""
    data = call.settings.data_dir.resolve()
    if output_dir is not None and output_dir.resolve().is_relative_to(data):
        raise UsageError(
            f"--output-dir {output_dir} lies in the data folder {data}, where only what a run "
            "publishes stays; choose a folder outside of it, or leave the option out for "
            f"{call.settings.exports_dir}"
        )


def _backfill(call: Call, first: date, last: date, pristine: bool) -> None:
    settings, run = replace(call.settings, as_of=last), run_of(call)
    with call.reporter.step("backfill") as shown:
        shown.advance(0, None, "starting SQLMesh")
        run.wait_for_lakehouse()
        from data_platform.operations.backfill import backfill
        from data_platform.record.rows import Outcome

        def on_day(number: int, total: int, day: date, done: "Loaded", made: "Transformed") -> None:
            shown.advance(number, total, str(day))
            if done.back_from:
                call.reporter.warn(back_in_time(done))
            call.reporter.log(f"{day}: {done.rows_changed:,} rows changed, {made.summary}")

        replayed = backfill(settings, first, last, pristine, run, on_day)
        run.renews_production = replayed.last is not None
        call.findings.lineage = replayed.last.lineage if replayed.last else None
        if replayed.is_interrupted:
            run.publish(outcome=Outcome.INTERRUPTED)
            raise KeyboardInterrupt
        there = f", {replayed.days_found} were there already" if replayed.days_found else ""
        shown.done(
            f"{replayed.days_replayed} days to {last}{there}, "
            f"models computed {replayed.models_computed:,} times"
        )
    warn_of_stale_sources(call, dict.fromkeys(SourceName, last))
    if replayed.last:
        warn_after_transform(call, replayed.last)


def _check_faults(sources: Iterable[str], kinds: Iterable[str]) -> None:
    if kinds and sources and SourceName.APP not in sources:
        raise click.UsageError(
            "--inject plants errors in source app, which is not extracted; add -s app"
        )


@click.command("extract", cls=parsing.Command)
@options.source
@options.pristine
@options.inject
def extract_command(sources: tuple[str, ...], pristine: bool, kinds: tuple[str, ...]) -> Step:
    """Extract the applications into Parquet files and a manifest."""
    _check_faults(sources, kinds)
    act = partial(_extract, sources=sources, pristine=pristine, kinds=kinds)
    return Step("extract", act, writes=True)


@click.command("load", cls=parsing.Command)
@options.source
@options.accept_new_columns
@options.start_over
def load_command(sources: tuple[str, ...], accept_new_columns: bool, start_over: bool) -> Step:
    """Check the extracts against the contract and load them."""
    act = partial(
        _load, sources=sources, accepts_new_columns=accept_new_columns, starts_over=start_over
    )
    return Step("load --start-over" if start_over else "load", act, writes=True)


@click.command("transform", cls=parsing.Command)
@options.layer
@options.deploy
def transform_command(layers: tuple[str, ...], deploy: bool) -> Step:
    """Bring production's models up to date with the last load."""
    name = "transform --deploy" if deploy else "transform"
    return Step(name, partial(_transform, layers=layers, deploy=deploy), writes=True)


@click.command("export", cls=parsing.Command)
@options.export_format
@options.output_dir
def export_command(file_format: str, output_dir: Path | None) -> Step:
    """Write every view of the exports schema to a file."""
    act = partial(write_exports, file_format=file_format, output_dir=output_dir)
    return Step("export", act, True, partial(_check_output_dir, output_dir=output_dir))


@click.command("run", cls=parsing.Command)
@options.source
@options.pristine
@options.inject
@options.accept_new_columns
@options.start_over
@options.layer
@options.deploy
@options.export_format
@options.output_dir
def run_command(
    sources: tuple[str, ...],
    pristine: bool,
    kinds: tuple[str, ...],
    accept_new_columns: bool,
    start_over: bool,
    layers: tuple[str, ...],
    deploy: bool,
    file_format: str,
    output_dir: Path | None,
) -> Step:
    """The whole pipeline: extract, load, transform, export."""
    _check_faults(sources, kinds)

    def act(call: Call) -> None:
        _extract(call, sources, pristine, kinds)
        _load(call, sources, accept_new_columns, start_over)
        _transform(call, layers, deploy)
        write_exports(call, file_format, output_dir)

    def check(call: Call) -> None:
        _check_output_dir(call, output_dir)
        _check_company(call, start_over)

    said = [
        word for word, is_said in (("--deploy", deploy), ("--start-over", start_over)) if is_said
    ]
    return Step(" ".join(["run", *said]), act, True, check)


@click.command("backfill", cls=parsing.Command)
@options.first_day
@options.last_day
@options.pristine
@click.pass_context
def backfill_command(ctx: click.Context, first: date, last: date, pristine: bool) -> Step:
    """Replay days one after the other in one process; goes on where it stopped."""
    if last < first:
        raise click.BadParameter(f"{last} lies before --from {first}", param_hint="--to")
    root = ctx.find_root()
    if root.get_parameter_source("as_of") == click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("backfill takes its days from --from and --to, not from --as-of")
    act = partial(_backfill, first=first, last=last, pristine=pristine)
    check = partial(_check_company, starts_over=False)
    return Step(f"backfill {first} to {last}", act, True, check)
