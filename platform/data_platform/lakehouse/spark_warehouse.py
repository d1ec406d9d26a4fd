"""The lakehouse of a cluster: Spark's tables in a folder beside the DuckDB file of the record.

The file holds the raw tables, the record and SQLMesh's state, and what Spark has computed for
readers. A private copy shares the Parquet files, which Spark only ever replaces; its catalogue is
copied. Spark knows tables by their whole path, so that it sees every private copy under one name.
"""

import importlib.util
import os
import shutil
from dataclasses import replace
from pathlib import Path

from data_platform.errors import PlatformError
from data_platform.lakehouse.copying import Copying
from data_platform.lakehouse.duckdb_file import DuckDBFile
from data_platform.lakehouse.whose import SPARK_CATALOGUE, refuse_other
from data_platform.settings import Settings

_TABLES = "warehouse"
# Keeps Spark's own log to errors.
_CONFIGURATION = Path(__file__).with_name("spark_conf")


class SparkWarehouse(DuckDBFile):
    """A store of Spark's tables and one DuckDB file, published by one rename."""

    scheme = "spark"

    def environment(self, settings: Settings) -> dict[str, str]:
        return {
            **super().environment(settings),
            "SPARK_CONF_DIR": os.environ.get("SPARK_CONF_DIR", str(_CONFIGURATION)),
            "DATA_PLATFORM_SPARK_FOLDER": str(settings.warehouse or settings.lakehouse.parent),
        }

    def private(self, settings: Settings, folder: Path, run_number: int) -> Settings:
        place = settings.data_dir / "runs" / "spark"
        return replace(settings, data_dir=folder, warehouse=place)

    def refuse_folder(self, settings: Settings) -> None:
        """Refuse to begin what can't be done here.

        Raises:
            PlatformError: Spark or Java is not installed, or the folder's lakehouse is not Spark's.
        """
        if importlib.util.find_spec("pyspark") is None:
            raise PlatformError(
                "gateway spark needs pyspark, which is not installed: just setup-spark"
            )
        if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
            raise PlatformError(
                "gateway spark needs Java 17: apt-get install openjdk-17-jre-headless, or set "
                "JAVA_HOME"
            )
        refuse_other(settings)

    def begin(self, settings: Settings, private: Settings) -> Copying | None:
        _copy(settings.lakehouse.parent, private.lakehouse.parent)
        assert private.warehouse is not None
        private.warehouse.unlink(missing_ok=True)
        private.warehouse.symlink_to(private.lakehouse.parent)
        return super().begin(settings, private)

    def put(self, private: Settings, folder: Path, is_copied: bool) -> None:
        if is_copied:
            _copy(private.lakehouse.parent, folder / "lakehouse")
        super().put(private, folder, is_copied)

    def discard(self, private: Settings) -> None:
        if private.warehouse is not None:
            private.warehouse.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """Copy Spark's tables by links, and its catalogue, which is written in place."""
    if (source / _TABLES).is_dir():
        shutil.copytree(source / _TABLES, target / _TABLES, copy_function=_link, symlinks=True)
    if (source / SPARK_CATALOGUE).is_dir():
        shutil.copytree(source / SPARK_CATALOGUE, target / SPARK_CATALOGUE)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
    return target
