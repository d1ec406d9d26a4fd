"""An application as the platform sees it: its tables, in parts that become a Parquet file each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import polars as pl

# How many rows each part has that is known to stay as it is, by (table, name).
Settled = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Part:
    """A part of a table, named within it; `make` gives its rows, in any thread and order."""

    table: str
    name: str
    make: Callable[[], pl.DataFrame]


class Source(Protocol):
    """An application whose tables can be extracted, as of a date."""

    @property
    def position(self) -> str | None:
        """Where the log of a database stood when it was read; None of other applications."""

    def settled_parts(self, before: date) -> Mapping[str, date]:
        """The parts of tables of events that are as in its extract as of `before`.

        By name, in the order of their days, with the last day of each; later parts may differ.
        """

    def parts(self, settled: Settled) -> Iterable[Part]:
        """The parts of its tables, but those that are settled."""

    def finish(self, folder: Path) -> None:
        """Leave in the folder of the extracts what belongs beside them; all parts are made."""
