"""Jump's data platform: extract, load, transform and export, in one process.

A package imports those above it in this list, never those below:

    simulation settings errors names files memory result interruption sql   base modules
    sources      the applications and their contract
    record       the schema ops: what was loaded, computed, promoted, published
    lakehouse    where it is kept (a file, a team's server), a run as a transaction, releases
    ingest       applications -> Parquet files -> raw tables
    project      the SQLMesh project: context, evaluator, what models may be, lineage
    transform    computes production's models over the last load
    delivery     what readers get: exports, queries, the shell, SQLMesh's UI
    deployment   how production's code changes: plan, diff, promote, rollback, review
    operations   the platform in service: the pipeline, backfill, status, lineage events
    cli          words in, words out
"""

import os

from data_platform.files import user_cache

__version__ = "0.1.0"

# SQLMesh would load models in processes of its own, which takes longer for as few as there are, and
# when they are interrupted together with this one, their pool may never end.
os.environ.setdefault("MAX_FORK_WORKERS", "1")
# SQLMesh keeps things of the user's own in a home, which not everybody has, and reads there what a
# user has configured for other projects.
os.environ.setdefault("SQLMESH_HOME", str(user_cache() / "sqlmesh"))
