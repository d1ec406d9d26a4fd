"""A MariaDB server of the tests' own, in a folder of its own, as a user without rights."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import polars as pl

PASSWORD = "s3cret word"
TYPES = {pl.String: "VARCHAR(200)", pl.Date: "DATE", pl.Int32: "INT", pl.Decimal: "DECIMAL(10,2)"}


def program() -> str | None:
    """The server's program, None where it is not installed."""
    return shutil.which("mariadbd", path="/usr/sbin:/usr/bin")


@contextmanager
def server() -> Iterator[str]:
    """A running server; gives the address of its database `app`, with user and password."""
    folder = Path(tempfile.mkdtemp(prefix="mysql-"))
    who: dict[str, Any] = {}
    if os.getuid() == 0:  # which the server refuses to run as
        user = pwd.getpwnam("mysql")
        os.chown(folder, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = ["--no-defaults", f"--datadir={folder}/data"]
    subprocess.run(
        ["mariadb-install-db", *own, "--auth-root-authentication-method=normal", "--skip-test-db"],
        cwd="/", check=True, capture_output=True, **who,
    )  # fmt: skip
    run = subprocess.Popen(
        [program() or "", *own, f"--socket={folder}/socket", f"--port={port}",
         "--bind-address=127.0.0.1", f"--pid-file={folder}/pid", "--skip-log-bin",
         "--character-set-server=utf8mb4", "--innodb-flush-log-at-trx-commit=0"],
        cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who,
    )  # fmt: skip
    try:
        _prepare(folder / "socket")
        password = PASSWORD.replace(" ", "%20")
        yield f"mysql://jump:{password}@127.0.0.1:{port}/app"
    finally:
        run.kill()
        run.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(socket_: Path) -> None:
    import pymysql

    for _ in range(300):
        try:
            connection = pymysql.connect(unix_socket=str(socket_), user="root")
            break
        except pymysql.err.OperationalError:
            time.sleep(0.1)
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(f"CREATE USER jump@'%' IDENTIFIED BY '{PASSWORD}'")
        cursor.execute("CREATE DATABASE app")
        cursor.execute("GRANT ALL ON app.* TO jump@'%'")


def execute(address: str, *statements: str, rows: list[tuple] | None = None) -> None:
    """Run statements; the last one for each row, if there are any."""
    import pymysql

    place = urlsplit(address)
    connection = pymysql.connect(
        host=place.hostname, port=place.port, user=place.username,
        password=unquote(place.password or ""), database="app", charset="utf8mb4", autocommit=True,
    )  # fmt: skip
    with closing(connection), connection.cursor() as cursor:
        for statement in statements[: None if rows is None else -1]:
            cursor.execute(statement)
        if rows is not None:
            cursor.executemany(statements[-1], rows)


def fill(address: str, tables: Mapping[str, pl.DataFrame]) -> None:
    """Make tables of frames."""
    for name, frame in tables.items():
        columns = ", ".join(f"`{n}` {TYPES[t.base_type()]}" for n, t in frame.schema.items())
        places = ", ".join(["%s"] * frame.width)
        execute(
            address,
            f"DROP TABLE IF EXISTS `{name}`",
            f"CREATE TABLE `{name}` ({columns}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            f"INSERT INTO `{name}` VALUES ({places})",
            rows=frame.rows(),
        )
