"""The command line: parses and prints. Steps are imported only when they run."""

import json
import os
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from data_platform import __version__, options
from data_platform.console import Reporter
from data_platform.errors import PlatformError, UsageError
from data_platform.names import ExportFormat, ResultFormat, SourceName, StatusFormat
from data_platform.query import Result
from data_platform.settings import Settings, yesterday

if TYPE_CHECKING:
    from data_platform.load import Loaded
    from data_platform.production import Transformed


@dataclass(frozen=True)
class Call:
    """What every command gets."""

    settings: Settings
    reporter: Reporter


class _Steps(click.Group):
    """Lists the commands in the order in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_Steps,
    chain=True,
    no_args_is_help=True,
    context_settings={
        "auto_envvar_prefix": "DATA_PLATFORM",
        "show_default": True,
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
)
@options.globally
@click.version_option(__version__, prog_name="data-platform")
@click.pass_context
def cli(
    ctx: click.Context,
    random_seed: int,
    scale: float,
    as_of: date | None,
    project_dir: Path,
    data_dir: Path | None,
    gateway: str,
    verbose: bool,
    quiet: bool,
) -> None:
    """Jump's data platform: from the applications to the numbers people trust.

    Steps are chained in one process: data-platform extract load transform export.
    """
    project = project_dir.resolve()
    data = (data_dir or project / "data").absolute()
    if not data.parent.is_dir():
        raise click.BadParameter(f"folder {data.parent} does not exist", param_hint="--data-dir")
    ctx.obj = Call(
        Settings(random_seed, scale, as_of or yesterday(), project, data, gateway),
        Reporter(quiet, verbose),
    )


@cli.result_callback()
@click.pass_obj
def _close(call: Call, /, _results: list[Any], **_options: Any) -> None:
    call.reporter.summary()


def _extract(call: Call, sources: tuple[str, ...], pristine: bool, kinds: tuple[str, ...]) -> None:
    with call.reporter.step("extract") as step:
        from data_platform.extract import extract

        done = extract(call.settings, sources, pristine, kinds, step.advance)
        step.done(
            f"{done.rows:,} rows {done.batch}, "
            f"{done.files_written} files written, {done.files_unchanged} unchanged"
        )


def _load(call: Call, sources: tuple[str, ...]) -> None:
    with call.reporter.step("load") as step:
        from data_platform.load import load

        done = load(call.settings, sources, step.advance)
        changes = [change for change in done.changes if not change.is_nothing]
        if done.is_news:
            added = sum(change.added for change in changes)
            removed = sum(change.removed for change in changes)
            news = f"load {done.load_number}, {added:,} rows new, {removed:,} gone"
        else:
            news = f"nothing changed since load {done.load_number}"
        step.done(f"{done.rows:,} rows {done.batch}, {news}")
    for change in changes:
        call.reporter.detail(f"  {change}")
    _warn_of_stale_sources(call, sources or tuple(SourceName), done.batch.as_of)


def _warn_of_stale_sources(call: Call, sources: Iterable[str], as_of: date) -> None:
    from data_platform.freshness import freshness

    for source in freshness(call.settings.project_dir, dict.fromkeys(sources, as_of)):
        if source.is_stale:
            call.reporter.warn(str(source))


def _transform(call: Call, layers: tuple[str, ...], deploy: bool) -> None:
    with call.reporter.step("transform") as step:
        step.advance(0, None, "starting SQLMesh")
        from data_platform.transform import transform

        done = transform(call.settings, layers, deploy, step.advance)
        step.done(done.summary)
    for model, seconds in done.seconds.items():
        why = done.restated.get(model)
        reason = f", {why}" if why else ""
        call.reporter.detail(f"  {model}{reason}: {seconds:.2f} s")
    _tell(call, done)


def _tell(call: Call, done: "Transformed") -> None:
    """The warnings of a transform."""
    for warning in done.warnings:
        call.reporter.warn(str(warning))
    if done.undeployed:
        call.reporter.warn(
            "production keeps its own code where the working tree differs: "
            f"{', '.join(done.undeployed)}; to deploy it: just promote"
        )
    _warn_of_environments(call, done.environments_behind, done.load_number)


def _warn_of_environments(
    call: Call, behind: Mapping[str, tuple[str, ...]], load_number: int
) -> None:
    for environment, models in behind.items():
        call.reporter.warn(
            f"environment {environment} does not show load {load_number} in "
            f"{', '.join(models)}; to refresh it: just plan {environment}"
        )


def _export(call: Call, file_format: str, output_dir: Path | None) -> None:
    with call.reporter.step("export") as step:
        from data_platform.export import export

        files = export(call.settings, ExportFormat(file_format), output_dir, step.advance)
        folder = output_dir or call.settings.exports_dir
        rows = sum(file.rows for file in files)
        step.done(f"{rows:,} rows in {len(files)} files in {folder}")
    for file in files:
        call.reporter.detail(f"  {file.path.name}: {file.rows:,} rows")


@cli.command("extract")
@options.source
@options.pristine
@options.inject
@click.pass_obj
def extract_command(
    call: Call, sources: tuple[str, ...], pristine: bool, kinds: tuple[str, ...]
) -> None:
    """Extract the applications into Parquet files and a manifest."""
    _extract(call, sources, pristine, kinds)


@cli.command("load")
@options.source
@click.pass_obj
def load_command(call: Call, sources: tuple[str, ...]) -> None:
    """Check the extracts against the contract and load them."""
    _load(call, sources)


@cli.command("transform")
@options.layer
@options.deploy
@click.pass_obj
def transform_command(call: Call, layers: tuple[str, ...], deploy: bool) -> None:
    """Bring production's models up to date with the last load."""
    _transform(call, layers, deploy)


