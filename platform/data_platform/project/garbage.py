"""Python's garbage collector, which would look through millions of objects again and again.

SQLMesh makes them, and they stay: a quarter of a first run's time went there, and a third of a
day's. The command line starts without the collector; once a project is loaded, what is there stays,
and what comes later is looked through rarely, so that a backfill of many days stays small.
"""

import gc

# How many new objects, and how many rounds of the younger, before it looks: Python has 700, 10, 10.
_RARELY = (100_000, 50, 100)


def collect_rarely() -> None:
    """Leave all that is loaded alone, and begin to look at the rest now and then.

    A program that has not turned the collector off before keeps its own ways.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.set_threshold(*_RARELY)
        gc.enable()
