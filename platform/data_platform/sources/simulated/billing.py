"""The billing application: what clients have paid, and when."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial

import numpy as np
import polars as pl

from data_platform.simulation import FIRST_DAY
from data_platform.sources.simulated.calendar import Settled, day_number, month_start
from data_platform.sources.simulated.company import Company, Issued
from data_platform.sources.simulated.dirt import Dirt, stray_ends
from data_platform.sources.simulated.draws import (
    PIECE_ROWS,
    Flags,
    Floats,
    Ints,
    chunk_words,
    fractions,
    starts,
)
from data_platform.sources.simulated.identity import uuids
from data_platform.sources.simulated.references import References
from data_platform.sources.source import Part

# Days from the issue of an invoice to its payments.
_SOONEST, _LATEST = 5, 75
_HOW = "how"  # the draw of whether and how an invoice is paid
_MONTHS_BACK = 3  # from the month of a payment to that of its invoice, at most
_NEVER_RATE, _IN_PARTS_RATE, _LATE_RATE = 0.03, 0.08, 0.2
_USUAL_LATEST = 32  # of those who are not late
_REST_RATE = 0.7  # of those who pay in parts: the others leave it at the first
_TWICE_EVERY = 701
_SPACES_EVERY, _UNKNOWN_EVERY = 53, 499


@dataclass(frozen=True)
class _Paid:
    """How the invoices of one month are paid; one entry an invoice, in the order of issue.

    `amounts` and `days` have a column for each of up to three payments; a payment that is never
    made has the amount 0.
    """

    rank: Ints  # how many invoices of the company came before
    amounts: Ints  # cents
    days: Ints
    has_spaces: Flags  # in the reference of the first payment
    is_unknown: Flags  # its reference is no invoice's


@dataclass(frozen=True)
class Billing:
    """The application's table as of the company's as-of date.

    A payment depends on its invoice alone, so that a later date only adds payments.
    """

    company: Company
    dirt: Dirt

    def parts(self, settled: Settled) -> Iterator[Part]:
        """The payments, a part for each month in which somebody paid."""
        self._note_dirt()
        for month in range(self.company.as_of_month + 1):
            name = f"{month_start(month):%Y-%m}"
            if ("payments", name) not in settled:
                yield Part("payments", name, partial(self.payments, month))

    def payments(self, month: int) -> pl.DataFrame:
        """The rows of table payments that were paid in a month, in the order of their days."""
        first = day_number(month_start(month))
        last = min(day_number(month_start(month + 1)) - 1, self.company.as_of_day)
        frames = (
            self._rows(issue_month, start, first, last)
            for issue_month in range(max(0, month - _MONTHS_BACK), month + 1)
            for start in starts(len(self._issued[issue_month][0]))
        )
        rows = pl.concat(frames).sort("day", maintain_order=True)
        return rows.select(
            "id",
            "invoice_reference",
            amount=pl.col("cents").cast(pl.Decimal(12, 0)) * pl.lit(Decimal("0.01")),
            paid_on=pl.lit(FIRST_DAY) + pl.duration(days="day"),
        )

    @cached_property
    def _issued(self) -> list[tuple[Issued, int]]:
        """Of each month what was issued, and how many invoices came before."""
        months = range(self.company.as_of_month + 1)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            issued = list(pool.map(self.company.issued, months))
        before = np.cumsum([0, *(len(one) for one in issued)])
        return [(one, int(rank)) for one, rank in zip(issued, before, strict=False)]

    def _paid(self, month: int, start: int, count: int) -> _Paid:
        """How `count` invoices of a month are paid from the one at `start` on."""
        (issued, first_rank), seed = self._issued[month], self.company.seed
        invoices = self.company.invoices(month, issued.part(start, count), start)
        n = len(invoices.day)
        rank = first_rank + start + np.arange(n)

        def draw(column: str) -> Floats:
            return fractions(chunk_words(seed, "payments", column, month, n, start))

        def one_in(period: int, kind: str) -> Flags:
            flags: Flags = rank % period == self._first_of(period, kind)
            return flags

        how, speed = draw(_HOW), draw("delay")
        in_parts = (how >= _NEVER_RATE) & (how < _NEVER_RATE + _IN_PARTS_RATE)
        soonest, latest = (
            np.where(draw("late") < _LATE_RATE, one, other)
            for one, other in ((_USUAL_LATEST, _SOONEST), (_LATEST, _USUAL_LATEST))
        )
        delay = soonest + (speed * (latest - soonest + 1)).astype(np.int64)
        later = delay + (draw("second") * (_LATEST + 1 - delay)).astype(np.int64)
        part = (invoices.cents * (0.3 + 0.4 * draw("part"))).astype(np.int64)
        first = np.where(in_parts, part, invoices.cents)
        rest = np.where(in_parts & (draw("rest") < _REST_RATE), invoices.cents - part, 0)
        again = np.where(one_in(_TWICE_EVERY, "twice"), first, 0)
        is_clean = np.full(n, self.dirt.pristine)
        return _Paid(
            rank=rank,
            amounts=np.where(how < _NEVER_RATE, 0, np.stack([first, rest, again])).T,
            days=invoices.day[:, None] + np.stack([delay, later, later], axis=1),
            has_spaces=one_in(_SPACES_EVERY, "spaces") & ~is_clean,
            is_unknown=one_in(_UNKNOWN_EVERY, "unknown") & ~is_clean,
        )

    @property
    def _references(self) -> References:
        return References(self.company.seed, self.company.scale, self.dirt.pristine)

    def _rows(self, month: int, start: int, first: int, last: int) -> pl.DataFrame:
        """Columns id, invoice_reference, cents, day: payments within days of a month's invoices.

        Of a piece of these, from the one at `start` on.
        """
        paid = self._paid(month, start, PIECE_ROWS)
        n = len(paid.rank)
        raw = chunk_words(self.company.seed, "payments", "id", month, 6 * n, 6 * start)
        raw = raw.reshape(n, 3, 2)
        made = (paid.amounts > 0) & (paid.days >= first) & (paid.days <= last)
        invoice, nth = np.nonzero(made)
        rows = pl.DataFrame(
            {
                "id": uuids(np.ascontiguousarray(raw[invoice, nth]).reshape(-1)),
                "reference": self._references.of(paid.rank).gather(invoice),
                "cents": paid.amounts[invoice, nth],
                "day": paid.days[invoice, nth],
                "has_spaces": paid.has_spaces[invoice] & (nth == 0),
                "is_unknown": paid.is_unknown[invoice] & (nth == 0),
            }
        )
        reference = pl.col("reference")
        return rows.select(
            "id",
            invoice_reference=pl.when("is_unknown")
            .then(reference.str.replace("JMP", "JPM", literal=True))
            .when("has_spaces")
            .then(stray_ends("reference")[2])
            .otherwise(reference),
            cents="cents",
            day="day",
        )

    def _first_of(self, period: int, kind: str) -> int:
        """The rank of the first invoice whose payment is odd in a way."""
        return int(chunk_words(self.company.seed, "payments", kind, 0, 1)[0] % period)

    def _note_dirt(self) -> None:
        """Note the references that are written oddly in a payment, of all months."""
        unknown, spaces = [], []
        for month, (issued, first_rank) in enumerate(self._issued):
            n = len(issued)
            # Of most months, every payment has come that ever will.
            how = fractions(chunk_words(self.company.seed, "payments", _HOW, month, n))
            is_there = how >= _NEVER_RATE
            if n and issued.day[-1] + _LATEST > self.company.as_of_day:
                is_there &= self._paid(month, 0, n).days[:, 0] <= self.company.as_of_day
            paid = first_rank + np.flatnonzero(is_there)
            is_unknown = paid % _UNKNOWN_EVERY == self._first_of(_UNKNOWN_EVERY, "unknown")
            has_spaces = paid % _SPACES_EVERY == self._first_of(_SPACES_EVERY, "spaces")
            unknown.append(paid[is_unknown])
            spaces.append(paid[has_spaces & ~is_unknown])
        for kind, ranks in (
            ("payments-of-no-invoice", unknown),
            ("spaces-in-payment-references", spaces),
        ):
            odd = np.concatenate(ranks)[: 0 if self.dirt.pristine else None]
            self.dirt.truth.note(kind, self._references.of(odd))
