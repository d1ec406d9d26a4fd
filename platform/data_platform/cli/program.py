"""The command line: reads the words, then takes the actions that they ask for."""

import gc
import os
import re
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from datetime import date
from functools import partial
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from data_platform import __version__, interruption
from data_platform.cli import deployment as changers
from data_platform.cli import moving, options, sharding, upkeep
from data_platform.cli import pipeline as writers
from data_platform.cli import reading as readers
from data_platform.cli.action import Action, Call
from data_platform.cli.telling import tell_catalogue, tell_settled
from data_platform.cli.terminal import Reporter
from data_platform.errors import PlatformError, UsageError, one_line, without_values
from data_platform.names import BESIDE_DUCKDB
from data_platform.settings import (
    Settings,
    checked_data_dir,
    checked_gateway,
    find_project,
    yesterday,
)
from data_platform.simulation import Simulation

if TYPE_CHECKING:
    from data_platform.operations.standing import Standing
    from data_platform.record.rows import RunRow

# What needs the default's store, or a team's.
_NOT_BESIDE_DUCKDB = ("backfill", "review", "ui", "move")
# What SQLMesh and others put into messages for a terminal.
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


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
def cli(**_options: Any) -> None:
    """Jump's data platform: from the applications to the numbers people trust.

    Steps are chained in one process, and published together:
    data-platform extract load transform export.
    """


for command in (
    writers.extract_command,
    sharding.merge_command,
    writers.load_command,
    writers.transform_command,
    writers.export_command,
    writers.run_command,
    writers.backfill_command,
    upkeep.audit_command,
    upkeep.check_command,
    moving.move_command,
    upkeep.clean_command,
    changers.plan_command,
    changers.diff_command,
    changers.promote_command,
    changers.rollback_command,
    changers.review_command,
    readers.query_command,
    readers.tables_command,
    readers.status_command,
    readers.sources_command,
    upkeep.source_command,
    readers.lineage_command,
    readers.ui_command,
    readers.report_command,
):
    cli.add_command(command)


@cli.result_callback()
@click.pass_obj
def _take(began: float | None, /, actions: list[Action], **options: Any) -> int:
    """Take the actions, those up to the last one that writes in one run; the exit code."""
    call, arrived = _call(**options), time.perf_counter()
    for action in actions:
        _refuse_elsewhere(call.settings.gateway, action.name)
        action.check(call)
    last_writer = max(
        (place for place, action in enumerate(actions, 1) if action.writes), default=0
    )
    codes = [0]
    if last_writer:
        words = " ".join(action.name for action in actions[:last_writer])
        standing = _standing(call, actions)
        if standing is not None and _all_stands(call, standing, words):
            call.reporter.summary(time.perf_counter() - (began or arrived))
            return 0
        from data_platform.lakehouse.run import running

        run = None
        try:
            with ExitStack() as stack:
                with call.reporter.busy("waiting until nobody else writes"):
                    run = stack.enter_context(
                        running(
                            call.settings,
                            call.company,
                            words,
                            call.wait,
                            call.reporter.waits_for,
                            call.reporter.show,
                            after=partial(_note, call, standing),
                        )
                    )
                if any(action.needs_sqlmesh for action in actions[:last_writer]):
                    with call.reporter.busy("starting SQLMesh"):
                        import_module("data_platform.project.context")
                codes += [action.act(call.within(run)) or 0 for action in actions[:last_writer]]
        finally:
            if run is not None and call.settings.tells_lineage:
                tell_catalogue(call, run)
        call.reporter.tell_what_is_published()
    codes += [action.act(call) or 0 for action in actions[last_writer:]]
    call.reporter.summary(time.perf_counter() - (began or arrived))
    return max(codes)


def _standing(call: Call, actions: list[Action]) -> "Standing | None":
    """What a run is asked for, where one that has done it before could be known."""
    if len(actions) != 1 or actions[0].asked is None or call.settings.tells_lineage:
        return None
    from data_platform.operations.standing import Standing

    return Standing(call.settings, call.company, actions[0].asked)


