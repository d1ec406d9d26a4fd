"""The numbers that invoices bear, in the order of their issue, with gaps of cancelled drafts."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from data_platform.sources.simulated.draws import Ints, decimal_bytes, integers
from data_platform.sources.simulated.identity import texts

_GAP_EVERY = 211  # invoices: a block


@dataclass(frozen=True)
class References:
    """Of a company; each block of invoices has one gap, unless the data is to be pristine."""

    seed: int
    scale: float
    is_pristine: bool

    def of(self, rank: Ints) -> pl.Series:
        """The references of invoices by how many came before them, rising."""
        if self.is_pristine or not len(rank):
            return self._written(rank + 1)
        block = rank // _GAP_EVERY
        places = self._gaps(int(block[-1]) + 1)
        return self._written(rank + 1 + block + (rank % _GAP_EVERY >= places[block]))

    def missing(self, invoices: int) -> pl.Series:
        """The references that are missing among so many invoices."""
        blocks = 0 if self.is_pristine else math.ceil(invoices / _GAP_EVERY)
        block = np.arange(blocks)
        after_gap = block * _GAP_EVERY + self._gaps(blocks)
        return self._written((after_gap + 1 + block)[after_gap < invoices])

    def _gaps(self, blocks: int) -> Ints:
        """Before which of its invoices each block has its gap."""
        return integers(self.seed, "invoices", "gap", blocks, 1, _GAP_EVERY)

    def _written(self, numbers: Ints) -> pl.Series:
        width = reference_digits(self.scale)
        if len(numbers) and int(numbers[-1]) < 10**width:
            return texts(decimal_bytes(b"JMP", numbers, width))
        return "JMP" + pl.Series(numbers, dtype=pl.Int64).cast(pl.String).str.zfill(width)


def reference_digits(scale: float) -> int:
    """How many digits a reference has: five at scale 1, with room for twenty years and more."""
    return max(5, 5 + math.ceil(math.log10(scale)))