@cli.command("export")
@options.export_format
@options.output_dir
@click.pass_obj
def export_command(call: Call, file_format: str, output_dir: Path | None) -> None:
    """Write every view of the exports schema to a file."""
    _export(call, file_format, output_dir)


@cli.command("run")
@options.source
@options.pristine
@options.inject
@options.layer
@options.deploy
@options.export_format
@options.output_dir
@click.pass_obj
def run_command(
    call: Call,
    sources: tuple[str, ...],
    pristine: bool,
    kinds: tuple[str, ...],
    layers: tuple[str, ...],
    deploy: bool,
    file_format: str,
    output_dir: Path | None,
) -> None:
    """The whole pipeline: extract, load, transform, export."""
    _extract(call, sources, pristine, kinds)
    _load(call, sources)
    _transform(call, layers, deploy)
    _export(call, file_format, output_dir)


@cli.command("backfill")
@options.first_day
@options.last_day
@options.pristine
@click.pass_context
def backfill_command(ctx: click.Context, first: date, last: date, pristine: bool) -> None:
    """Replay days one after the other in one process, then export; goes on where it stopped."""
    call: Call = ctx.obj
    if last < first:
        raise click.BadParameter(f"{last} lies before --from {first}", param_hint="--to")
    root = ctx.find_root()
    if root.get_parameter_source("as_of") == click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("backfill takes its days from --from and --to, not from --as-of")
    settings = replace(call.settings, as_of=last)
    with call.reporter.step("backfill") as step:
        step.advance(0, None, "starting SQLMesh")
        from data_platform.backfill import backfill

        def on_day(number: int, total: int, day: date, done: "Loaded", made: "Transformed") -> None:
            step.advance(number, total, str(day))
            changed = sum(change.added + change.removed for change in done.changes)
            call.reporter.log(f"{day}: {changed:,} rows changed, {made.summary}")

        replayed = backfill(settings, first, last, pristine, on_day)
        step.done(
            f"{replayed.days_replayed} days to {last}"
            + (f", {replayed.days_found} were there already" if replayed.days_found else "")
        )
    _warn_of_stale_sources(call, SourceName, last)
    if replayed.last:
        _tell(call, replayed.last)


@cli.command("plan")
@click.argument("environment", default="dev", metavar="ENVIRONMENT")
@click.pass_obj
def plan_command(call: Call, environment: str) -> None:
    """Build the working tree's models in an environment of their own, over what is loaded."""
    with call.reporter.step(f"plan {environment}") as step:
        step.advance(0, None, "starting SQLMesh")
        from data_platform.plan import plan

        done = plan(call.settings, environment, step.advance)
        step.done(
            f"{len(done.own)} models of its own, {len(done.computed)} of them computed now"
            if done.own
            else "nothing differs from production"
        )
    if done.changed:
        call.reporter.say(f"Changed against production: {', '.join(done.changed)}")
    for model in done.own:
        how = "computed now" if model in done.computed else "computed before"
        call.reporter.detail(f"  {model}: {how}")


