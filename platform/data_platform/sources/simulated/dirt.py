"""Dirt: realistic data-quality problems at low fixed rates, and the record of each of them.

Every dirty row is listed in `Truth`, so that tests compare what cleaning and audits found with
what was really there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from data_platform.sources.simulated.draws import Flags, every


@dataclass
class Truth:
    """The keys of what was injected, by kind."""

    kinds: dict[str, pl.Series] = field(default_factory=dict)

    def note(self, kind: str, keys: Sequence[str] | pl.Series) -> None:
        """Add the keys of injected rows to a kind; a kind without rows is listed too."""
        # Written anew: rows that were taken out of a table hold on to all of its texts.
        new = pl.Series(list(keys), dtype=pl.String)
        self.kinds[kind] = self.kinds[kind].append(new) if kind in self.kinds else new

    def as_json(self, source: str) -> dict[str, dict[str, object]]:
        """`{kind: {"source": …, "count": …, "keys": […]}}`."""
        return {
            kind: {"source": source, "count": len(keys), "keys": keys.sort().to_list()}
            for kind, keys in self.kinds.items()
        }


@dataclass(frozen=True)
class Dirt:
    """Which rows of a table get which dirt; none where the company is pristine."""

    seed: int
    pristine: bool
    truth: Truth

    def rows(self, table: str, kind: str, count: int, period: int) -> Flags:
        """Flags one row in `period` of a table's `count` rows."""
        if self.pristine:
            return np.zeros(count, dtype=np.bool_)
        return every(self.seed, table, kind, count, period)

    def soil(
        self,
        frame: pl.DataFrame,
        kind: str,
        column: str,
        flags: Flags,
        spellings: Sequence[pl.Expr],
        key: str = "id",
    ) -> pl.DataFrame:
        """Give the flagged rows of `column` an odd spelling, one of `spellings` in turn.

        The rows whose text really changed are noted under `kind` by their `key`.
        """
        places = np.flatnonzero(flags)
        clean = frame[places]  # of many rows few are soiled: the others are not looked at
        turn = pl.Series(np.arange(1, len(places) + 1) % len(spellings))
        spelled = pl.col(column)
        for index, spelling in enumerate(spellings):
            spelled = pl.when(turn == index).then(spelling).otherwise(spelled)
        soiled = clean.select(spelled.alias(column))[column]
        self.truth.note(kind, clean.filter(soiled != clean[column])[key])
        return frame.with_columns(frame[column].scatter(places, soiled))


def stray_spaces(column: str) -> list[pl.Expr]:
    """Spellings of a column with white space that does not belong there."""
    text = pl.col(column)
    return [
        pl.lit("  ") + text,
        text + pl.lit("\t"),
        text + pl.lit(" \n"),
        pl.lit("\t") + text.str.replace_all(" ", "  ", literal=True) + pl.lit(" "),
    ]


def stray_ends(column: str) -> list[pl.Expr]:
    """Like `stray_spaces`, around the text only."""
    text = pl.col(column)
    return [pl.lit(" ") + text, text + pl.lit(" "), pl.lit("\t") + text + pl.lit("\r\n")]


def odd_case(column: str) -> list[pl.Expr]:
    """Spellings of a column in upper case and in lower case."""
    return [pl.col(column).str.to_uppercase(), pl.col(column).str.to_lowercase()]
