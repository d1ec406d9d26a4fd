"""The commands that write: each gives back a step of the run that they share."""

from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from data_platform import interruption
from data_platform.cli import options, parsing
from data_platform.cli.action import Action, Call, company_of, refuse_in_data_folder, run_of
from data_platform.cli.sharding import shard_action
from data_platform.cli.telling import back_in_time, tell_step, tell_transformed, warn_if_stale
from data_platform.errors import LakehouseInUseError, UsageError
from data_platform.names import ExportFormat

if TYPE_CHECKING:
    from data_platform.ingest.load import Loaded
    from data_platform.transform.transformed import Refreshed


def _extract(call: Call, sources: tuple[str, ...], pristine: bool, kinds: tuple[str, ...]) -> None:
    from data_platform.operations.pipeline import extract_step

    extract_step(run_of(call), company_of(call, pristine, kinds), sources)


def _load(
    call: Call,
    sources: tuple[str, ...],
    accepts_new_columns: bool,
    starts_over: bool,
    kept: Path | None,
) -> None:
    from data_platform.operations.pipeline import load_step

    done = load_step(run_of(call), sources, accepts_new_columns, starts_over, call.asked, kept)
    call.findings.contract_changed |= bool(done.schema_changes)
    tell_step(call, done)


def _transform(call: Call, layers: tuple[str, ...], deploy: bool) -> None:
    from data_platform.operations.pipeline import transform_step

    done = transform_step(run_of(call), layers, deploy, call.findings.contract_changed)
    tell_step(call, done)


def _export(call: Call, formats: tuple[ExportFormat, ...], output_dir: Path | None) -> None:
    from data_platform.operations.pipeline import export_step

    tell_step(call, export_step(run_of(call), formats, output_dir))


def _backfill(call: Call, first: date, last: date, pristine: bool, kept: Path | None) -> None:
    from data_platform.lakehouse.step import Step

    settings, run = replace(call.settings, as_of=last), run_of(call)
    with call.reporter.show(Step("backfill")) as step:
        step.advance(0, None, "starting SQLMesh")
        run.wait_for_lakehouse()
        from data_platform.operations.backfill import backfill
        from data_platform.operations.pipeline import report_step
        from data_platform.record.rows import Outcome

        def on_day(number: int, total: int, day: date, done: "Loaded", made: "Refreshed") -> None:
            step.advance(number, total, str(day))
            if done.back_from:
                call.reporter.warn(back_in_time(done))
            call.reporter.log(f"{day}: {done.rows_changed:,} rows changed, {made.summary}")

        company = company_of(call, pristine)
        replayed = backfill(settings, company, first, last, run, on_day, kept)
        run.renews_production = replayed.last is not None
        call.findings.lineage = replayed.last.lineage if replayed.last else None
        if replayed.interrupted_by:
            run.publish(outcome=Outcome.INTERRUPTED)
            interruption.interrupt(replayed.interrupted_by)
        there = f", {replayed.days_found} were there already" if replayed.days_found else ""
        step.seconds = replayed.seconds
        step.done(
            f"{replayed.days_replayed} days to {last}{there}, "
            f"models computed {replayed.models_computed:,} times"
        )
    if replayed.last:
        report_step(run)
    warn_if_stale(call, dict.fromkeys(replayed.sources, last))
    if replayed.last:
        tell_transformed(call, replayed.last)


def _check_sources(call: Call, sources: tuple[str, ...], kinds: tuple[str, ...] = ()) -> None:
    """Refuse sources that do not exist, and errors in one that is not extracted."""
    from data_platform.sources.entries import chosen_sources, read_entries
    from data_platform.sources.registry import simulated

    entries = read_entries(call.settings.project_dir)
    chosen = simulated(entries, chosen_sources(entries, sources))
    company_of(call, False, kinds).refuse_faults_elsewhere(chosen)


def _check_company(call: Call, starts_over: bool) -> None:
    """Refuse another company before it is extracted; the load looks again."""
    from data_platform.lakehouse.connection import is_there, reading

    if starts_over or not is_there(call.settings):
        return
    from data_platform.ingest.companies import refuse_other_company
    from data_platform.ingest.extract import companies_of
    from data_platform.sources.contract_file import read_contract

    companies = companies_of(call.settings, call.company)
    contract = read_contract(call.settings.project_dir)
    with suppress(LakehouseInUseError), reading(call.settings) as connection:
        refuse_other_company(connection, contract, companies)


def _refuse_replay_of_real_ones(call: Call) -> None:
    """A real application shows only what it holds now."""
    from data_platform.sources.entries import read_entries
    from data_platform.sources.registry import simulated

    entries = read_entries(call.settings.project_dir)
    if real := [name for name in entries if name not in simulated(entries, entries)]:
        raise UsageError(
            f"source {real[0]} is a real application, which shows only what it holds now; to "
            "replay days, name a folder with the extracts that were kept of each: --extracts"
        )


