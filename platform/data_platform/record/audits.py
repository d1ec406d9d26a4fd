"""The audits of runs, in ops.audits."""

import duckdb

from data_platform.record.rows import Audited
from data_platform.record.tables import RUN_NUMBER, columns
from data_platform.sql import has_table, quoted


def last_audits(
    connection: duckdb.DuckDBPyConnection, environment: str
) -> dict[tuple[str, str], tuple[int, Audited]]:
    """(run number, result) of the last time that each audit ran, by model and audit.

    Args:
        environment: whose models; audits of source tables come with them.
    """
    if not has_table(connection, "ops", "audits"):
        return {}
    names = [column.name for column in columns(Audited) if column.name != RUN_NUMBER]
    rows = connection.execute(
        f"SELECT {RUN_NUMBER}, {', '.join(map(quoted, names))} FROM ops.audits "
        "WHERE environment IN ('', ?) QUALIFY ROW_NUMBER() OVER "
        f"(PARTITION BY model_name, audit ORDER BY {RUN_NUMBER} DESC, period DESC) = 1 "
        "ORDER BY model_name, audit",
        [environment],
    ).fetchall()
    found = {}
    for number, *values in rows:
        of = dict(zip(names, values, strict=True))
        audited = Audited(**{**of, "keys": tuple(of["keys"] or ())})
        found[audited.model_name, audited.audit] = (number, audited)
    return found
