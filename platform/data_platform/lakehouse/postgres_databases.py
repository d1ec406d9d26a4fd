"""The lakehouse of gateway `postgres`: a database of the server's beside the DuckDB file.

The file holds the raw tables, the record and SQLMesh's state, and what PostgreSQL has computed for
readers. A private copy is a database of its own, made of the published one by the server; a file
beside the DuckDB file names it, so that one rename puts both in force.
"""

import socket
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from data_platform.errors import PlatformError
from data_platform.files import replace_text, writable_folder
from data_platform.lakehouse.copying import Copying
from data_platform.lakehouse.duckdb_file import DuckDBFile
from data_platform.lakehouse.extensions import extension_folder
from data_platform.lakehouse.postgres_server import Server
from data_platform.lakehouse.whose import DATABASE_MARK, refuse_other
from data_platform.settings import Settings


class PostgresDatabases(DuckDBFile):
    """A store of one DuckDB file and one database, put in force together."""

    scheme = "postgres"

    def environment(self, settings: Settings) -> dict[str, str]:
        name = settings.catalogue or _named(settings)
        database = {"DATABASE": name} if name else {}
        with Server() as server:
            named = server.environment("DATA_PLATFORM_POSTGRES", **database)
        folder = str(extension_folder())
        return {**super().environment(settings), "DATA_PLATFORM_EXTENSIONS": folder, **named}

    def private(self, settings: Settings, folder: Path, run_number: int) -> Settings:
        return replace(settings, data_dir=folder, catalogue=f"data_platform_{uuid4().hex[:16]}")

    def refuse_folder(self, settings: Settings) -> None:
        """Refuse to begin what can't be done here.

        Raises:
            PlatformError: the server is out of reach, has lost the database, or the folder's
                lakehouse is another gateway's.
        """
        refuse_other(settings)
        name = _named(settings)
        with Server() as server:
            if name and not server.value("SELECT 1 FROM pg_database WHERE datname = %s", [name]):
                raise PlatformError(
                    f"the server {server.place} has no database {name}, in which the lakehouse of "
                    f"{settings.data_dir} was computed (a copy of a data folder has none of its "
                    "own); name the right server, or choose another --data-dir"
                )

    def begin(self, settings: Settings, private: Settings) -> Copying | None:
        folder = writable_folder(private.lakehouse.parent)
        replace_text(folder / DATABASE_MARK, f"{private.catalogue}\n")
        _note(settings, [*_noted(settings), private.catalogue])
        published = _named(settings)
        with Server() as server:
            if published:
                server.execute(
                    "CREATE DATABASE {new} TEMPLATE {old}", new=private.catalogue, old=published
                )
            else:  # texts are compared by their bytes, as DuckDB compares them
                server.execute(
                    "CREATE DATABASE {new} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' "
                    "LC_CTYPE 'C.UTF-8'",
                    new=private.catalogue,
                )
            whose = f"data-platform: {settings.data_dir.resolve()} on {socket.gethostname()}"
            server.execute("COMMENT ON DATABASE {new} IS %s", [whose], new=private.catalogue)
        return super().begin(settings, private)

    def put(self, private: Settings, folder: Path, is_copied: bool) -> None:
        """Close the database too: the next run's is made of it, while nobody is connected."""
        with Server() as server:
            server.execute("ALTER DATABASE {name} ALLOW_CONNECTIONS false", name=private.catalogue)
        super().put(private, folder, is_copied)

    def discard(self, private: Settings) -> None:
        with Server() as server:
            _drop(server, private.catalogue)

    def keep_failed(self, private: Settings, kept: Settings) -> None:
        """The DuckDB file alone is kept: it has what readers look at."""
        self.discard(private)

    def tidy(self, settings: Settings) -> None:
        """Drop the databases of killed runs, and of the releases before the one in force."""
        published = _named(settings)
        self._drop_all(settings, [published] if published else [])

    def remove(self, settings: Settings) -> None:
        """Drop every database of the data folder's."""
        self._drop_all(settings, [])

    def _drop_all(self, settings: Settings, kept: Collection[str]) -> None:
        """Drop those that were made for the data folder; what the server keeps, it keeps for now.

        By the folder's own list: whoever has copied it, or has one of the same name on another
        machine, has made others.
        """
        left = [*kept]
        with Server() as server:
            for name in _noted(settings):
                try:
                    if name not in kept:
                        _drop(server, name)
                except PlatformError:  # somebody else's session is in it
                    left.append(name)
        _note(settings, left)


def _named(settings: Settings) -> str | None:
    """The database that lies behind a lakehouse, None where there is none."""
    mark = settings.lakehouse.parent / DATABASE_MARK
    return mark.read_text().strip() if mark.exists() else None


def _list_of(settings: Settings) -> Path:
    return settings.data_dir / "runs" / "databases.txt"


def _noted(settings: Settings) -> list[str]:
    """The databases that were made for a data folder, each noted before it is made."""
    place = _list_of(settings)
    return place.read_text(encoding="utf-8").split() if place.exists() else []


def _note(settings: Settings, names: Collection[str]) -> None:
    replace_text(_list_of(settings), "".join(f"{name}\n" for name in dict.fromkeys(names)))


def _drop(server: Server, name: str) -> None:
    server.execute("DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=name)
