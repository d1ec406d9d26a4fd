"""Browse a snapshot of the lakehouse: the DuckDB shell, SQLMesh's UI."""

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

from data_platform.delivery.query import SCHEMAS
from data_platform.errors import PlatformError
from data_platform.lakehouse.reader_copy import snapshot
from data_platform.lakehouse.stores import store_of
from data_platform.settings import Settings


def shell(settings: Settings, data_dir: Path) -> int:
    """Open the DuckDB shell on a snapshot, without access to anything else; its exit code.

    Args:
        data_dir: where snapshots lie.

    Raises:
        PlatformError: there is no lakehouse, or the shell is not installed.
    """
    # The package's own launcher sets an option first, which -safe forbids.
    package = importlib.util.find_spec("duckdb_cli")
    places = package.submodule_search_locations if package else None
    program = _program("duckdb", Path(next(iter(places or []), ".")))
    with snapshot(settings, data_dir) as copy:
        # SHOW TABLES shows what is in the search path.
        path = f"SET search_path = '{','.join((*SCHEMAS, 'main'))}'"
        return _run([program, "-no-init", *store_of(copy).shell(copy, (path, ".maxrows 200"))])


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
    with snapshot(settings) as copy:
        code = _run(
            words,
            settings.project_dir,
            store_of(copy).environment(copy),
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
