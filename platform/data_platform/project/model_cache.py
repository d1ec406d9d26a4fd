"""SQLMesh's cache of parsed models, keyed by what it was parsed from, and one of unit tests.

Its own key is the latest time of all files, in whole seconds, and the configuration with the path
of the lakehouse in it. So it misses an edit within a second, and a file that an older one replaces;
and every run, whose private copy has a path of its own, would parse all models again.
"""

import hashlib
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from sqlmesh.core.config import Config
from sqlmesh.core.loader import SqlMeshLoader
from sqlmesh.core.test.discovery import ModelTestMetadata

from data_platform.project.rendered import KeptByDigest
from data_platform.settings import CONFIG_FILE

# Above any time in seconds: the key is the latest of the times that a model depends on.
_AFTER_ALL_TIME = 1 << 52


class ContentConfig(Config):
    """A configuration that tells its fingerprint by what models are made of."""

    _code: str = ""

    @property
    def fingerprint(self) -> str:
        """A digest of the settings, wherever the lakehouse lies, and of macros and audits."""
        # SQLMesh's own keys hold the gateway's name and its catalog already.
        settings = Config.fingerprint.fget(self.model_copy(update={"gateways": {}}))
        return f"{settings}{self._code}"


class ContentLoader(SqlMeshLoader):
    """Loads a project whose configuration is a ContentConfig."""

    # The file of the project that was read last: what SQLMesh says of one need not name it.
    last_file = CONFIG_FILE

    def __init__(self, context: Any, path: Path) -> None:
        super().__init__(context, path)
        digest = hashlib.sha256()
        for pattern in ("macros/**/*.py", "audits/**/*.sql"):
            for file in sorted(path.glob(pattern)):
                digest.update(b"\0" + file.name.encode() + b"\0" + file.read_bytes())
        self.config._code = digest.hexdigest()

    def _track_file(self, path: Path) -> None:
        ContentLoader.last_file = os.path.relpath(path, self.config_path)
        super()._track_file(path)
        if path.is_relative_to(self.config_path / "models"):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            self._path_mtimes[path] = _AFTER_ALL_TIME + int(digest[:13], 16)

    def _load_model_test_file(self, path: Path) -> dict[str, ModelTestMetadata]:
        """The unit tests of a file; to parse those of a project takes as long as to load it."""
        ContentLoader.last_file = os.path.relpath(path, self.config_path)
        source = path.read_text(encoding="utf-8")
        is_whole = "{{" not in source and "{%" not in source  # or a variable decides what it says
        kept = KeptByDigest(Path(self.context.cache_dir) / "rendered", "")
        of = ("unit tests", version("ruamel.yaml"), str(path), source)
        found = kept.get(*of) if is_whole else None
        if found is None:
            found = super()._load_model_test_file(path)
            if is_whole:
                kept.put(found, *of)
        return cast(dict[str, ModelTestMetadata], found)


class ContentLoaderWithoutTests(ContentLoader):
    """Loads the models without their unit tests, which takes half as long."""

    def load_model_tests(self) -> list[ModelTestMetadata]:
        """None of them."""
        return []
