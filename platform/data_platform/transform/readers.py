"""What readers get of an engine that they do not reach: copies in the lakehouse's DuckDB file."""

import shutil
from collections.abc import Mapping

from sqlglot import exp
from sqlmesh.core.snapshot import Snapshot

from data_platform.names import PROD
from data_platform.project.beside import copy_to_readers
from data_platform.project.context import Project
from data_platform.sql import quoted
from data_platform.transform.environments import own_tables, tables_of


def place_shown(model: str, environment: str) -> str:
    """Where readers find what a model shows in an environment, as SQL takes it."""
    schema, _, table = model.partition(".")
    schema = schema if environment == PROD else f"{schema}__{environment}"
    return f"{quoted(schema)}.{quoted(table)}"


def show_to_readers(project: Project) -> None:
    """Show in the DuckDB file what every environment shows on the engine, if that is another one.

    An environment shares with production what it has no table of its own of, here as there.
    """
    if project.record is None:
        return
    production = tables_of(project, PROD)
    if production is None:
        return
    copied = {place_shown(n, PROD): _columns(of) for n, of in production.by_name.items()}
    shared: dict[str, str] = {}
    for found in project.context.state_reader.get_environments_summary():
        tables = None if found.name == PROD or found.expired else tables_of(project, found.name)
        if tables is None:
            continue
        own = own_tables(tables, production)
        for name, snapshot in tables.by_name.items():
            place = place_shown(name, found.name)
            if name in own:
                copied[place] = _columns(snapshot)
            else:
                shared[place] = place_shown(name, PROD)
    folder = project.lakehouse.parent / "shown"
    copy_to_readers(project.context.engine_adapter, project.record, folder, copied, shared)
    shutil.rmtree(folder, ignore_errors=True)


def _columns(snapshot: Snapshot) -> Mapping[str, exp.DataType]:
    """The columns of a model in order, with the types that they have on DuckDB."""
    found: Mapping[str, exp.DataType] = snapshot.model.columns_to_types or {}
    return found
