"""A MySQL or MariaDB database, in one transaction that sees one moment.

shop:
  kind: mysql
  url_env: SHOP_DATABASE_URL    # the variable that holds mysql://user:password@host:3306/name
  time_zone: Europe/Paris       # what a DATETIME, which has no zone, means there
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import polars as pl

from data_platform.errors import PlatformError, one_line
from data_platform.simulation import Simulation
from data_platform.sources.column import Column
from data_platform.sources.contract import SourceTable
from data_platform.sources.databases.address import address_of
from data_platform.sources.databases.query import OF_A_TABLE, Query
from data_platform.sources.databases.texts import ROWS_AT_ONCE, TextSession, as_texts, told
from data_platform.sources.entries import Entry
from data_platform.sources.real import RealSource
from data_platform.sql import literal

_OPTIONS = ("url_env", "time_zone", "tables")
_EXAMPLE = "mysql://user:password@host:3306/database"
# Types whose texts do not say all that they hold (numbers of MySQL's protocol).
_INEXACT = {4: "FLOAT", 16: "BIT", 255: "GEOMETRY"}
_TIMESTAMP = 7  # which the server gives in the session's zone
_SECONDS = 30


def open_source(
    entry: Entry, tables: Sequence[SourceTable], company: Simulation, as_of: date
) -> RealSource:
    """A database, whose address the environment holds.

    Raises:
        PlatformError: the entry lacks url_env, or the variable is not set or holds no address.
    """
    entry.refuse_unknown(_OPTIONS, OF_A_TABLE, tables)
    place = _place(entry, address_of(entry, _EXAMPLE))
    return RealSource(entry, tables, as_of, partial(_session, entry, place))


def _place(entry: Entry, url: str) -> dict[str, Any]:
    """What an address says, as the driver takes it."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        place = {
            "host": parts.hostname,
            "port": parts.port or 3306,
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "database": unquote(parts.path.removeprefix("/")),
        }
    except ValueError:
        place, options = {}, {}
    secure = {"ssl_ca": options.pop("ssl_ca")} if "ssl_ca" in options else {}
    if not place or not place["host"] or not place["database"] or options:
        raise PlatformError(
            f"source {entry.name}: its variable holds no address like {_EXAMPLE}, which may end "
            "in ?ssl_ca=FILE"
        )
    if secure and not os.access(secure["ssl_ca"], os.R_OK):
        raise PlatformError(f"source {entry.name}: cannot read {secure['ssl_ca']}, its ssl_ca")
    return {**place, **secure}


@dataclass(frozen=True)
class _MySQL:
    connection: Any

    def quote(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def text_of(self, expression: str, column: Column) -> str:
        return f"({expression})"  # the server writes all values as texts

    def frames(self, sql: str) -> Iterator[pl.DataFrame]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            names = [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                yield as_texts(names, rows)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return [row for frame in self.frames(sql) for row in frame.rows()]

    def names(self, sql: str) -> Sequence[str]:
        return [column[0] for column in self._description(sql)]

    def zones(self, query: Query, table: SourceTable) -> Mapping[str, str | None]:
        chosen = ", ".join(
            f"({sql}) AS {self.quote(name)}" for name, sql in query.expressions.items()
        )
        types = {
            name: type_
            for name, type_, *_ in self._description(f"SELECT {chosen} FROM {query.rows_of}")
        }
        for name, type_ in types.items():
            if type_ in _INEXACT:
                raise PlatformError(
                    f"{table.key}: column {name} is of type {_INEXACT[type_]}, which MySQL does "
                    "not write out whole; expected another, like an expression CAST(… AS DOUBLE)"
                )
        return {name: "UTC" for name, type_ in types.items() if type_ == _TIMESTAMP}

    def not_before(self, cursor: str, mark: str, hours: int) -> str:
        earliest = f"CAST({literal(mark)} AS DATETIME(6)) - INTERVAL {hours} HOUR"
        return f"{cursor} >= {earliest} OR {cursor} IS NULL"

    def latest(self, cursor: str, rows_of: str) -> str:
        return f"SELECT LEAST(MAX({cursor}), NOW(6)) FROM {rows_of}"

    def _description(self, sql: str) -> Sequence[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(f"{sql} LIMIT 0")
            cursor.fetchall()
            return tuple(cursor.description)


@contextmanager
def _session(entry: Entry, place: Mapping[str, Any]) -> Iterator[TextSession]:
    try:
        import pymysql
        from pymysql.converters import encoders
        from pymysql.cursors import SSCursor
    except ImportError as error:
        raise PlatformError(
            f"source {entry.name} is a MySQL database, whose driver is not installed; run: "
            ".venv/bin/uv pip install pymysql"
        ) from error

    def said(error: Exception) -> str | None:
        if not isinstance(error, pymysql.MySQLError | OSError):
            return None
        text = one_line(str(error.args[-1] if error.args else error))
        return text.replace(place["password"], "…") if place["password"] else text

    with (
        told(entry, said),
        closing(
            pymysql.connect(
                **place,
                charset="utf8mb4",
                conv=dict(encoders),  # without decoders: values stay what the server wrote
                cursorclass=SSCursor,
                connect_timeout=_SECONDS,
            )
        ) as connection,
    ):
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SET time_zone = '+00:00'")
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        yield TextSession(entry, _MySQL(connection), said)
        connection.rollback()
