"""What an environment shows that production does not: schemas, rows, values, totals of money.

SQLMesh's comparison of rows writes to the lakehouse, joins keys
glued to text, rounds to three places and stumbles over a grain that is not unique, as that of an
export is where two people share a name. Rows are compared here: exactly, and in sets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlglot import exp
from sqlmesh.core.snapshot import Snapshot

from data_platform.deployment.code_changes import renamed_columns
from data_platform.deployment.row_comparison import Pair, Sample, compare_rows, types_of
from data_platform.errors import PlatformError, UsageError, near
from data_platform.lakehouse.limits import within_memory
from data_platform.names import PROD
from data_platform.project.context import Project
from data_platform.project.lineage.graph import ModelLineage
from data_platform.record.loads import LastLoad
from data_platform.record.standing_warnings import Beside, warnings_beside
from data_platform.result import counted
from data_platform.sql import quoted
from data_platform.transform.environments import (
    How,
    differing,
    environments_behind,
    find_environment,
    own_tables,
    tables_of,
)
from data_platform.transform.model_tables import Tables
from data_platform.transform.production import Production
from data_platform.transform.readers import place_shown


@dataclass(frozen=True)
class ModelDiff:
    """How a model's data differ between production and an environment; None where it is absent."""

    model: str
    rows: tuple[int | None, int | None]
    columns_added: Mapping[str, str] = field(default_factory=dict)
    columns_removed: Mapping[str, str] = field(default_factory=dict)
    # Production's name of a column, and the environment's for what is computed as before.
    columns_renamed: Mapping[str, str] = field(default_factory=dict)
    columns_retyped: Mapping[str, Pair] = field(default_factory=dict)
    rows_only: tuple[int, int] = (0, 0)
    # Rows with the same key that differ, in all and by column.
    rows_changed: int = 0
    changed_by_column: Mapping[str, int] = field(default_factory=dict)
    # The sum of each column that holds amounts of money, by the environment's name of it.
    totals: Mapping[str, Pair] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()

    @property
    def differs_in_schema(self) -> bool:
        """Whether the columns differ, in name or type."""
        return any(
            (
                self.columns_added,
                self.columns_removed,
                self.columns_renamed,
                self.columns_retyped,
                None in self.rows,
            )
        )

    @property
    def differs_in_rows(self) -> bool:
        """Whether any value or row differs."""
        return bool(self.rows_changed or any(self.rows_only))

    @property
    def differs(self) -> bool:
        """Whether anything differs that a reader could notice."""
        return self.differs_in_schema or self.differs_in_rows

    @property
    def totals_that_differ(self) -> Mapping[str, Pair]:
        """The totals that are not what production's are, where both have one."""
        return {
            name: pair
            for name, pair in self.totals.items()
            if None not in self.rows and pair[0] is not None and pair[0] != pair[1]
        }


@dataclass(frozen=True)
class Diff:
    """How an environment differs from production."""

    environment: str
    # The models with tables or views of their own, those that differ and those that do not.
    models: tuple[ModelDiff, ...]
    # Models that do not show the last load: what differs may be data, not code.
    behind: tuple[str, ...]
    # Models whose code in the working tree is another one by now.
    not_planned: tuple[str, ...] = ()
    warnings: tuple[Beside, ...] = ()

    @property
    def differing(self) -> tuple[ModelDiff, ...]:
        """The models that differ in their schema or their rows."""
        return tuple(model for model in self.models if model.differs)

    @property
    def totals_differ(self) -> bool:
        """Whether a total of money is not what it is in production."""
        return any(model.totals_that_differ for model in self.models)

    @property
    def verdict(self) -> str:
        """The result in one line."""
        if not self.models:
            return f"{self.environment} shows what production shows: no model has code of its own"
        count = len(self.differing)
        same = len(self.models) - count
        models = f"{counted(count, 'model')} differ{'s' if count == 1 else ''}"
        models = models if count else "no model differs"
        others = f"{same} more" if count else str(same)
        more = f" ({others} with new code and the same rows)" if same else ""
        moved = [
            f"{model.model}.{column} {_money(before)} → {_money(after)}"
            for model in self.models
            for column, (before, after) in model.totals_that_differ.items()
        ]
        if not any(model.totals for model in self.models):
            total = "no model with amounts among them"
        elif moved:
            total = f"turnover total changed: {'; '.join(moved)}"
        else:
            total = "turnover total unchanged"
        return f"{models}{more}, {total}"

    def fails_on(self, names: Sequence[str]) -> list[str]:
        """Which of some models, or `total`, changed."""
        changed = {model.model for model in self.differing}
        return [n for n in names if n in changed or (n == TOTAL and self.totals_differ)]


TOTAL = "total"


def _money(amount: Decimal | None) -> str:
    return "none" if amount is None else f"{amount:,}"


