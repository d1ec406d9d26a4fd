"""The load step: from the extracts to raw tables, after the contract has been checked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb

from data_platform.anomalies import anomalies
from data_platform.bookkeeping import prepare
from data_platform.changes import Change
from data_platform.contract import EXTRACTS as _EXTRACTS
from data_platform.contract import LOG, LOGGED, Contract, SourceTable, read_contract
from data_platform.errors import PlatformError
from data_platform.lakehouse import (
    LastLoad,
    LoadedTable,
    has_table,
    last_load,
    loaded_tables,
    writing,
)
from data_platform.manifest import Batch, ExtractedFile, read_manifest, refuse_mixture
from data_platform.raw import Difference, append_new_states, differ, update_table
from data_platform.record import Audited, FailedAudit
from data_platform.result import counted
from data_platform.schema_changes import SchemaChange, migrate, schema_change
from data_platform.settings import Settings
from data_platform.standing_warnings import renew_warnings, standing_warnings
from data_platform.verify import SeenFile, refuse_unlisted, verify_file


@dataclass(frozen=True)
class Loaded:
    """What a load did; where it is no news, the lakehouse held the batch already."""

    batch: Batch
    load_number: int
    rows: int
    changes: tuple[Change, ...]
    is_news: bool
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


def load(
    settings: Settings,
    sources: Sequence[str] = (),
    accepts_new_columns: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    starts_over: bool = False,
) -> Loaded:
    """Load sources (all of them by default) from the extracts, in one transaction.

    Only rows that differ from what the lakehouse holds are touched, and what changed is written
    down in `ops.loads` for the transforms to come.

    Args:
        accepts_new_columns: columns that the contract does not know are left out, not refused.
        progress: called with (tables done, tables in all).
        starts_over: forget what only the lakehouse knows, the log of the CRM; so it may become
            another company's.

    Raises:
        PlatformError: the extracts break the contract, would mix batches or are another company's,
            or a newer version of the program wrote the lakehouse; nothing was changed.
    """
    contract = read_contract(settings.project_dir)
    manifest = read_manifest(settings.sources_dir)
    chosen = tuple(dict.fromkeys(sources or (table.source for table in contract.extracted)))
    batch = manifest.one_batch(chosen)
    tables = contract.of_sources(chosen)
    rows = {table: sum(file.rows for file in manifest.files_of(table.key)) for table in tables}

    with writing(settings.lakehouse) as connection:
        prepare(connection)
        held, held_files = loaded_tables(connection), _loaded_files(connection)
        previous = last_load(connection)
        if previous is not None and not starts_over:
            refuse_other_company(connection, previous, batch.random_seed, batch.scale)
        _refuse_mixtures(held, contract, chosen, batch)
        kept = (contract.tables[LOG], contract.tables[_EXTRACTS])
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
                    batch.as_of,
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
        number = previous.load_number if previous else 0
        is_news = (
            starts_over
            or bool(migrations)
            or any(
                table not in present
                or table.name not in held
                or held[table.name].batch != batch
                or not differences[table].is_nothing
                for table in tables
            )
        )
        changes: list[Change] = []
        audits: tuple[Audited, ...] = ()
        news: tuple[FailedAudit, ...] = ()
        if is_news:
            number += 1
            with _transaction(connection):
                _take_stock(connection, number - 1)
                for done, (table, difference) in enumerate(differences.items()):
                    progress(done, len(tables))
                    known, folder = held.get(table.name), settings.sources_dir
                    if table in migrations:
                        changes.append(_rebuild(connection, table, difference, folder))
                    elif difference.is_nothing and table in present:
                        changes.append(Change(table.name))
                        continue
                    else:
                        anew = known is None or known.batch.company != batch.company
                        change = update_table(connection, table, difference, folder, anew)
                        if "now" in table.dates and not change.is_nothing:
                            change = replace(change, first_day=batch.as_of)
                        changes.append(change)
                    _record_files(connection, table, difference, seen[table])
                for table in kept:
                    if table in migrations:
                        migrate(connection, table, starts_over)
                changes += _update_kept_tables(
                    connection, contract, previous, batch, number, changes, starts_over
                )
                if kept[0] in migrations:  # whatever reads the log is to be computed again
                    changes = [Change(c.table, 1, 1) if c.table == LOG else c for c in changes]
                _record_load(connection, number, batch, changes)
                _record_schema_changes(connection, number, list(migrations.values()))
                audits = anomalies(connection, seen, held, batch, number)
                looked_at = {audit.model_name for audit in audits}
                news = renew_warnings(connection, audits, looked_at, batch.as_of)
            progress(len(tables), len(tables))
        warnings = tuple(w for w in standing_warnings(connection) if w.is_of_a_source)
    is_back = previous is not None and previous.as_of > batch.as_of
    return Loaded(
        batch=batch,
        load_number=number,
        rows=sum(rows.values()),
        changes=tuple(changes),
        is_news=is_news,
        schema_changes=tuple(migrations.values()),
        back_from=previous.as_of if previous is not None and is_back else None,
        audits=audits,
        warnings=warnings,
        new_warnings=news,
    )


def refuse_other_company(
    connection: duckdb.DuckDBPyConnection, previous: LastLoad, random_seed: int, scale: float
) -> None:
    """A lakehouse knows what no extract brings back: it stays one company's.

    Raises:
        PlatformError: seed or scale are another company's; says what would be lost.
    """
    if (previous.random_seed, previous.scale) == (random_seed, scale):
        return
    states = 0
    if has_table(connection, "sources", LOG):
        row = connection.execute(f"SELECT COUNT(*) FROM sources.{LOG}").fetchone()
        states = row[0] if row else 0
    raise PlatformError(
        f"the lakehouse holds another company, expected seed {random_seed}, scale {scale:g}, "
        f"found seed {previous.random_seed}, scale {previous.scale:g}; its history would be lost "
        f"for good: {counted(previous.load_number, 'load')}, {states:,} states of CRM entries; to "
        "keep it, use another --data-dir; to give it up: --start-over"
    )


def _take_stock(connection: duckdb.DuckDBPyConnection, load_number: int) -> None:
    """Note that tables of models which nobody has noted reflect the last load, whatever clocks say.

    SQLMesh's own commands have built them since.
    """
    connection.execute(
        "INSERT INTO ops.model_tables "
        "SELECT concat_ws('.', table_catalog, table_schema, table_name) AS name, ? "
        "FROM information_schema.tables WHERE table_schema LIKE 'sqlmesh\\_\\_%' ESCAPE '\\' "
        "AND name NOT IN (SELECT physical_name FROM ops.model_tables)",
        [load_number],
    )


def _rebuild(
    connection: duckdb.DuckDBPyConnection, table: SourceTable, difference: Difference, folder: Path
) -> Change:
    """Load a table as the contract has it by now; whatever reads it is to be computed again."""
    name = f'sources."{table.name}"'
    row = connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()
    removed = row[0] if row else 0
    connection.execute(f"DROP TABLE {name}")
    change = update_table(connection, table, difference, folder, anew=True)
    return Change(table.name, change.added, removed) if removed else change


def _record_schema_changes(
    connection: duckdb.DuckDBPyConnection, number: int, changes: Sequence[SchemaChange]
) -> None:
    for change in changes:
        for difference in change.differences:
            connection.execute(
                "INSERT INTO ops.schema_changes VALUES (?, ?, ?)",
                [number, change.table, difference],
            )


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def _refuse_mixtures(
    held: Mapping[str, LoadedTable], contract: Contract, sources: tuple[str, ...], batch: Batch
) -> None:
    for table in contract.extracted:
        if table.source not in sources and table.name in held:
            refuse_mixture(
                f"{table.source} in the lakehouse",
                held[table.name].batch,
                f"{sources[0]} in the extracts",
                batch,
            )


def _loaded_files(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, SeenFile]]:
    """The files that the raw tables hold, by table and path."""
    found: dict[str, dict[str, SeenFile]] = {}
    if has_table(connection, "ops", "loaded_files"):
        for name, path, digest, rows, first, last, *rest in connection.execute(
            "SELECT table_name, path, digest, number_of_rows, first_date, last_date, size, "
            "modified_ns, unknown_columns FROM ops.loaded_files"
        ).fetchall():
            size, modified, unknown = rest
            file = ExtractedFile(path, rows, digest, first, last)
            found.setdefault(name, {})[path] = SeenFile(file, size, modified, tuple(unknown or ()))
    return found


def _record_files(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    difference: Difference,
    files: Sequence[SeenFile],
) -> None:
    """Note which files' rows a raw table holds now."""
    connection.execute(
        "DELETE FROM ops.loaded_files WHERE table_name = $table AND list_contains($paths, path)",
        {"table": table.name, "paths": [file.path for file in difference.gone]},
    )
    fresh = [seen for seen in files if seen.file in difference.fresh]
    if fresh:
        connection.executemany(
            "INSERT INTO ops.loaded_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                [
                    table.name,
                    seen.file.path,
                    seen.file.digest,
                    seen.file.rows,
                    seen.file.first_date,
                    seen.file.last_date,
                    seen.size,
                    seen.modified_ns,
                    list(seen.unknown_columns) or None,
                ]
                for seen in fresh
            ],
        )


