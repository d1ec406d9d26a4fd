"""DuckDB's extensions, from the wheels that are installed: nothing is downloaded."""

import importlib.util
from functools import cache
from pathlib import Path

import duckdb

from data_platform.errors import PlatformError
from data_platform.files import user_cache, writable_folder

_NEEDED = ("ducklake", "postgres_scanner")
# Whether DuckDB has compared its signatures of them in this process; each time takes 0.1 s.
_compared = False


def are_compared() -> bool:
    """Whether DuckDB has compared its signatures of these very files in this process."""
    return _compared


def note_compared() -> None:
    """DuckDB has loaded them, and compares its signatures before it does."""
    global _compared
    _compared = True


@cache
def extension_folder() -> Path:
    """A folder in which DuckDB finds the extensions, as links to those of the wheels.

    Raises:
        PlatformError: a wheel is not installed, or is for another version of DuckDB.
    """
    version = f"v{duckdb.__version__}"
    with duckdb.connect() as connection:  # the module's own is not for several threads
        platform = connection.execute("PRAGMA platform").fetchone()
    folder = user_cache() / "extensions"
    place = writable_folder(folder / version / (platform or [""])[0])
    for name in _NEEDED:
        link, file = place / f"{name}.duckdb_extension", _installed(name, version)
        if not (link.is_symlink() and link.readlink() == file):
            partial = link.with_suffix(".partial")
            partial.unlink(missing_ok=True)
            partial.symlink_to(file)
            partial.replace(link)
    return folder


def _installed(name: str, version: str) -> Path:
    found = importlib.util.find_spec(f"duckdb_extension_{name}")
    folders = found.submodule_search_locations if found else None
    if not folders:
        raise PlatformError(f"DuckDB's extension {name} is not installed: just setup-team")
    file = Path(next(iter(folders))) / "extensions" / version / f"{name}.duckdb_extension"
    if not file.is_file():
        raise PlatformError(
            f"the installed extension {name} is not for DuckDB {duckdb.__version__}: "
            "just setup-team"
        )
    return file
