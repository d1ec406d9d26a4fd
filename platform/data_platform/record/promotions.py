"""What production's code was when: a row each time that it changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import duckdb

from data_platform.errors import PlatformError
from data_platform.sql import has_table


def promotion_in_force(connection: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """The last change of production's code, None before the first."""
    if not has_table(connection, "ops", "promotions"):
        return None
    row = connection.execute(
        "SELECT promotion_number, action, environment, promoted_at AT TIME ZONE 'UTC' "
        "FROM ops.promotions ORDER BY promotion_number DESC LIMIT 1"
    ).fetchone()
    names = ("promotion_number", "action", "environment", "promoted_at")
    return dict(zip(names, row, strict=True)) if row else None


class Action(StrEnum):
    """How production's code changed."""

    DEPLOYED = "deployed"  # the working tree, by a first run or run --deploy
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    EXTERNAL = "found"  # not by the platform: by SQLMesh's own commands for example


@dataclass(frozen=True)
class Promotion:
    """A change of production's code; `models` are those that it changed, added or removed."""

    number: int
    action: Action
    environment: str
    promoted_at: datetime
    goes_back_to: int | None
    models: tuple[str, ...]

    def __str__(self) -> str:
        what = f"{self.action} {self.environment}".strip()
        return f"promotion {self.number} ({what}, {self.promoted_at:%Y-%m-%d %H:%M} UTC)"


def promotions(connection: duckdb.DuckDBPyConnection) -> list[Promotion]:
    """Every change of production's code, the first one first."""
    if not has_table(connection, "ops", "promotions"):
        return []
    rows = connection.execute(
        "SELECT promotion_number, action, environment, promoted_at AT TIME ZONE 'UTC', "
        "goes_back_to, models FROM ops.promotions ORDER BY promotion_number"
    ).fetchall()
    return [
        Promotion(number, Action(action), environment, at.replace(tzinfo=UTC), back, tuple(models))
        for number, action, environment, at, back, models in rows
    ]


def identifiers(connection: duckdb.DuckDBPyConnection, number: int) -> dict[str, str]:
    """The version of each model after a promotion, by SQLMesh's names."""
    rows = connection.execute(
        "SELECT name, identifier FROM ops.promoted_models WHERE promotion_number = ?", [number]
    ).fetchall()
    return dict(rows)


def last_and_before(known: list[Promotion]) -> tuple[Promotion, Promotion]:
    """The promotion that a rollback undoes, and the one whose code it restores.

    Raises:
        PlatformError: production has the first code that it ever had.
    """
    by_number = {promotion.number: promotion for promotion in known}

    def resolved(number: int) -> int:
        """What a number stands for: a rollback is what it restored."""
        return by_number[number].goes_back_to or number

    last = resolved(known[-1].number) if known else 0
    if last - 1 not in by_number:
        raise PlatformError(
            "there is nothing to roll back: production shows the first code that was ever deployed"
        )
    return by_number[last], by_number[resolved(last - 1)]


def undone_by(
    known: list[Promotion],
    planned_after: int,
    ours: Mapping[str, str],
    theirs: Mapping[str, str],
) -> list[tuple[Promotion, tuple[str, ...]]]:
    """The promotions since an environment was planned that promoting it would undo, and in what.

    Args:
        planned_after: the number of the last promotion before that.
        ours: the versions of the environment's models by short names.
        theirs: those of production's.
    """
    found = []
    for promotion in known:
        if promotion.number <= planned_after:
            continue
        models = tuple(m for m in promotion.models if ours.get(m) != theirs.get(m))
        if models:
            found.append((promotion, models))
    return found


def record_promotion(
    connection: duckdb.DuckDBPyConnection,
    promotion: Promotion,
    load_number: int,
    identifiers: Mapping[str, str],
) -> None:
    """Record a change of production's code.

    Args:
        load_number: the load that production reflected then.
        identifiers: the version of each model since, by its full name.
    """
    connection.execute(
        "INSERT INTO ops.promotions VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
        [
            promotion.number,
            promotion.action,
            promotion.environment,
            promotion.promoted_at,
            load_number,
            promotion.goes_back_to,
            [*promotion.models],
        ],
    )
    connection.execute(
        "INSERT INTO ops.promoted_models SELECT $number, UNNEST($names), UNNEST($identifiers)",
        {
            "number": promotion.number,
            "names": [*identifiers],
            "identifiers": [*identifiers.values()],
        },
    )
