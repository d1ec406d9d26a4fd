"""The files whose rows the raw tables hold, as they were when they were verified."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb

from data_platform.sql import has_table


@dataclass(frozen=True)
class ExtractedFile:
    """A Parquet file; `path` is relative to the folder of the manifest, `digest` its SHA-256."""

    path: str
    rows: int
    digest: str
    first_date: date | None = None
    last_date: date | None = None


@dataclass(frozen=True)
class SeenFile:
    """A file whose content was verified, and how the file system described it then."""

    file: ExtractedFile
    size: int
    modified_ns: int
    # Those that the contract does not know, and that the load was told to accept.
    unknown_columns: tuple[str, ...] = field(default=(), compare=False)


def loaded_files(connection: duckdb.DuckDBPyConnection) -> dict[str, dict[str, SeenFile]]:
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


def record_files(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    gone: Sequence[ExtractedFile],
    fresh: Sequence[SeenFile],
) -> None:
    """Record that a raw table no longer holds the rows of some files, but those of others."""
    connection.execute(
        "DELETE FROM ops.loaded_files WHERE table_name = $table AND list_contains($paths, path)",
        {"table": table, "paths": [file.path for file in gone]},
    )
    if fresh:
        connection.executemany(
            "INSERT INTO ops.loaded_files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                [
                    table,
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
