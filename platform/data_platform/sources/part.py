"""A part of a source's table: what becomes one Parquet file."""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Part:
    """`name` tells the parts of a table apart; `make` may be called in any thread and order."""

    table: str
    name: str
    make: Callable[[], pl.DataFrame]
