"""What differs between two states of the models' code: production's and the working tree's."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from data_platform.project.lineage.graph import Impact, Lineage, ModelLineage
from data_platform.transform.environments import How


@dataclass(frozen=True)
class ModelChange:
    """How one model differs; `category` is SQLMesh's word for it, empty where it has none."""

    model: str
    how: How
    category: str
    why: tuple[str, ...]
    # Columns whose values may differ; all of them where other rows are chosen.
    columns: tuple[str, ...]
    # Whether a table has to be computed for it, and how many rows production's table has.
    is_computed: bool
    rows: int | None
    # Whether other tags choose its months, all of which are computed again once it is promoted.
    is_retagged: bool = False


@dataclass(frozen=True)
class CodeChanges:
    """How the code of all models differs from production's, and whom that reaches."""

    changes: tuple[ModelChange, ...] = ()
    impact: Impact = field(default_factory=lambda: Impact((), ()))

    @property
    def own(self) -> tuple[ModelChange, ...]:
        """The models that somebody has edited, added or removed."""
        return tuple(change for change in self.changes if change.how is not How.INDIRECTLY_MODIFIED)


def compare(
    before: Lineage,
    after: Lineage,
    differing: Mapping[str, How],
    categories: Mapping[str, str],
    missing: Collection[str] = (),
    rows: Mapping[str, int] = MappingProxyType({}),
    retagged: Collection[str] = (),
) -> CodeChanges:
    """Tell two states of the code apart.

    Args:
        differing: the models that differ, and how, by SQLMesh's fingerprints.
        categories: SQLMesh's category of each change.
        missing: the models that have to be computed, views apart.
        rows: how many rows the tables of production's models have.
        retagged: the models whose months are chosen by other tags than before.
    """
    touched: list[str] = []
    rows_of: list[str] = []
    gone: list[str] = []
    own: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for name, how in differing.items():
        if how is How.ADDED:
            own[name] = (("a new model",), tuple(after.models[name].types))
            touched.append(name)
        elif how is How.REMOVED:
            own[name] = (("the model is gone",), tuple(before.models[name].types))
            gone.append(name)
        elif how is How.CHANGED:
            old, new = before.models[name], after.models[name]
            reasons, columns, is_in_rows = _differences(old, new)
            own[name] = (reasons, tuple(new.types) if is_in_rows else columns)
            touched += [f"{name}.{column}" for column in columns if column in new.types]
            gone += [f"{name}.{column}" for column in columns if column in old.types]
            rows_of += [name] if is_in_rows else []
    reached = after.impact(touched, rows_of)
    lost = before.impact(gone)
    impact = Impact(
        tuple(sorted({*reached.columns, *lost.columns})),
        tuple(sorted({*reached.rows_of, *lost.rows_of})),
    )
    changes = []
    for name in sorted(
        differing, key=lambda name: (differing[name] is How.INDIRECTLY_MODIFIED, name)
    ):
        why, columns = own.get(name, ((), ()))
        if name in after.models:
            model = after.models[name]
            read = [parent for parent in model.reads if parent in differing]
            if read and differing[name] is not How.ADDED:
                too = ", which changed too" if why else ""
                why = (*why, f"reads {', '.join(read)}{too}")
            if differing[name] is How.METADATA_ONLY and name not in retagged:
                why = ("its description or audits changed, not what it computes", *why)
            made_of_it = (c for c in model.types if f"{name}.{c}" in impact.columns)
            columns = (*columns, *(column for column in made_of_it if column not in columns))
        if name in retagged:
            why = (*why, "other tags choose its months: once promoted, all are computed again")
        changes.append(
            ModelChange(
                model=name,
                how=differing[name],
                category=categories.get(name, ""),
                why=why,
                columns=columns,
                is_computed=name in missing,
                rows=rows.get(name),
                is_retagged=name in retagged,
            )
        )
    return CodeChanges(tuple(changes), impact)


def _differences(
    old: ModelLineage, new: ModelLineage
) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Why two versions of a model differ, the columns in which they do, and whether in rows."""
    gone = [column for column in old.types if column not in new.types]
    fresh = [column for column in new.types if column not in old.types]
    renamed = renamed_columns(old, new)
    reasons = [f"{before} is now called {after}" for before, after in renamed.items()]
    reasons += [f"{column} is gone" for column in gone if column not in renamed]
    reasons += [f"{column} is new" for column in fresh if column not in renamed.values()]
    columns = [*gone, *fresh]
    for column in (name for name in new.types if name in old.types):
        if old.types[column] != new.types[column]:
            reasons.append(f"{column} is {new.types[column]}, was {old.types[column]}")
            columns.append(column)
        elif old.definitions.get(column) != new.definitions.get(column):
            reasons.append(f"{column} is computed differently")
            columns.append(column)
    is_in_rows = old.rows != new.rows
    if is_in_rows:
        reasons.append("its rows are chosen, matched or grouped differently")
    if not reasons and old.code != new.code:
        return ("its code, in a way that cannot be read: any value may differ",), (), True
    if not reasons:
        reasons.append("how it is stored or audited, not what it computes")
    return tuple(reasons), tuple(sorted(columns)), is_in_rows


def renamed_columns(old: ModelLineage, new: ModelLineage) -> dict[str, str]:
    """Columns that are computed as before under another name: the old names and the new ones."""
    left = [column for column in new.types if column not in old.types]
    found: dict[str, str] = {}
    for before in (column for column in old.types if column not in new.types):
        for after in left:
            if old.definitions.get(before) == new.definitions.get(after):
                found[before] = after
                left.remove(after)
                break
    return found
