"""Which columns every column is made of: one graph of the project, extracted once and kept.

It is read from the project's code alone, without a lakehouse. The lineage command, plans, diffs,
the linter, OpenLineage events and the documentation all ask this graph.
"""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_platform.errors import UsageError, near
from data_platform.files import cache_folder, replace_text
from data_platform.names import Layer

if TYPE_CHECKING:
    from sqlmesh.core.model import Model

# A mark on a column of a source, as a tag `personal:email`; columns made of it inherit it.
PERSONAL, MONEY = "personal", "money"
# What a model says of a column that is made of personal ones and tells nobody about a person.
ANONYMOUS = "anonymous"
# Whatever decides what SQLMesh makes of the project.
_CODE = (
    *("config.yaml", "external_models.yaml"),
    *("models/**/*.sql", "models/**/*.py", "macros/**/*.py"),
)
_KEPT = 8


@dataclass(frozen=True)
class ModelLineage:
    """A model or a source table: its columns, and what they are made of.

    Columns that others are made of are named like marts.kpi__nps.nps.
    """

    name: str
    kind: str
    owner: str
    description: str
    # The types of the columns, in order.
    types: Mapping[str, str]
    # The columns whose values each column's own values are made of.
    made_of: Mapping[str, tuple[str, ...]]
    # The columns that choose, match or group the rows.
    rows_by: tuple[str, ...]
    # Digests of how each column is computed, whatever it is called, and of how rows are chosen.
    definitions: Mapping[str, str]
    rows: str
    # A digest of all that computes the rows, also of what could not be taken apart.
    code: str
    # The models that are read at all, also for an audit.
    reads: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def layer(self) -> str:
        """The schema that the model belongs to."""
        return self.name.partition(".")[0]

    def tagged(self, mark: str) -> frozenset[str]:
        """The columns that a tag like `personal:email` of the model names."""
        return frozenset(tag.partition(":")[2] for tag in self.tags if tag.startswith(f"{mark}:"))


