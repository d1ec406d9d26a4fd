"""The SQLMesh project, opened once a process: importing SQLMesh takes seconds, so do it late.

Only steps that need models import this module.
"""

import logging
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from sqlmesh import Context
from sqlmesh.core.config import Config, load_configs
from sqlmesh.core.console import NoopConsole, set_console
from sqlmesh.core.model import Model
from sqlmesh.core.snapshot import Snapshot, SnapshotEvaluator
from sqlmesh.utils.date import to_date
from sqlmesh.utils.errors import SQLMeshError

from data_platform.errors import PlatformError, UsageError, one_line
from data_platform.files import cache_folder
from data_platform.lakehouse.duckdb_file import refusal
from data_platform.lakehouse.stores import store_of
from data_platform.names import BESIDE_DUCKDB, DUCKDB, SPARK
from data_platform.project.beside import beside
from data_platform.project.console import Recorder
from data_platform.project.evaluation import Evaluation, place_of
from data_platform.project.evaluator import RememberingEvaluator
from data_platform.project.facts import ModelFacts, facts_of
from data_platform.project.garbage import collect_rarely
from data_platform.project.gateways import adapt
from data_platform.project.guest_python import guest_python
from data_platform.project.kinds import kind_of, refuse_unsupported
from data_platform.project.lineage.working_tree import keeping_lineage
from data_platform.project.model_cache import (
    ContentConfig,
    ContentLoader,
    ContentLoaderWithoutTests,
)
from data_platform.project.window import Kind, Window
from data_platform.settings import CONFIG_FILE, Settings
from data_platform.sql import short_name


class _Context(Context):
    """A context whose plans compute and audit with the platform's evaluator, too."""

    evaluator: RememberingEvaluator | None = None

    @property
    def snapshot_evaluator(self) -> SnapshotEvaluator:
        """The platform's evaluator, once there is one."""
        return self.evaluator or super().snapshot_evaluator

    def close(self) -> None:
        """Close the evaluator and the state."""
        if self.evaluator is not None:
            self.evaluator.close()
        super().close()


@dataclass(frozen=True)
class Project:
    """An open SQLMesh context and the record of what it does."""

    context: Context
    evaluation: Evaluation
    evaluator: RememberingEvaluator
    lakehouse: Path  # the DuckDB file of the record
    # To that file, where the engine is another one.
    record: duckdb.DuckDBPyConnection | None = None

    @property
    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection to the record: the context's own, where that is to the lakehouse."""
        if self.record is not None:
            return self.record
        cursor: duckdb.DuckDBPyConnection = self.context.engine_adapter.cursor
        return cursor

    def physical_names(self) -> list[str] | None:
        """The tables and views that models have in another engine; None where DuckDB has them."""
        adapter = self.context.engine_adapter
        if self.record is None:
            return None
        catalog = self.context.default_catalog
        return [
            f"{catalog}.{schema}.{found.name}"
            for schema in adapter.physical_schemas()
            for found in adapter.get_data_objects(schema)
        ]

    def refuse_unsupported(self, models: Iterable[Model]) -> None:
        """Refuse models that use features of SQLMesh which the platform does not support.

        Raises:
            PlatformError: names them, what each asks for and what to use instead.
        """
        context = self.context
        refuse_unsupported(models, context.config.model_defaults.start, context.standalone_audits)


# What SQLMesh leaves unsaid when it cannot load a model.
_HINTS = {
    r"variable '(start|end)_\w+' is undefined": "only a model of kind "
    "INCREMENTAL_BY_TIME_RANGE has a period; leave the filter out",
    r"variable 'this_env' is undefined": "a model is the same in every environment",
    r"must match the schema's nesting level": "a model is called by its layer and its name, like "
    "marts.sales",
}


def _unloadable(error: Exception) -> PlatformError:
    said = one_line(str(error))
    hints = [hint for pattern, hint in _HINTS.items() if re.search(pattern, said)]
    if not re.search(r"\w\.(sql|py|ya?ml)\b", said):
        hints.append(f"the last file that it read is {ContentLoader.last_file}")
    return PlatformError("; ".join([f"SQLMesh cannot load the project: {said}", *hints]))


