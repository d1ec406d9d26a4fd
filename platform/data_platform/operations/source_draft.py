"""Drafts of all that a new table of an application needs, from what is found there."""

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import yaml
from ruamel.yaml import YAML

from data_platform.errors import PlatformError, UsageError
from data_platform.files import replacing
from data_platform.settings import CONTRACT_FILE, SOURCES_FILE, Settings
from data_platform.sources.contract_file import parse_contract, read_contract
from data_platform.sources.entries import read_entries, sources_file
from data_platform.sources.inspection.found import Found, FoundColumn
from data_platform.sources.inspection.place import inspect, kind_of_place

_CHECK = "check this"
# A value of each type, for the draft of the unit test.
_VALUES = {
    "text": "a", "date": '"2026-01-31"', "timestamp": '"2026-01-31 12:00:00"',
    "int": "1", "bigint": "1", "double": "1.5",
}  # fmt: skip


@dataclass(frozen=True)
class Draft:
    """What is to be written, by file: the whole text of each."""

    files: Mapping[Path, str]
    # What is new in each of them.
    news: Mapping[Path, str]
    # What to do next, a line each.
    next_steps: tuple[str, ...]


def draft(settings: Settings, name: str, place: str, there: str | None) -> Draft:
    """Look at a table of an application and draft its entries, its staging model and a unit test.

    Args:
        name: what it is to be called, like billing.payments.
        place: a file, an address, or the environment variable that holds one.
        there: what the application calls the table, where that is another name.

    Raises:
        UsageError: the name is none.
        PlatformError: the table is stated already, or cannot be looked at.
    """
    source, dot, table = name.partition(".")
    if not dot or not all(one.isidentifier() and one == one.lower() for one in (source, table)):
        raise UsageError(f"{name!r} is no name of a table; write it like billing.payments")
    project = settings.project_dir
    key = f"{source}__{table}"
    model = project / "models/staging" / f"{key}.sql"
    test = project / "tests/staging" / f"test_{key}.yaml"
    if key in read_contract(project).tables:
        raise PlatformError(f"{CONTRACT_FILE} has sources.{key} already")
    if there_already := next((path for path in (model, test) if path.exists()), None):
        raise PlatformError(f"{there_already} exists already")

    variable, place = _address(place, source)
    entries_file = sources_file(project)
    found = inspect(place, source, table, there or table, variable, entries_file.parent)
    known = read_entries(project).get(source)
    if known is not None and known.kind != found.kind:
        raise PlatformError(
            f"{SOURCES_FILE} says that {source} is of kind {known.kind}, but that is "
            f"{kind_of_place(place)}; change its entry first, or choose another name"
        )
    of_table = dict(found.of_table)
    stated = {c.name: c.expression for c in found.columns if c.expression}
    steps = []
    news: dict[Path, str] = {}
    texts: dict[Path, str] = {}
    if known is None:
        news[entries_file] = _entry(source, table, found, of_table, stated)
    elif of_table or stated:
        said = {**of_table, **({"columns": stated} if stated else {})}
        news[entries_file] = _flow({source: {"tables": {table: said}}}) + "\n"
        texts[entries_file] = _with_table(entries_file, source, table, said)
    news[project / CONTRACT_FILE] = _contract(key, found)
    news[model] = _model(key, found)
    news[test] = _test(key, found)
    if "://" in place:
        steps.append(f"set {variable} wherever the platform runs; nothing else holds the address")
    steps += [
        f"look at what says {_CHECK!r}",
        f"data-platform sources check -s {source}",
        "just run --deploy; then just docs",
    ]
    texts = {path: _after(path, text) for path, text in news.items()} | texts
    contract = project / CONTRACT_FILE
    parse_contract(texts[contract].encode(), contract)  # nothing that stops all commands is written
    return Draft(texts, news, tuple(steps))


def _address(place: str, source: str) -> tuple[str, str]:
    """(the variable that is to hold an address, the address or file) of a place."""
    if place.isidentifier() and place in os.environ:
        return place, os.environ[place]
    variable = f"{source.upper()}_URL"
    if "://" in place:
        os.environ[variable] = place  # where sources take addresses from
    return variable, place


def write(drafted: Draft) -> None:
    """Write a draft, all of its files or none."""
    with ExitStack() as replacements:
        for path, text in drafted.files.items():
            partial = replacements.enter_context(replacing(path))
            partial.write_text(text, encoding="utf-8", newline="")
    for path in drafted.files:
        path.chmod(0o644)  # code, which others read


