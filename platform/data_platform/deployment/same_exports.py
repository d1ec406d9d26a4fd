"""Exports whose code has changed, and which show what they showed: their files stay as they are."""

from collections.abc import Iterable

import duckdb

from data_platform.names import Layer
from data_platform.project.context import Project
from data_platform.sql import quoted
from data_platform.transform.model_tables import Tables


def exports_alike(
    project: Project, before: Tables | None, after: Tables | None, names: Iterable[str]
) -> set[str]:
    """Those of some models that are exports, were before, and show the same rows.

    To look takes a tenth of the time that it takes to write the file. Elsewhere than in DuckDB
    nothing is looked at.
    """
    if before is None or after is None or project.record is not None:
        return set()
    return {
        name
        for name in names
        if name.startswith(f"{Layer.EXPORTS}.")
        and name in before.by_name
        and name in after.by_name
        and _shown(project.cursor, before.table(before.by_name[name]))
        == _shown(project.cursor, after.table(after.by_name[name]))
    }


def _shown(cursor: duckdb.DuckDBPyConnection, table: str) -> tuple[object, ...]:
    """What a table or view shows, in whatever order: columns, number of rows, two sums of hashes.

    The order of an export's file follows from its rows.
    """
    described = cursor.execute(f"DESCRIBE {table}").fetchall()
    names = [quoted(name) for name, *_ in described]
    one, other = ", ".join(names), ", ".join(reversed(names))
    found = cursor.execute(
        f"SELECT COUNT(*), SUM(HASH({one})::HUGEINT), BIT_XOR(HASH('again', {other})) FROM {table}"
    ).fetchone()
    return (*(tuple(column[:2]) for column in described), *(found or ()))