def _update_kept_tables(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    previous: LastLoad | None,
    batch: Batch,
    number: int,
    extracted: Sequence[Change],
    starts_over: bool,
) -> list[Change]:
    """Bring up to date the tables that the platform keeps itself, and tell what changed in them."""
    log, extracts = contract.tables[LOG], contract.tables[_EXTRACTS]
    for table in (log, extracts):
        connection.execute(f"CREATE TABLE IF NOT EXISTS sources.{table.name} ({table.ddl})")
    connection.execute(
        f"INSERT INTO sources.{_EXTRACTS} ({extracts.column_list}) "
        "VALUES (?, ?, ?, ?, ?, CAST(NOW() AT TIME ZONE 'UTC' AS TIMESTAMP))",
        [number, batch.batch_id, batch.as_of, batch.random_seed, batch.scale],
    )
    if previous is None:
        changes = [Change(_EXTRACTS, 1, 0, batch.as_of)]
    elif previous.as_of == batch.as_of:  # a row more, which reaches no day
        changes = [Change(_EXTRACTS, 1)]
    else:  # days have come or gone
        earlier = min(previous.as_of, batch.as_of)
        changes = [Change(_EXTRACTS, 1, 0, earlier + timedelta(days=1))]
    if starts_over or any(c.table == LOGGED and not c.is_nothing for c in extracted):
        customers = contract.tables[LOGGED]
        changes.append(append_new_states(connection, log, customers, batch.as_of, starts_over))
    else:
        changes.append(Change(LOG))
    return changes


def _record_load(
    connection: duckdb.DuckDBPyConnection, number: int, batch: Batch, changes: Sequence[Change]
) -> None:
    for change in changes:
        connection.execute(
            "INSERT INTO ops.loads SELECT ?, ?, ?, ?, ?, ?, ?, COUNT(*), ?, ?, ?, ?, ?, NULL "
            f"FROM sources.{change.table}",
            [
                number,
                change.table,
                batch.batch_id,
                batch.random_seed,
                batch.scale,
                batch.as_of,
                batch.variant,
                change.kind,
                change.added,
                change.removed,
                change.first_day,
                change.last_day,
            ],
        )
