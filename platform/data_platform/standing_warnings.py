"""Warnings that stand: what audits that stop nothing found, until their model is audited again."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import duckdb

from data_platform.lakehouse import has_table, quoted
from data_platform.record import Audited, FailedAudit

# A view for each warning of a model, with all of its rows.
SCHEMA = "warnings"


def standing_warnings(connection: duckdb.DuckDBPyConnection) -> tuple[FailedAudit, ...]:
    """The warnings that stand, of models and of source tables."""
    if not has_table(connection, "ops", "standing_warnings"):
        return ()
    rows = connection.execute(
        "SELECT model_name, audit, number_of_rows, keys, sentence, since "
        "FROM ops.standing_warnings ORDER BY model_name, audit"
    ).fetchall()
    return tuple(
        FailedAudit(model, audit, count, tuple(keys), sentence or "", since)
        for model, audit, count, keys, sentence, since in rows
    )


def renew_warnings(
    connection: duckdb.DuckDBPyConnection,
    audits: Sequence[Audited],
    audited: Collection[str],
    as_of: date,
    queries: Mapping[tuple[str, str], str] | None = None,
    kept: Collection[str] | None = None,
) -> tuple[FailedAudit, ...]:
    """Keep what was found of the models that were audited now; those that are new or have changed.

    Args:
        audits: the results; of one that was evaluated twice, the last counts.
        audited: the models and source tables whose earlier warnings do not stand any longer.
        as_of: the day that the data is as of.
        queries: what gives all rows that an audit found, by the model and the audit.
        kept: the models that there are; warnings of others end. None where nothing is known.
    """
    before = {(w.model, w.audit): w for w in standing_warnings(connection)}
    found = {
        (audit.model_name, audit.audit): audit.failed
        for audit in audits
        if not audit.is_blocking and audit.failed
    }
    news = []
    for key, warning in before.items():
        is_gone = kept is not None and not warning.is_of_a_source and warning.model not in kept
        if warning.model in audited or is_gone:
            connection.execute(
                "DELETE FROM ops.standing_warnings WHERE model_name = ? AND audit = ?", [*key]
            )
            connection.execute(f"DROP VIEW IF EXISTS {SCHEMA}.{quoted(view_of(warning))}")
    for key, one in found.items():
        if one is None:
            continue
        known = before.get(key)
        is_same = known is not None and known.rows == one.rows
        since = known.since if known is not None and is_same and known.since else as_of
        if not is_same:
            news.append(one)
        connection.execute(
            "INSERT INTO ops.standing_warnings "
            "(load_number, model_name, audit, number_of_rows, keys, sentence, since) "
            "VALUES (0, ?, ?, ?, ?, ?, ?)",
            [one.model, one.audit, one.rows, list(one.keys), one.sentence, since],
        )
        if query := (queries or {}).get(key):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            connection.execute(f"CREATE OR REPLACE VIEW {SCHEMA}.{quoted(view_of(one))} AS {query}")
    return tuple(news)


def view_of(warning: FailedAudit) -> str:
    """The name of the view that shows the rows of a warning."""
    return f"{warning.model.replace('.', '__')}__{warning.audit.partition('(')[0]}"


def told(warning: FailedAudit) -> str:
    """A warning in a sentence, and where its rows are."""
    if warning.is_of_a_source or not warning.rows:
        return str(warning)
    return f'{warning}; which: just query "FROM {SCHEMA}.{view_of(warning)}"'
