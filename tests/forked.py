"""Processes that start at once: forked from one that has imported the program and SQLMesh.

What they run, print and exit with is what the installed commands do. One can be killed at any
moment from outside, or stop at a named boundary inside: before or after a function of the program,
where it kills itself or waits for a file.
"""

import gc
import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        *(
            "data_platform.cli",
            "data_platform.operations.backfill",
            "data_platform.deployment.plan",
        ),
        *(
            "data_platform.operations.status",
            "data_platform.delivery.query",
            "data_platform.project.lineage.working_tree",
        ),
        *("sqlmesh.cli.main", "pandas"),  # DuckDB imports the latter for parameters
    ]
)
# Where what commands print is kept; pytest removes it with its other folders.
outputs_folder: Path | None = None
PATIENCE = 120.0  # seconds; nobody waits that long unless something is stuck


@dataclass(frozen=True)
class Boundary:
    """Before or after a function of the program, at one of its calls."""

    module: str
    function: str
    is_after: bool = False
    call: int = 1

    def __str__(self) -> str:
        side = "after" if self.is_after else "before"
        return f"{side} {self.module}.{self.function}" + f" #{self.call}" * (self.call > 1)


def collect_rarely() -> None:
    """Leave garbage alone for longer: looking for it takes a fifth of SQLMesh's time."""
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


def _stop_at(boundary: Boundary, gate: str | None) -> None:
    """Make a function stop the process: for good, or until the gate's file is there."""
    owner: Any = importlib.import_module(f"data_platform.{boundary.module}")
    *path, name = boundary.function.split(".")
    for part in path:
        owner = getattr(owner, part)
    original, calls = getattr(owner, name), 0

    def stop() -> None:
        if gate is None:
            os.killpg(0, signal.SIGKILL)
        Path(f"{gate}.reached").touch()
        while not Path(str(gate)).exists():
            time.sleep(0.02)

    def stopping(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == boundary.call and not boundary.is_after:
            stop()
        result = original(*arguments, **options)
        if calls == boundary.call and boundary.is_after:
            stop()
        return result

    setattr(owner, name, stopping)


def _act(
    program: str,
    words: list[str],
    folder: str,
    outputs: tuple[str, str],
    environment: dict[str, str],
    boundary: Boundary | None,
    gate: str | None,
) -> None:
    collect_rarely()
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.argv = [program, *words]
    if boundary is not None:
        _stop_at(boundary, gate)
    if program == "sqlmesh":
        from sqlmesh.cli.main import cli

        cli.main(words)
    from data_platform.cli.program import main

    main(words)


@dataclass
class Started:
    """A command at work in a process group of its own."""

    process: ForkServerProcess
    outputs: tuple[Path, Path]

    @property
    def stdout(self) -> str:
        """What it has printed so far."""
        return self.outputs[0].read_text() if self.outputs[0].exists() else ""

    @property
    def stderr(self) -> str:
        """What it has complained of so far."""
        return self.outputs[1].read_text() if self.outputs[1].exists() else ""

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process group."""
        assert self.process.pid is not None
        with suppress(ProcessLookupError):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:  # it has made no group of its own yet
                os.kill(self.process.pid, number)

    def join(self, patience: float = PATIENCE) -> int:
        """Wait for the end; the exit code, or less than 0 by the signal that killed it."""
        self.process.join(patience)
        assert self.process.exitcode is not None, f"stuck: {self.stdout}{self.stderr}"
        return self.process.exitcode

    def reach(self, gate: Path) -> None:
        """Wait until the command stands before its gate."""
        reached, waited = Path(f"{gate}.reached"), 0.0
        while not reached.exists():
            assert self.process.is_alive(), self.stdout + self.stderr
            assert waited < PATIENCE
            time.sleep(0.02)
            waited += 0.02


def start(
    program: str,
    words: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    boundary: Boundary | None = None,
    gate: Path | None = None,
) -> Started:
    """Start `data-platform` or `sqlmesh`; at a boundary it kills itself or waits for the gate."""
    place = Path(tempfile.mkdtemp(prefix="output-", dir=outputs_folder))
    outputs = (place / "stdout", place / "stderr")
    process = _CONTEXT.Process(
        target=_act,
        args=(
            program,
            list(words),
            str(folder),
            tuple(map(str, outputs)),
            {
                **{k: v for k, v in os.environ.items() if not k.startswith("DATA_PLATFORM")},
                **(environment or {}),
            },
            boundary,
            str(gate) if gate else None,
        ),
    )
    process.start()
    return Started(process, outputs)
