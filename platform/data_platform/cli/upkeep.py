"""The command that removes what was generated."""

import sys
from functools import partial

import click

from data_platform.cli import parsing
from data_platform.cli.action import Action, Call


def _clean(call: Call, is_sure: bool) -> None:
    from data_platform.operations.clean import clean, generated, history

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


def _agrees(question: str) -> bool:
    """Whether who is there says yes; where nobody is there to be asked, who called has said it."""
    try:
        print(question, end="", flush=True)
        return input().strip().lower() in ("y", "yes")
    except (EOFError, OSError):
        print()
        return not sys.stdin.isatty()


@click.command("clean", cls=parsing.Command)
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask, at a terminal either.")
def clean_command(is_sure: bool) -> Action:
    """Remove everything that was generated: data, caches and logs; says what, and asks."""
    return Action("clean", partial(_clean, is_sure=is_sure), writes=False)
