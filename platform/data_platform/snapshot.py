"""A snapshot: a copy of the lakehouse for one long-lived reader, gone when that ends."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from data_platform.files import writable_folder
from data_platform.lakehouse import require
from data_platform.lock import holding
from data_platform.releases import Releases, copy_database
from data_platform.settings import Settings


@contextmanager
def snapshot(settings: Settings, database: Path) -> Iterator[Settings]:
    """A copy of a lakehouse, by the settings that name it.

    An open connection to it keeps nobody from writing to the lakehouse, not even SQLMesh's own
    commands.

    Raises:
        PlatformError: there is no lakehouse, SQLMesh's own commands write to it, or the copy fails.
    """
    require(database)
    folder = writable_folder(Releases(settings.data_dir).snapshots_dir)
    place = Path(tempfile.mkdtemp(dir=folder))
    try:
        with FileLock(_lock_of(place)):
            copy = replace(settings, data_dir=place)
            copy.lakehouse.parent.mkdir(mode=0o700)
            source = database.resolve()  # the release in force now, whatever comes
            with holding(source, wait=0):
                copy_database(source, copy.lakehouse.parent)
            yield copy
    finally:
        shutil.rmtree(place, ignore_errors=True)


def remove_abandoned_snapshots(releases: Releases) -> None:
    """Remove the snapshots of readers that were killed."""
    if releases.snapshots_dir.is_dir():
        for place in releases.snapshots_dir.iterdir():
            with suppress(Timeout), FileLock(_lock_of(place), timeout=0):
                shutil.rmtree(place, ignore_errors=True)


def _lock_of(place: Path) -> Path:
    return place / "lock"