def diff(
    project: Project,
    environment: str,
    load: LastLoad,
    models: Sequence[str] = (),
    also_known: Sequence[str] = (),
    show_personal: bool = False,
) -> Diff:
    """Compare an environment with production, model by model.

    Args:
        project: open on a lakehouse that nobody else writes to meanwhile.
        models: compare only these.
        also_known: other names that have to be models.
        show_personal: show personal columns in samples as they are.

    Raises:
        UsageError: there is no such environment or model, or the environment is production.
        PlatformError: the environment has expired, or production was never built.
    """
    found = find_environment(project, environment)
    theirs, ours = Production(project).tables, tables_of(project, found.name)
    if theirs is None or ours is None:
        raise PlatformError("production was never built; run: data-platform run")
    for name in (*models, *also_known):
        if name not in ours.by_name and name not in theirs.by_name:
            known = [*ours.by_name, *theirs.by_name]
            raise UsageError(f"there is no model {name}{near(name, known)}")
    names = sorted(own_tables(ours, theirs) | (theirs.by_name.keys() - ours.by_name.keys()))
    names = [name for name in names if not models or name in models]
    compared = []
    for name in names:
        comparison = _Comparison(project, name, theirs, ours, found.name, show_personal)
        compared.append(within_memory(project.cursor, comparison.run))
    edited = differing(ours, project.context.snapshots.values())
    return Diff(
        found.name,
        tuple(compared),
        environments_behind(project, theirs, load).get(found.name, ()),
        tuple(sorted(name for name, how in edited.items() if how is not How.INDIRECTLY_MODIFIED)),
        warnings_beside(
            project.cursor,
            found.name,
            {n: ours.by_name[n].identifier if n in ours.by_name else None for n in names},
        ),
    )


@dataclass(frozen=True)
class _Comparison:
    """One model on both sides."""

    project: Project
    name: str
    theirs: Tables
    ours: Tables
    environment: str
    show_personal: bool

    def run(self) -> ModelDiff:
        before, after = (t.by_name.get(self.name) for t in (self.theirs, self.ours))
        sides = [
            None if snapshot is None else self._count(place)
            for place, snapshot in zip(self._places, (before, after), strict=True)
        ]
        rows = (sides[0], sides[1])
        if before is None or after is None:
            totals = {
                column: tuple(
                    None if snapshot is None else self._total(tables, place, column)
                    for tables, place, snapshot in zip(
                        (self.theirs, self.ours), self._places, (before, after), strict=True
                    )
                )
                for column in sorted(self._lineage_of(before, after)[0].money(self.name))
            }
            return ModelDiff(self.name, rows, totals=totals)  # type: ignore[arg-type]
        return self._compare(before, after, rows)

    def _lineage_of(self, before: Snapshot | None, after: Snapshot | None) -> tuple[Any, Any]:
        sides = [t.lineage for t, s in ((self.theirs, before), (self.ours, after)) if s is not None]
        return sides[0], sides[-1]

    def _compare(
        self, before: Snapshot, after: Snapshot, rows: tuple[int | None, int | None]
    ) -> ModelDiff:
        one, other, cursor = self.theirs.lineage, self.ours.lineage, self.project.cursor
        old, new = one.models[self.name], other.models[self.name]
        were, are = (
            {name: type_.sql(dialect="duckdb") for name, type_ in types_of(cursor, place).items()}
            for place in self._places
        )
        added = {name: type_ for name, type_ in are.items() if name not in were}
        removed = {name: type_ for name, type_ in were.items() if name not in are}
        renamed = {
            here: there
            for here, there in renamed_columns(old, new).items()
            if here in removed and there in added
        }
        pairs = {**{c: c for c in old.types if c not in removed}, **renamed}
        totals = {
            there: (
                self._total(self.theirs, self._places[0], here),
                self._total(self.ours, self._places[1], there),
            )
            for here, there in pairs.items()
            if here in one.money(self.name) and there in other.money(self.name)
        }
        keys = _keys(before, after, old, pairs)
        personal = one.personal(self.name) | other.personal(self.name)
        compared = compare_rows(
            cursor,
            self._places,
            keys,
            {here: there for here, there in pairs.items() if here not in keys},
            ("only in production", f"only in {self.environment}"),
            frozenset() if self.show_personal else personal,
        )
        return ModelDiff(
            self.name,
            rows,
            {name: type_ for name, type_ in added.items() if name not in renamed.values()},
            {name: type_ for name, type_ in removed.items() if name not in renamed},
            renamed,
            {n: (were[n], are[n]) for n in are if n in were and were[n] != are[n]},
            totals=totals,
            **compared,
        )

    @property
    def _places(self) -> tuple[str, str]:
        """Where readers find production's, and the environment's."""
        return place_shown(self.name, PROD), place_shown(self.name, self.environment)

    def _count(self, table: str) -> int:
        (count,) = self.project.cursor.execute(f"SELECT COUNT(*) FROM {table}").fetchone() or (0,)
        return int(count)

    def _total(self, tables: Tables, place: str, column: str) -> Decimal | None:
        amount = quoted(column)
        if tables.lineage.models[self.name].types[column] == "TEXT":  # as a French reader sees it
            amount = f"CAST(REPLACE(NULLIF({amount}, ''), ',', '.') AS DECIMAL(38, 2))"
        sql = f"SELECT SUM({amount}) FROM {place}"
        row = self.project.cursor.execute(sql).fetchone()
        return row[0] if row else None


def _keys(
    before: Snapshot, after: Snapshot, old: ModelLineage, pairs: Mapping[str, str]
) -> dict[str, str]:
    """The grain, by production's and the environment's names; all columns where it changed."""
    there, here = (
        [column.name for grain in snapshot.model.grains for column in grain.find_all(exp.Column)]
        for snapshot in (after, before)
    )
    if all("has_one_row" in dict(snapshot.model.audits) for snapshot in (before, after)):
        return {}  # the one row is compared with the one row
    if here and all(name in pairs for name in here) and [pairs[n] for n in here] == there:
        return {name: pairs[name] for name in here}
    return dict(pairs)
