"""The commands that draw a simulated company in shards, and make one extract of them."""

from functools import partial
from pathlib import Path

import click

from data_platform.cli import parsing
from data_platform.cli.action import Action, Call, company_of, refuse_in_data_folder
from data_platform.errors import UsageError


def _extract_shard(
    call: Call, number: tuple[int, int], folder: Path, pristine: bool, kinds: tuple[str, ...]
) -> None:
    from data_platform.ingest.shards import Shard, extract_shard

    shard = Shard(*number)
    company = company_of(call, pristine, kinds)
    with call.reporter.busy(f"drawing shard {shard.number} of {shard.of}"):
        done = extract_shard(call.settings, company, shard, folder.absolute())
    call.reporter.say(
        f"shard {shard.number} of {shard.of}: {done.rows:,} rows {done.batch}, "
        f"{done.files_written} files written, {done.files_unchanged} unchanged in {folder}"
    )


def shard_action(
    shard: tuple[int, int] | None,
    folder: Path | None,
    sources: tuple[str, ...],
    pristine: bool,
    kinds: tuple[str, ...],
) -> Action:
    """What extract does where it is asked for a shard.

    Raises:
        UsageError: which shard or where to is missing, or not all sources are asked for.
    """
    if shard is None or folder is None:
        raise UsageError("--shard and --to go together: which share, and the folder of all")
    if sources:
        raise UsageError("a shard is of all sources: --source does not go with --shard")
    act = partial(_extract_shard, number=shard, folder=folder, pristine=pristine, kinds=kinds)
    check = partial(refuse_in_data_folder, place=folder, option="--to")
    return Action(f"extract --shard {shard[0]}/{shard[1]}", act, False, check)


def _merge(call: Call, folder: Path) -> None:
    from data_platform.ingest.shards import merge_shards

    merged = merge_shards(folder.absolute())
    files = [file for own in merged.tables.values() for file in own]
    call.reporter.say(
        f"{sum(file.rows for file in files):,} rows in {len(files)} files; to load them: "
        f"data-platform load --extracts {folder}"
    )


@click.command("merge-shards", cls=parsing.Command)
@click.argument("folder", type=parsing.Folder(exists=True, file_okay=False, path_type=Path))
def merge_command(folder: Path) -> Action:
    """Make one extract of the shards that extract --shard has written into a folder."""
    check = partial(refuse_in_data_folder, place=folder, option="FOLDER")
    return Action("merge-shards", partial(_merge, folder=folder), False, check)
