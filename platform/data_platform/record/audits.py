"""The audits of runs, in ops.audits."""

from collections.abc import Mapping

import duckdb

from data_platform.record.rows import Audited, Outcome
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


def passed_audits(
    connection: duckdb.DuckDBPyConnection, load_number: int, versions: Mapping[str, str]
) -> dict[str, list[Audited]]:
    """The last results of versions of models over all of a load's data, where nothing was found.

    Of runs that were published: what they looked at is what the tables hold, until a later run
    computes them again, and audits them again.

    Args:
        versions: the version of each model, SQLMesh's identifier.
    """
    names = [column.name for column in columns(Audited) if column.name != RUN_NUMBER]
    rows = connection.execute(
        f"SELECT {', '.join(map(quoted, names))} FROM ops.audits WHERE load_number = $load "
        "AND version IS NOT NULL AND list_contains($versions, model_name || ' ' || version) "
        f"AND {RUN_NUMBER} IN (SELECT {RUN_NUMBER} FROM ops.runs WHERE outcome = $succeeded) "
        f"QUALIFY {RUN_NUMBER} = MAX({RUN_NUMBER}) OVER (PARTITION BY model_name)",
        {
            "load": load_number,
            "versions": [f"{name} {version}" for name, version in versions.items()],
            "succeeded": Outcome.SUCCEEDED,
        },
    ).fetchall()
    found: dict[str, list[Audited]] = {}
    for values in rows:
        of = dict(zip(names, values, strict=True))
        audited = Audited(**{**of, "keys": tuple(of["keys"] or ())})
        found.setdefault(audited.model_name, []).append(audited)
    return {
        name: audits
        for name, audits in found.items()
        if not any(one.number_of_rows or one.is_unknown for one in audits)
    }


def record_vouched(
    connection: duckdb.DuckDBPyConnection,
    model: str,
    version: str,
    load_number: int,
    contents: str,
) -> None:
    """Record that a version of a model was audited whole, and over which contents of tables."""
    connection.execute(
        "DELETE FROM ops.vouched "
        "WHERE load_number <> $load OR (model_name = $model AND version = $version)",
        {"load": load_number, "model": model, "version": version},
    )
    connection.execute(
        "INSERT INTO ops.vouched VALUES (?, ?, ?, ?)", [model, version, load_number, contents]
    )


def recorded_vouched(
    connection: duckdb.DuckDBPyConnection, load_number: int
) -> dict[tuple[str, str], str]:
    """The contents over which versions of models were audited whole, by model and version."""
    rows = connection.execute(
        "SELECT model_name, version, contents FROM ops.vouched WHERE load_number = ?", [load_number]
    ).fetchall()
    return {(model, version): contents for model, version, contents in rows}


def audit_history(
    connection: duckdb.DuckDBPyConnection, environment: str, runs: int
) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """(run number, rows that broke it) of the last runs of each audit, the latest first.

    An audit that could not be made counts as one row. Runs of long ago are not looked at.

    Args:
        runs: at most how many of each.
    """
    if not has_table(connection, "ops", "audits"):
        return {}
    rows = connection.execute(
        f"SELECT model_name, audit, {RUN_NUMBER}, "
        "SUM(number_of_rows + is_unknown::INTEGER)::BIGINT FROM ops.audits "
        f"WHERE environment IN ('', ?) AND {RUN_NUMBER} > "
        f"(SELECT MAX({RUN_NUMBER}) FROM ops.audits) - {10 * runs} "
        f"GROUP BY model_name, audit, {RUN_NUMBER} QUALIFY "
        f"ROW_NUMBER() OVER (PARTITION BY model_name, audit ORDER BY {RUN_NUMBER} DESC) <= ? "
        f"ORDER BY {RUN_NUMBER} DESC",
        [environment, runs],
    ).fetchall()
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for model, audit, number, broken in rows:
        found.setdefault((model, audit), []).append((number, broken))
    return found