def _note(call: Call, standing: "Standing | None", row: "RunRow") -> None:
    if standing is not None:
        with suppress(OSError):  # what is not noted is done again
            standing.note(row, call.findings.undeployed)


def _all_stands(call: Call, standing: "Standing", words: str) -> bool:
    """Record and tell that there is nothing to do, where that is proven."""
    from data_platform.operations.standing import record_nothing_to_do

    settled = record_nothing_to_do(standing, words, call.wait, call.reporter.waits_for)
    if settled is not None:
        tell_settled(call, settled)
    return settled is not None


def _refuse_elsewhere(gateway: str, name: str) -> None:
    """Refuse a command that a gateway does not offer.

    Raises:
        UsageError: it does not.
    """
    command = name.partition(" ")[0]
    if gateway in BESIDE_DUCKDB and command in _NOT_BESIDE_DUCKDB:
        raise UsageError(f"{command} is not offered on gateway {gateway} (docs/scaling.md)")


def _call(
    random_seed: int,
    scale: float,
    as_of: date | None,
    project_dir: Path | None,
    data_dir: Path | None,
    gateway: str,
    wait: float,
    verbose: bool,
    quiet: bool,
) -> Call:
    """What the options of the program say, from either side of the commands' names."""
    project = find_project(project_dir)
    data = checked_data_dir(data_dir or project / "data", project)
    gateway = checked_gateway(gateway, project)
    settings = Settings(as_of or yesterday(), project, data, gateway)
    company = Simulation(random_seed, scale)
    return Call(settings, company, Reporter(quiet, verbose), wait, _asked(settings, company))


def _asked(settings: Settings, company: Simulation) -> dict[str, object]:
    """Which company and day somebody has asked for, on the command line or by the environment."""
    root = click.get_current_context().find_root()
    values = {
        "as_of": settings.as_of,
        "random_seed": company.random_seed,
        "scale": company.scale,
    }
    return {
        name: value
        for name, value in values.items()
        if root.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
    }


def main(arguments: list[str] | None = None) -> None:
    """Run a command line; exits with 0 (done), 1 (failed) or 2 (usage)."""
    gc.disable()  # until SQLMesh has loaded the project: it makes objects by the million, to stay
    os.umask(0o077)  # what is written may hold personal data
    interruption.listen()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without € shows the rest
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if any(not word.isprintable() and _is_no_text(word) for word in words):
            raise UsageError("a word of the command line is not valid UTF-8")
        sys.exit(cli.main(words, "data-platform", standalone_mode=False, obj=time.perf_counter()))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(1)
    except (Exception, KeyboardInterrupt) as error:
        message, code = _explain(error)
        if _is_verbose(words):
            traceback.print_exception(error)
        plain = _COLOURS.sub("", message)
        Reporter().fail("\n".join(line.rstrip() for line in plain.splitlines()))
        sys.exit(code)


def _is_verbose(words: Sequence[str]) -> bool:
    """Whether to show a traceback, also of words that could not be read to their end."""
    if any(word == "--verbose" or re.fullmatch("-[a-z]*v[a-z]*", word) for word in words):
        return True
    with suppress(click.BadParameter):
        return bool(click.BOOL.convert(os.environ.get("DATA_PLATFORM_VERBOSE", "0"), None, None))
    return False


def _is_no_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return True
    return False


def _explain(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and the exit code."""
    if interruption.received():
        error = KeyboardInterrupt()
    match error:
        case click.ClickException():
            return one_line(error.format_message()), error.exit_code
        case UsageError():
            return str(error), 2
        case PlatformError():
            return str(error), 1
        case KeyboardInterrupt() | click.Abort():
            return interruption.explained()
        case OSError(filename=str() as path, strerror=str() as reason):
            return f"{path}: {reason}", 1
        case MemoryError():
            return "there is not enough memory for this; ask for fewer rows", 1
        case OSError(strerror=str() as reason):
            return f"the system says: {reason}", 1
        case _ if type(error).__module__.endswith("duckdb"):
            return f"DuckDB says: {without_values(str(error))}", 1
        case _:
            # What a library says may quote somebody's data.
            return f"unexpected {type(error).__name__}; -v shows what it says, and where", 1