def _after(path: Path, text: str) -> str:
    return path.read_text(encoding="utf-8").rstrip("\n") + "\n" + text if path.exists() else text


def _entry(
    source: str,
    table: str,
    found: Found,
    of_table: Mapping[str, str],
    stated: Mapping[str, str | None],
) -> str:
    lines = [f"{source}:", f"  kind: {found.kind}"]
    for name, value in found.options.items():
        note = f" # {_CHECK}: what a time without a zone means there" * (name == "time_zone")
        lines.append(f"  {name}: {_yaml(value)}{note}")
    if of_table or stated:
        inner = {**of_table, **({"columns": dict(stated)} if stated else {})}
        lines.append("  tables:")
        lines.append(f"    {table}: {_flow(inner)}")
    lines.append(f"  max_age_days: 1 # {_CHECK}")
    return "\n".join(lines) + "\n"


def _contract(key: str, found: Found) -> str:
    tags = [f"on:{found.event}"] if found.event else []
    tags += [f"money:{c.name}" for c in found.columns if c.is_likely_money]
    tags += [f"personal:{c.name}" for c in found.columns if c.is_likely_personal]
    said = f" # {_CHECK}: what a change of a row can reach in time, money, personal data"
    required = [c.name for c in found.columns if not c.nullable]
    lines = [
        f"- name: sources.{key}",
        f"  description: One row per … ({_CHECK}).",
        f"  tags: [{', '.join(map(repr, tags))}]{said}",
        "  columns:",
        *(f"    {_yaml(c.name)}: {c.type}" for c in found.columns),
        "  column_descriptions:",
        *(f"    {_yaml(c.name)}: What it says ({_CHECK})." for c in found.columns),
    ]
    if required:
        lines += [
            "  audits:",
            "    - name: not_null",
            f"      columns: ({', '.join(required)}) # {_CHECK}",
        ]
    return "\n".join(lines) + "\n"


def _with_table(path: Path, source: str, table: str, said: Mapping[str, object]) -> str:
    """The text of sources.yaml with what is said of one more table of a source."""
    editor = YAML()
    editor.width = 10_000
    document = editor.load(path.read_text(encoding="utf-8"))
    document[source].setdefault("tables", {})[table] = said
    text = StringIO()
    editor.dump(document, text)
    return text.getvalue()


def _flow(value: object) -> str:
    dumped: str = yaml.safe_dump(
        value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False
    )
    return dumped.strip()


def _yaml(value: str) -> str:
    dumped: str = yaml.safe_dump(value, width=10_000, allow_unicode=True)
    return dumped.removesuffix("\n...\n").strip()


def _model(key: str, found: Found) -> str:
    columns = found.columns
    grain = found.key or tuple(c.name for c in columns)
    said = _comma_lines(f"{c.name} = 'What it says ({_CHECK}).'" for c in columns)
    chosen = _comma_lines((_chosen(c, found) for c in columns), indent=2)
    names = ", ".join(grain)
    keys = names if len(grain) == 1 else f"({names})"
    return f"""MODEL (
  name staging.{key},
  kind VIEW,
  owner data,
  grain {keys},
  description 'One row per … ({_CHECK}, the grain too).',
  column_descriptions (
{said}
  ),
  audits (
    primary_key(key_columns := {keys}),
    same_number_of_rows(other := sources.{key})
  )
);

SELECT
{chosen}
FROM sources.{key}
"""


def _comma_lines(parts: Iterable[str], indent: int = 4) -> str:
    return ",\n".join(f"{' ' * indent}{part}" for part in parts)


def _is_trimmed(column: FoundColumn, found: Found) -> bool:
    return column.type == "text" and column.name not in found.key


def _chosen(column: FoundColumn, found: Found) -> str:
    name = column.name
    made = f"@trimmed({name})" if _is_trimmed(column, found) else name
    return f"{made}::{column.type.upper()} AS {name}"


def _test(key: str, found: Found) -> str:
    def row(is_input: bool) -> str:
        values = []
        for column in found.columns:
            value = _VALUES.get(column.type, "1.00")
            if is_input and _is_trimmed(column, found):
                value = '" a\\t"'
            values.append(f"{_yaml(column.name)}: {value}")
        return f"        - {{{', '.join(values)}}}"

    return f"""# {_CHECK.capitalize()}: rows that show what the model does with them.
test_{key}_is_typed_and_trimmed:
  model: staging.{key}
  inputs:
    sources.{key}:
      rows:
{row(True)}
  outputs:
    query:
      rows:
{row(False)}
"""
