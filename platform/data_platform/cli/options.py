"""The options of the command line: what they are called, take and mean."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import click

from data_platform.cli.parsing import AsOf, Folder, Scale, Seconds, Seed, ShardOf
from data_platform.cli.warm import OPTION
from data_platform.errors import UsageError
from data_platform.names import (
    ExportFormat,
    FaultKind,
    Layer,
    LineageFormat,
    ResultFormat,
    ReviewFormat,
    StatusFormat,
)

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _choice(names: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([name.value for name in names])


# What the steps take; `run` takes it all.
source = click.option(
    "-s",
    "--source",
    "sources",
    metavar="SOURCE",
    multiple=True,
    help="Only this source of sources.yaml; repeatable.",
)


pristine = click.option(
    "--pristine",
    is_flag=True,
    help="Leave out the simulated dirt: odd spellings, duplicates, gaps in numbers.",
)


inject = click.option(
    "--inject",
    "kinds",
    type=_choice(FaultKind),
    multiple=True,
    help="Plant a real error, which an audit must stop; repeatable.",
)


layer = click.option(
    "--layer",
    "layers",
    type=_choice(Layer),
    multiple=True,
    help="Compute only this layer and what it reads; repeatable.",
)


accept_new_columns = click.option(
    "--accept-new-columns",
    is_flag=True,
    help="Load files with columns that the contract does not know; the columns are left out.",
)


kept = click.option(
    "--extracts",
    "kept",
    type=Folder(exists=True, file_okay=False, path_type=Path),
    help="Take extracts that were kept, like a copy of data/sources; of backfill, one a day below.",
)


no_report = click.option("--no-report", is_flag=True, help="Leave the report as it is.")


start_over = click.option(
    "--start-over",
    is_flag=True,
    help="Give up the history that only the lakehouse holds; another company may replace it.",
)


shard = click.option(
    "--shard",
    type=ShardOf(),
    default=None,
    help="Only this share of the simulated company's files, like 2/4; with --to.",
)


shard_dir = click.option(
    "--to",
    "shard_dir",
    type=Folder(file_okay=False, path_type=Path),
    default=None,
    help="The folder of all shards, for merge-shards.",
)


deploy = click.option(
    "--deploy", is_flag=True, help="Promote the working tree's models to production first."
)


first_day = click.option("--from", "first", type=AsOf(), required=True, help="First day to replay.")


last_day = click.option("--to", "last", type=AsOf(), required=True, help="Last day to replay.")


export_formats = click.option(
    "--format",
    "formats",
    type=click.Choice([one.value for one in ExportFormat if one != ExportFormat.EXCEL_FR]),
    multiple=True,
    default=[ExportFormat.CSV.value],
    help="Format of the exports: a CSV or Parquet file each, or one workbook. Repeatable.",
)


csv_dialect = click.option(
    "--csv-dialect",
    type=click.Choice(["auditor", "excel-fr"]),
    default="auditor",
    help="excel-fr: beside each CSV file one that a French Excel opens by double click.",
)


def chosen_formats(formats: tuple[str, ...], csv_dialect: str) -> tuple[ExportFormat, ...]:
    """The formats that --format and --csv-dialect ask for.

    Raises:
        UsageError: a dialect of what is no CSV.
    """
    chosen = tuple(dict.fromkeys(map(ExportFormat, formats)))
    if csv_dialect == "auditor":
        return chosen
    if ExportFormat.CSV not in chosen:
        raise UsageError(f"--csv-dialect {csv_dialect} needs --format csv, not {chosen[0]}")
    return (*chosen, ExportFormat.EXCEL_FR)


output_dir = click.option(
    "--output-dir",
    type=Folder(file_okay=False, path_type=Path),
    default=None,
    show_default="exports in the data folder",
    help="Where the exports go.",
)


result_format = click.option(
    "--format",
    "result_format",
    type=_choice(ResultFormat),
    default=ResultFormat.TABLE.value,
    help="Shape of the result.",
)


failed = click.option(
    "--failed", is_flag=True, help="Read the copy of the last run that an audit or a model stopped."
)


status_format = click.option(
    "--format",
    "status_format",
    type=_choice(StatusFormat),
    default=StatusFormat.TABLE.value,
    help="Shape of the status.",
)


lineage_format = click.option(
    "--format",
    "lineage_format",
    type=_choice(LineageFormat),
    default=LineageFormat.TREE.value,
    help="Shape of the lineage.",
)


impact = click.option(
    "--impact",
    is_flag=True,
    help="Show instead what would change if it changed, the exports first.",
)


review_format = click.option(
    "--format",
    "review_format",
    type=_choice(ReviewFormat),
    default=ReviewFormat.TEXT.value,
    help="Shape of what is shown.",
)


model = click.option(
    "--model", "models", multiple=True, help="Only this model, like marts.kpi__nps; repeatable."
)


fail_on_change = click.option(
    "--fail-on-change",
    "fail_on",
    metavar="MODEL|total",
    multiple=True,
    help="Exit with 1 if this model, or any total of money, changed; repeatable.",
)


show_personal = click.option(
    "--show-personal", is_flag=True, help="Show names, e-mails and scores in samples as they are."
)


dry_run = click.option("--dry-run", is_flag=True, help="Only show it; build nothing.")


# What the program as a whole takes, on either side of a command's name.
_GLOBAL = (
    click.option(
        "-r",
        "--random-seed",
        type=Seed(),
        default=42,
        help="Seed of the simulated company.",
    ),
    click.option(
        "--scale",
        type=Scale(),
        default=1.0,
        help="Size of the simulated company; 1 is about 1,000 users and 15,000 invoices.",
    ),
    click.option(
        "--as-of",
        type=AsOf(),
        default=None,
        show_default="yesterday, UTC",
        help="Last complete day that the extract covers.",
    ),
    click.option(
        "-p",
        "--project-dir",
        type=Folder(exists=True, file_okay=False, path_type=Path),
        default=None,
        show_default="the current folder, or the first above it that is one",
        help="Folder of the project: config.yaml, external_models.yaml, models.",
    ),
    click.option(
        "-d",
        "--data-dir",
        type=Folder(file_okay=False, path_type=Path),
        default=None,
        show_default="data in the project's folder",
        help="Folder of everything that is generated.",
    ),
    click.option(
        "--wait",
        type=Seconds(min=0),
        default=0.0,
        metavar="SECONDS",
        help="How long to wait for another writer before giving up.",
    ),
    click.option("--gateway", default="duckdb", help="SQLMesh gateway of config.yaml to run on."),
    click.option(
        OPTION,
        is_flag=True,
        expose_value=False,
        help="Use and leave no process that is kept ready for commands that change models.",
    ),
    click.option("-v", "--verbose", is_flag=True, help="Say more, and show an error's traceback."),
    click.option("-q", "--quiet", is_flag=True, help="Show warnings and errors only."),
)


def globally(command: _Command) -> _Command:
    """Give a command the options of the program as a whole."""
    for option in reversed(_GLOBAL):
        command = option(command)
    return command
