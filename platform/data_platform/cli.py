"""The command line: parses and prints. Steps are imported only when they run."""

import math
import os
import sys
import traceback
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

import click

from data_platform import __version__
from data_platform.console import Reporter
from data_platform.errors import PlatformError, UsageError
from data_platform.names import ExportFormat, FaultKind, Layer, ResultFormat, SourceName
from data_platform.settings import FIRST_DAY, Settings, yesterday

_LARGEST_SCALE = 10_000  # 150 million invoices


@dataclass(frozen=True)
class Call:
    """What every command gets."""

    settings: Settings
    reporter: Reporter


class _AsOf(click.ParamType[date]):
    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            day = date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date; write it like 2026-11-22", param, ctx)
        if day < FIRST_DAY:
            self.fail(f"{day} is before {FIRST_DAY}, the company's first day", param, ctx)
        if day > yesterday():
            self.fail(f"{day} is after {yesterday()}, the last complete day (UTC)", param, ctx)
        return day


class _Scale(click.ParamType[float]):
    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            scale = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not (math.isfinite(scale) and 0 < scale <= _LARGEST_SCALE):
            self.fail(f"{value} is not above 0 and at most {_LARGEST_SCALE:,}", param, ctx)
        return scale


class _Seed(click.ParamType[int]):
    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            seed = int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number", param, ctx)
        if not -(2**63) <= seed < 2**63:
            self.fail(f"{value} does not fit into 64 bits", param, ctx)
        return seed


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
@click.option(
    "-r",
    "--random-seed",
    type=_Seed(),
    default=42,
    help="Seed of the simulated company.",
)
@click.option(
    "--scale",
    type=_Scale(),
    default=1.0,
    help="Size of the simulated company; 1 is about 1,000 users and 15,000 invoices.",
)
@click.option(
    "--as-of",
    type=_AsOf(),
    default=None,
    show_default="yesterday, UTC",
    help="Last complete day that the extract covers.",
)
@click.option(
    "-p",
    "--project-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    show_default="the current folder",
    help="Folder of the project: config.yaml, external_models.yaml, models.",
)
@click.option(
    "-d",
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    show_default="data in the project's folder",
    help="Folder of everything that is generated.",
)
@click.option("--gateway", default="duckdb", help="SQLMesh gateway of config.yaml to run on.")
@click.option("-v", "--verbose", is_flag=True, help="Say more, and show an error's traceback.")
@click.option("-q", "--quiet", is_flag=True, help="Show warnings and errors only.")
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


def _choice(names: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([name.value for name in names])


# An option that several commands take is stated once.
_source = click.option(
    "-s",
    "--source",
    "sources",
    type=_choice(SourceName),
    multiple=True,
    help="Only this source; repeatable.",
)
_pristine = click.option("--pristine", is_flag=True, help="Leave out the life-like dirt.")
_inject = click.option(
    "--inject",
    "kinds",
    type=_choice(FaultKind),
    multiple=True,
    help="Plant a real error, which an audit must stop; repeatable.",
)
_layer = click.option(
    "--layer",
    "layers",
    type=_choice(Layer),
    multiple=True,
    help="Compute only this layer and what it reads; repeatable.",
)
_deploy = click.option(
    "--deploy", is_flag=True, help="Promote the working tree's models to production first."
)
_format = click.option(
    "--format",
    "file_format",
    type=_choice(ExportFormat),
    default=ExportFormat.CSV.value,
    help="Format of the exports.",
)
_output_dir = click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    show_default="exports in the data folder",
    help="Where the exports go.",
)


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
        if done.changed_tables:
            news = f"{len(done.changed_tables)} tables changed ({', '.join(done.changed_tables)})"
        else:
            news = "no table changed" if done.changed else "nothing changed"
        step.done(f"{done.rows:,} rows {done.batch}, {news}, load {done.load_number}")


def _transform(call: Call, layers: tuple[str, ...], deploy: bool) -> None:
    with call.reporter.step("transform") as step:
        step.advance(0, None, "starting SQLMesh")
        from data_platform.transform import transform

        done = transform(call.settings, layers, deploy, step.advance)
        step.done(
            f"{done.models_computed} models computed, {done.audits_passed} audits passed"
            if done.models_computed
            else "nothing to do, production is up to date"
        )
    for warning in done.warnings:
        call.reporter.warn(str(warning))
    if done.undeployed:
        call.reporter.warn(
            "production keeps its own code where the working tree differs: "
            f"{', '.join(done.undeployed)}; to deploy it: just promote"
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
@_source
@_pristine
@_inject
@click.pass_obj
def extract_command(
    call: Call, sources: tuple[str, ...], pristine: bool, kinds: tuple[str, ...]
) -> None:
    """Extract the applications into Parquet files and a manifest."""
    _extract(call, sources, pristine, kinds)


@cli.command("load")
@_source
@click.pass_obj
def load_command(call: Call, sources: tuple[str, ...]) -> None:
    """Check the extracts against the contract and load them."""
    _load(call, sources)


@cli.command("transform")
@_layer
@_deploy
@click.pass_obj
def transform_command(call: Call, layers: tuple[str, ...], deploy: bool) -> None:
    """Bring production's models up to date with the last load."""
    _transform(call, layers, deploy)


@cli.command("export")
@_format
@_output_dir
@click.pass_obj
def export_command(call: Call, file_format: str, output_dir: Path | None) -> None:
    """Write every view of the exports schema to a file."""
    _export(call, file_format, output_dir)


@cli.command("run")
@_source
@_pristine
@_inject
@_layer
@_deploy
@_format
@_output_dir
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
@click.option(
    "--format",
    "result_format",
    type=_choice(ResultFormat),
    default=ResultFormat.TABLE.value,
    help="Shape of the result.",
)
@click.pass_obj
def query_command(call: Call, sql: str | None, result_format: str) -> None:
    """Run SQL on the lakehouse, read-only; without SQL, open the DuckDB shell."""
    from data_platform import query

    if sql is None:
        query.shell(call.settings)
        return
    result = query.query(call.settings, sql)
    if result_format == "table":
        call.reporter.table(result)
    else:
        shape = {"csv": query.as_csv, "json": query.as_json, "markdown": query.as_markdown}
        call.reporter.write(shape[result_format](result))


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
        case _:
            return f"unexpected {type(error).__name__}: {error}; -v shows where", 1