@contextmanager
def open_project(
    settings: Settings,
    progress: Callable[[int, int, str], None] = lambda done, total, model: None,
    with_unit_tests: bool = True,
    computes: bool = True,
) -> Iterator[Project]:
    """Open the project's SQLMesh context on the settings' lakehouse, and close it after the block.

    Args:
        progress: called with (models done, models in all, model) as models are computed.
        with_unit_tests: load the models' unit tests, which plans run and the linter looks for.
        computes: False where the engine is not to do anything.

    Raises:
        UsageError: there is no such gateway.
        PlatformError: SQLMesh cannot load the project or open the lakehouse.
    """
    os.environ.update(store_of(settings).environment(settings))  # config.yaml reads it
    warnings.filterwarnings("ignore", category=SyntaxWarning)  # of code that SQLMesh generates
    logging.getLogger("sqlmesh").setLevel(logging.CRITICAL)  # errors reach the user through us
    evaluation = Evaluation()
    set_console(Recorder(evaluation, progress))
    ContentLoader.last_file = CONFIG_FILE
    try:
        with guest_python():
            context = _Context(
                paths=str(settings.project_dir),
                config=_configs(settings.project_dir),
                gateway=settings.gateway,
                loader=ContentLoader if with_unit_tests else ContentLoaderWithoutTests,
            )
    except duckdb.Error as error:
        raise refusal(settings.lakehouse, error) from error
    except Exception as error:  # whatever a model makes SQLMesh or SQLGlot raise
        if isinstance(error, SQLMeshError) and "gateway" in str(error).lower():
            raise UsageError(f"no gateway {settings.gateway} in config.yaml") from error
        if settings.gateway == SPARK and "org.apache.spark" in str(error):
            master = os.environ.get("DATA_PLATFORM_SPARK_MASTER", "local[*]")
            raise PlatformError(
                f"Spark does not start on {master} (DATA_PLATFORM_SPARK_MASTER); is that master "
                "there, and this machine reachable from it?"
            ) from error
        raise _unloadable(error) from error
    collect_rarely()
    evaluation.places = {short_name(fqn): place_of(m) for fqn, m in context.models.items()}
    first_day = to_date(context.config.model_defaults.start)

    def on_audits(snapshot: Snapshot, results: Sequence[Any], options: Mapping[str, Any]) -> None:
        since = options.get("start")
        period = ""
        if kind_of(snapshot.model) is Kind.INCREMENTAL and since and to_date(since) > first_day:
            period = str(Window(to_date(since), to_date(options["end"])))
        evaluation.note_audits(snapshot, results, period)

    evaluator = context.evaluator = RememberingEvaluator(context, on_audits)
    with ExitStack() as stack:
        stack.callback(context.close)
        stack.enter_context(keeping_lineage(settings.project_dir))
        record = None
        if settings.gateway in BESIDE_DUCKDB:
            record = stack.enter_context(beside(context.engine_adapter, settings, computes))
            evaluation.has_views = False
        yield Project(context, evaluation, evaluator, settings.lakehouse, record)


def _configs(project_dir: Path) -> dict[Path, Config]:
    """The project's configuration, and nobody's of their own; its caches where they can be."""
    nobody = project_dir / "models" / "no-personal-configuration"
    found: dict[Path, Config] = load_configs(None, ContentConfig, [project_dir], nobody)
    for config in found.values():
        adapt(config)
        config.cache_dir = str(cache_folder(project_dir))
    return found


@contextmanager
def read_project(project_dir: Path) -> Iterator[Context]:
    """The project's SQLMesh context without a lakehouse: code alone, nothing is locked.

    Raises:
        PlatformError: SQLMesh cannot load the project.
    """
    set_console(NoopConsole())
    os.environ["DATA_PLATFORM_GATEWAY"] = DUCKDB  # code is the same on all of them
    ContentLoader.last_file = CONFIG_FILE
    try:
        with guest_python():
            context = Context(
                paths=str(project_dir),
                config=_configs(project_dir),
                loader=ContentLoader,
                load_state=False,
            )
    except Exception as error:  # whatever a model makes SQLMesh or SQLGlot raise
        raise _unloadable(error) from error
    try:
        with keeping_lineage(project_dir):
            yield context
    finally:
        context.close()


def read_models(project_dir: Path) -> list[ModelFacts]:
    """The project's own models by name."""
    with read_project(project_dir) as context:
        return [
            facts_of(model)
            for model in sorted(context.models.values(), key=lambda model: str(model.name))
            if not model.kind.is_external
        ]
