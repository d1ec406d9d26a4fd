"""Rendered queries, kept from one process to the next under a digest of all that they are made of.

Unit tests that were parsed are kept with them (`model_cache.py`).

Rendering what a day asks takes a fifth of the day's transform on small data, and yesterday asked
the same: the window of a model is the month. Kept beside SQLMesh's own caches, as SQLMesh keeps
its models.
"""

import hashlib
import pickle
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlmesh.core.snapshot import DeployabilityIndex, Snapshot
from sqlmesh.utils.date import make_inclusive

from data_platform.files import replacing

# How many are kept at most, and to how many of those that were used last they are cut down.
_MOST, _KEPT = 3_000, 1_500


class KeptByDigest:
    """What was made of a project's code, by a digest of whatever it was made of."""

    def __init__(self, folder: Path, code: str) -> None:
        """`code` is a digest of the project's configuration, macros and audits."""
        self._folder = folder
        self._code = code

    def get(self, *of: object) -> Any:
        """What was kept, None where nothing was."""
        file = self._file(of)
        with suppress(Exception):  # whatever a damaged file makes pickle raise
            content = file.read_bytes()
            with suppress(OSError):
                file.touch()
            return pickle.loads(content)
        return None

    def put(self, rendered: object, *of: object) -> None:
        """Keep it, where that can be."""
        with suppress(OSError), replacing(self._file(of), is_synced=False) as partial:
            partial.write_bytes(pickle.dumps(rendered))

    def tidy(self) -> None:
        """Remove what was not used for long."""
        with suppress(OSError):
            found = [*self._folder.glob("*.pickle")]
            if len(found) > _MOST:
                for file in sorted(found, key=lambda one: -one.stat().st_mtime)[_KEPT:]:
                    file.unlink(missing_ok=True)

    def _file(self, of: tuple[object, ...]) -> Path:
        digest = hashlib.sha256(repr((_programs(), self._code, of)).encode())
        return self._folder / f"{digest.hexdigest()}.pickle"


@cache
def _programs() -> str:
    """The versions of what renders, and the programs of this room, which translate."""
    digest = hashlib.sha256(f"{version('sqlmesh')} {version('sqlglot')}".encode())
    for program in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(program.read_bytes())
    return digest.hexdigest()


def made_of(
    snapshot: Snapshot, snapshots: Iterable[Snapshot], deployability: DeployabilityIndex
) -> tuple[object, ...]:
    """The code of a model with its macros, and the tables that stand behind the names it reads."""
    model = snapshot.model
    tables = sorted(
        (
            one.name,
            one.identifier,
            deployability.is_deployable(one),
            deployability.is_representative(one),
            one.table_name(is_deployable=True),
            one.table_name(is_deployable=False),
        )
        for one in {one.snapshot_id: one for one in (*snapshots, snapshot)}.values()
        if not one.is_external
    )
    macros = sorted((name, repr(code)) for name, code in model.python_env.items())
    return model.fqn, model.data_hash, model.metadata_hash, macros, tables


def period_of(options: Mapping[str, Any], moment: object) -> tuple[str, ...]:
    """The window as SQLMesh renders it, and the moment of execution where a query uses it.

    An end that is a date is within the window, one that is a moment is not.
    """
    first, last = make_inclusive(options["start"], options["end"])
    return str(first), str(last), str(moment)
