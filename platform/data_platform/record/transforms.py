"""What production, environments and exports show: which load, which change of production."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import duckdb

from data_platform.errors import PlatformError
from data_platform.record.loads import LastLoad, last_load
from data_platform.sql import has_table


def last_transformed(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The number of the last load that all of production reflected, None if there was none."""
    if not has_table(connection, "ops", "transforms"):
        return None
    row = connection.execute("SELECT MAX(load_number) FROM ops.transforms").fetchone()
    return None if row is None else row[0]


def require_up_to_date(connection: duckdb.DuckDBPyConnection) -> LastLoad:
    """The last load, which all models reflect.

    Raises:
        PlatformError: nothing is loaded, or some model does not reflect it.
    """
    load, transformed = last_load(connection), last_transformed(connection)
    if load is None:
        raise PlatformError("nothing is loaded yet; run: data-platform run")
    if transformed != load.load_number:
        shown = "no load" if transformed is None else f"load {transformed}"
        raise PlatformError(
            f"the models are behind: they reflect {shown}, but load {load.load_number} "
            f"(as of {load.as_of}) is in the lakehouse; run: data-platform transform export"
        )
    return load


def change_number(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of production's last change, 0 where it never changed."""
    if not has_table(connection, "ops", "exports"):
        return 0
    row = connection.execute("SELECT MAX(change_number) FROM ops.transforms").fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def environments(connection: duckdb.DuckDBPyConnection) -> dict[str, datetime | None]:
    """The environments beside production and when each expires, as of the last plan or run."""
    if not has_table(connection, "ops", "environments"):
        return {}
    rows = connection.execute(
        "SELECT environment, expires_at AT TIME ZONE 'UTC' FROM ops.environments ORDER BY ALL"
    ).fetchall()
    return dict(rows)


def recorded_environments_behind(
    connection: duckdb.DuckDBPyConnection,
) -> dict[str, tuple[str, ...]]:
    """The models of each environment beside production that do not reflect the last load."""
    if not has_table(connection, "ops", "environments_behind"):
        return {}
    rows = connection.execute("SELECT environment, models FROM ops.environments_behind").fetchall()
    return {environment: tuple(models) for environment, models in rows}


def record_unknown_tables(connection: duckdb.DuckDBPyConnection, load_number: int) -> None:
    """Record that model tables not yet in ops.model_tables reflect load `load_number`.

    SQLMesh's own commands have built them since that load.
    """
    connection.execute(
        "INSERT INTO ops.model_tables (physical_name, load_number) "
        "SELECT concat_ws('.', table_catalog, table_schema, table_name) AS name, ? "
        "FROM information_schema.tables WHERE table_schema LIKE 'sqlmesh\\_\\_%' ESCAPE '\\' "
        "AND name NOT IN (SELECT physical_name FROM ops.model_tables)",
        [load_number],
    )


def record_environments(
    connection: duckdb.DuckDBPyConnection,
    expiry: Mapping[str, int | None],
    behind: Mapping[str, Sequence[str]],
) -> None:
    """Record the environments beside production as they are now.

    Args:
        expiry: when each expires, in milliseconds since 1970; None where it never does.
        behind: the models of each that do not reflect the last load.
    """
    connection.execute("DELETE FROM ops.environments")
    for name, milliseconds in expiry.items():
        connection.execute(
            "INSERT INTO ops.environments VALUES (?, MAKE_TIMESTAMPTZ(? * 1000))",
            [name, milliseconds],
        )
    connection.execute("DELETE FROM ops.environments_behind")
    for name, models in behind.items():
        connection.execute("INSERT INTO ops.environments_behind VALUES (?, ?)", [name, [*models]])


def record_complete(
    connection: duckdb.DuckDBPyConnection, load_number: int, has_changed: bool
) -> None:
    """Record that all of production reflects a load, and whether it has changed."""
    number = {"number": load_number}
    if has_changed:
        connection.execute(
            "INSERT INTO ops.transforms SELECT $number, NOW(), "
            "(SELECT COALESCE(MAX(change_number), 0) + 1 FROM ops.transforms)",
            number,
        )
        connection.execute(
            "DELETE FROM ops.transforms WHERE load_number = $number "
            "AND change_number < (SELECT MAX(change_number) FROM ops.transforms)",
            number,
        )
    connection.execute(
        "INSERT INTO ops.transforms SELECT $number, NOW(), "
        "(SELECT COALESCE(MAX(change_number), 0) + 1 FROM ops.transforms) "
        "WHERE NOT EXISTS (SELECT 1 FROM ops.transforms WHERE load_number = $number)",
        number,
    )


def record_change(connection: duckdb.DuckDBPyConnection) -> None:
    """Record that production has changed, over the load that it reflects."""
    connection.execute(
        "UPDATE ops.transforms SET change_number = change_number + 1 "
        "WHERE change_number = (SELECT MAX(change_number) FROM ops.transforms)"
    )


def recounted_as_of(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The as-of date of the data whose audits were last read over all of time; None if never."""
    row = connection.execute("SELECT MAX(as_of) FROM ops.recounts").fetchone()
    return None if row is None else row[0]


def record_recount(connection: duckdb.DuckDBPyConnection, load_number: int, as_of: date) -> None:
    """Record that all audits were read over all of time."""
    connection.execute("DELETE FROM ops.recounts")
    connection.execute("INSERT INTO ops.recounts VALUES (?, ?, NOW())", [load_number, as_of])


def forget_dropped_tables(
    connection: duckdb.DuckDBPyConnection, there: Sequence[str] | None = None
) -> None:
    """Forget tables of models that are no longer there.

    Args:
        there: those that are, where another engine has them.
    """
    if there is not None:
        connection.execute(
            "DELETE FROM ops.model_tables WHERE NOT list_contains(?, physical_name)", [[*there]]
        )
        return
    connection.execute(
        "DELETE FROM ops.model_tables WHERE physical_name NOT IN ("
        "SELECT concat_ws('.', database_name, schema_name, table_name) FROM duckdb_tables() "
        "UNION ALL "
        "SELECT concat_ws('.', database_name, schema_name, view_name) FROM duckdb_views())"
    )


def loads_of_tables(
    connection: duckdb.DuckDBPyConnection,
) -> dict[str, tuple[int, str | None]]:
    """(the last load that it includes, its reach) of each model table, by its physical name."""
    rows = connection.execute(
        "SELECT physical_name, load_number, reach FROM ops.model_tables"
    ).fetchall()
    return {name: (number, reach) for name, number, reach in rows}


def record_tables(
    connection: duckdb.DuckDBPyConnection, reaches: Mapping[str, str], load_number: int
) -> None:
    """Record that model tables include a load.

    Args:
        reaches: the tags by which the months of each were chosen, by its physical name.
    """
    connection.execute(
        "DELETE FROM ops.model_tables WHERE list_contains($names, physical_name)",
        {"names": [*reaches]},
    )
    connection.execute(
        "INSERT INTO ops.model_tables (physical_name, load_number, reach) "
        "SELECT UNNEST($names), $number, UNNEST($reaches)",
        {"names": [*reaches], "reaches": [*reaches.values()], "number": load_number},
    )
