"""What runs computed, in ops.models."""

import duckdb

from data_platform.record.rows import ModelRan
from data_platform.record.tables import RUN_NUMBER, columns
from data_platform.sql import has_table, quoted


def computed_for(
    connection: duckdb.DuckDBPyConnection, environment: str, load_number: int
) -> list[ModelRan]:
    """What was computed of an environment's models so that they reflect a load, in order."""
    if not has_table(connection, "ops", "models"):
        return []
    names = [column.name for column in columns(ModelRan) if column.name != RUN_NUMBER]
    rows = connection.execute(
        f"SELECT {', '.join(map(quoted, names))} FROM ops.models "
        f"WHERE environment = ? AND load_number = ? ORDER BY {RUN_NUMBER}, model_name, first_day",
        [environment, load_number],
    ).fetchall()
    return [ModelRan(**dict(zip(names, row, strict=True))) for row in rows]
