"""A PostgreSQL server, named by libpq's own environment variables (PGHOST, PGUSER, …).

No password is ever part of an address of ours: libpq takes it from PGPASSWORD or ~/.pgpass.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from data_platform.errors import PlatformError, one_line

try:
    import psycopg2
    from psycopg2 import sql
except ImportError as error:
    raise PlatformError("PostgreSQL's drivers are not installed: just setup-team") from error

_SECONDS_TO_CONNECT = 10


class Server:
    """A connection to the server; each statement is a transaction, but within `transaction`."""

    def __init__(self, application: str = "data-platform") -> None:
        """Connect.

        Args:
            application: who that is, for people who look at the server (63 bytes at most).

        Raises:
            PlatformError: there is no such server or database, or it lets nobody in.
        """
        try:
            self._connection = psycopg2.connect(
                "", connect_timeout=_SECONDS_TO_CONNECT, application_name=application[:63]
            )
        except psycopg2.Error as error:
            raise PlatformError(
                f"PostgreSQL: {_said(error)}; PGHOST, PGPORT, PGUSER, PGPASSWORD and "
                "PGDATABASE name it"
            ) from error
        self._connection.autocommit = True

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def address(self) -> dict[str, str]:
        """Where it is and who we are there, without the password."""
        of = self._connection.info
        return {"HOST": of.host, "PORT": str(of.port), "DATABASE": of.dbname, "USER": of.user}

    @property
    def password(self) -> str | None:
        """What libpq has found, wherever it was."""
        return self._connection.info.password or None

    def environment(self, prefix: str, **others: str) -> dict[str, str]:
        """The variables by which config.yaml names the server.

        Args:
            others: what is to be said in the place of the address's own, like DATABASE.
        """
        password = {"PGPASSWORD": self.password} if self.password else {}
        return {
            **password,
            **{f"{prefix}_{name}": said for name, said in {**self.address, **others}.items()},
        }

    @property
    def place(self) -> str:
        """Its address, without user and password."""
        return "{HOST}:{PORT}/{DATABASE}".format(**self.address)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What the block does happens in one step or not at all, over one state of the database."""
        self._connection.autocommit = False
        self._connection.set_session(isolation_level="REPEATABLE READ")
        try:
            yield
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
        finally:
            self._connection.autocommit = True

    def execute(self, statement: str, values: Sequence[Any] = (), **names: str) -> None:
        """Run a statement; `{name}` in it stands for one of `names`, quoted.

        Raises:
            PlatformError: the server refuses it.
        """
        self.rows(statement, values, **names)

    def rows(
        self, statement: str, values: Sequence[Any] = (), **names: str
    ) -> list[tuple[Any, ...]]:
        """The rows that a statement gives; see `execute`."""
        composed = sql.SQL(statement).format(**{n: sql.Identifier(v) for n, v in names.items()})
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(composed, values or None)
                return cursor.fetchall() if cursor.description else []
        except psycopg2.errors.LockNotAvailable as error:
            raise TimeoutError from error
        except psycopg2.Error as error:
            raise PlatformError(f"PostgreSQL: {_said(error)}") from error

    def value(self, statement: str, values: Sequence[Any] = (), **names: str) -> Any:
        """The first value of the first row that a statement gives, None where it gives none."""
        rows = self.rows(statement, values, **names)
        return rows[0][0] if rows else None


def _said(error: Exception) -> str:
    """What the server or libpq said, in one line; they never say the password."""
    return one_line(str(error)) or type(error).__name__
