"""The format of what the platform keeps in a lakehouse, and its upgrades from older ones."""

import duckdb

from data_platform.errors import NewerError
from data_platform.record.tables import ddl
from data_platform.sql import has_table, transaction

# What this program writes down in a lakehouse, and how; a newer number is a newer program's.
FORMAT = 11
# What format 1 holds otherwise; without it the next load and transform compute everything again.
_FORGET = "".join(
    f"DROP TABLE IF EXISTS ops.{table};"
    for table in ("format", "loads", "model_versions", "standing_warnings", "transforms")
)


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what the platform keeps in the lakehouse, where it is missing or of an older format.

    Raises:
        PlatformError: a newer version of the program wrote the lakehouse.
    """
    found = _format(connection)
    if found == FORMAT:
        return
    with transaction(connection):
        if found == 1:
            connection.execute(_FORGET)
        if found < 5:  # it told times, not numbers
            connection.execute("DROP TABLE IF EXISTS ops.plans")
        connection.execute("CREATE SCHEMA IF NOT EXISTS sources; CREATE SCHEMA IF NOT EXISTS ops;")
        connection.execute(ddl())
        connection.execute("DELETE FROM ops.format")
        connection.execute("INSERT INTO ops.format VALUES (?)", [FORMAT])


def _format(connection: duckdb.DuckDBPyConnection) -> int:
    """The format of what the platform keeps in the lakehouse, 0 where it keeps nothing yet."""
    if has_table(connection, "ops", "format"):
        row = connection.execute("SELECT MAX(number) FROM ops.format").fetchone()
        found = row[0] if row and row[0] is not None else 1
    else:
        found = 1 if has_table(connection, "ops", "loads") else 0
    if found > FORMAT:
        raise NewerError(
            f"the lakehouse was written by a newer version of the platform: it has format {found}, "
            f"this version knows {FORMAT}; update the project, or choose another --data-dir"
        )
    return int(found)