@click.command("extract", cls=parsing.Command)
@options.source
@options.pristine
@options.inject
@options.shard
@options.shard_dir
def extract_command(
    sources: tuple[str, ...],
    pristine: bool,
    kinds: tuple[str, ...],
    shard: tuple[int, int] | None,
    shard_dir: Path | None,
) -> Action:
    """Extract the applications into Parquet files and a manifest."""
    if shard is not None or shard_dir is not None:
        return shard_action(shard, shard_dir, sources, pristine, kinds)
    act = partial(_extract, sources=sources, pristine=pristine, kinds=kinds)
    return Action("extract", act, True, partial(_check_sources, sources=sources, kinds=kinds))


@click.command("load", cls=parsing.Command)
@options.source
@options.accept_new_columns
@options.start_over
@options.kept
def load_command(
    sources: tuple[str, ...], accept_new_columns: bool, start_over: bool, kept: Path | None
) -> Action:
    """Check the extracts against the contract and load them."""
    act = partial(
        _load,
        sources=sources,
        accepts_new_columns=accept_new_columns,
        starts_over=start_over,
        kept=kept.absolute() if kept else None,
    )
    name = "load --start-over" if start_over else "load"
    return Action(name, act, True, partial(_check_sources, sources=sources))


@click.command("transform", cls=parsing.Command)
@options.layer
@options.deploy
def transform_command(layers: tuple[str, ...], deploy: bool) -> Action:
    """Bring production's models up to date with the last load."""
    name = "transform --deploy" if deploy else "transform"
    act = partial(_transform, layers=layers, deploy=deploy)
    return Action(name, act, writes=True, needs_sqlmesh=True)


@click.command("export", cls=parsing.Command)
@options.export_formats
@options.csv_dialect
@options.output_dir
def export_command(formats: tuple[str, ...], csv_dialect: str, output_dir: Path | None) -> Action:
    """Write every view of the exports schema to a file."""
    wanted = options.chosen_formats(formats, csv_dialect)
    act = partial(_export, formats=wanted, output_dir=output_dir)
    return Action(
        "export", act, True, partial(refuse_in_data_folder, place=output_dir, option="--output-dir")
    )


@click.command("run", cls=parsing.Command)
@options.source
@options.pristine
@options.inject
@options.accept_new_columns
@options.start_over
@options.layer
@options.deploy
@options.export_formats
@options.csv_dialect
@options.output_dir
@options.no_report
def run_command(
    sources: tuple[str, ...],
    pristine: bool,
    kinds: tuple[str, ...],
    accept_new_columns: bool,
    start_over: bool,
    layers: tuple[str, ...],
    deploy: bool,
    formats: tuple[str, ...],
    csv_dialect: str,
    output_dir: Path | None,
    no_report: bool,
) -> Action:
    """The whole pipeline: extract, load, transform, export, report."""
    wanted = options.chosen_formats(formats, csv_dialect)

    def act(call: Call) -> None:
        from data_platform.project.reading_ahead import reading_ahead

        with reading_ahead(call.settings.project_dir):
            from data_platform.operations import pipeline

            pipeline.run(
                run_of(call),
                company_of(call, pristine, kinds),
                sources,
                accept_new_columns,
                start_over,
                layers,
                deploy,
                wanted,
                output_dir,
                partial(tell_step, call),
                not no_report,
            )
        if layers:
            call.reporter.say("export, report: left as they are, since --layer computes a part")

    def check(call: Call) -> None:
        _check_sources(call, sources, kinds)
        refuse_in_data_folder(call, output_dir, "--output-dir")
        _check_company(call, start_over)
        if not no_report:
            from data_platform.delivery.report.charts import read_charts

            read_charts(call.settings.project_dir)

    said = [
        word for word, is_said in (("--deploy", deploy), ("--start-over", start_over)) if is_said
    ]
    asked = (sources, pristine, kinds, layers, wanted, no_report)
    each_time = accept_new_columns or start_over or deploy or output_dir
    name = " ".join(["run", *said])
    return Action(name, act, True, check, asked=None if each_time else asked)


@click.command("backfill", cls=parsing.Command)
@options.first_day
@options.last_day
@options.pristine
@options.kept
@click.pass_context
def backfill_command(
    ctx: click.Context, first: date, last: date, pristine: bool, kept: Path | None
) -> Action:
    """Replay days one after the other in one process; goes on where it stopped."""
    if last < first:
        raise click.BadParameter(f"{last} lies before --from {first}", param_hint="--to")
    root = ctx.find_root()
    if root.get_parameter_source("as_of") == click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("backfill takes its days from --from and --to, not from --as-of")
    kept = kept.absolute() if kept else None
    act = partial(_backfill, first=first, last=last, pristine=pristine, kept=kept)

    def check(call: Call) -> None:
        if kept is None:  # what was kept is told by its load
            _check_company(call, False)
            _refuse_replay_of_real_ones(call)

    return Action(f"backfill {first} to {last}", act, True, check, needs_sqlmesh=True)
