"""Jump's data platform: extract, load, transform and export, in one process."""

import os
from pathlib import Path

__version__ = "0.1.0"

# SQLMesh would load models in processes of its own, which takes longer for as few as there are, and
# when they are interrupted together with this one, their pool may never end.
os.environ.setdefault("MAX_FORK_WORKERS", "1")
# SQLMesh looks for a configuration of the user's own, and would fail where nobody has a home.
try:
    Path.home()
except RuntimeError:
    os.environ.setdefault("SQLMESH_HOME", os.devnull)
