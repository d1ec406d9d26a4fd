"""A process of its own reads the project while a run extracts, and keeps what it finds.

A first run would parse all models, and trace their columns, on one core while the other is idle.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from data_platform.project.lineage.working_tree import is_lineage_kept, read_lineage


@contextmanager
def reading_ahead(project_dir: Path) -> Iterator[None]:
    """Have the project read during the block, where that is not done yet and a core is idle.

    What is wrong with the project is for the run itself to say. Python models are imported by both.
    """
    process = None
    with suppress(OSError):  # a file that cannot be read, no memory for another process
        process = _begin(project_dir)
    try:
        yield
    finally:
        if process is not None:
            process.terminate()
            process.wait()


def _begin(project_dir: Path) -> subprocess.Popen[bytes] | None:
    if _cores() < 2 or is_lineage_kept(project_dir):
        return None
    nothing = subprocess.DEVNULL
    # Without the folder in which somebody stands among its modules.
    words = [sys.executable, "-P", "-m", __name__, str(project_dir)]
    return subprocess.Popen(
        words, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )


def _cores() -> int:
    """The cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # which leaves nothing half written
    with suppress(Exception):
        read_lineage(Path(sys.argv[1]))
