"""A PostgreSQL server of the tests' own, in a folder of its own, as a user without rights."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import polars as pl

PASSWORD = "s3cret word"
_ADDRESS = "postgresql://{user}:{password}@127.0.0.1:{port}/postgres"


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def server() -> Iterator[str]:
    """A running server; gives its address with user and password."""
    bin_, folder = programs(), Path(tempfile.mkdtemp(prefix="postgres-"))
    assert bin_ is not None
    who: dict[str, Any] = {}
    if os.getuid() == 0:  # which PostgreSQL refuses to run as
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (secret := folder / "password").write_text(PASSWORD)
    secret.chmod(0o644)
    data = str(folder / "data")
    run = {"cwd": "/", "check": True, "capture_output": True, **who}
    subprocess.run(
        [bin_ / "initdb", "-D", data, "-U", "jump", "-A", "scram-sha-256", f"--pwfile={secret}",
         "-E", "UTF8", "--no-sync"],
        **run,
    )  # fmt: skip
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = [bin_ / "pg_ctl", "-D", data, "-w", "-l", str(folder / "log")]
    subprocess.run([*control, "-o", options, "start"], **run)
    try:
        yield _ADDRESS.format(user="jump", password=PASSWORD.replace(" ", "%20"), port=port)
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **run)
        shutil.rmtree(folder, ignore_errors=True)


def libpq(address: str) -> dict[str, str]:
    """The variables by which libpq finds a server."""
    of = urlparse(address)
    return {
        "PGHOST": of.hostname or "",
        "PGPORT": str(of.port),
        "PGUSER": of.username or "",
        "PGPASSWORD": unquote(of.password or ""),
        "PGDATABASE": "postgres",
    }


def execute(address: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        for statement in statements:
            cursor.execute(statement)


def fill(
    address: str, tables: Mapping[str, pl.DataFrame | Iterable[pl.DataFrame]], fresh: bool = True
) -> None:
    """Make tables of frames, or of several each.

    Args:
        fresh: nothing else is to be left.
    """
    from adbc_driver_postgresql import dbapi

    if fresh:
        execute(address, "DROP SCHEMA IF EXISTS public CASCADE", "CREATE SCHEMA public")
    with dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        for name, frames in tables.items():
            for frame in [frames] if isinstance(frames, pl.DataFrame) else frames:
                rows = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
                cursor.adbc_ingest(name, rows, mode="create_append", db_schema_name="public")