class _Interspersed(click.Command):
    """A command whose options may follow its argument, also in a chain."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        return super().make_context(
            info_name, args, parent, **{**extra, "allow_interspersed_args": True}
        )


@cli.command("query", cls=_Interspersed)
@click.argument("sql", required=False)
@options.result_format
@click.pass_obj
def query_command(call: Call, sql: str | None, result_format: str) -> None:
    """Run SQL on the lakehouse, read-only; without SQL, open the DuckDB shell."""
    from data_platform import query

    if sql is None:
        query.shell(call.settings)
        return
    result = query.query(call.settings, sql)
    shapes = {
        ResultFormat.CSV: query.as_csv,
        ResultFormat.JSON: query.as_json,
        ResultFormat.MARKDOWN: query.as_markdown,
    }
    if shape := shapes.get(ResultFormat(result_format)):
        call.reporter.write(shape(result))
    else:
        call.reporter.table(result)


@cli.command("status")
@options.status_format
@click.pass_obj
def status_command(call: Call, status_format: str) -> None:
    """Tell what the lakehouse holds and whether production shows it."""
    from data_platform.status import status

    found = status(call.settings)
    if status_format == StatusFormat.JSON:
        call.reporter.write(json.dumps(asdict(found), indent=1, default=str) + "\n")
        return
    load = found.load
    call.reporter.say(
        f"Load {load.load_number} as of {load.as_of}, seed {load.random_seed}, "
        f"scale {load.scale:g}, loaded at {load.loaded_at:%F %T} UTC"
    )
    if found.is_current:
        call.reporter.say("Production reflects it.")
    else:
        call.reporter.warn(
            f"production reflects load {found.production_load_number or 'none'}; "
            "run: data-platform transform export"
        )
    rows: list[tuple[Any, ...]] = [
        (table.name, f"{table.rows:,}", table.as_of, table.variant) for table in found.tables
    ]
    for source in found.sources:
        if source.is_stale:
            call.reporter.warn(str(source))
    for warning in found.warnings:
        call.reporter.warn(str(warning))
    _warn_of_environments(call, found.environments_behind, load.load_number)
    call.reporter.table(Result(("source table", "rows", "as of", "variant"), rows))


@cli.command("lineage")
@click.argument("name", metavar="MODEL[.COLUMN]")
@click.pass_obj
def lineage_command(call: Call, name: str) -> None:
    """Show what a model or a column is made of, and what is made of it."""
    from data_platform.lineage import read_lineage

    lineage = read_lineage(call.settings.project_dir, name)
    call.reporter.tree(f"{name} is made of", name, lineage.upstream)
    call.reporter.tree(f"{name} goes into", name, lineage.downstream)


@cli.command("ui")
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=8000, help="Port to listen on.")
@click.pass_obj
def ui_command(call: Call, host: str, port: int) -> None:
    """Open SQLMesh's UI; it keeps others from writing to the lakehouse."""
    from data_platform.query import replace_process

    os.environ["DATA_PLATFORM_DATA_DIR"] = str(call.settings.data_dir)
    os.chdir(call.settings.project_dir)
    call.reporter.say(f"SQLMesh's UI: http://{host}:{port} (end it with Ctrl-C)")
    replace_process(
        "sqlmesh",
        Path(sys.executable).parent,
        ["--gateway", call.settings.gateway, "ui", "--host", host, "--port", str(port)],
    )


def main(arguments: list[str] | None = None) -> None:
    """Run a command line; exits with 0 (done), 1 (failed) or 2 (usage)."""
    os.umask(0o077)  # what is written may hold personal data
    words = sys.argv[1:] if arguments is None else arguments
    try:
        sys.exit(cli.main(words, prog_name="data-platform", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
    except (Exception, KeyboardInterrupt) as error:
        message, code = _explain(error)
        if "-v" in words or "--verbose" in words:
            traceback.print_exception(error)
        Reporter().fail(" ".join(message.split()))
        sys.exit(code)


def _explain(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    match error:
        case click.ClickException():
            return error.format_message(), error.exit_code
        case UsageError():
            return str(error), 2
        case PlatformError():
            return str(error), 1
        case KeyboardInterrupt() | click.Abort():
            return "interrupted", 130
        case OSError(filename=str() as path, strerror=str() as reason):
            return f"{path}: {reason}", 1
        case _:
            return f"unexpected {type(error).__name__}: {error}; -v shows where", 1
