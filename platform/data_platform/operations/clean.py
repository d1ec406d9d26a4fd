"""Remove everything that was generated, while nobody writes."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data_platform.errors import PlatformError
from data_platform.lakehouse.lock import writers_lock
from data_platform.lakehouse.releases import PARTS, Releases
from data_platform.lakehouse.stores import store_of
from data_platform.lakehouse.whose import gateway_of
from data_platform.names import POSTGRES
from data_platform.record.loads import last_load
from data_platform.result import counted
from data_platform.settings import Settings

# Of a project: caches of SQLMesh, of lineage and of tools.
_OF_A_PROJECT = (".cache", "logs")


@dataclass(frozen=True)
class Generated:
    """A file or folder that was generated."""

    path: Path
    size: int  # bytes

    def __str__(self) -> str:
        return f"{self.path} ({self.size / 1e6:,.1f} MB)"


def generated(settings: Settings) -> tuple[Generated, ...]:
    """What there is to remove: of the data folder nothing that the platform did not write."""
    data = [settings.data_dir / name for name in ("current", *PARTS, "releases", "runs")]
    project = [settings.project_dir / name for name in _OF_A_PROJECT]
    return tuple(
        Generated(path, _size(path))
        for path in [*data, *project]
        if path.is_symlink() or path.exists()
    )


def _size(path: Path) -> int:
    if path.is_symlink() or path.is_file():
        return path.lstat().st_size
    size = 0
    for file in path.rglob("*"):
        with suppress(FileNotFoundError):  # a cache's, which somebody at work has just replaced
            size += 0 if file.is_dir() else file.lstat().st_size
    return size


def refuse_shared(settings: Settings) -> None:
    """What belongs to a team is not one member's to remove; what lies on a server goes, too.

    Raises:
        PlatformError: the gateway's lakehouse is shared, or it is another gateway's, whose
            databases would stay.
    """
    if settings.gateway != POSTGRES and gateway_of(settings) == POSTGRES:
        raise PlatformError(
            f"{settings.data_dir} has databases on a server: data-platform --gateway postgres clean"
        )
    if store_of(settings).is_shared:
        raise PlatformError(
            f"the lakehouse at {store_of(settings).place(settings)} is a team's; whoever keeps the "
            "server removes it there (docs/scaling.md)"
        )


def history(settings: Settings) -> str:
    """What only the lakehouse knows and no extract brings back; empty without a lakehouse."""
    try:
        with store_of(settings).alone(settings, "clean", 0, lambda who: None) as connection:
            load = last_load(connection) if connection else None
    except PlatformError:  # who is at work says so when it comes to removing
        return ""
    if load is None:
        return ""
    return (
        f"With it goes the history of {counted(load.load_number, 'load')} up to {load.as_of}: the "
        "log of the CRM, the record of runs and promotions. No extract brings it back."
    )


def clean(settings: Settings, wait: float = 0) -> None:
    """Remove what was generated.

    Raises:
        PlatformError: somebody is writing to the lakehouse, and nothing was removed; or something
            cannot be.
    """
    found = generated(settings)
    releases = Releases(settings.data_dir)
    if not settings.data_dir.is_dir():
        _remove(found)
        return
    alone = store_of(settings).alone(settings, "clean", wait, lambda who: None)
    with writers_lock(releases.prepare_runs_dir(), wait), alone:
        store_of(settings).remove(settings)  # first, while it is known what there is
        _remove(found)
    shutil.rmtree(releases.runs_dir, ignore_errors=True)
    if not (settings.data_dir.is_symlink() or any(settings.data_dir.iterdir())):
        settings.data_dir.rmdir()


def _remove(found: tuple[Generated, ...]) -> None:
    for one in found:
        if one.path.is_dir() and not one.path.is_symlink():
            # A cache that somebody writes to just now is made again by them anyway.
            shutil.rmtree(one.path, ignore_errors=one.path.name in _OF_A_PROJECT)
        else:
            one.path.unlink(missing_ok=True)
    left = [str(one.path) for one in found if one.path.is_symlink() or one.path.exists()]
    if left:
        raise PlatformError(f"could not be removed: {', '.join(left)}; are they somebody else's?")
