"""The pipeline as plain functions: the steps of a run, and all of them one after the other.

settings = Settings(as_of, project_dir, data_dir, "duckdb")
company = Simulation(random_seed=42, scale=1.0)
with running(settings, company, "run") as run:
    done = pipeline.run(run, company)
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from data_platform.delivery.export import Exported, export
from data_platform.delivery.report.scripts import vega_script
from data_platform.ingest.extract import Extracted, extract
from data_platform.ingest.kept_extracts import take_kept
from data_platform.ingest.load import Loaded, load
from data_platform.lakehouse.run import Run
from data_platform.names import ExportFormat
from data_platform.record.rows import StoppedError
from data_platform.result import counted
from data_platform.simulation import Simulation

if TYPE_CHECKING:  # importing SQLMesh takes seconds
    from data_platform.transform.transformed import Transformed


# Takes what a step has found, as soon as it has ended.
Tell = Callable[["Loaded | Transformed | Exported"], None]


def run(
    run: Run,
    company: Simulation,
    sources: Sequence[str] = (),
    accepts_new_columns: bool = False,
    starts_over: bool = False,
    layers: Sequence[str] = (),
    deploys: bool = False,
    formats: Sequence[ExportFormat] = (ExportFormat.CSV,),
    output_dir: Path | None = None,
    tell: Tell = lambda done: None,
    reports: bool = True,
) -> "tuple[Extracted, Loaded, Transformed, Exported]":
    """Extract, load, transform, export and report; what the first four steps came to.

    Where only some layers are computed, nothing is exported, nor reported.

    Args:
        reports: render the report, too.

    Raises:
        UsageError: what is asked for cannot be.
        PlatformError: a step failed; nothing is published.
    """
    if reports and not layers:  # two seconds of the other core, once a user
        threading.Thread(target=vega_script, daemon=True).start()
    extracted = extract_step(run, company, sources)
    tell(loaded := load_step(run, sources, accepts_new_columns, starts_over))
    follows_contract = bool(loaded.schema_changes)
    tell(transformed := transform_step(run, layers, deploys, follows_contract))
    # A part of the models makes no exports; those that are there keep to the day that they show.
    exported = Exported() if layers else export_step(run, formats, output_dir)
    tell(exported)
    if reports and not layers:
        report_step(run)
    return extracted, loaded, transformed, exported


def extract_step(run: Run, company: Simulation, sources: Sequence[str] = ()) -> Extracted:
    """Extract sources, all of them by default; see `extract`."""
    with run.step("extract", needs_lakehouse=False) as step:
        done = extract(run.settings, company, sources, step.advance)
        run.set_batch(done.batch)
        written = counted(done.files_written, "file")
        step.done(
            f"{done.rows:,} rows {done.batch}, {written} written, {done.files_unchanged} unchanged"
            + "".join(f"; {table}: {told}" for table, told in done.readings.items()),
            done.rows,
        )
    return done


def load_step(
    run: Run,
    sources: Sequence[str] = (),
    accepts_new_columns: bool = False,
    starts_over: bool = False,
    asked: Mapping[str, object] = MappingProxyType({}),
    kept: Path | None = None,
) -> Loaded:
    """Load extracts, of all sources by default; see `load`.

    Args:
        kept: a folder of extracts that were kept, which become those in force.
    """
    with run.step("load") as step:
        if kept is not None:
            take_kept(run.settings, kept)
        done = load(run.settings, sources, accepts_new_columns, step.advance, starts_over, asked)
        run.set_batch(done.batch, done.load_number)
        step.done(
            f"{done.rows:,} rows {done.batch}, {done.summary}", done.rows_changed, (), done.audits
        )
    return done


def transform_step(
    run: Run, layers: Sequence[str] = (), deploys: bool = False, contract_changed: bool = False
) -> "Transformed":
    """Bring production's models up to date with the last load; see `transform`.

    Args:
        contract_changed: the run's load has followed a change of the contract.
    """
    with run.step("transform") as step:
        step.advance(0, None, "starting SQLMesh")
        from data_platform.transform.transform import transform

        try:
            done = transform(
                run.settings, layers, deploys, step.advance, run.settings.tells_lineage
            )
        except StoppedError as error:
            if contract_changed and not deploys:
                error.add_note(
                    "the contract has changed in this run: if the working tree's models follow it, "
                    "just run --deploy"
                )
            raise
        run.renews_production = True
        step.done(done.summary, None, done.ran, done.audits)
    return done


def audit_step(run: Run) -> "Transformed":
    """Recount all audits of production; see `audit`."""
    with run.step("audit") as step:
        step.advance(0, None, "starting SQLMesh")
        from data_platform.transform.transform import audit

        done = audit(run.settings, step.advance)
        step.done(done.summary, None, done.ran, done.audits)
    return done


def export_step(
    run: Run,
    formats: Sequence[ExportFormat] = (ExportFormat.CSV,),
    output_dir: Path | None = None,
    unchanged: Sequence[str] = (),
    since: int = 0,
) -> Exported:
    """Write the exports; see `export`."""
    with run.step("export", is_told_later=True) as step:
        done = export(
            run.settings,
            formats,
            output_dir,
            step.advance,
            unchanged=unchanged,
            since=since,
        )
        rows = sum(file.rows for file in done.files)
        folder = output_dir or run.published.exports_dir
        if unchanged and not done.files:
            step.done(f"every file in {folder} shows it already", 0)
        else:
            step.done(f"{rows:,} rows in {counted(len(done.files), 'file')} in {folder}", rows)
    return done


def report_step(run: Run, unchanged: Sequence[str] = (), since: int = 0) -> None:
    """Render the report of what the run is to publish; see `report`."""
    with run.step("report", is_told_later=True) as step:
        from data_platform.delivery.report.kept import Unchanged
        from data_platform.delivery.report.render import report

        told = Unchanged(unchanged, since)
        done = report(run.settings, run=run.row, noted=run.noted, unchanged=told)
        place = run.published.report_dir / "index.html"
        step.done(f"{counted(done.pages, 'page')} in {place}, {done.files_written} files written")
