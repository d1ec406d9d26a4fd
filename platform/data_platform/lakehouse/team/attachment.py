"""How DuckDB opens a catalogue of a team's lakehouse: to write, to read, to read nothing else."""

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from data_platform.errors import PlatformError, one_line
from data_platform.files import writable_folder
from data_platform.lakehouse.extensions import are_compared, extension_folder, note_compared
from data_platform.lakehouse.limits import limits
from data_platform.lakehouse.postgres_server import Server
from data_platform.lakehouse.team.catalogue import Catalogues
from data_platform.lakehouse.team.naming import lakehouse_name
from data_platform.settings import Settings
from data_platform.sql import literal, silence

# The name under which SQLMesh knows the catalogue, that of the default's database.
ALIAS = "lakehouse"
# Names the folder of the Parquet files.
DATA = "DATA_PLATFORM_TEAM_DATA"
_NOT_FOR_READERS = re.compile(
    r"\bcopy\b|\bpostgres_\w+|\bpg_\w+|__ducklake_\w+|\bducklake_\w+", re.I
)


def warehouse(settings: Settings) -> Path:
    """The folder of the Parquet files: where the lakehouse has them, or is to have them.

    Raises:
        PlatformError: the environment names another one than the lakehouse has.
    """
    if settings.warehouse is not None:
        return settings.warehouse
    named = os.environ.get(DATA)
    if named and ("://" in named or "'" in named):
        raise PlatformError(f"{DATA} is to name a folder, without apostrophes, not {named}")
    with Server() as server:
        found = Catalogues(server, lakehouse_name())
        current = found.current
        kept = None if current is None else Path(found.data_path(found.release(current)))
    if kept is None:
        return Path(named).absolute() if named else settings.data_dir / "warehouse"
    if named and Path(named).absolute() != kept:
        raise PlatformError(f"the team's Parquet files lie in {kept}, but {DATA} names {named}")
    if not kept.is_dir():
        raise PlatformError(
            f"the team's Parquet files are to lie in {kept}, which is not there; is it mounted?"
        )
    return kept


def in_place(settings: Settings) -> Settings:
    """Settings of whatever copy write their Parquet files to the same folder."""
    return replace(settings, warehouse=warehouse(settings))


def attach_statement(settings: Settings, is_read_only: bool, alias: str = ALIAS) -> str:
    """The statement that attaches a catalogue to a connection."""
    options = [f"METADATA_SCHEMA {literal(settings.catalogue)}", "DATA_INLINING_ROW_LIMIT 0"]
    if is_read_only:
        options.append("READ_ONLY")
    else:
        path = writable_folder(warehouse(settings))
        options.append(f"DATA_PATH {literal(f'{path}/')}")
    return f"ATTACH 'ducklake:postgres:' AS {alias} ({', '.join(options)})"


def attached(settings: Settings, is_read_only: bool) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection to a catalogue.

    Raises:
        PlatformError: it cannot be opened.
    """
    connection = duckdb.connect(
        config={
            "extension_directory": str(extension_folder()),
            "autoinstall_known_extensions": "false",
            "allow_unsigned_extensions": str(are_compared()).lower(),
            "temp_directory": str(spill_folder(settings)),
            **limits(),
        }
    )
    try:
        silence(connection)
        connection.execute(attach_statement(settings, is_read_only))
        connection.execute(f"USE {ALIAS}")
        note_compared()
    except duckdb.Error as error:
        connection.close()
        raise PlatformError(f"cannot open the team's lakehouse: {one_line(str(error))}") from error
    return connection


def lock_down(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Let a connection read the lakehouse's files and nothing else, for good."""
    for option in (
        f"allowed_directories = [{literal(f'{warehouse(settings)}/')}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {option}")


def shell_words(settings: Settings, commands: Sequence[str]) -> list[str]:
    """The words of DuckDB's shell that open a catalogue, and nothing else."""
    first = [
        f"SET extension_directory = {literal(str(extension_folder()))}",
        "SET autoinstall_known_extensions = false",
        attach_statement(settings, is_read_only=True),
        f"USE {ALIAS}",
        f"SET allowed_directories = [{literal(f'{warehouse(settings)}/')}]",
        *commands,
        ".safe_mode",
    ]
    return [word for one in first for word in ("-cmd", one)]


def refuse_query(sql: str) -> None:
    """Readers may read the folder of the Parquet files, so DuckDB lets them write there.

    Raises:
        PlatformError: a statement does more than read, or is about files or the server.
    """
    kinds = {one.type for one in duckdb.extract_statements(sql)}
    if not kinds <= {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}:
        raise PlatformError("the query failed: it does not only read")
    if found := _NOT_FOR_READERS.search(sql):
        raise PlatformError(
            f"the query failed: {found[0]!r} is about files or the server, not the lakehouse"
        )


def spill_folder(settings: Settings) -> Path:
    """Where what does not fit into memory goes: with a run's private copy, or the user's own."""
    if settings.data_dir.is_dir():
        return settings.data_dir / ".spill"
    return Path(tempfile.gettempdir()) / f"data-platform-{os.getuid()}"
