"""Releases: each is a folder with a lakehouse and the extracts and exports that belong to it.

    data/releases/<number>/{lakehouse,sources,exports,report}
    data/current                             a link to the release in force, changed in one rename
    data/{lakehouse,sources,exports,report}  links through it, which never change
    data/runs/                               the writers' lock, journals, a run's private copy, and
                                             a lakehouse of before that the next copy is made of

A run works on a private copy in which nothing is shared that it may write to: the extracts and
exports are hard links to files that are only ever replaced, the lakehouse is a copy of its own.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from data_platform.errors import PlatformError
from data_platform.files import remove_partial_files, sync_folders, writable_folder
from data_platform.lakehouse.copying import IS_WRITTEN_OVER
from data_platform.settings import DATABASE

PARTS = ("lakehouse", "sources", "exports", "report")
# What tells a folder of ours from before there were releases.
_MARKS = (("lakehouse", DATABASE), ("sources", "manifest.json"), ("releases", "0"))


@dataclass(frozen=True)
class Releases:
    """The releases of a data folder; only who holds the writers' lock may change them."""

    data_dir: Path

    @property
    def runs_dir(self) -> Path:
        """The folder of the writers' lock, the journals, private copies and snapshots."""
        return self.data_dir / "runs"

    def private_dir(self, run_number: int) -> Path:
        """The private copy of a run; a folder of its own, which no other run ever writes to."""
        return self.runs_dir / f"work-{run_number}"

    @property
    def failed_dir(self) -> Path:
        """The private copy of the last run that an audit or a model stopped."""
        return self.runs_dir / "failed"

    @property
    def snapshots_dir(self) -> Path:
        """The folder of the copies that long-lived readers have."""
        return self.runs_dir / "snapshots"

    @property
    def spare(self) -> Path:
        """The lakehouse of a release that is gone, which the next private copy is written over.

        It was made safe on the disk when it was published: the next copy compares itself with what
        is there (`copier`).
        """
        return self.runs_dir / f"spare-{DATABASE}"

    @property
    def current(self) -> int | None:
        """The number of the release in force, None before the first."""
        try:
            return int((self.data_dir / "current").readlink().name)
        except (FileNotFoundError, ValueError):
            return None
        except OSError as error:  # no link
            raise PlatformError(
                f"{self.data_dir / 'current'} is to be a link to a release; was the data folder "
                "copied without its links? Copy it with cp -a, or remove it and run again"
            ) from error

    def prepare_runs_dir(self) -> Path:
        """The folder of the lock, journals, private copies and snapshots, made if it is missing.

        Raises:
            PlatformError: it cannot be made or written to, or holds files of somebody else's.
        """
        self._refuse_what_is_not_ours()
        writable_folder(self.data_dir)
        return writable_folder(self.runs_dir)

    def _refuse_what_is_not_ours(self) -> None:
        """A folder that was named by mistake keeps its files.

        Raises:
            PlatformError: a folder has one of our names, and nothing that we write.
        """
        if (self.data_dir / "current").is_symlink():
            return
        ours = any((self.data_dir / part / mark).exists() for part, mark in _MARKS)
        for name in (*PARTS, "releases", "runs"):
            place = self.data_dir / name
            is_used = place.is_dir() and not place.is_symlink() and any(place.iterdir())
            if is_used and not (ours or (self.runs_dir / "lock").exists()):
                raise PlatformError(
                    f"{place} was there before, and not made by the platform; choose another "
                    "--data-dir"
                )

    def tidy(self, published: int | None = None) -> None:
        """Remove what killed runs left, and take in data from before there were releases.

        Args:
            published: the release that the store has in force, which a run may have been killed
                before linking.

        Raises:
            PlatformError: something else stands where a link belongs.
        """
        releases = writable_folder(self.data_dir / "releases")
        for folder in self.runs_dir.glob("work-*"):
            if folder.name.removeprefix("work-").isdigit():
                shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.data_dir, self.runs_dir):
            remove_partial_files(folder)
        if not (self.data_dir / "current" / "lakehouse" / DATABASE).exists():
            self.spare.unlink(missing_ok=True)  # the lakehouse is elsewhere by now
        current, there = self.current, sorted(folder.name for folder in releases.iterdir())
        if published is not None and str(published) in there and published > (current or 0):
            self._point_to(published)
            current = published
        if current is None and there in ([], ["0"]):
            self._make_parts(releases / "0")
            self._point_to(0)
            current = 0
        elif str(current) not in there:
            raise PlatformError(
                f"{self.data_dir / 'current'} is to be a link to one of the releases "
                f"{', '.join(there) or '(there are none)'}; put it back with: ln -sfn "
                f"releases/<number> {self.data_dir / 'current'}"
            )
        for name in there:
            if not name.isdigit() or int(name) > (current or 0):  # never published
                _remove(releases / name)
        for part in PARTS:
            place, target = self.data_dir / part, releases / str(current) / part
            if place.is_dir() and not place.is_symlink():
                if target.exists() and any(target.iterdir()):
                    raise PlatformError(
                        f"{place} is to be a link to {target}; was the data folder copied without "
                        "its links? Copy it with cp -a, or remove it and run again"
                    )
                _remove(target)
                place.rename(target)
            writable_folder(target)
            link = Path("current") / part
            if not (place.is_symlink() or place.exists()):
                place.symlink_to(link)
            elif not place.is_symlink() or place.readlink() != link:
                raise PlatformError(f"{place} is to be a link to {link}; remove it and run again")

    def begin(self, private: Path) -> None:
        """Make a private copy of what is published but the lakehouse; `tidy` comes first."""
        published = self.data_dir / "current"
        self._make_parts(private)
        for part in PARTS:
            if part != "lakehouse":
                _link_files(published / part, private / part)

    def publish(
        self,
        private: Path,
        number: int,
        keeps_private_copy: bool,
        put: Callable[[Path], None],
        commit: Callable[[], None],
    ) -> None:
        """Put a private copy in force as a release.

        Args:
            number: of the release, higher than any before.
            keeps_private_copy: the run goes on in it, so what is published is a copy.
            put: puts the lakehouse into the release's folder.
            commit: puts the lakehouse in force, just before the folder is.
        """
        before, folder = self.current, self.data_dir / "releases" / str(number)
        if keeps_private_copy:
            self._make_parts(folder)
            for part in PARTS:
                if part != "lakehouse":
                    _link_files(private / part, folder / part)
        else:
            private.rename(folder)
        put(folder)
        sync_folders(folder)
        sync_folders(folder.parent, recursive=False)
        commit()
        self._point_to(number)
        # Readers may look for files of the release before for as long as a run takes.
        for old in folder.parent.iterdir():
            if old.name not in {str(number), str(before)}:
                self._keep_to_be_written_over(old / "lakehouse" / DATABASE)
                shutil.rmtree(old, ignore_errors=True)

    def keep_failed(self, private: Path) -> None:
        """Move a failed run's private copy to `failed_dir`, where `query --failed` reads it."""
        _remove(self.failed_dir)
        private.rename(self.failed_dir)

    def discard(self, private: Path) -> None:
        """Remove a private copy."""
        _remove(private)

    def forget_failed(self) -> None:
        """Remove the copy that was kept aside."""
        _remove(self.failed_dir)

    def _keep_to_be_written_over(self, database: Path) -> None:
        """Keep a database for the next copy: one, and not on a disk that is full."""
        with suppress(OSError):  # there is none, or it lies on another disk
            has_room = shutil.disk_usage(self.runs_dir).free > database.stat().st_size
            if IS_WRITTEN_OVER and has_room and not self.spare.exists():
                database.replace(self.spare)

    def _make_parts(self, folder: Path) -> None:
        for part in PARTS:
            (folder / part).mkdir(parents=True, exist_ok=True, mode=0o700)

    def _point_to(self, number: int) -> None:
        link = self.data_dir / "current"
        fresh = self.data_dir / ".current.partial"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path("releases") / str(number))
        fresh.replace(link)
        sync_folders(self.data_dir, recursive=False)


def _link_files(source: Path, target: Path) -> None:
    for folder, _, names in os.walk(source):
        place = target / Path(folder).relative_to(source)
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in names:
            _link(Path(folder) / name, place / name)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)


def _remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
