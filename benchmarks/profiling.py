"""Where the time of a command goes: a flame graph, and DuckDB's profiles of its long queries.

`just profile transform` runs `data-platform transform` under py-spy. In .cache/profile it
leaves flame.svg, to be opened in a browser, and a JSON file of DuckDB's for each query that took a
tenth of a second or more: by operator, how long and how many rows.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / ".cache" / "profile"
PY_SPY = PROJECT / ".cache" / "bench" / "bin" / "py-spy"
LONG = 0.1  # seconds


def profiled(words: list[str]) -> None:
    """Run a command line, with DuckDB telling of each query that SQLMesh gives it."""
    from sqlmesh.core.engine_adapter import DuckDBEngineAdapter

    execute: Callable[..., Any] = DuckDBEngineAdapter._execute
    number = 0

    def told(adapter: Any, sql: str, *args: Any, **options: Any) -> Any:
        # Nothing comes after the query: its rows are still to be fetched from the cursor.
        nonlocal number
        number += 1
        file = FOLDER / f"{number:05}.json"
        for before in (
            "PRAGMA disable_profiling",
            "SET enable_profiling = 'json'",
            f"SET profiling_output = '{file}'",
        ):
            adapter.cursor.execute(before)
        return execute(adapter, sql, *args, **options)

    DuckDBEngineAdapter._execute = told  # type: ignore[method-assign]
    from data_platform.cli.program import main

    try:
        main(words)
    finally:
        for file in FOLDER.glob("*.json"):
            if not _is_long(file):
                file.unlink()


def _is_long(file: Path) -> bool:
    try:
        return float(json.loads(file.read_text())["latency"]) >= LONG
    except (OSError, ValueError, KeyError):
        return False


def main() -> None:
    """Draw the flame graph of a command line in a process of its own."""
    words = sys.argv[1:]
    if words[:1] == ["--told"]:
        profiled(words[1:])
        return
    if not words:
        sys.exit("profile: expected a command, like: just profile transform")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, mode=0o700)
    program = [sys.executable, __file__, "--told", *words]
    flame = ["record", "--rate", "200", "--output", str(FOLDER / "flame.svg"), "--"]
    ended = subprocess.run([str(PY_SPY), *flame, *program], check=False)
    queries = len([*FOLDER.glob("*.json")])
    print(f"{FOLDER / 'flame.svg'}, and DuckDB's profiles of {queries} long queries beside it")
    sys.exit(ended.returncode)


if __name__ == "__main__":
    main()
