"""Where each application's data comes from: the entries of sources.yaml."""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import yaml

from data_platform.errors import PlatformError, UsageError, near, one_line
from data_platform.settings import SOURCES_FILE
from data_platform.sources.contract import SourceTable

# Names another file, from the current folder.
VARIABLE = "DATA_PLATFORM_SOURCES"


@dataclass(frozen=True)
class Entry:
    """Where one application's data comes from; `options` are those of its kind."""

    name: str
    kind: str
    options: Mapping[str, Any]
    # Data that is more complete days behind yesterday warns; None: never.
    max_age_days: int | None
    # A load in which a table loses a larger share of its rows is refused; None: it warns.
    max_loss: float | None
    # The folder from which relative paths of the options go.
    folder: Path

    def option(self, name: str, type_: type | tuple[type, ...], default: Any = None) -> Any:
        """An option of the kind.

        Raises:
            PlatformError: it is not of the type.
        """
        value = self.options.get(name, default)
        if value is not None and not isinstance(value, type_):
            types = type_ if isinstance(type_, tuple) else (type_,)
            expected = " or ".join(_NAMES_OF_TYPES[one] for one in types)
            raise PlatformError(
                f"{SOURCES_FILE}: {self.name}.{name} is {value!r}, expected {expected}"
            )
        return value

    def of_table(self, table: SourceTable, name: str, type_: type | tuple[type, ...]) -> Any:
        """An option of one of the tables, None where it is not stated."""
        of_tables = self.option("tables", dict, {})
        stated = of_tables.get(table.part_name) or {}
        if not isinstance(stated, dict):
            raise PlatformError(
                f"{SOURCES_FILE}: {self.name}.tables.{table.part_name} is {stated!r}, expected "
                "names and values"
            )
        return replace(self, name=f"{self.name}.tables.{table.part_name}", options=stated).option(
            name, type_
        )

    def refuse_unknown(
        self, known: Collection[str], of_a_table: Collection[str], tables: Sequence[SourceTable]
    ) -> None:
        """Refuse options that the kind does not know, and tables that the contract does not.

        Raises:
            PlatformError: names the first of them.
        """
        for name in self.options:
            if name not in known:
                raise PlatformError(
                    f"{SOURCES_FILE}: {self.name} has {name}, which a source of kind {self.kind} "
                    f"does not know; it knows {', '.join(known)}{near(name, known)}"
                )
        zone = self.option("time_zone", str)
        if zone is not None and zone not in available_timezones():
            raise PlatformError(
                f"{SOURCES_FILE}: {self.name}.time_zone is {zone!r}, expected one like Europe/Paris"
            )
        names = [table.part_name for table in tables]
        for name, stated in self.option("tables", dict, {}).items():
            if name not in names:
                raise PlatformError(
                    f"{SOURCES_FILE}: {self.name}.tables has {name}, which is not in the contract; "
                    f"expected {', '.join(names)}"
                )
            if not isinstance(stated, dict | None):
                raise PlatformError(
                    f"{SOURCES_FILE}: {self.name}.tables.{name} is {stated!r}, expected names and "
                    f"values; it may have {', '.join(of_a_table)}"
                )
            of_contract = [c.name for t in tables if t.part_name == name for c in t.columns]
            for column in (stated or {}).get("columns") or {}:
                if column not in of_contract:
                    raise PlatformError(
                        f"{SOURCES_FILE}: {self.name}.tables.{name}.columns has {column}, which is "
                        f"not in the contract{near(str(column), of_contract)}"
                    )
            if {"query", "table"} <= (stated or {}).keys():
                raise PlatformError(
                    f"{SOURCES_FILE}: {self.name}.tables.{name} has both a query and a table"
                )
            for option in stated or {}:
                if option not in of_a_table:
                    raise PlatformError(
                        f"{SOURCES_FILE}: {self.name}.tables.{name} has {option}; it may have "
                        f"{', '.join(of_a_table)}"
                    )


_NAMES_OF_TYPES = {str: "a text", int: "a number", dict: "names and values", list: "a list"}


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice, the first of which YAML would forget."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping, each key once.

        Raises:
            YAMLError: a key is there twice.
        """
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.YAMLError(f"{twice} is there twice, expected once{node.start_mark}")
        return super().construct_mapping(node, deep)


def sources_file(project_dir: Path) -> Path:
    """The file that says where data comes from: the project's, or another by the environment."""
    named = os.environ.get(VARIABLE)
    return Path(named).absolute() if named else project_dir / SOURCES_FILE


def read_entries(project_dir: Path) -> dict[str, Entry]:
    """The applications by name, in the order of the file.

    Raises:
        PlatformError: the file is missing, or no list of sources.
    """
    path = sources_file(project_dir)
    try:
        document = yaml.load(path.read_bytes(), Loader=_Loader)
    except FileNotFoundError:
        raise PlatformError(
            f"{path} does not exist; it says where the data of each source comes from"
        ) from None
    except yaml.YAMLError as error:
        raise PlatformError(f"{path}: {one_line(str(error))}") from error
    if not isinstance(document, dict) or not document:
        raise PlatformError(f"{path}: expected an entry for each source, like app: {{kind: …}}")
    return {str(name): _entry(path, str(name), stated) for name, stated in document.items()}


def _entry(path: Path, name: str, stated: Any) -> Entry:
    if not (name.isidentifier() and name.isascii() and name == name.lower() and "__" not in name):
        raise PlatformError(
            f"{path}: {name!r} is no name of a source; use lower-case letters, digits and _"
        )
    if name == "platform":
        raise PlatformError(f"{path}: the name platform is the platform's own")
    if not isinstance(stated, dict) or not isinstance(stated.get("kind"), str):
        raise PlatformError(f"{path}: {name} has no kind, expected something like kind: simulated")
    options = {str(key): value for key, value in stated.items()}
    kind, days = options.pop("kind"), options.pop("max_age_days", None)
    loss = options.pop("max_loss", None)
    if days is not None and (not isinstance(days, int) or isinstance(days, bool) or days < 0):
        raise PlatformError(f"{path}: {name}.max_age_days is {days!r}, expected a number of days")
    return Entry(name, kind, options, days, _share(path, name, loss), path.parent)


def _share(path: Path, name: str, stated: Any) -> float | None:
    """A share of rows, stated like 20 %."""
    if stated is None:
        return None
    found = re.fullmatch(r"(\d{1,3}(?:\.\d+)?) ?%", str(stated))
    if found is None or float(found[1]) > 100:
        raise PlatformError(f"{path}: {name}.max_loss is {stated!r}, expected a share like 20 %")
    return float(found[1]) / 100


def chosen_sources(known: Collection[str], asked: Collection[str]) -> tuple[str, ...]:
    """The sources that somebody asks for, each once; all of them where nobody asks.

    Raises:
        UsageError: there is no such source.
    """
    for name in asked:
        if name not in known:
            raise UsageError(
                f"--source: {name!r} is not one of {', '.join(map(repr, known))}, the sources of "
                f"{SOURCES_FILE}"
            )
    return tuple(dict.fromkeys(asked)) or tuple(known)
