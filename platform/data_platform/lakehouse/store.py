"""Where a lakehouse is kept: what the platform asks of it, whatever the engine."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import duckdb

from data_platform.settings import Settings


class Copying(Protocol):
    """A lakehouse that is being copied while the run goes on."""

    def wait(self) -> None:
        """Wait for the end; a second call has nothing to wait for."""

    def stop(self) -> None:
        """End it, done or not."""


class Store(Protocol):
    """Keeps the lakehouse that settings name: the published one, or the private copy of a run.

    A run begins by a private copy, in which it may commit as often as it likes, and ends by putting
    that in force or by discarding it.
    """

    @property
    def is_shared(self) -> bool:
        """Whether it is others' too, who have data folders of their own."""

    @property
    def scheme(self) -> str:
        """What the addresses of its places begin with, in lineage events."""

    def place(self, settings: Settings) -> str:
        """Where the lakehouse is, for people."""

    def exists(self, settings: Settings) -> bool:
        """Whether there is a lakehouse."""

    def connect(
        self, settings: Settings, is_read_only: bool, is_locked_down: bool
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection to it.

        Args:
            is_locked_down: it cannot read or write anything else either, and nothing can be done
                about it from SQL.

        Raises:
            PlatformError: it cannot be opened.
        """

    def attach(self, connection: duckdb.DuckDBPyConnection, settings: Settings, alias: str) -> None:
        """Let another lakehouse's connection read it, under another name."""

    def clear(self, private: Settings) -> None:
        """Make a private copy empty."""

    def refuse_folder(self, settings: Settings) -> None:
        """Refuse a data folder that is another gateway's, or whose lakehouse is gone.

        Raises:
            PlatformError: it would lose the lakehouse that it has, or had.
        """

    def faults(self, settings: Settings, connection: duckdb.DuckDBPyConnection) -> list[str]:
        """What the files of a lakehouse lack of what its catalogue says of them, a line each."""

    def look_again(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a connection that reads go on after a query that failed."""

    def refuse_query(self, sql: str) -> None:
        """Refuse what a connection that is locked down could still do.

        Raises:
            PlatformError: says what.
        """

    def shell(self, settings: Settings, commands: Sequence[str]) -> list[str]:
        """The words of DuckDB's shell that open it, without access to anything else.

        Args:
            commands: what the shell does first, once it is open.
        """

    def writer(self, settings: Settings) -> str | None:
        """Who keeps others out on whatever machine, None where the data folder alone tells."""

    def environment(self, settings: Settings) -> dict[str, str]:
        """What config.yaml reads of the environment, so that SQLMesh opens the same lakehouse."""

    def published(self, settings: Settings) -> int | None:
        """The number of the release in force, None where the data folder alone tells."""

    def release_of(self, private: Settings) -> int | None:
        """The last release that a private copy became, None where the data folder alone tells."""

    def private(self, settings: Settings, folder: Path, run_number: int) -> Settings:
        """The settings of a run's private copy."""

    def kept(self, settings: Settings, folder: Path) -> Settings:
        """The settings of the private copy that is kept of a run which an audit stopped."""

    def alone(
        self, settings: Settings, command: str, wait: float, on_wait: Callable[[str], None]
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection | None]:
        """Keep writers out that no lock file of the data folder keeps out, during the block.

        Gives a connection that reads what is published, None where nothing is yet.

        Args:
            command: what keeps them out, for people who wait.
            wait: how many seconds to wait for one that is at work.
            on_wait: told who that is, before the waiting.

        Raises:
            PlatformError: one is at work; says who.
        """

    def publishing(
        self, settings: Settings, private: Settings
    ) -> AbstractContextManager[int | None]:
        """A publication during the block, one at a time.

        What others have published since the private copy was made is in it from here on. Gives the
        number of the release in force, None where the data folder alone tells.

        Raises:
            PlatformError: both have changed the same.
        """

    def next_run_number(self, settings: Settings, known: int) -> int:
        """A number that no run has had, anywhere.

        Args:
            known: the highest one that is known here.
        """

    def begin(self, settings: Settings, private: Settings) -> Copying | None:
        """Begin to make a private copy of what is published; None where nothing is to be copied."""

    def settle(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make a private copy, by a connection to it, ready to be published."""

    def put(self, private: Settings, folder: Path, is_copied: bool) -> None:
        """Put a private copy where its release will be; nothing is in force yet.

        Args:
            folder: of the release, which was that of the private copy unless it is copied.

        Raises:
            PlatformError: somebody else's log is beside it.
        """

    def commit(self, settings: Settings, private: Settings, number: int, is_copied: bool) -> None:
        """Put a private copy in force as a release, in one step or not at all."""

    def discard(self, private: Settings) -> None:
        """Remove a private copy."""

    def keep_failed(self, private: Settings, kept: Settings) -> None:
        """Keep a private copy aside, in the place of one that is kept there."""

    def forget_failed(self, kept: Settings) -> None:
        """Remove the copy that is kept aside."""

    def tidy(self, settings: Settings) -> None:
        """Remove what killed runs left, by who holds the lock of `alone`."""

    def remove(self, settings: Settings) -> None:
        """Remove what lies outside of the data folder, which goes as a whole."""

    def snapshot(self, settings: Settings, place: Path) -> AbstractContextManager[Settings]:
        """What is in force now, for one long-lived reader, whatever is published meanwhile.

        An open connection to it keeps nobody from writing.

        Args:
            place: an empty folder of the reader's own.
        """
