"""Processes measured in turns: their time, their processors' time and their memory."""

import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parent.parent
PROGRAM = str(Path(sys.executable).with_name("data-platform"))
_SAMPLED_EVERY = 0.05  # seconds


@dataclass(frozen=True)
class Taken:
    """What a process took: seconds, seconds of processors, and bytes at its peak."""

    seconds: float
    cpu: float
    memory: int


@dataclass(frozen=True)
class Contestant:
    """Something to be measured: `prepare` makes a folder ready, `run` does it there."""

    name: str
    run: Callable[[Path], Taken]
    prepare: Callable[[Path], object] = lambda folder: None


def take(
    words: Sequence[str], env: Mapping[str, str] | None = None, codes: Sequence[int] = (0,)
) -> Taken:
    """Run a process to its end.

    Its memory is the operating system's account: of its largest process at its peak, or of all of
    them together at one moment, whichever is more. What a process that is kept ready does for it,
    in a fork, counts as if it were its own.

    Args:
        codes: how it may end.

    Raises:
        SystemExit: it failed; with what it said.
    """
    settle()
    kept = [one for one in psutil.process_iter() if _is_kept_ready(one)]
    started = time.perf_counter()
    process = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env
    )
    peaks, cpu_of_forks, ended = [0], {0: 0.0}, threading.Event()

    def sample() -> None:
        while not ended.wait(_SAMPLED_EVERY):
            try:
                root = psutil.Process(process.pid)
                forks = [fork for one in kept for fork in one.children()]
                peaks.append(_memory([root, *root.children(recursive=True), *forks]))
                times = {fork.pid: fork.cpu_times() for fork in forks}
            except psutil.Error:  # one of them has ended
                continue
            cpu_of_forks.update({pid: used.user + used.system for pid, used in times.items()})

    sampling = threading.Thread(target=sample)
    sampling.start()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    ended.set()
    sampling.join()
    said = process.stderr.read() if process.stderr else ""
    if process.returncode not in codes:
        raise SystemExit(f"{' '.join(words)} failed:\n{said}")
    cpu = used.ru_utime + used.ru_stime + sum(cpu_of_forks.values())
    return Taken(seconds, cpu, max(peaks))


def _is_kept_ready(process: psutil.Process) -> bool:
    """Whether it is one that forks for commands: one of a session of its own (`cli/warm.py`)."""
    try:
        return PROGRAM in process.cmdline() and os.getsid(process.pid) == process.pid
    except (psutil.Error, OSError):
        return False


def _memory(tree: Sequence[psutil.Process]) -> int:
    together = sum(process.memory_info().rss for process in tree)
    return max(together, *(_peak(process.pid) for process in tree))


def _peak(pid: int) -> int:
    """The most memory that a process has had, where the system tells: Linux does."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def platform(data: Path, *words: str, project: Path = PROJECT) -> Taken:
    """Run `data-platform` on a data folder; `status` ends with 1 where a source is stale."""
    codes = (0, 1) if "status" in words else (0,)
    return take([PROGRAM, "-q", "-p", str(project), "-d", str(data), *words], codes=codes)


def settle() -> None:
    """Wait until what was written before is on the disk: days do not follow each other at once."""
    os.sync()
    for _ in range(120):
        meminfo = Path("/proc/meminfo")
        if not meminfo.exists():
            time.sleep(30)
            return
        pending = re.findall(r"^(?:Dirty|Writeback):\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
        if sum(map(int, pending)) < 20_000:
            return
        time.sleep(1)


def in_turns(
    contestants: Sequence[Contestant], folder: Path, rounds: int
) -> dict[str, list[Taken]]:
    """Measure each contestant in each round, forwards and backwards in turn: A B, B A, A B …"""
    found: dict[str, list[Taken]] = {one.name: [] for one in contestants}
    for number in range(rounds):
        for one in contestants if number % 2 == 0 else reversed(contestants):
            place = folder / "turn"
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            one.prepare(place)
            found[one.name].append(one.run(place))
            shutil.rmtree(place)
    return found


def noise(folder: Path, rounds: int) -> float:
    """By how much the same thing seems to differ from itself here, as a share.

    Two series of one computation are measured in turns: their medians differ by chance alone, and
    so do the runs of a series.
    """
    script = (
        "import duckdb; duckdb.sql('SELECT SUM(hash(a)) FROM range(300000000) AS t(a)').fetchall()"
    )
    same = [
        Contestant(name, lambda place: take([sys.executable, "-c", script]))
        for name in ("one", "the same")
    ]
    one, other = (
        sorted(t.seconds for t in took) for took in in_turns(same, folder, rounds).values()
    )
    middle, there = statistics.median(one), statistics.median(other)
    quarter = len(one) // 4
    spread = (one[-1 - quarter] - one[quarter]) / middle
    return max(abs(there / middle - 1), spread)
