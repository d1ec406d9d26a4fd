"""The lakehouse as one DuckDB file in the folder of a release: copied, published by rename."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_fixed

from data_platform.errors import LakehouseInUseError, PlatformError, one_line
from data_platform.files import sync_file, writable_folder
from data_platform.lakehouse.copying import Copying, copy_database
from data_platform.lakehouse.limits import limits, set_limits
from data_platform.lakehouse.releases import Releases
from data_platform.lakehouse.whose import refuse_other
from data_platform.settings import DATABASE, Settings
from data_platform.sql import literal, quoted, silence

_POLL_SECONDS = 0.1
_LOCKED_DOWN: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


class DuckDBFile:
    """A store of one file; SQLMesh's state is in it, so that one rename publishes both."""

    is_shared = False
    scheme = "duckdb"

    def place(self, settings: Settings) -> str:
        return str(settings.lakehouse)

    def exists(self, settings: Settings) -> bool:
        return settings.lakehouse.exists()

    @contextmanager
    def connect(
        self, settings: Settings, is_read_only: bool, is_locked_down: bool
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection; a file that the block creates and fails to fill is removed."""
        path = settings.lakehouse
        if not is_read_only:
            writable_folder(path.parent)
        is_new = not path.exists()
        with ExitStack() as stack:
            locked_down = {}
            if is_locked_down:
                # Whoever asks may write to where DuckDB spills: not to what is published.
                spill = stack.enter_context(TemporaryDirectory(prefix="data-platform-"))
                locked_down = {**_LOCKED_DOWN, **limits(), "temp_directory": spill}
            try:
                connection = duckdb.connect(str(path), read_only=is_read_only, config=locked_down)
            except duckdb.Error as error:
                raise refusal(path, error) from error
            try:
                silence(connection)
                if is_locked_down:
                    connection.execute("SET lock_configuration = true")
                else:
                    set_limits(connection)
                yield connection
            except BaseException:
                if is_new and not is_read_only:
                    path.unlink(missing_ok=True)
                raise
            finally:
                connection.close()

    def attach(self, connection: duckdb.DuckDBPyConnection, settings: Settings, alias: str) -> None:
        path = literal(str(settings.lakehouse))
        connection.execute(f"ATTACH {path} AS {quoted(alias)} (READ_ONLY)")

    def clear(self, private: Settings) -> None:
        private.lakehouse.unlink(missing_ok=True)

    def refuse_folder(self, settings: Settings) -> None:
        refuse_other(settings)
        database = settings.lakehouse
        release = database.resolve().parents[1]
        if database.exists() or not release.is_dir():
            return
        # A file that is gone would be made anew, without what no extract brings back.
        for kept in release.parent.glob(f"*/lakehouse/{DATABASE}"):
            raise PlatformError(
                f"{database} is gone, but the release before has one; put it back with: cp -p "
                f"{kept} {database.resolve().parent}/ and see what it holds: data-platform status; "
                "or remove everything: data-platform clean"
            )

    def faults(self, settings: Settings, connection: duckdb.DuckDBPyConnection) -> list[str]:
        return []  # DuckDB compares each block that it reads with its checksum

    def look_again(self, connection: duckdb.DuckDBPyConnection) -> None: ...

    def refuse_query(self, sql: str) -> None:
        """DuckDB itself refuses all that there is to refuse."""

    def shell(self, settings: Settings, commands: Sequence[str]) -> list[str]:
        first = [word for one in commands for word in ("-cmd", one)]
        return ["-safe", "-readonly", *first, str(settings.lakehouse)]

    def writer(self, settings: Settings) -> str | None:
        return None

    def environment(self, settings: Settings) -> dict[str, str]:
        return {
            "DATA_PLATFORM_GATEWAY": settings.gateway,
            "DATA_PLATFORM_DATA_DIR": str(settings.data_dir),
        }

    def published(self, settings: Settings) -> int | None:
        return None

    def release_of(self, private: Settings) -> int | None:
        return None

    def private(self, settings: Settings, folder: Path, run_number: int) -> Settings:
        return replace(settings, data_dir=folder)

    def kept(self, settings: Settings, folder: Path) -> Settings:
        return replace(settings, data_dir=folder)

    @contextmanager
    def alone(
        self, settings: Settings, command: str, wait: float, on_wait: Callable[[str], None]
    ) -> Iterator[duckdb.DuckDBPyConnection | None]:
        """Keep SQLMesh's own commands from writing to the published lakehouse during the block.

        A read-only connection, which the block gets, lets readers in and makes DuckDB refuse who
        opens the file to write.
        """
        database = settings.lakehouse
        if not database.exists():
            yield None
            return
        retrying = Retrying(
            stop=stop_after_delay(wait),
            wait=wait_fixed(_POLL_SECONDS),
            retry=retry_if_exception(is_in_use),
            reraise=True,
            before_sleep=lambda state: _tell_once(state, database, on_wait),
        )
        try:
            connection = retrying(duckdb.connect, str(database), read_only=True)
        except duckdb.Error as error:
            raise refusal(database, error) from error
        with closing(connection):
            yield connection

    @contextmanager
    def publishing(self, settings: Settings, private: Settings) -> Iterator[int | None]:
        """Nobody else publishes, as long as the run keeps others out."""
        yield None

    def next_run_number(self, settings: Settings, known: int) -> int:
        return known + 1

    def begin(self, settings: Settings, private: Settings) -> Copying | None:
        spare = Releases(settings.data_dir).spare
        return Copying.start(settings.lakehouse, private.lakehouse.parent, spare)

    def settle(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("CHECKPOINT")

    def put(self, private: Settings, folder: Path, is_copied: bool) -> None:
        """Remove the empty logs beside the file, too; one that holds anything is a writer's."""
        database = folder / "lakehouse" / DATABASE
        for log in (private.lakehouse if is_copied else database).parent.glob(f"{DATABASE}?*"):
            if log.is_dir():  # of what the run that goes on has spilled
                continue
            if log.stat().st_size:
                raise PlatformError(f"{log.name} was left beside the lakehouse; run again")
            log.unlink()
        if is_copied:
            copy_database(private.lakehouse, database.parent)
        if database.exists():
            sync_file(database)

    def commit(self, settings: Settings, private: Settings, number: int, is_copied: bool) -> None:
        """The data folder's link puts the file in force, together with the rest of the release."""

    def discard(self, private: Settings) -> None:
        """It goes with its folder, as the following do."""

    def keep_failed(self, private: Settings, kept: Settings) -> None: ...

    def forget_failed(self, kept: Settings) -> None: ...

    def tidy(self, settings: Settings) -> None: ...

    def remove(self, settings: Settings) -> None: ...

    @contextmanager
    def snapshot(self, settings: Settings, place: Path) -> Iterator[Settings]:
        copy = replace(settings, data_dir=place)
        copy.lakehouse.parent.mkdir(parents=True, mode=0o700)
        # The release in force now, whatever comes.
        source = replace(settings, data_dir=settings.lakehouse.resolve().parents[1])
        with self.alone(source, "", 0, lambda who: None):
            copy_database(source.lakehouse, copy.lakehouse.parent)
        yield copy


def refusal(path: Path, error: duckdb.Error) -> PlatformError:
    """What to say when DuckDB does not open the lakehouse."""
    message = one_line(str(error))
    if holder := re.search(r"Conflicting lock is held in (.*?)\.? See also", message):
        return LakehouseInUseError(
            f"the lakehouse {path} is in use by {holder[1]}; wait for it to end, then try again"
        )
    return PlatformError(f"cannot open the lakehouse {path}: {message}")


def is_in_use(error: BaseException) -> bool:
    """Whether DuckDB does not open a file because another process writes to it."""
    return isinstance(error, duckdb.Error) and "Conflicting lock" in str(error)


def _tell_once(state: RetryCallState, database: Path, on_wait: Callable[[str], None]) -> None:
    """Tell at the first retry who is in the way."""
    error = state.outcome.exception() if state.outcome else None
    if state.attempt_number == 1 and isinstance(error, duckdb.Error):
        on_wait(str(refusal(database, error)).partition(";")[0])
