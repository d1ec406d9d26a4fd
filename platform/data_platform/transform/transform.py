"""The transform step: bring production's tables up to date with the last load.

SQLMesh does not see that the data of an external table changed, so the platform keeps, for each
physical table of a model, the last load whose data it includes (`ops.model_tables`). What loads
since then have changed decides what is computed again, and over which months (`restatement.py`).
That covers a new load, several, one that goes back in time, code that was just deployed from an
environment built before it, and code that went back to an old version whose table is still there
with "nothing missing".
"""

from collections.abc import Sequence
from contextlib import suppress

from data_platform.errors import PlatformError
from data_platform.ingest.loaded import loaded
from data_platform.lakehouse.connection import reading
from data_platform.names import DUCKDB
from data_platform.project.canary import refuse_untrue
from data_platform.project.context import open_project
from data_platform.record.rows import StoppedError
from data_platform.record.transforms import last_transformed
from data_platform.settings import Settings
from data_platform.transform.production import Production
from data_platform.transform.readers import show_to_readers
from data_platform.transform.transformed import Progress, Transformed


def transform(
    settings: Settings,
    layers: Sequence[str] = (),
    deploy: bool = False,
    progress: Progress = lambda done, total, model: None,
    with_lineage: bool = False,
) -> Transformed:
    """Bring production up to date with the last load.

    The first transform deploys the working tree's models; a later one keeps production's code
    unless `deploy` says so.

    Args:
        layers: compute only the models of these layers, and what they read; others stay behind
            until the next transform.
        progress: called with (models done, models in all, model).
        with_lineage: give back the lineage of production's models, too.

    Raises:
        UsageError: there is no such gateway.
        PlatformError: nothing is loaded, a blocking audit failed, or a model did.
    """
    with reading(settings) as connection:
        load = loaded(connection, settings)
        is_first = last_transformed(connection) is None
        deploys = deploy or is_first  # the linter comes first
    with open_project(settings, progress, with_unit_tests=deploys) as project:
        if is_first and settings.gateway != DUCKDB:
            refuse_untrue(project.context.engine_adapter, settings.gateway)
        production = Production(project, progress)
        try:
            done = production.bring_up_to(load, layers, production.working_tree if deploy else None)
        except StoppedError:
            with suppress(Exception):  # which must not hide what stopped it
                show_to_readers(project)
            raise
        return production.complete(done, load, with_lineage)


def audit(settings: Settings, progress: Progress = lambda done, total, model: None) -> Transformed:
    """Recount production's audits.

    Raises:
        PlatformError: nothing is loaded, production is behind the last load, or an audit that
            blocks found something.
    """
    with reading(settings) as connection:
        load = loaded(connection, settings)
        shown = last_transformed(connection)
    if shown != load.load_number:
        raise PlatformError(
            f"production does not show load {load.load_number} yet; run: data-platform transform"
        )
    with open_project(settings, progress, with_unit_tests=False) as project:
        production = Production(project, progress)
        return production.complete(production.bring_up_to(load, recounts=True), load, False)
