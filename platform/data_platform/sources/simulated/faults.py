"""Real errors, planted on demand: what the blocking audits must stop."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import polars as pl

from data_platform.errors import PlatformError
from data_platform.names import FaultKind
from data_platform.sources.simulated.dirt import Truth
from data_platform.sources.simulated.identity import ids
from data_platform.sources.source import Part

_ROWS = 3  # rows a kind plants, where the company has as many

# A frame as it should be -> the frame with the fault, the keys of the faulty rows.
Fault = Callable[[pl.DataFrame], tuple[pl.DataFrame, pl.Series]]


def _change(frame: pl.DataFrame, rows: pl.Series, **columns: pl.Expr) -> pl.DataFrame:
    """`frame` with new values of columns in the rows whose position is in `rows`."""
    hit = pl.int_range(pl.len()).is_in(rows.implode())
    return frame.with_columns(
        **{name: pl.when(hit).then(value).otherwise(name) for name, value in columns.items()}
    )


def _first(frame: pl.DataFrame) -> pl.Series:
    return pl.Series(range(min(_ROWS, len(frame))), dtype=pl.Int64)


def _last(frame: pl.DataFrame) -> pl.Series:
    return pl.Series(range(max(0, len(frame) - _ROWS), len(frame)), dtype=pl.Int64)


def overlapping_contracts(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """A second contract that lies within the days of one of the person's own."""
    long_enough = (pl.col("end_date") > pl.col("start_date")).fill_null(
        pl.col("start_date") < pl.col("start_date").max()  # open ones have begun by the as-of date
    )
    inner = frame.filter(long_enough).head(_ROWS)
    inner = inner.with_columns(
        id=ids(0, "overlapping_contracts", len(inner)),
        entity=pl.lit("blue"),
        start_date=pl.col("start_date") + timedelta(days=1),
    )
    return pl.concat([frame, inner]), inner["id"]


def unknown_entity(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Contracts with an entity that Jump does not have."""
    rows = _first(frame)
    return _change(frame, rows, entity=pl.lit("purple")), frame["id"].gather(rows)


def end_before_start(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Contracts that end ten days before they start."""
    rows = _last(frame)
    end = pl.col("start_date") - timedelta(days=10)
    return _change(frame, rows, end_date=end), frame["id"].gather(rows)


def orphan_invoices(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Invoices under a contract that does not exist."""
    rows = _first(frame)
    nowhere = pl.lit("00000000-0000-4000-8000-000000000000")
    return _change(frame, rows, job_contract_id=nowhere), frame["reference"].gather(rows)


def negative_amounts(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Invoices over less than nothing."""
    rows = _last(frame)
    return _change(frame, rows, amount=-pl.col("amount")), frame["reference"].gather(rows)


def duplicate_references(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Invoices with the reference of the invoice before them."""
    rows = pl.Series(range(1, min(2 * _ROWS, len(frame)), 2), dtype=pl.Int64)
    faulty = _change(frame, rows, reference=pl.col("reference").shift(1))
    return faulty, faulty["reference"].gather(rows)


# In the order in which they are planted.
FAULTS: dict[FaultKind, tuple[str, Fault]] = {
    FaultKind.UNKNOWN_ENTITY: ("job_contracts", unknown_entity),
    FaultKind.END_BEFORE_START: ("job_contracts", end_before_start),
    FaultKind.OVERLAPPING_CONTRACTS: ("job_contracts", overlapping_contracts),
    FaultKind.ORPHAN_INVOICES: ("invoices", orphan_invoices),
    FaultKind.NEGATIVE_AMOUNTS: ("invoices", negative_amounts),
    FaultKind.DUPLICATE_REFERENCES: ("invoices", duplicate_references),
}


def _largest(parts: Sequence[Part]) -> Part:
    """The last part with rows enough for every fault, or the one with the most rows."""
    most, largest = -1, parts[-1]
    for part in reversed(parts):
        rows = len(part.make())
        if rows >= 2 * _ROWS:
            return part
        if rows > most:
            most, largest = rows, part
    return largest


def with_faults(parts: Iterable[Part], kinds: Sequence[str], truth: Truth) -> Iterator[Part]:
    """The parts, with the faults of `kinds` planted; the keys of faulty rows go to `truth`.

    Raises:
        PlatformError: the company is too small yet for a fault to be planted.
    """
    parts = list(parts)
    for table in ("job_contracts", "invoices"):
        planted = [kind for kind in FAULTS if kind in kinds and FAULTS[kind][0] == table]
        candidates = [part for part in parts if part.table == table]
        if not planted or not candidates:
            continue
        target = _largest(candidates)
        frame = target.make()
        for kind in planted:
            frame, keys = FAULTS[kind][1](frame)
            if keys.is_empty():
                raise PlatformError(
                    f"cannot inject {kind}: the company has too few rows in app.{table} "
                    "as of this date; take a later --as-of or a larger --scale"
                )
            truth.note(kind, keys)
        faulty = replace(target, make=partial(pl.DataFrame, frame))
        parts = [faulty if part is target else part for part in parts]
    yield from parts
