"""The commands that change files: drafts in the project, and what was generated."""

import sys
from functools import partial

import click

from data_platform.cli import parsing
from data_platform.cli.action import Action, Call, run_of
from data_platform.cli.telling import tell_step
from data_platform.errors import UsageError
from data_platform.result import counted


def _clean(call: Call, is_sure: bool) -> None:
    from data_platform.operations.clean import clean, generated, history, refuse_shared

    refuse_shared(call.settings)
    found = generated(call.settings)
    if not found:
        call.reporter.say("There is nothing to remove.")
        return
    for one in found:
        call.reporter.say(f"To remove: {one}")
    if told := history(call.settings):
        call.reporter.say(told)
    if not (is_sure or _agrees("Remove all of it? [y/N] ")):
        call.reporter.say("Nothing was removed.")
        return
    clean(call.settings, call.wait)
    call.reporter.say("Removed.")


def _check(call: Call) -> int:
    from data_platform.operations.check import check

    with call.reporter.busy("reading all of it"):
        done = check(call.settings)
    for fault in done.faults:
        call.reporter.fail(fault)
    call.reporter.say(
        f"{counted(done.tables, 'table')} read whole, {done.rows:,} rows, "
        f"{counted(len(done.faults), 'fault')}"
    )
    return 1 if done.faults else 0


@click.command("check", cls=parsing.Command)
def check_command() -> Action:
    """Read the whole lakehouse, and compare it with what its catalogue and statistics say."""
    return Action("check", _check, writes=False)


def _audit(call: Call) -> None:
    from data_platform.operations.pipeline import audit_step

    tell_step(call, audit_step(run_of(call)))


@click.command("audit", cls=parsing.Command)
def audit_command() -> Action:
    """Recount every audit of production over all of time, as runs do by themselves once a week."""
    return Action("audit", _audit, writes=True, needs_sqlmesh=True)


def _agrees(question: str) -> bool:
    """Whether who is there says yes.

    Raises:
        UsageError: nobody is there to be asked.
    """
    try:
        print(question, end="", flush=True)
        return input().strip().lower() in ("y", "yes")
    except (EOFError, OSError, RuntimeError):  # at the end of the input, or without one
        print()
        if sys.stdin is not None and sys.stdin.isatty():
            return False
        raise UsageError("nobody is there to be asked; to remove all of it: clean --yes") from None


@click.command("clean", cls=parsing.Command)
@click.option(
    "--yes", "is_sure", is_flag=True, help="Do not ask; without it, somebody has to answer."
)
def clean_command(is_sure: bool) -> Action:
    """Remove everything that was generated: data, caches and logs; says what, and asks."""
    return Action("clean", partial(_clean, is_sure=is_sure), writes=False)


def _add_source(call: Call, name: str, place: str, there: str | None, dry_run: bool) -> None:
    from data_platform.operations.source_draft import draft, write

    drafted = draft(call.settings, name, place, there)
    for path, text in drafted.news.items():
        file = (
            path.relative_to(call.settings.project_dir)
            if path.is_relative_to(call.settings.project_dir)
            else path
        )
        call.reporter.say(f"--- {file}")
        call.reporter.write(text)
    if dry_run:
        call.reporter.say("Nothing was written.")
        return
    write(drafted)
    call.reporter.say(f"Written: {counted(len(drafted.files), 'file')}. Next:")
    for step in drafted.next_steps:
        call.reporter.say(f"- {step}")


@click.command("source", cls=parsing.Interspersed)
@click.argument("action", metavar="add", type=click.Choice(["add"]))
@click.argument("name", metavar="SOURCE.TABLE")
@click.option(
    "--from",
    "place",
    metavar="URL|FILE|VARIABLE",
    required=True,
    help="A database's address, the environment variable that holds it, or a file.",
)
@click.option("--table", "there", metavar="NAME", help="What the application calls the table.")
@click.option("--dry-run", is_flag=True, help="Show the drafts, write nothing.")
def source_command(action: str, name: str, place: str, there: str | None, dry_run: bool) -> Action:
    """Draft a new table: its entries, staging model and unit test, from what is found there."""
    act = partial(_add_source, name=name, place=place, there=there, dry_run=dry_run)
    return Action(f"source {action}", act, writes=False)
