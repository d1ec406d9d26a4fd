"""What is published, compared; and runs that stop at a boundary."""

import json
from pathlib import Path
from typing import Any

import duckdb

from conftest import Platform


def state(data: Path) -> dict[str, object]:
    """All that is published, but for the moment of each load: tables, manifest, exports."""
    folder = (data / "current").resolve()
    found: dict[str, object] = {}
    database = folder / "lakehouse/lakehouse.duckdb"
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema IN ('sources', 'staging', 'intermediate', 'marts', 'exports', "
            "'report')"
        ).fetchall()
        for schema, name in tables:
            columns = "* EXCLUDE (loaded_at)" if name == "platform__extracts" else "*"
            found[f"{schema}.{name}"] = connection.execute(
                f"SELECT COUNT(*), SUM(HASH(t)::HUGEINT) FROM (SELECT {columns} "
                f'FROM "{schema}"."{name}") AS t'
            ).fetchone()
    for path in sorted([*folder.glob("exports/*"), *folder.glob("sources/**/*")]):
        if path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def differences(one: dict[str, object], other: dict[str, object]) -> list[str]:
    """The names of what differs between two states."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def recorded_outcomes(data: Path) -> list[str]:
    """How each run of the record ended, in order."""
    with duckdb.connect(str(data / "lakehouse/lakehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT outcome FROM ops.runs ORDER BY run_number").fetchall()
    return [outcome for (outcome,) in rows]


def status_of(platform: Platform) -> dict[str, Any]:
    """What `status` says to machines."""
    done = platform.call("status", "--format", "json", check=False)
    document: dict[str, Any] = json.loads(done.stdout)
    return document
