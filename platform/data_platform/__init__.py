"""Jump's data platform: extract, load, transform and export, in one process."""

import os

from data_platform.files import user_cache

__version__ = "0.1.0"

# SQLMesh would load models in processes of its own, which takes longer for as few as there are, and
# when they are interrupted together with this one, their pool may never end.
os.environ.setdefault("MAX_FORK_WORKERS", "1")
# SQLMesh keeps things of the user's own in a home, which not everybody has, and reads there what a
# user has configured for other projects.
os.environ.setdefault("SQLMESH_HOME", str(user_cache() / "sqlmesh"))
