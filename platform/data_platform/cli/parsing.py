"""How words of the command line are read: types of values, and options on either side."""

import copy
import math
import re
from datetime import date
from typing import Any

import click

from data_platform.settings import yesterday
from data_platform.simulation import FIRST_DAY

_LARGEST_SCALE = 10_000  # 150 million invoices
_MOST_SHARDS = 1_000


class AsOf(click.ParamType[date]):
    """A date from the company's first day to the last complete day (yesterday, UTC)."""

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


class Scale(click.ParamType[float]):
    """A size of the simulated company."""

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


class Seconds(click.FloatRange):
    """How long; forever is `inf`."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds: float = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number", param, ctx)
        return seconds


class ShardOf(click.ParamType[tuple[int, int]]):
    """One of a number of shares, like 2/4."""

    name = "i/n"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        number, _, of = str(value).partition("/")
        if not (number.isascii() and number.isdigit() and of.isascii() and of.isdigit()):
            self.fail(f"{value!r} is no shard, expected one like 2/4", param, ctx)
        if not 1 <= int(number) <= int(of) <= _MOST_SHARDS:
            self.fail(
                f"{value} is no shard, expected 1/N to N/N, N at most {_MOST_SHARDS:,}", param, ctx
            )
        return int(number), int(of)


class Seed(click.ParamType[int]):
    """A whole number of 64 bits."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            seed = int(value)
        except ValueError:
            self.fail(f"{value!r} is not a whole number", param, ctx)
        if not -(2**63) <= seed < 2**63:
            self.fail(f"{value} does not fit into 64 bits", param, ctx)
        return seed


class Folder(click.Path):
    """A folder; a name that is empty is an unset variable of a script, not the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name of the folder is empty", param, ctx)
        return super().convert(value, param, ctx)


class Command(click.Command):
    """A command that understands the options of the program as a whole, too."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Its own options, and those of the program, which its help leaves out."""
        of_program = [
            _for_the_program(option)
            for option in ctx.find_root().command.params
            if isinstance(option, click.Option) and not option.is_eager  # --version is asked alone
        ]
        return [*super().get_params(ctx), *of_program]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read its words; of an option that another command of a chain has, say whose it is."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            option = error.option_name
            commands: dict[str, click.Command] = getattr(ctx.find_root().command, "commands", {})
            owners = [
                name
                for name, command in commands.items()
                if any(option in one.opts for one in command.params)
            ]
            if not owners:
                raise
            raise click.UsageError(
                f"{self.name} has no option {option}; it is one of {', '.join(owners)}: write it "
                "behind that word",
                ctx,
            ) from error

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say where the other options are told."""
        with formatter.indentation():
            formatter.write_paragraph()
            formatter.write_text("It takes the program's options too: data-platform --help")


class Interspersed(Command):
    """A command whose options may follow its argument, also in a chain."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the words that belong to the command; SQL may begin with a comment."""
        words = [f" {word}" if re.match(r"--\s", word) else word for word in args]
        return super().make_context(
            info_name, words, parent, **{**extra, "allow_interspersed_args": True}
        )


def _for_the_program(option: click.Option) -> click.Option:
    found = copy.copy(option)
    found.hidden, found.expose_value = True, False
    found.callback = _tell_the_program if option.expose_value else None  # or the words themselves
    found.envvar, found.allow_from_autoenv = None, False  # the program has read those
    return found


def _tell_the_program(ctx: click.Context, option: click.Parameter, value: Any) -> None:
    """What is said after a command's name holds as if it were said before."""
    name, source = str(option.name), ctx.get_parameter_source(str(option.name))
    if source is click.core.ParameterSource.COMMANDLINE:
        ctx.find_root().params[name] = value
        ctx.find_root().set_parameter_source(name, source)
