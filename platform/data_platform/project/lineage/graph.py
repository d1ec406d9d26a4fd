"""The graph of lineage: which columns every column is made of, and which choose a model's rows."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from data_platform.errors import UsageError, near
from data_platform.names import Layer

# A mark on a column of a source, as a tag `personal:email`; columns made of it inherit it.
PERSONAL, MONEY = "personal", "money"


# What a model says of a column that is made of personal ones and tells nobody about a person.
ANONYMOUS = "anonymous"


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
    # How each column is computed, step by step, the last step first: `column = SQL`.
    steps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # How rows are joined, filtered and grouped.
    conditions: tuple[str, ...] = ()

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

    @property
    def charts(self) -> tuple[str, ...]:
        """The charts of the report that would change, by the names of their models."""
        return tuple(name for name in self.models if name.startswith(f"{Layer.REPORT}."))

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


def lineage_as_json(lineage: Lineage) -> list[dict[str, Any]]:
    """The graph, as JSON keeps it."""
    return [asdict(model) for model in lineage.models.values()]


def lineage_from_json(kept: Iterable[Mapping[str, Any]]) -> Lineage:
    """The graph that JSON kept."""
    models = {}
    for model in kept:
        lists = {name: tuple(model[name]) for name in ("rows_by", "reads", "tags", "conditions")}
        by_column = {
            name: {column: tuple(of) for column, of in model[name].items()}
            for name in ("made_of", "steps")
        }
        models[model["name"]] = ModelLineage(**{**model, **lists, **by_column})
    return Lineage(models)
