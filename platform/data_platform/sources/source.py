"""An application as the platform sees it: its tables, in parts that become a Parquet file each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import polars as pl

# How many rows each part has that is known to stay as it is, by (table, name).
Settled = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Part:
    """`name` tells the parts of a table apart; `make` may be called in any thread and order."""

    table: str
    name: str
    make: Callable[[], pl.DataFrame]


class Source(Protocol):
    """An application whose tables can be extracted."""

    def parts(self, settled: Settled) -> Iterable[Part]:
        """The parts of its tables, but those that are settled."""
