"""The code of each version of a model that production ever had, and which plan came after what."""

from collections.abc import Collection

import duckdb


def recorded_versions(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """The versions whose code is kept: (the model's full name, its version's identifier)."""
    return set(connection.execute("SELECT name, identifier FROM ops.model_code").fetchall())


def record_code(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    identifier: str,
    code: str,
    sqlmesh_version: str,
) -> None:
    """Keep the code of a version of a model."""
    connection.execute(
        "INSERT INTO ops.model_code VALUES (?, ?, ?, ?)",
        [name, identifier, code, sqlmesh_version],
    )


def recorded_code(
    connection: duckdb.DuckDBPyConnection, name: str, identifier: str
) -> tuple[str, str | None] | None:
    """(code, the SQLMesh version that wrote it) of a version; None where it is not kept.

    The version of SQLMesh is None in records of before it was kept.
    """
    return connection.execute(
        "SELECT code, sqlmesh_version FROM ops.model_code WHERE name = ? AND identifier = ?",
        [name, identifier],
    ).fetchone()


def record_plan(
    connection: duckdb.DuckDBPyConnection, environment: str, plan_id: str, promotion_number: int
) -> None:
    """Record after which promotion an environment was planned; 0 before the first."""
    connection.execute("DELETE FROM ops.plans WHERE environment = ?", [environment])
    connection.execute(
        "INSERT INTO ops.plans VALUES (?, ?, ?)",
        [environment, plan_id, promotion_number],
    )


def promotion_before_plan(
    connection: duckdb.DuckDBPyConnection, environment: str, plan_id: str
) -> int | None:
    """The promotion after which an environment was planned, None where that is not recorded."""
    row = connection.execute(
        "SELECT promotion_number FROM ops.plans WHERE environment = ? AND plan_id = ?",
        [environment, plan_id],
    ).fetchone()
    return int(row[0]) if row else None


def forget_plans(connection: duckdb.DuckDBPyConnection, environments: Collection[str]) -> None:
    """Forget plans of environments other than these, which are still there."""
    connection.execute(
        "DELETE FROM ops.plans WHERE NOT list_contains(?, environment)", [[*environments]]
    )
