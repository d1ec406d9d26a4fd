"""The generated parts of the documentation, in Markdown; `just docs` writes, `just lint` checks."""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import click
import yaml

from data_platform.cli.program import cli
from data_platform.errors import one_line
from data_platform.names import Layer
from data_platform.record import tables
from data_platform.sources.column import Column
from data_platform.sources.contract_file import read_contract


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines
    )


# Parameters of recipes that take whatever options a command has.
_PLURAL = ("options", "files")


class _Words:
    """The sentences of the program in a language: its own English, or a file of translations."""

    def __init__(self, section: str, translations: Path | None) -> None:
        self._section, self._path = section, translations
        text = translations.read_text(encoding="utf-8") if translations else "{}"
        self._known = yaml.safe_load(text)

    def say(self, name: str, sentence: str) -> str:
        """A sentence, by the name of what it is about.

        Raises:
            ValueError: there is no translation.
        """
        if self._path is None:
            return sentence
        if name not in self._known[self._section]:
            raise ValueError(f"{self._path}: {self._section} lacks {name}: {sentence!r}")
        return str(self._known[self._section][name])

    def check(self, names: Iterable[str]) -> None:
        """Refuse translations of what is no longer there."""
        if self._path and (gone := self._known[self._section].keys() - set(names)):
            raise ValueError(f"{self._path}: {self._section} has {', '.join(sorted(gone))}")

    def default(self, sentence: str) -> str:
        """The part of an option's sentence that tells its default."""
        for english, translated in self._known.get("defaults", {}).items():
            sentence = sentence.replace(english, str(translated))
        return sentence


def recipes(
    header: Sequence[str] = ("Recipe", "What it does"), translations: Path | None = None
) -> str:
    """The Justfile's recipes, as `just` tells them."""
    words = _Words("recipes", translations)
    just = Path(sys.executable).with_name("just")
    command = [str(just), "--dump", "--dump-format", "json"]
    dumped = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    rows = []
    for name in subprocess.run(
        [str(just), "--summary", "--unsorted"], capture_output=True, check=True, text=True
    ).stdout.split():
        recipe = dumped["recipes"][name]
        parameters = "".join(
            f" [{p['name']}]" if p["kind"] == "star" or p["default"] else f" {p['name']}"
            for p in recipe["parameters"]
            if p["name"] not in _PLURAL
        )
        rows.append((f"`just {name}{parameters}`", words.say(name, recipe["doc"])))
    words.check(dumped["recipes"])
    return _table(header, rows)


def _option(option: click.Option, context: click.Context, words: _Words) -> tuple[str, str]:
    record = option.get_help_record(context)
    if record is None or option.help is None:
        raise ValueError(f"option {option.name} has no help")
    written, told = record[0], one_line(record[1])
    own = one_line(option.help)
    told = words.say(str(option.name), own) + words.default(told.removeprefix(own))
    return f"`{written}`", told


def commands(
    header: Sequence[str] = ("Command", "What it does", "Options of its own"),
    translations: Path | None = None,
) -> str:
    """The commands of data-platform and their own options."""
    rows, words = [], _Words("commands", translations)
    words.check(cli.commands)
    for name, command in cli.commands.items():
        context = click.Context(command, info_name=name)
        arguments = "".join(
            f" [{p.human_readable_name}]" for p in command.params if isinstance(p, click.Argument)
        )
        options = [
            f"`{'`, `'.join(p.opts)}`" for p in command.params if isinstance(p, click.Option)
        ]
        rows.append(
            (
                f"`{name}{arguments}`",
                words.say(name, command.get_short_help_str(limit=200)),
                " ".join(options),
            )
        )
        context.close()
    return _table(header, rows)


def options(
    command: str | None = None,
    header: Sequence[str] = ("Option", "Meaning", "Environment"),
    translations: Path | None = None,
) -> str:
    """The options of a command, or the global ones with their environment variables."""
    words = _Words("options", translations)
    of = cli if command is None else cli.commands[command]
    with click.Context(of, info_name="data-platform", show_default=True) as context:
        rows = []
        for option in of.get_params(context):
            if not isinstance(option, click.Option) or option.hidden:
                continue
            if not {"--help", "--version"} & {*option.opts}:
                written, text = _option(option, context, words)
                row = [written, text]
                if command is None:
                    row.append(f"`DATA_PLATFORM_{str(option.name).upper()}`")
                rows.append(row)
    return _table(header[: 3 if command is None else 2], rows)


