"""What SQLMesh needs to know of a gateway beyond config.yaml."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Protocol, runtime_checkable

import duckdb
from sqlmesh.core.config import Config
from sqlmesh.core.config.connection import ConnectionConfig, DuckDBConnectionConfig
from sqlmesh.core.engine_adapter import DuckDBEngineAdapter, EngineAdapter

from data_platform.lakehouse.extensions import are_compared
from data_platform.names import POSTGRES, SPARK, TEAM


@runtime_checkable
class Resilient(Protocol):
    """An adapter whose transaction ends by a query that fails."""

    def look_again(self) -> None:
        """Go on after a query that failed."""


class DuckLakeAdapter(DuckDBEngineAdapter):
    """Makes a table or view and its comments in one transaction.

    Each transaction of DuckLake reads the whole catalogue again, and a model has a comment for each
    column.
    """

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make the block one transaction, where it is not part of one."""
        if self._connection_pool.is_transaction_active:
            yield
            return
        self._connection_pool.begin()
        try:
            yield
        except BaseException:
            self._undo()
            raise
        self._commit()

    def gather(self) -> None:
        """Make what follows one transaction, until it is settled."""
        if not self._connection_pool.is_transaction_active:
            self._connection_pool.begin()

    def settle(self) -> None:
        """Make what was gathered safe."""
        if self._connection_pool.is_transaction_active:
            self._commit()

    def forget(self) -> None:
        """Undo what was gathered."""
        if self._connection_pool.is_transaction_active:
            self._undo()
        self._clear_data_object_cache()

    def _commit(self) -> None:
        """Commit, or undo and say why.

        SQLMesh goes on after some errors. One that has ended the transaction makes COMMIT undo it
        without a word.
        """
        try:
            self.cursor.execute("SELECT 1")
            self._connection_pool.commit()
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        try:
            self._connection_pool.rollback()
        except duckdb.Error:  # a commit that fails has ended it, which the pool does not know
            with suppress(duckdb.Error):
                self._connection_pool.begin()
                self._connection_pool.rollback()

    def look_again(self) -> None:
        """Go on after a query that failed, which has ended a transaction that wrote nothing."""
        if self._connection_pool.is_transaction_active:
            self._connection_pool.rollback()
            self._connection_pool.begin()

    def create_view(self, *args: Any, **options: Any) -> None:
        """Make a view with its comments."""
        with self.together():
            super().create_view(*args, **options)

    def create_table(self, *args: Any, **options: Any) -> None:
        """Make an empty table with its comments."""
        with self.together():
            super().create_table(*args, **options)

    def _create_table(self, *args: Any, **options: Any) -> None:
        # A file a month would be many for what a table holds; within a file, rows lie by month.
        super()._create_table(*args, **{**options, "partitioned_by": None})

    def replace_query(self, *args: Any, **options: Any) -> None:
        """Make a table of a query, with its comments."""
        with self.together():
            super().replace_query(*args, **options)

    def _insert_overwrite_by_condition(self, *args: Any, **options: Any) -> None:
        with self.together():
            super()._insert_overwrite_by_condition(*args, **options)


class _DuckLakeConnection(DuckDBConnectionConfig):
    """A connection of its own for each context: the catalogue is another one in each run."""

    @property
    def _engine_adapter(self) -> type[EngineAdapter]:
        return DuckLakeAdapter

    @property
    def _connection_factory(self) -> Callable[..., duckdb.DuckDBPyConnection]:
        return partial(duckdb.connect, config={"allow_unsigned_extensions": are_compared()})

    def create_engine_adapter(self, *args: Any, **options: Any) -> EngineAdapter:
        """An adapter that no other context has."""
        adapter: EngineAdapter = ConnectionConfig.create_engine_adapter(self, *args, **options)
        return adapter


def adapt(config: Config) -> None:
    """Let the gateways that config.yaml has connect in the platform's way."""
    for name, gateway in config.gateways.items():
        kind = _connection_of(name)
        if kind is not None:
            gateway.connection = kind(**gateway.connection.dict(exclude={"shared_connection"}))


def _connection_of(gateway: str) -> type[ConnectionConfig] | None:
    """The connection of ours that a gateway has; nobody pays for another one's drivers."""
    if gateway == TEAM:
        return _DuckLakeConnection
    if gateway == POSTGRES:
        from data_platform.project.postgres import PostgresConnection

        return PostgresConnection
    if gateway == SPARK:
        from data_platform.project.spark import SparkConnection

        return SparkConnection
    return None
