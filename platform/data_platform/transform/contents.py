"""What tables show, in a few numbers, and whether audits of them need to be asked again."""

import hashlib
from collections.abc import Collection

import duckdb

from data_platform.record.audits import passed_audits, record_vouched, recorded_vouched
from data_platform.record.loads import LastLoad
from data_platform.record.rows import Audited
from data_platform.sql import quoted, short_name
from data_platform.transform.model_tables import Tables

# What takes less is asked again: to look whether the tables are the same would take as long.
WORTH_SECONDS = 1.0


class Contents:
    """What the tables of a lakehouse show, each of which is looked at once."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self._shown: dict[str, str] = {}

    def of(self, tables: Tables, name: str) -> str:
        """What a model's table or view shows, in whatever order."""
        table = tables.table(tables.by_name[name])
        if table not in self._shown:
            self._shown[table] = self._look(table)
        return self._shown[table]

    def _look(self, table: str) -> str:
        """Columns, rows, and two sums of hashes; empty where it cannot be read."""
        try:
            described = self._cursor.execute(f"DESCRIBE {table}").fetchall()
            names = [quoted(name) for name, *_ in described]
            one, other = ", ".join(names), ", ".join(reversed(names))
            found = self._cursor.execute(
                f"SELECT COUNT(*), SUM(HASH({one})::HUGEINT), BIT_XOR(HASH('again', {other})) "
                f"FROM {table}"
            ).fetchone()
        except duckdb.Error:  # it is gone, a value breaks it, memory does not suffice
            return ""
        return str((*(tuple(column[:2]) for column in described), *(found or ())))

    def below(self, tables: Tables, name: str) -> str:
        """A digest of what all tables hold that a model and those below it have.

        Empty where one of them cannot be read.
        """
        held = [
            (tables.table(tables.by_name[one]), self.of(tables, one))
            for one in sorted(_below(tables, name, {}))
            if not tables.by_name[one].model.kind.is_view
        ]
        if not all(shown for _, shown in held):
            return ""
        return hashlib.sha256(repr(held).encode()).hexdigest()

    def are_alike(self, before: Tables, after: Tables, name: str, looks: bool = False) -> bool:
        """Whether a model certainly shows the same rows in two sets of tables.

        A table does that holds the same; a view, whose own code is the same and that reads what
        shows the same. To look at these takes a tenth of the time that it takes to look at the
        view.

        Args:
            looks: look at the view all the same, where that does not tell.
        """
        if name not in before.by_name or name not in after.by_name:
            return False
        one, other = before.by_name[name], after.by_name[name]
        if other.model.kind.is_view:
            if _has_same_table(before, after, name):
                # Where one below is another table, what the view read before nobody knows.
                return all(_has_same_table(before, after, n) for n in _below(after, name, {}))
            if one.fingerprint.data_hash == other.fingerprint.data_hash and all(
                self.are_alike(before, after, parent) for parent in sorted(_parents(after, name))
            ):
                return True
            if not looks:
                return False
        return bool(self.of(after, name)) and self.of(before, name) == self.of(after, name)


def _has_same_table(before: Tables, after: Tables, name: str) -> bool:
    return name in before.by_name and before.table(before.by_name[name]) == after.table(
        after.by_name[name]
    )


def _parents(tables: Tables, name: str) -> set[str]:
    return {short_name(one.name) for one in tables.by_name[name].parents} & tables.by_name.keys()


def _below(tables: Tables, name: str, known: dict[str, frozenset[str]]) -> frozenset[str]:
    """A model and all models that it is made of."""
    if name not in known:
        read = [_below(tables, parent, known) for parent in _parents(tables, name)]
        known[name] = frozenset({name}.union(*read))
    return known[name]


def vouch(tables: Tables, names: Collection[str], load: LastLoad) -> None:
    """Record that the audits of some models have read them whole just now, and found nothing.

    With what the tables hold that they and the models below them have. Where the models are in
    another engine than the record, nothing is vouched for.
    """
    evaluation = tables.project.evaluation
    found = {one.model_name for one in evaluation.audits if one.failed}
    names = [name for name in names if name not in found and tables.by_name[name].model.audits]
    seconds = sum(one.seconds or 0 for one in evaluation.audits if one.model_name in names)
    if tables.project.record is not None or seconds < WORTH_SECONDS:
        return
    contents = Contents(tables.project.cursor)
    for name in names:
        version = tables.by_name[name].identifier
        if digest := contents.below(tables, name):
            record_vouched(tables.project.cursor, name, version, load.load_number, digest)


def vouched(tables: Tables, names: Collection[str], load: LastLoad) -> list[Audited]:
    """The results of audits that need not be asked again: all of a model's, which found nothing.

    They were of the same version of a model, over the same load and the same contents of all the
    tables that the model and those below it have.
    """
    known = recorded_vouched(tables.project.cursor, load.load_number)
    versions = {name: tables.by_name[name].identifier for name in names}
    there = {name for name, version in versions.items() if (name, version) in known}
    passed = passed_audits(
        tables.project.cursor, load.load_number, {name: versions[name] for name in there}
    )
    if sum(one.seconds or 0 for audits in passed.values() for one in audits) < WORTH_SECONDS:
        return []
    contents = Contents(tables.project.cursor)
    return [
        audit
        for name, audits in passed.items()
        if len({one.audit for one in audits}) == len(tables.by_name[name].model.audits_with_args)
        and known[name, versions[name]] == contents.below(tables, name)
        for audit in audits
    ]
