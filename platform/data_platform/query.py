"""Read the lakehouse: a statement's rows, the DuckDB shell, or SQLMesh's UI on a snapshot."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb

from data_platform.bookkeeping import OF_RECORD
from data_platform.contract import SCHEMA as SOURCES
from data_platform.contract import read_contract
from data_platform.errors import PlatformError
from data_platform.lakehouse import one_line, reading
from data_platform.names import Layer
from data_platform.releases import Releases
from data_platform.result import Result
from data_platform.settings import Settings
from data_platform.snapshot import snapshot
from data_platform.standing_warnings import SCHEMA as WARNINGS

# In the order in which a reader looks for something.
_SCHEMAS = (*reversed(Layer), SOURCES, WARNINGS, "ops")


def database(settings: Settings, failed: bool) -> Path:
    """The published lakehouse, or the copy of the last run that an audit or a model stopped.

    Raises:
        PlatformError: no such copy was kept.
    """
    if not failed:
        return settings.lakehouse
    kept = Releases(settings.data_dir).failed_lakehouse
    if not kept.exists():
        raise PlatformError(
            "no copy of a failed run is kept: no audit or model stopped a run since the last "
            "one that succeeded"
        )
    return kept


def query(database: Path, sql: str) -> Result:
    """Run SQL that can only read the lakehouse, and nothing else.

    Raises:
        PlatformError: there is no lakehouse, or DuckDB refuses the statement.
    """
    with reading(database) as connection:
        try:
            if (count := len(duckdb.extract_statements(sql))) != 1:
                raise PlatformError(
                    f"the query failed: it holds {count} statements, expected one; the shell takes "
                    "several: just query"
                )
            cursor = connection.execute(sql)
            columns = tuple(column[0] for column in cursor.description or ())
            return Result(columns, cursor.fetchall() if columns else [])
        except duckdb.Error as error:
            raise PlatformError(f"the query failed: {one_line(str(error))}") from error


def tables(settings: Settings) -> Result:
    """What can be read: schema and name, rows where DuckDB knows them, and what one row is.

    Raises:
        PlatformError: there is no lakehouse.
    """
    contract = read_contract(settings.project_dir)
    of_sources = {name: table.description for name, table in contract.tables.items()}
    with reading(settings.lakehouse) as connection:
        rows = connection.execute(
            "SELECT schema_name, table_name, comment, estimated_size FROM duckdb_tables() "
            "WHERE NOT (schema_name LIKE 'sqlmesh%' OR schema_name = 'main') UNION ALL "
            "SELECT schema_name, view_name, comment, NULL FROM duckdb_views() "
            "WHERE NOT (internal OR schema_name LIKE 'sqlmesh%' OR schema_name = 'main')"
        ).fetchall()
    shown = [
        (
            f"{schema}.{name}",
            "" if size is None else f"{size:,}",
            said or _described(schema, name, of_sources),
        )
        for schema, name, said, size in rows
    ]
    place = {schema: number for number, schema in enumerate(_SCHEMAS)}

    def in_order(row: tuple[str, str, str]) -> tuple[int, str]:
        return place.get(row[0].partition(".")[0], len(place)), row[0]

    return Result(("name", "rows", "one row is"), sorted(shown, key=in_order))


def _described(schema: str, name: str, of_sources: Mapping[str, str]) -> str:
    """What one row is, of tables that say nothing of it themselves."""
    if schema == WARNINGS:
        return "One row a finding of a warning that stands."
    return (of_sources if schema == SOURCES else OF_RECORD).get(name, "")


def shell(database: Path, settings: Settings) -> int:
    """Open the DuckDB shell on a snapshot, without access to anything else; its exit code.

    Raises:
        PlatformError: there is no lakehouse, or the shell is not installed.
    """
    # The package's own launcher sets an option first, which -safe forbids.
    package = importlib.util.find_spec("duckdb_cli")
    places = package.submodule_search_locations if package else None
    program = _program("duckdb", Path(next(iter(places or []), ".")))
    with snapshot(settings, database) as copy:
        # SHOW TABLES shows what is in the search path.
        path = f"SET search_path = '{','.join((*_SCHEMAS, 'main'))}'"
        words = [
            "-no-init",
            "-safe",
            "-readonly",
            "-cmd",
            path,
            "-cmd",
            ".maxrows 200",
            str(copy.lakehouse),
        ]
        return _run([program, *words])


def ui(
    settings: Settings,
    host: str,
    port: int,
    on_ready: Callable[[], None] = lambda: None,
    shows_log: bool = False,
) -> int:
    """Open SQLMesh's UI on a snapshot until it is ended; its exit code.

    Args:
        on_ready: called when it answers.
        shows_log: let it print what it has to say.

    Raises:
        PlatformError: there is no lakehouse, the UI is not installed, something else listens
            there, or it ends by itself.
    """
    program = _program("sqlmesh", Path(sys.executable).parent)
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise PlatformError(
            f"nothing can listen at {host}:{port} ({error.strerror}); choose another --port"
        ) from error
    words = [program, "--gateway", settings.gateway, "ui", "--host", host, "--port", str(port)]
    with snapshot(settings, settings.lakehouse) as copy:
        code = _run(
            words,
            settings.project_dir,
            {"DATA_PLATFORM_DATA_DIR": str(copy.data_dir)},
            None if shows_log else subprocess.DEVNULL,
            lambda child: _when_it_answers(child, host, port, on_ready),
        )
    if code:
        raise PlatformError(f"SQLMesh's UI ended by itself, with code {code}; -v shows why")
    return code


def _when_it_answers(
    child: subprocess.Popen[bytes], host: str, port: int, on_ready: Callable[[], None]
) -> None:
    while child.poll() is None:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            on_ready()
            return


def _program(name: str, folder: Path) -> str:
    found = shutil.which(name, path=str(folder))
    if found is None:
        raise PlatformError(f"{name} is not installed in {folder}; run: just setup")
    return found


def _run(
    words: Sequence[str],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    output: int | None = None,
    beside: Callable[[subprocess.Popen[bytes]], None] = lambda child: None,
) -> int:
    """Run another program to its end; an interruption is for it to decide about."""
    all_of_it = {**os.environ, **(environment or {})}
    with subprocess.Popen(words, cwd=folder, env=all_of_it, stdout=output, stderr=output) as child:
        handlers = {
            signal.SIGINT: lambda *_: None,
            signal.SIGTERM: lambda *_: child.terminate(),
            signal.SIGHUP: lambda *_: child.terminate(),
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            beside(child)
            return max(child.wait(), 0)  # one that was ended by a signal has done what was asked
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
