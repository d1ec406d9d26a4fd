"""What tables and views show, in a few numbers: two that are equal show the same rows."""

from collections.abc import Collection

import duckdb

from data_platform.record.audits import passed_audits
from data_platform.record.loads import LastLoad
from data_platform.record.rows import Audited
from data_platform.record.transforms import record_contents, recorded_contents
from data_platform.sql import quoted
from data_platform.transform.model_tables import Tables


def shown(cursor: duckdb.DuckDBPyConnection, table: str) -> str:
    """What a table or view shows, in whatever order: columns, rows, and two sums of hashes."""
    described = cursor.execute(f"DESCRIBE {table}").fetchall()
    names = [quoted(name) for name, *_ in described]
    one, other = ", ".join(names), ", ".join(reversed(names))
    found = cursor.execute(
        f"SELECT COUNT(*), SUM(HASH({one})::HUGEINT), BIT_XOR(HASH('again', {other})) FROM {table}"
    ).fetchone()
    return str((*(tuple(column[:2]) for column in described), *(found or ())))


def remember_contents(tables: Tables, names: Collection[str]) -> None:
    """Record what the tables of some models hold, which audits have just read."""
    if tables.project.record is None:  # elsewhere than in DuckDB nothing is vouched for
        for table in _tables_of(tables, names):
            record_contents(tables.project.cursor, table, shown(tables.project.cursor, table))


def are_unchanged(tables: Tables, names: Collection[str]) -> bool:
    """Whether the tables of some models hold what they held when that was recorded."""
    if tables.project.record is not None:
        return False
    known = recorded_contents(tables.project.cursor)
    return all(
        known.get(table) == shown(tables.project.cursor, table)
        for table in _tables_of(tables, names)
    )


def vouched(tables: Tables, names: Collection[str], load: LastLoad) -> list[Audited]:
    """What the record says of the audits of models whose every audit has found nothing.

    That is of the same version of a model and the same load, in a run that was published, if the
    tables hold what they held then: otherwise nothing is.
    """
    versions = {name: tables.by_name[name].identifier for name in names}
    passed = passed_audits(tables.project.cursor, load.load_number, versions)
    of_all = {
        name: audits
        for name, audits in passed.items()
        if len({one.audit for one in audits}) == len(tables.by_name[name].model.audits_with_args)
    }
    if not of_all or not are_unchanged(tables, names):
        return []
    return [audit for audits in of_all.values() for audit in audits]


def _tables_of(tables: Tables, names: Collection[str]) -> list[str]:
    return [
        tables.table(tables.by_name[name])
        for name in names
        if not tables.by_name[name].model.kind.is_view
    ]
