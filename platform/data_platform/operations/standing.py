"""What stands: the proof that a run would only do again what an earlier one has done.

A run that succeeds leaves a digest of all that it was made of (what was asked for, the day, the
project's files, the program, installed packages, the variables of the environment that they read,
time zones) and of all that it made or took over (extracts, lakehouse, exports, report, by size and
time). As long as both are the same, there is nothing to do. Real applications can change at any
time, so that nothing is proven of them.
"""

import hashlib
import json
import os
import platform
import re
import sys
import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from data_platform.errors import PlatformError
from data_platform.files import replace_text
from data_platform.lakehouse.connection import reading
from data_platform.lakehouse.lock import write_holder, writers_lock
from data_platform.lakehouse.releases import PARTS, Releases
from data_platform.lakehouse.run_row import about, ended, first_row
from data_platform.names import DUCKDB
from data_platform.record.journal import Journal, journals, last_recorded_number
from data_platform.record.loads import last_load
from data_platform.record.rows import Outcome, RunRow, StepRow
from data_platform.settings import CONFIG_FILE, CONTRACT_FILE, SOURCES_FILE, Settings, yesterday
from data_platform.simulation import Simulation
from data_platform.sources.entries import VARIABLE, read_entries
from data_platform.sources.registry import simulated

_PACKAGE = Path(__file__).resolve().parents[1]
# Of a project: what models, their audits and the extracts are made of.
_CODE = ("models", "macros", "audits", "linter", "seeds", "tests")
_FILES = (CONFIG_FILE, CONTRACT_FILE, SOURCES_FILE, ".env")
# Variables that the program or what it runs on reads, by the beginnings of their names.
_READ = ("DATA_PLATFORM_", "SQLMESH", "OPENLINEAGE", "TZ", "LANG", "LC_", "PYTHON")
_ASKED_FOR = re.compile(r"""env_var\(\s*["'](\w+)""")


@dataclass(frozen=True)
class Settled:
    """The run that has done all, when it had, and which models it found not to be deployed."""

    run_number: int
    release: int
    at: str
    undeployed: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """What a run is asked for, and the environment in which it begins."""

    settings: Settings
    company: Simulation
    # The options of the run, which tell one from another by how they are written.
    asked: object
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def _place(self) -> Path:
        return Releases(self.settings.data_dir).runs_dir / "standing.json"

    def settled(self) -> Settled | None:
        """The earlier run that has done all that is asked for; None where that is not proven."""
        try:
            noted = json.loads(self._place.read_text(encoding="utf-8"))
            if not self.begun or noted["given"] != self.begun or noted["made"] != self.made():
                return None
            return Settled(
                noted["run_number"], noted["release"], noted["at"], tuple(noted["undeployed"])
            )
        except (OSError, ValueError, KeyError, TypeError, PlatformError):
            return None

    def note(self, row: RunRow, undeployed: Sequence[str]) -> None:
        """Note that a run has done all; nothing is proven of what changed meanwhile.

        Args:
            row: of the run, which is published.
            undeployed: the models whose code in the working tree is not production's.
        """
        made = self.made()
        is_in_force = row.release == Releases(self.settings.data_dir).current
        if not self.begun or self.begun != self._given() or not is_in_force:
            return
        noted = {
            "given": self.begun,
            "made": made,
            "run_number": row.run_number,
            "release": row.release,
            "at": f"{row.finished_at:%F %T}",
            "undeployed": [*undeployed],
        }
        replace_text(self._place, json.dumps(noted) + "\n")

    @cached_property
    def begun(self) -> str | None:
        """What the run was made of when it began, None where that cannot be told."""
        return self._given()

    def _given(self) -> str | None:
        """A digest of all that a run is made of; None where that cannot be told."""
        settings = self.settings
        entries = read_entries(settings.project_dir)
        if settings.gateway != DUCKDB or set(simulated(entries, entries)) != set(entries):
            return None
        digest = hashlib.sha256()
        said = (self.asked, settings, self.company, yesterday(), sys.version, platform.platform())
        digest.update(repr((said, sorted(_packages()))).encode())
        digest.update(repr(sorted(self._variables().items())).encode())
        files = [settings.project_dir / name for name in _FILES]
        files += [file for name in _CODE for file in (settings.project_dir / name).rglob("*.*")]
        files += _PACKAGE.rglob("*.*")
        if named := self.environment.get(VARIABLE):
            files.append(Path(named))
        for file in sorted({*files, *_time_zones()}):
            if file.suffix != ".pyc" and file.is_file():
                digest.update(b"\0" + str(file).encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()

    def _variables(self) -> dict[str, str]:
        text = (self.settings.project_dir / CONFIG_FILE).read_text(encoding="utf-8")
        asked_for = {*_ASKED_FOR.findall(text)}
        return {
            name: value
            for name, value in self.environment.items()
            if name.startswith(_READ) or name in asked_for
        }

    def made(self) -> str:
        """A digest of what is published: each file by its place, size and time."""
        data = self.settings.data_dir
        digest = hashlib.sha256(str(Releases(data).current).encode())
        for part in PARTS:
            for file in sorted((data / part).resolve().rglob("*")):
                if file.is_file():
                    is_ = file.stat()
                    told = (part, file.name, is_.st_size, is_.st_mtime_ns, is_.st_ino)
                    digest.update(repr(told).encode())
        return digest.hexdigest()


def record_nothing_to_do(
    standing: Standing, command: str, wait: float, on_wait: Callable[[str], None]
) -> Settled | None:
    """Record a run that has nothing to do, as one of its own; None where that is not proven.

    Raises:
        PlatformError: another process writes.
    """
    settings = standing.settings
    if standing.settled() is None:
        return None
    runs_dir = Releases(settings.data_dir).runs_dir
    with writers_lock(runs_dir, wait, on_wait):
        settled = standing.settled()
        if settled is None:  # whoever was waited for has changed something
            return None
        with reading(settings) as connection:
            last = max(
                last_recorded_number(connection), *(one.run_number for one in journals(runs_dir)), 0
            )
            load = last_load(connection)
        write_holder(runs_dir, last + 1, command)
        row = first_row(settings, standing.company, command, last + 1)
        row = replace(row if load is None else about(row, load), release=settled.release)
        summary = f"all stands since run {settled.run_number}"
        step = StepRow(1, "nothing to do", Outcome.SUCCEEDED, row.started_at, 0.0, summary=summary)
        Journal(runs_dir / f"{last + 1}.jsonl", last + 1).note(step, ended(row, Outcome.SUCCEEDED))
    return settled


def _packages() -> Iterable[str]:
    """The installed packages, DuckDB's extensions among them, by name and version."""
    for folder in filter(os.path.isdir, sys.path):
        with os.scandir(folder) as found:
            yield from (one.name for one in found if one.name.endswith("-info"))


def _time_zones() -> Iterable[Path]:
    """What tells one version of the system's time zones from another."""
    return (Path(folder) / "tzdata.zi" for folder in zoneinfo.TZPATH)
