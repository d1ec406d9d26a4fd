"""The command that takes a lakehouse to another gateway."""

from functools import partial

import click

from data_platform.cli import parsing
from data_platform.cli.action import Action, Call
from data_platform.result import counted


def _move(call: Call, gateway: str) -> None:
    from data_platform.lakehouse.run import running
    from data_platform.operations.move import destination, move

    target, last_run = destination(call.settings, gateway)
    with running(
        target, call.company, f"move --to {gateway}", call.wait, call.reporter.waits_for,
        call.reporter.show, takes_over=last_run,
    ) as run, run.step("move") as step:  # fmt: skip
        done = move(call.settings, run, lambda done, total: step.advance(done, total))
        step.done(
            f"{counted(done.tables, 'table')} compared row for row, {done.rows:,} rows in all, "
            f"{counted(done.views, 'view')}",
            done.rows,
        )
    call.reporter.say(f"Next: data-platform --gateway {gateway} status")


@click.command("move", cls=parsing.Command)
@click.option("--to", "destination", required=True, help="Gateway of config.yaml: duckdb or team.")
def move_command(destination: str) -> Action:
    """Move the lakehouse to another gateway, every row compared; and back."""
    return Action(f"move --to {destination}", partial(_move, gateway=destination), False)
