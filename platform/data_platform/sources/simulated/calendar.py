"""The simulated company's calendar: days and months as numbers, counted from its first."""

from collections.abc import Mapping
from datetime import date

import numpy as np
from numpy.typing import NDArray

from data_platform.simulation import FIRST_DAY

# How many rows each month of a table has that is known to stay as it is, by (table, month's name).
Settled = Mapping[tuple[str, str], int]


def day_number(day: date) -> int:
    """Days since the company's first day."""
    return (day - FIRST_DAY).days


def month_number(day: date) -> int:
    """Months since the company's first month."""
    return (day.year - FIRST_DAY.year) * 12 + day.month - FIRST_DAY.month


def month_start(month: int) -> date:
    """The first day of a month number."""
    return date(FIRST_DAY.year + month // 12, month % 12 + 1, 1)


def to_dates(days: NDArray[np.signedinteger]) -> NDArray[np.datetime64]:
    """Day numbers as calendar dates (datetime64[D])."""
    return np.datetime64(FIRST_DAY) + days.astype("timedelta64[D]")


def to_months(days: NDArray[np.signedinteger]) -> NDArray[np.int64]:
    """Day numbers as month numbers."""
    first = np.datetime64(FIRST_DAY).astype("datetime64[M]")
    months: NDArray[np.int64] = (to_dates(days).astype("datetime64[M]") - first).astype(np.int64)
    return months