_HEADER = ("Column", "Type", "Description")


def _columns(columns: Iterable[Column | tables.RecordColumn]) -> str:
    rows = (
        (
            f"`{column.name}`",
            f"{column.type}{' or null' if column.nullable else ''}",
            column.description,
        )
        for column in columns
    )
    return _table(_HEADER, rows)


def sources(project_dir: Path = Path()) -> str:
    """The contract of the sources: a section a table."""
    from data_platform.project.lineage.working_tree import read_lineage

    sections, lineage = [], read_lineage(project_dir)
    for table in read_contract(project_dir).tables.values():
        personal = lineage.personal(f"sources.{table.name}")
        columns = _columns(
            replace(c, description=f"{c.description} Personal.") if c.name in personal else c
            for c in table.columns
        )
        sections.append(f"### sources.{table.name}\n\n{table.description}\n\n{columns}")
    return "\n\n".join(sections)


def models(layer: Layer, project_dir: Path = Path()) -> str:
    """The models of a layer: a section a model, from the SQLMesh project itself."""
    from data_platform.project.context import read_models
    from data_platform.project.lineage.working_tree import read_lineage

    sections, lineage = [], read_lineage(project_dir)
    for model in read_models(project_dir):
        if model.schema != layer:
            continue
        facts = (
            f"A {model.kind} of the {model.owner} team, "
            + (f"grain `{', '.join(model.grain)}`; " if model.grain else "one row; ")
            + f"audits: {', '.join(f'`{audit}`' for audit in model.audits)}."
        )
        personal = lineage.personal(model.name)
        rows = [
            (
                f"`{name}`",
                type_,
                f"{text}{' Personal.' if name in personal else ''}",
                ", ".join(f"`{of}`" for of in lineage.upstream(f"{model.name}.{name}")),
            )
            for name, type_, text in model.columns
        ]
        table = _table((*_HEADER, "Made of"), rows)
        sections.append(f"### {model.name}\n\n{model.description}\n\n{facts}\n\n{table}")
    return "\n\n".join(sections)


def summaries(layer: Layer, project_dir: Path = Path()) -> str:
    """The models of a layer, a line each."""
    from data_platform.project.context import read_models

    rows = (
        (f"`{model.name}`", model.description, model.owner)
        for model in read_models(project_dir)
        if model.schema == layer
    )
    return _table(("Model", "What it holds", "Whose"), rows)


def flow(project_dir: Path = Path()) -> str:
    """Which model reads which, as a Mermaid chart."""
    from data_platform.project.lineage.formats import as_mermaid
    from data_platform.project.lineage.working_tree import read_lineage

    lineage = read_lineage(project_dir)
    steps = sorted(
        (parent, name)
        for name, model in lineage.models.items()
        for parent in model.reads
        if parent != name
    )
    return f"```mermaid\n{as_mermaid(steps)}```"


def record() -> str:
    """The tables of the schema ops: a section a table."""
    sections = []
    for name, row in tables.TABLES.items():
        said = tables.described(name)
        columns = _columns(tables.columns(row))
        sections.append(f"### ops.{name}\n\n{said}\n\n{columns}")
    return "\n\n".join(sections)


def supported_kinds() -> str:
    """The kinds of models that the platform computes, and how."""
    from data_platform.project.kinds import SUPPORTED_KINDS

    return _table(("Kind", "Here"), [(f"`{k}`", said) for k, said in SUPPORTED_KINDS.items()])


def reach_tags() -> str:
    """The tags by which a model by month says which other months a change reaches."""
    from data_platform.project.reach import REACH_TAGS

    return _table(("Tag", "Says"), [(f"`{tag}`", said) for tag, said in REACH_TAGS.items()])


def refused() -> str:
    """What SQLMesh accepts of a model and the platform refuses, with what to use instead."""
    from data_platform.project.kinds import REFUSED_KINDS, REFUSED_OPTIONS

    kinds = [
        (f"kind `{name}`", f"{why[0].upper()}{why[1:]}.") for name, why in REFUSED_KINDS.items()
    ]
    options = [
        (f"`{name}`", f"{why[0].upper()}{why[1:]}.") for name, why in REFUSED_OPTIONS.items()
    ]
    return _table(("What a model asks for", "Why not, and what instead"), [*kinds, *options])
