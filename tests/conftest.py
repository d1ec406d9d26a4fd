"""What the tests share: a finished run, and ways to call the program as a person does."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path

import duckdb
import polars as pl
import pytest
from filelock import FileLock
from hypothesis import settings

import forked
from data_platform.settings import Settings
from data_platform.simulation import Simulation
from database import server
from forked import PATIENCE, Boundary, Started, collect_rarely, start

# Time is never asserted.
settings.register_profile("platform", deadline=None)
settings.load_profile("platform")

PROJECT = Path(__file__).resolve().parent.parent
AS_OF = date(2024, 2, 29)
SCALE = 0.2
COMPANY = Simulation(42, SCALE)


def options_of(as_of: str | date) -> list[str]:
    """The options of the same company as of another day."""
    return ["--scale", str(SCALE), "--as-of", str(as_of)]


@dataclass
class Platform:
    """The program on a data folder of its own."""

    data: Path
    project: Path = PROJECT
    options: list[str] = field(
        default_factory=lambda: ["--scale", str(SCALE), "--as-of", str(AS_OF)]
    )
    gateway: str = "duckdb"
    patience: float = PATIENCE

    def environment(self) -> dict[str, str]:
        """What the program finds of its own variables; those of this process are hidden from it."""
        return {}

    def start(
        self,
        *words: str,
        options: Sequence[str] | None = None,
        boundary: Boundary | None = None,
        gate: Path | None = None,
    ) -> Started:
        """Start `data-platform` as a process of its own."""
        command = ["-p", str(self.project), "-d", str(self.data), "--gateway", self.gateway]
        command += [*(self.options if options is None else options), *words]
        folder = self.data.parent
        return start("data-platform", command, folder, self.environment(), boundary, gate)

    def call(
        self, *words: str, check: bool = True, options: Sequence[str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `data-platform` as a process to its end, output captured."""
        return _ended(self.start(*words, options=options), words, check, self.patience)

    def start_sqlmesh(self, *words: str) -> Started:
        """Start SQLMesh's own program in the project's folder, as an analyst does."""
        # SQLMesh takes its default folder when it is imported, which was elsewhere.
        command = ["--paths", str(self.project), *words]
        data = {"DATA_PLATFORM_DATA_DIR": str(self.data)}
        return start("sqlmesh", command, self.project, data)

    def sqlmesh(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run SQLMesh's own program to its end, output captured."""
        return _ended(self.start_sqlmesh(*words), words, check)

    def settings(self, as_of: date = AS_OF) -> Settings:
        """The same as the options, for calls in this process."""
        return Settings(as_of, self.project, self.data, self.gateway)

    def rows(self, sql: str) -> list[tuple]:
        """Read the lakehouse."""
        with duckdb.connect(str(self.settings().lakehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def write(self, sql: str) -> None:
        """Do to the published lakehouse what nobody should."""
        with duckdb.connect(str(self.settings().lakehouse)) as connection:
            connection.execute(sql)

    def copy_project(self) -> None:
        """Give the platform a working tree of its own."""
        self.project.mkdir()
        for name in ("models", "audits", "macros", "linter"):
            shutil.copytree(PROJECT / name, self.project / name)
        for name in ("config.yaml", "external_models.yaml", "sources.yaml"):
            shutil.copy2(PROJECT / name, self.project / name)  # SQLMesh's cache goes by its time
        for name in ("model_definition", "optimized_query", "lineage"):  # by what is in a file
            if (parsed := PROJECT / ".cache" / name).is_dir():
                written = shutil.ignore_patterns("*__tmp*")  # by another worker, just now
                shutil.copytree(parsed, self.project / ".cache" / name, ignore=written)
        only_tests_of_models = shutil.ignore_patterns("*.py", "__pycache__")
        shutil.copytree(PROJECT / "tests", self.project / "tests", ignore=only_tests_of_models)


def _ended(
    started: Started, words: Sequence[str], check: bool, patience: float = PATIENCE
) -> subprocess.CompletedProcess[str]:
    code = started.join(patience)
    done = subprocess.CompletedProcess(words, code, started.stdout, started.stderr)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a PostgreSQL server of the tests' own."""
    with server() as found:
        yield found


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    """An empty platform."""
    return Platform(tmp_path / "data")


_shared: list[Path] = []


@pytest.fixture(scope="session", autouse=True)
def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where the workers of pytest keep what they have in common."""
    collect_rarely()
    forked.outputs_folder = tmp_path_factory.mktemp("outputs")
    own = tmp_path_factory.getbasetemp()
    _shared.append(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@cache
def template() -> Path:
    """The data folder of a platform after one run, made once for all workers; to be copied."""
    folder = _shared[0] / "template"
    with FileLock(_shared[0] / "template.lock"):
        if not folder.exists():
            platform = Platform(_shared[0] / "partial" / "data")
            platform.data.parent.mkdir()
            (platform.data.parent / "stderr").write_text(platform.call("run").stderr)
            platform.data.parent.rename(folder)
    return folder / "data"


def begin(platform: Platform) -> None:
    """What a first run as of AS_OF leaves, without running it."""
    shutil.copytree(template(), platform.data, symlinks=True)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform after one run; tests only read it."""
    platform = Platform(tmp_path_factory.mktemp("finished") / "data")
    begin(platform)
    return platform


@pytest.fixture
def begun(platform: Platform) -> Platform:
    """A platform after one run, to go on with."""
    begin(platform)
    return platform


@pytest.fixture
def analyst(tmp_path: Path) -> Platform:
    """A platform with a working tree of its own, to edit models in."""
    platform = Platform(tmp_path / "project/data", tmp_path / "project")
    platform.copy_project()
    return platform


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that is left out of `just test` says why."""
    for item in items:
        for mark in item.iter_markers("slow"):
            assert mark.kwargs.get("reason"), f"{item.nodeid} is slow, and nobody says why"


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """The tables of the simulated company."""
    from applications import tables_of
    from data_platform.ingest.extract import extract

    settings = Settings(AS_OF, PROJECT, tmp_path_factory.mktemp("simulated"), "duckdb")
    extract(settings, COMPANY)
    return tables_of(settings.sources_dir)
