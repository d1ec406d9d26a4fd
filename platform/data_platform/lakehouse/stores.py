"""Which store a gateway has."""

from data_platform.lakehouse.duckdb_file import DuckDBFile
from data_platform.lakehouse.spark_warehouse import SparkWarehouse
from data_platform.lakehouse.store import Store
from data_platform.names import POSTGRES, SPARK, TEAM
from data_platform.settings import Settings


def store_of(settings: Settings) -> Store:
    """The store of the settings' gateway; a gateway that nobody knows is refused by SQLMesh."""
    if settings.gateway == TEAM:
        # Nobody else pays for its drivers.
        from data_platform.lakehouse.team.ducklake import DuckLake

        return DuckLake()
    if settings.gateway == POSTGRES:
        from data_platform.lakehouse.postgres_databases import PostgresDatabases

        return PostgresDatabases()
    return SparkWarehouse() if settings.gateway == SPARK else DuckDBFile()
