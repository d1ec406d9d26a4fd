"""The lakehouse of a team: DuckLake on PostgreSQL, a catalogue of its own for each run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import duckdb

from data_platform.errors import PlatformError
from data_platform.files import replace_text, sync_file, sync_folders
from data_platform.lakehouse.extensions import extension_folder
from data_platform.lakehouse.postgres_server import Server
from data_platform.lakehouse.run_row import BESIDE_PRODUCTION
from data_platform.lakehouse.team.attachment import (
    ALIAS,
    DATA,
    attach_statement,
    attached,
    in_place,
    lock_down,
    refuse_query,
    shell_words,
    spill_folder,
    warehouse,
)
from data_platform.lakehouse.team.catalogue import Catalogues, state_of
from data_platform.lakehouse.team.locks import (
    alone,
    application,
    hold_release,
    hold_run,
    is_run_alive,
    one_at_a_time,
    writer,
)
from data_platform.lakehouse.team.maintenance import (
    claim,
    compact,
    file_faults,
    remove_old_releases,
)
from data_platform.lakehouse.team.merge import carry_over
from data_platform.lakehouse.team.naming import lakehouse_name
from data_platform.lakehouse.whose import TEAM_MARK, refuse_other
from data_platform.settings import Settings
from data_platform.sql import literal


@contextmanager
def _catalogues() -> Iterator[Catalogues]:
    """The lakehouse's catalogues, over a connection of the block's own."""
    with Server() as server:
        yield Catalogues(server, lakehouse_name())


class DuckLake:
    """A store of Parquet files, with the catalogues and SQLMesh's states in PostgreSQL."""

    is_shared = True
    scheme = "ducklake"
    # Open for as long as the run is, whose locks it holds.
    _session: Server | None = None
    # Whether it keeps others out that change production.
    _keeps_out = True

    def place(self, settings: Settings) -> str:
        with Server() as server:
            return f"{server.place}/{settings.catalogue or lakehouse_name()}"

    def exists(self, settings: Settings) -> bool:
        with _catalogues() as found:
            if settings.catalogue:
                return found.is_there(settings.catalogue)
            return found.current is not None

    @contextmanager
    def connect(
        self, settings: Settings, is_read_only: bool, is_locked_down: bool
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        with ExitStack() as stack:
            if not settings.catalogue:
                settings = stack.enter_context(self._pinned(settings))
            connection = attached(settings, is_read_only)
            stack.callback(connection.close)
            if is_locked_down:
                lock_down(connection, settings)
            if is_read_only:  # one look at the catalogue for all that follows
                connection.begin()
            yield connection

    def attach(self, connection: duckdb.DuckDBPyConnection, settings: Settings, alias: str) -> None:
        connection.execute(f"SET extension_directory = {literal(str(extension_folder()))}")
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute(attach_statement(settings, is_read_only=True, alias=alias))

    def clear(self, private: Settings) -> None:
        with _catalogues() as found:
            found.drop(private.catalogue)

    def refuse_folder(self, settings: Settings) -> None:
        refuse_other(settings)

    def faults(self, settings: Settings, connection: duckdb.DuckDBPyConnection) -> list[str]:
        with _catalogues() as found:
            return file_faults(
                found, settings.catalogue, connection, lambda: self.look_again(connection)
            )

    def look_again(self, connection: duckdb.DuckDBPyConnection) -> None:
        with suppress(duckdb.TransactionException):  # one that writes is in none
            connection.rollback()
            connection.begin()

    def refuse_query(self, sql: str) -> None:
        refuse_query(sql)

    def shell(self, settings: Settings, commands: Sequence[str]) -> list[str]:
        return shell_words(settings, commands)

    def writer(self, settings: Settings) -> str | None:
        with Server() as server:
            return writer(server, lakehouse_name())

    def environment(self, settings: Settings) -> dict[str, str]:
        with Server() as server:
            named = server.environment("DATA_PLATFORM_TEAM")
        return {
            "DATA_PLATFORM_GATEWAY": settings.gateway,
            "DATA_PLATFORM_DATA_DIR": str(settings.data_dir),
            "DATA_PLATFORM_EXTENSIONS": str(extension_folder()),
            "DATA_PLATFORM_TEAM_CATALOGUE": settings.catalogue,
            "DATA_PLATFORM_TEAM_STATE": state_of(settings.catalogue),
            "DATA_PLATFORM_SPILL": str(spill_folder(settings)),
            DATA: str(warehouse(settings)),
            **named,
        }

    def published(self, settings: Settings) -> int | None:
        with _catalogues() as found:
            return found.current

    def release_of(self, private: Settings) -> int | None:
        with _catalogues() as found:
            return found.release_of(private.catalogue)

    def private(self, settings: Settings, folder: Path, run_number: int) -> Settings:
        with _catalogues() as found:
            name = found.private(run_number)
        return replace(in_place(settings), data_dir=folder, catalogue=name)

    def kept(self, settings: Settings, folder: Path) -> Settings:
        with _catalogues() as found:
            name = found.failed
        return replace(in_place(settings), data_dir=folder, catalogue=name)

    @contextmanager
    def alone(
        self, settings: Settings, command: str, wait: float, on_wait: Callable[[str], None]
    ) -> Iterator[duckdb.DuckDBPyConnection | None]:
        keeps_out = command.split()[0] not in BESIDE_PRODUCTION
        with ExitStack() as stack:
            server = stack.enter_context(
                alone(lakehouse_name(), command, wait, on_wait)
                if keeps_out
                else Server(application(command))
            )
            found, self._session = Catalogues(server, lakehouse_name()), server
            self._keeps_out = keeps_out
            found.prepare()
            claim(warehouse(settings), found.identity)
            has_one = found.current is not None
            yield stack.enter_context(self.connect(settings, True, False)) if has_one else None

    @contextmanager
    def publishing(self, settings: Settings, private: Settings) -> Iterator[int | None]:
        with one_at_a_time(lakehouse_name()) as server:
            found = Catalogues(server, lakehouse_name())
            self._catch_up(found, private)
            yield found.current

    def _catch_up(self, found: Catalogues, private: Settings) -> None:
        """Take into a private copy what others have published since it was made."""
        base, current = found.base_of(private.catalogue), found.current
        if base == current or current is None:
            return
        if base is None:
            raise PlatformError("somebody else has made the first release meanwhile; run again")
        mine, was, is_ = private.catalogue, found.release(base), found.release(current)
        if self._keeps_out:  # production's is the copy that goes on
            with closing(attached(private, is_read_only=False)) as connection:
                carry_over(found, connection, was, is_, mine)
        else:
            merged = replace(private, catalogue=f"{mine}_merged")
            with found.server.transaction():
                found.copy(is_, merged.catalogue)
            with closing(attached(merged, is_read_only=False)) as connection:
                carry_over(found, connection, was, mine, merged.catalogue)
            with found.server.transaction():
                found.drop(mine)
                found.rename(merged.catalogue, mine)
        found.note_copy(mine, current)

    def next_run_number(self, settings: Settings, known: int) -> int:
        assert self._session is not None
        number = Catalogues(self._session, lakehouse_name()).next_run_number(known)
        hold_run(self._session, lakehouse_name(), number)
        return number

    def begin(self, settings: Settings, private: Settings) -> None:
        """Copy the catalogue, which takes no time worth telling."""
        with _catalogues() as found, found.server.transaction():
            number = found.current
            found.note_copy(private.catalogue, number)
            if number is not None:
                found.copy(found.release(number), private.catalogue)

    def settle(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Compact it; never by CHECKPOINT, which removes files that other releases name."""
        compact(connection, ALIAS)

    def put(self, private: Settings, folder: Path, is_copied: bool) -> None:
        """Make the files that the run has written safe from a loss of power."""
        replace_text(folder / "lakehouse" / TEAM_MARK, f"{self.place(private)}\n")
        with _catalogues() as found:
            if not found.is_there(private.catalogue):
                return
            number, fresh = found.current, found.files(private.catalogue)
            if number is not None:
                fresh -= found.files(found.release(number))
            place = Path(found.data_path(private.catalogue))
        for file in place.rglob("*.parquet") if fresh else ():
            if file.name in fresh:
                sync_file(file)
        if fresh:
            sync_folders(place)

    def commit(self, settings: Settings, private: Settings, number: int, is_copied: bool) -> None:
        with _catalogues() as found:
            if not found.is_there(private.catalogue):
                return
            with found.server.transaction():
                found.publish(private.catalogue, number, is_copied)
            remove_old_releases(found)

    def discard(self, private: Settings) -> None:
        with _catalogues() as found:
            found.drop_copy(private.catalogue)

    def keep_failed(self, private: Settings, kept: Settings) -> None:
        with _catalogues() as found, found.server.transaction():
            found.drop(kept.catalogue)
            found.rename(private.catalogue, kept.catalogue)

    def forget_failed(self, kept: Settings) -> None:
        with _catalogues() as found:
            found.drop(kept.catalogue)

    def remove(self, settings: Settings) -> None:
        """It is not one member's to remove."""

    def tidy(self, settings: Settings) -> None:
        """Drop the private copies of runs that were killed."""
        with _catalogues() as found:
            for left in found.schemas("w"):
                if not is_run_alive(found.server, found.name, found.run_of(left)):
                    found.drop_copy(left)

    @contextmanager
    def snapshot(self, settings: Settings, place: Path) -> Iterator[Settings]:
        """The release in force, which stays until the reader ends."""
        if settings.catalogue:
            yield settings
            return
        with self._pinned(settings) as pinned:
            yield replace(pinned, data_dir=place)

    @contextmanager
    def _pinned(self, settings: Settings) -> Iterator[Settings]:
        """The settings of the release in force, which is not removed during the block."""
        with _catalogues() as found:
            while (number := found.current) is not None:
                hold_release(found.server, found.name, number)
                if found.is_there(found.release(number)):
                    yield replace(in_place(settings), catalogue=found.release(number))
                    return
            raise PlatformError("there is no lakehouse yet on the server; run: data-platform run")
