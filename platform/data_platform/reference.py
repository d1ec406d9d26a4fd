"""The generated parts of the documentation, in Markdown; `just docs` writes, `just lint` checks."""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from data_platform import contract
from data_platform import record as record_of_runs
from data_platform.cli import cli
from data_platform.names import Layer


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines
    )


# Parameters of recipes that take whatever options a command has.
_PLURAL = ("options", "files")


def recipes(header: Sequence[str] = ("Recipe", "What it does")) -> str:
    """The Justfile's recipes, as `just` tells them."""
    just = Path(sys.executable).with_name("just")
    command = [str(just), "--dump", "--dump-format", "json"]
    dumped = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    rows = []
    for name in subprocess.run(
        [str(just), "--summary", "--unsorted"], capture_output=True, check=True, text=True
    ).stdout.split():
        recipe = dumped["recipes"][name]
        parameters = "".join(
            f" [{p['name']}]" for p in recipe["parameters"] if p["name"] not in _PLURAL
        )
        rows.append((f"`just {name}{parameters}`", recipe["doc"]))
    return _table(header, rows)


def _option(option: click.Option, context: click.Context) -> tuple[str, str]:
    record = option.get_help_record(context)
    if record is None:
        raise ValueError(f"option {option.name} has no help")
    return f"`{record[0]}`", " ".join(record[1].split())


def commands(
    header: Sequence[str] = ("Command", "What it does", "Options of its own"),
) -> str:
    """The commands of data-platform and their own options."""
    rows = []
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
                command.get_short_help_str(limit=200),
                " ".join(options),
            )
        )
        context.close()
    return _table(header, rows)


def options(command: str | None = None) -> str:
    """The options of a command, or the global ones with their environment variables."""
    of = cli if command is None else cli.commands[command]
    with click.Context(of, info_name="data-platform", show_default=True) as context:
        rows = []
        for option in of.get_params(context):
            if not isinstance(option, click.Option) or option.hidden:
                continue
            if not {"--help", "--version"} & {*option.opts}:
                written, text = _option(option, context)
                row = [written, text]
                if command is None:
                    row.append(f"`DATA_PLATFORM_{str(option.name).upper()}`")
                rows.append(row)
    header = ["Option", "Meaning"] + (["Environment"] if command is None else [])
    return _table(header, rows)


_HEADER = ("Column", "Type", "Description")


def _columns(columns: Iterable[contract.Column | record_of_runs.Column]) -> str:
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
    from data_platform.lineage import read_lineage

    sections, lineage = [], read_lineage(project_dir)
    for table in contract.read_contract(project_dir).tables.values():
        personal = lineage.personal(f"sources.{table.name}")
        columns = _columns(
            replace(c, description=f"{c.description} Personal.") if c.name in personal else c
            for c in table.columns
        )
        sections.append(f"### sources.{table.name}\n\n{table.description}\n\n{columns}")
    return "\n\n".join(sections)


def models(layer: Layer, project_dir: Path = Path()) -> str:
    """The models of a layer: a section a model, from the SQLMesh project itself."""
    from data_platform.lineage import read_lineage
    from data_platform.project import read_models

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


def flow(project_dir: Path = Path()) -> str:
    """Which model reads which, as a Mermaid chart."""
    from data_platform.lineage import read_lineage
    from data_platform.lineage_formats import as_mermaid

    lineage = read_lineage(project_dir)
    steps = sorted(
        (parent, name)
        for name, model in lineage.models.items()
        for parent in model.reads
        if parent != name
    )
    return f"```mermaid\n{as_mermaid(steps)}```"


def record() -> str:
    """The tables of the record of runs: a section a table."""
    sections = []
    for name, row in record_of_runs.TABLES.items():
        said = (row.__doc__ or "").partition("\n")[0]
        columns = _columns(record_of_runs.columns(row))
        sections.append(f"### ops.{name}\n\n{said}\n\n{columns}")
    return "\n\n".join(sections)
