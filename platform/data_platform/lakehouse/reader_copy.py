"""A snapshot: what a lakehouse is now, for one long-lived reader; gone when that ends."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from data_platform.files import writable_folder
from data_platform.lakehouse.connection import require
from data_platform.lakehouse.releases import Releases
from data_platform.lakehouse.stores import store_of
from data_platform.settings import Settings

_LOCK = ".lock"


@contextmanager
def snapshot(settings: Settings, data_dir: Path | None = None) -> Iterator[Settings]:
    """A snapshot of the lakehouse that settings name, by the settings that name the snapshot.

    An open connection to it keeps nobody from writing to the lakehouse, not even SQLMesh's own
    commands.

    Args:
        data_dir: where snapshots lie, where it is not the settings' own folder.

    Raises:
        PlatformError: there is no lakehouse, SQLMesh's own commands write to it, or the copy fails.
    """
    require(settings)
    folder = writable_folder(Releases(data_dir or settings.data_dir).snapshots_dir)
    place = folder / uuid4().hex
    # The lock comes first, beside the folder: a folder that is there is in use or abandoned.
    with FileLock(_lock_of(place), mode=0o600):
        try:
            with store_of(settings).snapshot(settings, place) as copy:
                yield copy
        finally:
            _remove(place)


def remove_abandoned_snapshots(releases: Releases) -> None:
    """Remove the snapshots of readers that were killed."""
    for lock in releases.snapshots_dir.glob(f"*{_LOCK}"):
        with suppress(Timeout), FileLock(lock, timeout=0):
            _remove(lock.with_suffix(""))


def _remove(place: Path) -> None:
    """Remove a snapshot by who holds its lock."""
    shutil.rmtree(place, ignore_errors=True)
    _lock_of(place).unlink(missing_ok=True)


def _lock_of(place: Path) -> Path:
    return place.with_suffix(_LOCK)
