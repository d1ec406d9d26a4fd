"""The tables that the platform keeps itself: the loads, and the logs of what others ever showed."""

from collections.abc import Sequence
from datetime import timedelta

import duckdb

from data_platform.ingest.raw_tables import append_new_states
from data_platform.names import EXTRACTS
from data_platform.record.loads import Batch, Change, LastLoad
from data_platform.sources.contract import Contract
from data_platform.sql import has_table, quoted


def update_kept_tables(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    previous: LastLoad | None,
    batch: Batch,
    number: int,
    extracted: Sequence[Change],
    starts_over: bool,
) -> list[Change]:
    """Bring up to date the tables that the platform keeps itself, and tell what changed in them."""
    extracts = contract.tables[EXTRACTS]
    changed = {change.table for change in extracted if not change.is_nothing}
    to_extend = {
        log
        for log, logged in contract.logs.items()
        if starts_over or logged.name in changed or not has_table(connection, "sources", log.name)
    }
    for table in (*contract.logs, extracts):
        connection.execute(f"CREATE TABLE IF NOT EXISTS sources.{quoted(table.name)} ({table.ddl})")
    connection.execute(
        f"INSERT INTO sources.{EXTRACTS} ({extracts.column_list}) "
        "VALUES (?, ?, ?, ?, ?, CAST(NOW() AT TIME ZONE 'UTC' AS TIMESTAMP))",
        [number, batch.batch_id, batch.as_of, batch.company.random_seed, batch.company.scale],
    )
    if previous is None:
        changes = [Change(EXTRACTS, 1, 0, batch.as_of)]
    elif previous.as_of == batch.as_of:  # a row more, which reaches no day
        changes = [Change(EXTRACTS, 1)]
    else:  # days have come or gone
        earlier = min(previous.as_of, batch.as_of)
        changes = [Change(EXTRACTS, 1, 0, earlier + timedelta(days=1))]
    for log, logged in contract.logs.items():
        is_loaded = has_table(connection, "sources", logged.name)
        changes.append(
            append_new_states(connection, log, logged, batch.as_of, starts_over)
            if log in to_extend and is_loaded
            else Change(log.name)
        )
    return changes
