"""The load step: from the extracts to raw tables, after the contract has been checked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType

import duckdb

from data_platform.errors import PlatformError
from data_platform.ingest.anomalies import anomalies
from data_platform.ingest.companies import refuse_mixtures, refuse_other_company
from data_platform.ingest.kept_tables import update_kept_tables
from data_platform.ingest.manifest import (
    read_manifest,
    refuse_other_batch,
    whole_batch,
)
from data_platform.ingest.raw_tables import Difference, differ, update_table
from data_platform.ingest.schema_changes import SchemaChange, migrate, schema_change
from data_platform.ingest.verification import refuse_unlisted, verify_file
from data_platform.lakehouse.connection import writing
from data_platform.names import EXTRACTS
from data_platform.record.loaded_files import loaded_files, record_files
from data_platform.record.loads import (
    Batch,
    Change,
    LoadedTable,
    last_load,
    loaded_tables,
    record_load,
    record_schema_changes,
)
from data_platform.record.rows import Audited, FailedAudit
from data_platform.record.schema import prepare
from data_platform.record.standing_warnings import renew_warnings, standing_warnings
from data_platform.record.transforms import record_unknown_tables
from data_platform.result import counted
from data_platform.settings import SOURCES_FILE, Settings
from data_platform.sources.contract import SourceTable
from data_platform.sources.contract_file import read_contract
from data_platform.sources.entries import Entry, chosen_sources, read_entries
from data_platform.sql import has_table, transaction


@dataclass(frozen=True)
class Loaded:
    """What a load did; where nothing changed, the lakehouse held the batch already."""

    batch: Batch
    sources: tuple[str, ...]
    load_number: int
    rows: int
    changes: tuple[Change, ...]
    changed: bool
    # How raw tables have followed the contract, and the later day that the lakehouse showed before.
    schema_changes: tuple[SchemaChange, ...]
    back_from: date | None
    # What it found strange, and what stands of that from earlier loads.
    audits: tuple[Audited, ...]
    warnings: tuple[FailedAudit, ...]
    # Those of them that no earlier load has found as they are.
    new_warnings: tuple[FailedAudit, ...]

    @property
    def rows_changed(self) -> int:
        """How many rows came or went."""
        return sum(change.added + change.removed for change in self.changes)

    @property
    def summary(self) -> str:
        """How many rows came and went, in a few words."""
        if not self.changed:
            return f"nothing changed since load {self.load_number}"
        added = sum(change.added for change in self.changes)
        removed = sum(change.removed for change in self.changes)
        return f"load {self.load_number}, {counted(added, 'row')} new, {removed:,} gone"


def load(
    settings: Settings,
    sources: Sequence[str] = (),
    accepts_new_columns: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    starts_over: bool = False,
    asked: Mapping[str, object] = MappingProxyType({}),
) -> Loaded:
    """Load sources (all of them by default) from the extracts, in one transaction.

    Only rows that differ from what the lakehouse holds are touched, and what changed is written
    down in `ops.loads` for the transforms to come.

    Args:
        accepts_new_columns: columns that the contract does not know are left out, not refused.
        progress: called with (tables done, tables in all).
        asked: the as_of, random_seed or scale that the extracts have to have.
        starts_over: forget what only the lakehouse knows, the logs of what tables ever showed; so
            it may become another company's.

    Raises:
        PlatformError: the extracts break the contract, would mix batches or are another company's,
            or a newer version of the program wrote the lakehouse; nothing was changed.
    """
    contract = read_contract(settings.project_dir)
    manifest = read_manifest(settings.sources_dir)
    entries = read_entries(settings.project_dir)
    chosen = chosen_sources(entries, sources)
    batches = manifest.batches_of(chosen)
    batch = whole_batch(batches)
    for one in batches.values():
        refuse_other_batch(one, asked)
    tables = contract.of_sources(chosen)
    rows = {table: sum(file.rows for file in manifest.files_of(table.key)) for table in tables}

    with writing(settings) as connection:
        prepare(connection)
        held, held_files = loaded_tables(connection), loaded_files(connection)
        previous = last_load(connection)
        if not starts_over:
            companies = {source: one.company for source, one in batches.items()}
            refuse_other_company(connection, contract, companies)
        refuse_mixtures(held, contract, batches)
        kept = (*contract.logs, contract.tables[EXTRACTS])
        migrations = {
            table: migration
            for table in (*tables, *kept)
            if (migration := schema_change(connection, table)) is not None
        }
        seen = {
            table: [
                verify_file(
                    table,
                    file,
                    settings.sources_dir,
                    batches[table.source],
                    # By another contract, another file would have been fine.
                    {} if table in migrations else held_files.get(table.name, {}),
                    accepts_new_columns,
                )
                for file in manifest.files_of(table.key)
            ]
            for table in tables
        }
        listed = [file for table in tables for file in manifest.files_of(table.key)]
        refuse_unlisted(chosen, listed, settings.sources_dir)
        differences = {
            table: differ(
                manifest.files_of(table.key),
                [known.file for known in held_files.get(table.name, {}).values()],
            )
            for table in tables
        }
        present = {table for table in tables if has_table(connection, "sources", table.name)}
        if not starts_over:
            _refuse_losses(entries, rows, held, batches)
        number = previous.load_number if previous else 0
        changed = (
            starts_over
            or bool(migrations)
            or not all(has_table(connection, "sources", table.name) for table in kept)
            or any(
                table not in present
                or table.name not in held
                or held[table.name].batch != batches[table.source]
                or not differences[table].is_nothing
                for table in tables
            )
        )
        changes: list[Change] = []
        audits: tuple[Audited, ...] = ()
        news: tuple[FailedAudit, ...] = ()
        if changed:
            number += 1
            with transaction(connection):
                record_unknown_tables(connection, number - 1)
                for done, (table, difference) in enumerate(differences.items()):
                    progress(done, len(tables))
                    known, folder = held.get(table.name), settings.sources_dir
                    if table in migrations:
                        changes.append(_rebuild(connection, table, difference, folder))
                    elif difference.is_nothing and table in present:
                        changes.append(Change(table.name))
                        continue
                    else:
                        company = batches[table.source].company
                        is_other = known is None or known.batch.company != company
                        change = update_table(connection, table, difference, folder, is_other)
                        if "now" in table.dates and not change.is_nothing:
                            change = replace(change, first_day=batch.as_of)
                        changes.append(change)
                    fresh = [one for one in seen[table] if one.file in difference.fresh]
                    record_files(connection, table.name, difference.gone, fresh)
                for table in kept:
                    if table in migrations:
                        migrate(connection, table, starts_over)
                changes += update_kept_tables(
                    connection, contract, previous, batch, number, changes, starts_over
                )
                # Whatever reads a log that has followed the contract is to be computed again.
                rebuilt = {log.name for log in contract.logs if log in migrations}
                changes = [Change(c.table, 1, 1) if c.table in rebuilt else c for c in changes]
                record_load(connection, number, batches, batch, changes)
                followed = [(m.table, one) for m in migrations.values() for one in m.differences]
                record_schema_changes(connection, number, followed)
                audits = anomalies(connection, seen, held, batches, number)
                looked_at = {audit.model_name for audit in audits}
                news = renew_warnings(connection, audits, looked_at, batch.as_of)
            progress(len(tables), len(tables))
        warnings = tuple(w for w in standing_warnings(connection) if w.is_of_a_source)
    is_back = previous is not None and previous.as_of > batch.as_of
    return Loaded(
        batch=batch,
        sources=chosen,
        load_number=number,
        rows=sum(rows.values()),
        changes=tuple(changes),
        changed=changed,
        schema_changes=tuple(migrations.values()),
        back_from=previous.as_of if previous is not None and is_back else None,
        audits=audits,
        warnings=warnings,
        new_warnings=news,
    )


def _refuse_losses(
    entries: Mapping[str, Entry],
    rows: Mapping[SourceTable, int],
    held: Mapping[str, LoadedTable],
    batches: Mapping[str, Batch],
) -> None:
    """Refuse a table that has lost more of its rows than sources.yaml lets it.

    As of an earlier day there are fewer rows by nature.

    Raises:
        PlatformError: names the table, how many rows it had, and how many it has now.
    """
    for table, number in rows.items():
        most, known = entries[table.source].max_loss, held.get(table.name)
        if most is None or known is None or batches[table.source].as_of < known.batch.as_of:
            continue
        lost = known.rows - number
        if lost > most * known.rows:
            raise PlatformError(
                f"{table.key} has lost {lost / known.rows:.0%} of its rows, {known.rows:,} before, "
                f"{number:,} now; max_loss of {table.source} in {SOURCES_FILE} is {most:.0%}; if "
                "they are gone for good, raise it for this load"
            )


def _rebuild(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, difference: Difference, folder: Path
) -> Change:
    """Load a table as the contract has it by now; whatever reads it is to be computed again."""
    name = f'sources."{table.name}"'
    row = connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()
    removed = row[0] if row else 0
    connection.execute(f"DROP TABLE {name}")
    change = update_table(connection, table, difference, folder, replace=True)
    return Change(table.name, change.added, removed) if removed else change
