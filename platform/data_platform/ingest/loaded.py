"""What is needed before models can be computed: every source is loaded."""

from typing import Any

from data_platform.errors import PlatformError
from data_platform.record.loads import LastLoad, last_load, loaded_tables
from data_platform.settings import Settings
from data_platform.sources.contract_file import read_contract


def loaded(connection: Any, settings: Settings) -> LastLoad:
    """The load that the lakehouse holds, once every source is in it.

    Raises:
        PlatformError: nothing is loaded, or a source never was.
    """
    load, tables = last_load(connection), loaded_tables(connection)
    if load is None or not tables:
        raise PlatformError("nothing is loaded yet; run: data-platform extract load")
    for table in read_contract(settings.project_dir).extracted:
        if table.name not in tables:
            raise PlatformError(
                f"source {table.source} is not loaded; "
                f"run: data-platform extract -s {table.source} load -s {table.source}"
            )
    return load
