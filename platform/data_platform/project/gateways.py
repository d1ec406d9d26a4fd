"""What SQLMesh needs to know of a gateway beyond config.yaml."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlmesh.core.config import Config
from sqlmesh.core.config.connection import ConnectionConfig, DuckDBConnectionConfig
from sqlmesh.core.engine_adapter import DuckDBEngineAdapter, EngineAdapter

from data_platform.lakehouse.stores import TEAM


class _DuckLakeAdapter(DuckDBEngineAdapter):
    """Makes a table or view and its comments in one transaction.

    Each transaction of DuckLake is several round trips to PostgreSQL, and a model has a comment a
    column.
    """

    @contextmanager
    def _together(self) -> Iterator[None]:
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

    def create_view(self, *args: Any, **options: Any) -> None:
        with self._together():
            super().create_view(*args, **options)

    def create_table(self, *args: Any, **options: Any) -> None:
        with self._together():
            super().create_table(*args, **options)

    def replace_query(self, *args: Any, **options: Any) -> None:
        with self._together():
            super().replace_query(*args, **options)

    def _insert_overwrite_by_condition(self, *args: Any, **options: Any) -> None:
        with self._together():
            super()._insert_overwrite_by_condition(*args, **options)


class _DuckLakeConnection(DuckDBConnectionConfig):
    """A connection of its own for each context: the catalogue is another one in each run."""

    @property
    def _engine_adapter(self) -> type[EngineAdapter]:
        return _DuckLakeAdapter

    def create_engine_adapter(self, *args: Any, **options: Any) -> EngineAdapter:
        adapter: EngineAdapter = ConnectionConfig.create_engine_adapter(self, *args, **options)
        return adapter


def adapt(config: Config) -> None:
    """Let the gateway of a team, where config.yaml has it, connect in the platform's way."""
    if (gateway := config.gateways.get(TEAM)) is not None:
        said = gateway.connection.dict(exclude={"shared_connection"})
        gateway.connection = _DuckLakeConnection(**said)
