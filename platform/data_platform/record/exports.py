"""Export files: which change of production each shows, and what their amounts have to come to."""

from collections.abc import Sequence

import duckdb

from data_platform.sql import has_table


def exported_files(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """The export files in the platform's own folder, and which change of production each shows."""
    if not has_table(connection, "ops", "exports"):
        return {}
    return dict(connection.execute("SELECT file_name, change_number FROM ops.exports").fetchall())


def record_export(connection: duckdb.DuckDBPyConnection, file_name: str, change: int) -> None:
    """Record which change of production an export file shows."""
    forget_export(connection, file_name)
    connection.execute("INSERT INTO ops.exports VALUES (?, ?)", [file_name, change])


def forget_export(connection: duckdb.DuckDBPyConnection, file_name: str) -> None:
    """Forget an export file that is gone."""
    connection.execute("DELETE FROM ops.exports WHERE file_name = ?", [file_name])


def record_control_totals(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[tuple[str, str]]
) -> None:
    """Record which column of which export adds up to the total of the invoices."""
    known = connection.execute("FROM ops.control_totals ORDER BY ALL").fetchall()
    if known != sorted(columns):
        connection.execute("DELETE FROM ops.control_totals")
        for row in columns:
            connection.execute("INSERT INTO ops.control_totals VALUES (?, ?)", [*row])


def control_column(connection: duckdb.DuckDBPyConnection, export: str) -> str | None:
    """The column of an export that adds up to the total of the invoices, None where none does."""
    row = connection.execute(
        "SELECT column_name FROM ops.control_totals WHERE export_name = ?", [export]
    ).fetchone()
    return None if row is None else str(row[0])
