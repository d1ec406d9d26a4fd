"""What tables show, in a few numbers, and whether audits of them need to be asked again."""

import hashlib
from collections.abc import Callable, Collection
from functools import cache

import duckdb

from data_platform.project.evaluation import short_name
from data_platform.record.audits import passed_audits, record_vouched, recorded_vouched
from data_platform.record.loads import LastLoad
from data_platform.record.rows import Audited
from data_platform.sql import quoted
from data_platform.transform.model_tables import Tables

# What takes less is asked again: to look whether the tables are the same would take as long.
WORTH_SECONDS = 1.0


def shown(cursor: duckdb.DuckDBPyConnection, table: str) -> str:
    """What a table or view shows, in whatever order: columns, rows, and two sums of hashes."""
    described = cursor.execute(f"DESCRIBE {table}").fetchall()
    names = [quoted(name) for name, *_ in described]
    one, other = ", ".join(names), ", ".join(reversed(names))
    found = cursor.execute(
        f"SELECT COUNT(*), SUM(HASH({one})::HUGEINT), BIT_XOR(HASH('again', {other})) FROM {table}"
    ).fetchone()
    return str((*(tuple(column[:2]) for column in described), *(found or ())))


def vouch(tables: Tables, names: Collection[str], load: LastLoad) -> None:
    """Record that the audits of some models have read them whole just now, and found nothing.

    With what the tables hold that they and the models below them have. Elsewhere than in DuckDB
    nothing is vouched for.
    """
    evaluation = tables.project.evaluation
    found = {one.model_name for one in evaluation.audits if one.failed}
    names = [name for name in names if name not in found and tables.by_name[name].model.audits]
    seconds = sum(one.seconds or 0 for one in evaluation.audits if one.model_name in names)
    if tables.project.record is not None or seconds < WORTH_SECONDS:
        return
    contents = _contents_of(tables)
    for name in names:
        version = tables.by_name[name].identifier
        record_vouched(tables.project.cursor, name, version, load.load_number, contents(name))


def vouched(tables: Tables, names: Collection[str], load: LastLoad) -> list[Audited]:
    """The results of audits that need not be asked again: all of a model's, which found nothing.

    They were of the same version of a model, over the same load and the same contents of all the
    tables that the model and those below it have.
    """
    versions = {name: tables.by_name[name].identifier for name in names}
    known = recorded_vouched(tables.project.cursor, load.load_number)
    there = {name for name, version in versions.items() if (name, version) in known}
    passed = passed_audits(
        tables.project.cursor, load.load_number, {name: versions[name] for name in there}
    )
    if sum(one.seconds or 0 for audits in passed.values() for one in audits) < WORTH_SECONDS:
        return []
    contents = _contents_of(tables)
    return [
        audit
        for name, audits in passed.items()
        if len({one.audit for one in audits}) == len(tables.by_name[name].model.audits_with_args)
        and known[name, versions[name]] == contents(name)
        for audit in audits
    ]


def _contents_of(tables: Tables) -> Callable[[str], str]:
    """Of a model: a digest of what all tables hold that it and the models below it have."""

    @cache
    def of_table(name: str) -> str:
        return shown(tables.project.cursor, tables.table(tables.by_name[name]))

    @cache
    def below(name: str) -> frozenset[str]:
        parents = {short_name(one.name) for one in tables.by_name[name].parents}
        read = [below(parent) for parent in parents & tables.by_name.keys()]
        return frozenset({name}.union(*read))

    def contents(name: str) -> str:
        held = [
            (tables.table(tables.by_name[one]), of_table(one))
            for one in sorted(below(name))
            if not tables.by_name[one].model.kind.is_view
        ]
        return hashlib.sha256(repr(held).encode()).hexdigest()

    return contents
