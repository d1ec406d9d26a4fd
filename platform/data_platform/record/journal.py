"""Journals, which runs write beside the lakehouse, and the record into which they are folded."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from data_platform.record.rows import Outcome, Row, RunRow, StepRow
from data_platform.record.tables import JOURNALED, RUN_NUMBER, columns
from data_platform.sql import has_table

_NAMES = {row: name for name, row in JOURNALED.items()}


@dataclass(frozen=True)
class Journal:
    """The file that a run writes while it runs, a line a row of the record.

    A later line takes the place of an earlier one of the same run or step.
    """

    path: Path
    run_number: int

    def note(self, *rows: Row) -> None:
        """Append rows, safe from a loss of power."""
        with self.path.open("a", encoding="utf-8") as file:
            for row in rows:
                line = {"table": _NAMES[type(row)], **asdict(row), RUN_NUMBER: self.run_number}
                file.write(json.dumps(line, default=str, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """What was written, by table; a last line that was cut short is left out."""
        found: dict[str, dict[Any, dict[str, Any]]] = {name: {} for name in JOURNALED}
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n")  # others may be within texts
        except FileNotFoundError:  # folded into the record a moment ago
            lines = []
        for place, text in enumerate(lines):
            try:
                row = json.loads(text)
            except ValueError:
                continue
            if not isinstance(row, dict) or row.get("table") not in found:
                continue
            key = {"runs": 0, "steps": row.get("step_number")}.get(row["table"], place)
            found[row.pop("table")][key] = row
        return {name: list(rows.values()) for name, rows in found.items()}

    def run(self) -> "tuple[RunRow, tuple[StepRow, ...]] | None":
        """The run that it tells of and its steps, None where it was cut short at once."""
        rows = self.rows()
        if not rows["runs"]:
            return None
        steps = tuple(_read(StepRow, step) for step in rows["steps"])
        return _read(RunRow, rows["runs"][0]), steps


def journals(folder: Path) -> list[Journal]:
    """The journals of a folder, of runs that no publication has folded into the record yet."""
    paths = (path for path in folder.glob("*.jsonl") if path.stem.isdecimal() and path.is_file())
    found = (Journal(path, int(path.stem)) for path in paths)
    return sorted(found, key=lambda journal: journal.run_number)


def fold(
    connection: duckdb.DuckDBPyConnection, journal: Journal, own: RunRow | None = None
) -> None:
    """Put a run's journal into the tables of the record, in the place of what they hold of it.

    Args:
        own: the run that does so, as it will be when its publication succeeds. Any other run that
            wrote no ending was killed, unless the record knows better: then it was killed after it
            was published.
    """
    rows = journal.rows()
    ended = connection.execute(
        "SELECT COUNT(*) FROM ops.runs WHERE run_number = ? AND outcome = ?",
        [journal.run_number, Outcome.SUCCEEDED],
    ).fetchone()
    if own is None and (not rows["runs"] or (ended and ended[0])):
        return
    if own is not None:
        rows["runs"] = [json.loads(json.dumps(asdict(own), default=str))]
    else:
        for row in rows["runs"] + rows["steps"]:
            if row["outcome"] == Outcome.RUNNING:
                row["outcome"] = Outcome.KILLED
    for name in JOURNALED:
        wanted = columns(JOURNALED[name])
        structure = json.dumps([{column.name: column.type for column in wanted}])
        connection.execute(f"DELETE FROM ops.{name} WHERE run_number = ?", [journal.run_number])
        connection.execute(
            f"INSERT INTO ops.{name} BY NAME "
            f"SELECT UNNEST(FROM_JSON($rows, '{structure}'), recursive := true)",
            {"rows": json.dumps(rows[name])},
        )


def record_run_number(connection: duckdb.DuckDBPyConnection, run_number: int) -> None:
    """Record which run made the loads and promotions that no run has published yet."""
    for table in ("loads", "promotions"):
        connection.execute(
            f"UPDATE ops.{table} SET run_number = ? WHERE run_number IS NULL", [run_number]
        )


def last_recorded_number(connection: duckdb.DuckDBPyConnection) -> int:
    """The highest number of a run in the record, 0 where there is none."""
    if not has_record(connection):
        return 0
    row = connection.execute("SELECT MAX(run_number) FROM ops.runs").fetchone()
    return (row and row[0]) or 0


def has_record(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the lakehouse keeps a record; older versions kept none."""
    return has_table(connection, "ops", "runs")


_Ended = TypeVar("_Ended", RunRow, StepRow)


def _read(row: type[_Ended], values: Mapping[str, Any]) -> _Ended:
    """A row from a journal's JSON or a table's values."""
    read: dict[str, Any] = {}
    for column in columns(row):
        value = values.get(column.name)
        if isinstance(value, str) and column.type == "DATE":
            value = date.fromisoformat(value)
        if isinstance(value, str) and column.type == "TIMESTAMPTZ":
            value = datetime.fromisoformat(value)
        read[column.name] = value
    if row is not RunRow:
        read.pop(RUN_NUMBER)
    return row(**read)


def recorded_runs(connection: duckdb.DuckDBPyConnection, limit: int) -> list[RunRow]:
    """The last runs in the tables of the record, the latest first."""
    # A number as a parameter would make DuckDB import pandas, which takes longer than the query.
    cursor = connection.execute(f"FROM ops.runs ORDER BY run_number DESC LIMIT {limit:d}")
    names = [column[0] for column in cursor.description or ()]
    return [_read(RunRow, dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def recorded_steps(connection: duckdb.DuckDBPyConnection, run_number: int) -> tuple[StepRow, ...]:
    """The steps of a run in the tables of the record, in order."""
    cursor = connection.execute(
        f"FROM ops.steps WHERE run_number = {run_number:d} ORDER BY step_number"
    )
    names = [column[0] for column in cursor.description or ()]
    return tuple(_read(StepRow, dict(zip(names, row, strict=True))) for row in cursor.fetchall())
