"""Extracts that somebody has kept: the only way back in time of an application that is real."""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from stat import S_IMODE

from data_platform.errors import PlatformError
from data_platform.files import file_digest, replacing, writable_folder
from data_platform.ingest.manifest import (
    FILE_NAME,
    Manifest,
    read_manifest,
    remove_unlisted,
    write_manifest,
)
from data_platform.record.loaded_files import ExtractedFile
from data_platform.settings import Settings


def take_kept(settings: Settings, kept: Path) -> None:
    """Make kept extracts those in force; the load checks each file.

    Args:
        kept: a folder with a manifest and its files, as data/sources is.

    Raises:
        PlatformError: there are none, or a file is missing.
    """
    manifest = _manifest(kept)
    folder = writable_folder(settings.sources_dir)
    if folder.resolve() == kept.resolve():
        return
    for file in (one for files in manifest.tables.values() for one in files):
        if not (kept / file.path).resolve().is_relative_to(kept.resolve()):
            raise PlatformError(f"{kept / FILE_NAME} lists {file.path}, which lies outside of it")
        _take(file, kept / file.path, folder / file.path)
    write_manifest(manifest, folder)
    remove_unlisted(manifest, folder)


def kept_by_day(folder: Path, days: Sequence[date]) -> Mapping[date, Path]:
    """Which of the folders below one keeps the extracts of each day.

    Raises:
        PlatformError: a day has none, or two.
    """
    found: dict[date, Path] = {}
    for path in sorted(folder.rglob(FILE_NAME)):
        for day in {batch.as_of for batch in _manifest(path.parent).sources.values()}:
            if day in found and day in days:
                raise PlatformError(
                    f"{found[day]} and {path.parent} both keep extracts as of {day}; leave one"
                )
            found[day] = path.parent
    if missing := [day for day in days if day not in found]:
        there = f"{min(found)} to {max(found)}" if found else "none"
        raise PlatformError(
            f"no folder in {folder} keeps extracts as of {missing[0]}; there are {there}"
        )
    return {day: found[day] for day in days}


def _manifest(folder: Path) -> Manifest:
    if not (folder / FILE_NAME).is_file():
        raise PlatformError(
            f"{folder} keeps no extracts: there is no {FILE_NAME} in it; expected a folder like "
            "data/sources, or a copy of it"
        )
    return read_manifest(folder)


def _take(file: ExtractedFile, kept: Path, place: Path) -> None:
    """Link a file that is private already, as what is put in its place will be; or copy it."""
    if place.is_file() and file_digest(place) == file.digest:
        return
    if not kept.is_file():
        raise PlatformError(f"{kept} is missing, which its manifest lists")
    found = kept.stat()
    is_private = (found.st_uid, S_IMODE(found.st_mode)) == (os.getuid(), 0o600)
    with replacing(place) as partial:
        with suppress(OSError):  # on another disk
            if is_private:
                os.link(kept, partial)
        if not partial.exists():
            shutil.copyfile(kept, partial)
