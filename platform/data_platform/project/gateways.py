"""What SQLMesh needs to know of a gateway beyond config.yaml."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlmesh.core.config import Config
from sqlmesh.core.config.connection import ConnectionConfig, DuckDBConnectionConfig
from sqlmesh.core.engine_adapter import DuckDBEngineAdapter, EngineAdapter

from data_platform.names import SPARK, TEAM


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
            self._connection_pool.rollback()
            raise
        self._connection_pool.commit()

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

    def create_engine_adapter(self, *args: Any, **options: Any) -> EngineAdapter:
        """An adapter that no other context has."""
        adapter: EngineAdapter = ConnectionConfig.create_engine_adapter(self, *args, **options)
        return adapter


def adapt(config: Config) -> None:
    """Let the gateway of a team, where config.yaml has it, connect in the platform's way."""
    if (gateway := config.gateways.get(TEAM)) is not None:
        said = gateway.connection.dict(exclude={"shared_connection"})
        gateway.connection = _DuckLakeConnection(**said)
    if (gateway := config.gateways.get(SPARK)) is not None:
        from data_platform.project.spark import SparkConnection

        said = gateway.connection.dict(exclude={"shared_connection"})
        gateway.connection = SparkConnection(**said)