@dataclass(frozen=True)
class Impact:
    """What depends on a model or a column."""

    # Columns whose values are made of it, and models whose rows are chosen or matched by it.
    columns: tuple[str, ...]
    rows_of: tuple[str, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """The models that would change."""
        return tuple(sorted({model_of(column) for column in self.columns} | {*self.rows_of}))

    @property
    def exports(self) -> tuple[str, ...]:
        """The files for readers that would change, by the names of their models."""
        return tuple(name for name in self.models if name.startswith(f"{Layer.EXPORTS}."))

    def why(self, model: str) -> str:
        """In what a model would change."""
        columns = [column_of(name) for name in self.columns if model_of(name) == model]
        if not columns:
            return "in its rows"
        more = " and in its rows" if model in self.rows_of else ""
        return f"in {', '.join(columns)}{more}"


@dataclass(frozen=True)
class Lineage:
    """The graph of all models and columns, the sources' among them."""

    models: Mapping[str, ModelLineage]
    _inherited: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """The columns that each column is made of, directly."""
        return {
            f"{name}.{column}": model.made_of.get(column, ())
            for name, model in self.models.items()
            for column in model.types
        }

    @cached_property
    def _into(self) -> Mapping[str, tuple[str, ...]]:
        return _turned(self.columns)

    @cached_property
    def _rows_into(self) -> Mapping[str, tuple[str, ...]]:
        return _turned({name: model.rows_by for name, model in self.models.items()})

    @cached_property
    def _read_by(self) -> Mapping[str, tuple[str, ...]]:
        return _turned({name: model.reads for name, model in self.models.items()})

    def check(self, name: str) -> None:
        """Make sure that there is such a model or column.

        Raises:
            UsageError: there is not; near names are told.
        """
        if name in self.models or name in self.columns:
            return
        known = [c for c in self.columns if c.startswith(f"{model_of(name)}.")] or [*self.models]
        raise UsageError(f"there is no model or column {name}{near(name, known)}")

    def upstream(self, name: str) -> list[str]:
        """What a model or column is made of, directly, in order."""
        return sorted(self.models[name].reads if name in self.models else self.columns[name])

    def downstream(self, name: str) -> list[str]:
        """What is made of a model or column, directly, in order."""
        return sorted((self._read_by if name in self.models else self._into).get(name, ()))

    def reach(self, name: str, direction: Callable[[str], Iterable[str]]) -> list[str]:
        """All that lies upstream or downstream of a model or column, itself first."""
        found, grow = {name: None}, [name]
        while grow:
            for other in direction(grow.pop(0)):
                if other not in found:
                    found[other] = None
                    grow.append(other)
        return list(found)

    def impact(self, names: Iterable[str], rows_of: Iterable[str] = ()) -> Impact:
        """What would change if the values of these columns, or models' rows, did; they apart.

        A model is all of its columns and its rows. A change of rows, and a change of a column that
        chooses rows, reaches whatever reads the model.
        """
        started = {c for name in names for c in self._columns_of(name)}
        columns, models = set(started), set()
        todo = [*columns]
        todo_rows = [*rows_of, *(name for name in names if name in self.models)]
        while todo or todo_rows:
            while todo:
                column = todo.pop()
                todo_rows += self._rows_into.get(column, ())
                todo += [c for c in self._into.get(column, ()) if c not in columns]
                columns.update(self._into.get(column, ()))
            if todo_rows:
                model = todo_rows.pop()
                if model not in models:
                    models.add(model)
                    todo_rows += self._read_by.get(model, ())
        given = {*rows_of, *names}
        return Impact(tuple(sorted(columns - started)), tuple(sorted(models - given)))

    def _columns_of(self, name: str) -> list[str]:
        if name in self.models:
            return [f"{name}.{column}" for column in self.models[name].types]
        return [name]

    def marked(self, mark: str) -> frozenset[str]:
        """The columns with a mark, by their own tag or inherited from what they are made of."""
        if mark not in self._inherited:
            found: set[str] = set()
            for name, model in self.models.items():
                found.update(f"{name}.{column}" for column in model.tagged(mark))
            stopped = {
                f"{name}.{column}"
                for name, model in self.models.items()
                for column in (model.tagged(ANONYMOUS) if mark == PERSONAL else ())
            }
            grow = [*found]
            while grow:
                for child in self._into.get(grow.pop(), ()):
                    if child not in found and child not in stopped:
                        found.add(child)
                        grow.append(child)
            self._inherited[mark] = frozenset(found)
        return self._inherited[mark]

    def personal(self, model: str) -> frozenset[str]:
        """The personal columns of a model, by their own names."""
        return frozenset(
            column for column in self._types(model) if f"{model}.{column}" in self.marked(PERSONAL)
        )

    def money(self, model: str) -> frozenset[str]:
        """The columns of a model that hold amounts of money: numbers, or an export's text."""
        return frozenset(
            column
            for column, type_ in self._types(model).items()
            if f"{model}.{column}" in self.marked(MONEY)
            and (type_.startswith("DECIMAL") or model.startswith(f"{Layer.EXPORTS}."))
        )

    def _types(self, model: str) -> Mapping[str, str]:
        return self.models[model].types if model in self.models else {}


def model_of(column: str) -> str:
    """The model of a column that is named with it; a column's own name may hold dots."""
    return ".".join(column.split(".")[:2])


def column_of(column: str) -> str:
    """A column's own name."""
    return column.split(".", 2)[2]


def _turned(edges: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for child, parents in edges.items():
        for parent in parents:
            if parent != child:
                found[parent].append(child)
    return {parent: tuple(children) for parent, children in found.items()}


def read_lineage(project_dir: Path) -> Lineage:
    """The lineage of a project's working tree.

    What was extracted once is kept beside SQLMesh's own caches, under a digest of everything that
    it was extracted from, so that it cannot be out of date.

    Raises:
        PlatformError: SQLMesh cannot load the project.
    """
    folder = cache_folder(project_dir) / "lineage"
    kept = folder / f"{_digest(project_dir)}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        return Lineage({m["name"]: _from_json(m) for m in json.loads(kept.read_bytes())})
    from data_platform.project import read_project

    with read_project(project_dir) as context:
        lineage = lineage_of(context.models.values(), context.default_catalog)
    with suppress(OSError):  # a project that cannot be written to is read every time
        text = json.dumps([asdict(model) for model in lineage.models.values()])
        replace_text(kept, text)
        for old in sorted(folder.iterdir(), key=lambda path: -path.stat().st_mtime)[_KEPT:]:
            old.unlink(missing_ok=True)
    return lineage


def _from_json(kept: dict[str, Any]) -> ModelLineage:
    lists = {name: tuple(kept[name]) for name in ("rows_by", "reads", "tags")}
    made_of = {column: tuple(of) for column, of in kept["made_of"].items()}
    return ModelLineage(**{**kept, **lists, "made_of": made_of})


def _digest(project_dir: Path) -> str:
    """A digest of the project's code, and of the programs that read it."""
    digest = hashlib.sha256(version("sqlmesh").encode())
    folder = Path(__file__).parent
    programs = [folder / name for name in ("lineage.py", "columns.py")]
    code = sorted(path for pattern in _CODE for path in project_dir.glob(pattern))
    for path in [*programs, *code, project_dir / "config.py", project_dir / ".env"]:
        if path.is_file():
            name = os.path.relpath(path, project_dir) if path in code else path.name
            content = path.read_bytes()
            digest.update(f"\0{name}\0{len(content)}\0".encode() + content)
    # A variable may decide as well.
    for name in sorted(name for name in os.environ if name.startswith("SQLMESH__")):
        digest.update(f"\0{name}={os.environ[name]}".encode())
    return digest.hexdigest()


def lineage_of(models: Iterable["Model"], catalog: str | None) -> Lineage:
    """The lineage of SQLMesh models; `catalog` is that of names without one.

    What is the same in production and in the working tree is extracted once a process.
    """
    from data_platform.columns import extract

    found: dict[str, ModelLineage] = {}
    models = list(models)
    columns_of = {
        ".".join(part.strip('"') for part in model.fqn.split(".")[-2:]): tuple(
            model.columns_to_types or ()
        )
        for model in models
    }
    for model in models:
        read = str(model.mapping_schema) if model.is_sql else str(sorted(columns_of.items()))
        key = (catalog, model.fqn, model.data_hash, model.metadata_hash, read)
        if key not in _EXTRACTED:
            _EXTRACTED[key] = extract(model, catalog, columns_of)
        found[_EXTRACTED[key].name] = _EXTRACTED[key]
    return Lineage(found)


_EXTRACTED: dict[tuple[str | None, ...], ModelLineage] = {}
