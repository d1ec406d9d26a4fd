"""Locks that PostgreSQL keeps: first come, first served; freed when a process ends, however."""

import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from data_platform.errors import PlatformError
from data_platform.lakehouse.postgres_server import Server

# What is locked, beside the numbers of releases that readers hold: production, from the beginning
# of a run to its end; a publication; and, from here downwards, that a run is alive.
_WRITERS, _PUBLICATIONS, _RUNS = -1, -2, -10
_LONGEST_PUBLICATION = 600
_POLL_SECONDS = 1


def application(command: str) -> str:
    """Who a connection is, for people: the command, the machine and the process."""
    return f"data-platform {command[:24]} ({platform.node()[:16]}, {os.getpid()})"


@contextmanager
def alone(name: str, command: str, wait: float, on_wait: Callable[[str], None]) -> Iterator[Server]:
    """Keep other writers of a lakehouse out, on whatever machine they are.

    Raises:
        PlatformError: another one is at work; says which.
    """
    with Server(application(command)) as server:
        if not server.value("SELECT pg_try_advisory_lock(hashtext(%s), %s)", [name, _WRITERS]):
            if wait:
                on_wait(writer(server, name) or "another process is writing")
            _queue(server, name, wait)
        yield server


def _queue(server: Server, name: str, wait: float) -> None:
    """Wait in PostgreSQL's own queue, a second at a time, so that Ctrl-C is heard."""
    until = time.monotonic() + wait
    while True:
        left = until - time.monotonic()
        server.execute(f"SET lock_timeout = {max(1, round(1000 * min(left, _POLL_SECONDS)))}")
        try:
            server.execute("SELECT pg_advisory_lock(hashtext(%s), %s)", [name, _WRITERS])
        except TimeoutError:
            if time.monotonic() < until:
                continue
            who = writer(server, name) or "another process is writing"
            raise PlatformError(f"{who}; wait for it to end, or let --wait SECONDS do so") from None
        server.execute("SET lock_timeout = 0")
        return


@contextmanager
def one_at_a_time(name: str) -> Iterator[Server]:
    """Keep other publications out, first come, first served.

    Raises:
        PlatformError: one took longer than ten minutes.
    """
    with Server(application("publishes")) as server:
        server.execute(f"SET lock_timeout = '{_LONGEST_PUBLICATION}s'")
        try:
            server.execute("SELECT pg_advisory_lock(hashtext(%s), %s)", [name, _PUBLICATIONS])
        except TimeoutError:
            raise PlatformError(
                f"another publication has not ended for {_LONGEST_PUBLICATION} s; run again"
            ) from None
        server.execute("SET lock_timeout = 0")
        yield server


def hold_run(server: Server, name: str, run_number: int) -> None:
    """Show that a run is alive for as long as a connection is open."""
    server.execute("SELECT pg_advisory_lock(hashtext(%s), %s)", [name, _RUNS - run_number])


def is_run_alive(server: Server, name: str, run_number: int) -> bool:
    """Whether a run is alive, on whatever machine."""
    return is_held(server, name, _RUNS - run_number)


def writer(server: Server, name: str) -> str | None:
    """Who writes to a lakehouse, None where nobody does."""
    rows = server.rows(
        "SELECT application_name, to_char(backend_start AT TIME ZONE 'UTC', "
        "'YYYY-MM-DD HH24:MI:SS') FROM pg_stat_activity WHERE pid IN (SELECT pid FROM pg_locks "
        "WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database "
        "WHERE datname = current_database()) AND classid = (hashtext(%s)::BIGINT & 4294967295) "
        "AND objid = (%s::BIGINT & 4294967295))",
        [name, _WRITERS],
    )
    return f"{rows[0][0]} has been writing since {rows[0][1]} UTC" if rows else None


def hold_release(server: Server, name: str, number: int) -> None:
    """Keep a release from being removed for as long as a connection is open."""
    server.execute("SELECT pg_advisory_lock_shared(hashtext(%s), %s)", [name, number])


def is_held(server: Server, name: str, number: int) -> bool:
    """Whether somebody holds the lock of a number, a release's if it is above 0."""
    taken = server.value("SELECT pg_try_advisory_lock(hashtext(%s), %s)", [name, number])
    if taken:
        server.execute("SELECT pg_advisory_unlock(hashtext(%s), %s)", [name, number])
    return not taken
