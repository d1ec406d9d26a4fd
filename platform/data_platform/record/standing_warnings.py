"""Standing warnings: findings of non-blocking audits, kept until their model is audited again."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from data_platform.record.rows import Audited, FailedAudit
from data_platform.result import counted
from data_platform.sql import has_table, quoted

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
    """Replace the warnings of the audited models; returns those that are new or have changed.

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


@dataclass(frozen=True)
class Beside:
    """An audit's warning in an environment and in production, as text; None where it has none."""

    model: str
    audit: str
    here: str | None
    production: str | None

    def __str__(self) -> str:
        return f"{self.model}: {self.here or 'none'}; production: {self.production or 'none'}"


def warnings_beside(
    connection: duckdb.DuckDBPyConnection,
    environment: str,
    models: Mapping[str, str | None],
    audits: Sequence[Audited] = (),
) -> tuple[Beside, ...]:
    """The warnings of an environment's own models, each beside production's.

    Args:
        models: SQLMesh's identifiers of the versions of those that have tables of their own; None
            where the environment has no such model. An audit may have been asked for another
            environment that has the same version, and so the same table.
        audits: results that are not in the record yet.
    """
    rows = connection.execute(
        "SELECT model_name, audit, number_of_rows, sentence FROM ops.audits AS audits "
        "JOIN (SELECT UNNEST(?) AS model_name, UNNEST(?) AS version) AS own USING (model_name) "
        "WHERE NOT is_blocking AND (audits.version = own.version "
        "OR audits.version IS NULL AND environment = ?) "
        "QUALIFY run_number = MAX(run_number) OVER (PARTITION BY model_name)",
        [[*models], [*models.values()], environment],
    ).fetchall()
    audited = {audit.model_name for audit in audits}
    found = {(m, a): (count, said) for m, a, count, said in rows if m not in audited}
    found |= {
        (audit.model_name, audit.audit): (audit.number_of_rows, audit.sentence)
        for audit in audits
        if not audit.is_blocking
    }
    here = {
        key: said or f"{key[1]} found {counted(count, 'row')}"
        for key, (count, said) in found.items()
        if key[0] in models and (count or said)
    }
    production = {
        (w.model, w.audit): w.sentence or f"{w.audit} found {counted(w.rows, 'row')}"
        for w in standing_warnings(connection)
        if w.model in models
    }
    return tuple(
        Beside(model, audit, here.get((model, audit)), production.get((model, audit)))
        for model, audit in sorted({*here, *production})
    )


def view_of(warning: FailedAudit) -> str:
    """The name of the view that shows the rows of a warning."""
    return f"{warning.model.replace('.', '__')}__{warning.audit.partition('(')[0]}"


def told(warning: FailedAudit) -> str:
    """A warning in a sentence, and where its rows are."""
    if warning.is_of_a_source or not warning.rows:
        return str(warning)
    return f'{warning}; which: just query "FROM {SCHEMA}.{view_of(warning)}"'
