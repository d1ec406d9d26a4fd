"""Reads a whole lakehouse, and compares it with what its catalogue says of it."""

from dataclasses import dataclass

import duckdb

from data_platform.errors import without_values
from data_platform.lakehouse.connection import reading
from data_platform.lakehouse.contents import place_of
from data_platform.lakehouse.reader_copy import snapshot
from data_platform.lakehouse.stores import store_of
from data_platform.settings import Settings


@dataclass(frozen=True)
class Checked:
    """What was read, and what is not as the catalogue says, a line each."""

    tables: int
    rows: int
    faults: tuple[str, ...]


def check(settings: Settings) -> Checked:
    """Read every table of the published lakehouse, whole.

    Raises:
        PlatformError: there is no lakehouse.
    """
    store, faults, rows = store_of(settings), [], 0
    with snapshot(settings) as copy, reading(copy, locked_down=False) as connection:
        faults += store.faults(copy, connection)
        tables = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() "
            "WHERE database_name = current_database() AND NOT internal ORDER BY ALL"
        ).fetchall()
        for schema, name in tables:
            place = place_of((schema, name))
            try:
                told = connection.execute(f"SELECT COUNT(*) FROM {place}").fetchone()
                # Each value of each row is read; a sum of hashes can't be told from statistics.
                found = connection.execute(
                    f"SELECT COUNT(*), SUM(HASH(t)::HUGEINT) FROM {place} AS t"
                ).fetchone()
            except duckdb.Error as error:
                faults.append(f"{schema}.{name} cannot be read: {without_values(str(error))}")
                store.look_again(connection)
                continue
            assert told is not None and found is not None
            rows += found[0]
            if told[0] != found[0]:
                faults.append(
                    f"{schema}.{name} has {found[0]:,} rows, its statistics say {told[0]:,}"
                )
    return Checked(len(tables), rows, tuple(faults))
