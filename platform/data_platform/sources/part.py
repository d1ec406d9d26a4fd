"""A part of a source's table: what becomes one Parquet file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

# How many rows each part has that is known to stay as it is, by (table, name).
Settled = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Part:
    """`name` tells the parts of a table apart; `make` may be called in any thread and order."""

    table: str
    name: str
    make: Callable[[], pl.DataFrame]
