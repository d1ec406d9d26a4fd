"""The CRM: what customers think of Jump, one row a customer, only the last answer."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_platform.sources.simulated.calendar import Settled, to_dates
from data_platform.sources.simulated.company import Company
from data_platform.sources.simulated.dirt import Dirt, odd_case, stray_ends, stray_spaces
from data_platform.sources.simulated.draws import Ints, integers, uniform
from data_platform.sources.simulated.identity import people
from data_platform.sources.source import Part

_MISSING_EVERY, _OLDER_ROW_EVERY, _STRANGER_EVERY = 31, 29, 43
_CASE_EVERY, _NAME_SPACE_EVERY, _EMAIL_CASE_EVERY, _EMAIL_SPACE_EVERY = 17, 47, 19, 59

_NEVER_ANSWERS_RATE = 0.3
_SURVEY_PERIOD_DAYS, _ANSWER_WITHIN_DAYS = 180, 120  # a survey twice a year, answered in time
# Cumulative shares of the scores 0 to 9; the rest gives 10.
_SCORES_CUMULATIVE = (0.01, 0.02, 0.04, 0.06, 0.09, 0.14, 0.22, 0.36, 0.58, 0.80)


def _draw_scores(seed: int, survey: str, count: int) -> Ints:
    draws = uniform(seed, "customers", f"score {survey}", count)
    return np.searchsorted(np.array(_SCORES_CUMULATIVE), draws, side="right")


@dataclass(frozen=True)
class Crm:
    """The CRM's table as of the company's as-of date."""

    company: Company
    dirt: Dirt

    def parts(self, settled: Settled) -> Iterator[Part]:
        """The one table, in one part, which any day may change."""
        yield Part("customers", "customers", self.customers)

    def _current(
        self, population: str, since: Ints
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(score, day of the last change) of people who are known `since` a day; NaN: no answer.

        Each survey is drawn for everybody, so that nobody's answers depend on anybody else.
        """
        seed, as_of, n = self.company.seed, self.company.as_of_day, len(since)
        score = np.full(n, np.nan)
        changed = since.copy()
        answers = uniform(seed, population, "answers", n) >= _NEVER_ANSWERS_RATE
        oldest = as_of - int(since.min(initial=as_of))
        for survey in range(oldest // _SURVEY_PERIOD_DAYS + 1):
            delay = integers(seed, population, f"delay {survey}", n, 1, _ANSWER_WITHIN_DAYS)
            day = since + survey * _SURVEY_PERIOD_DAYS + delay
            given = answers & (day <= as_of)
            new = _draw_scores(seed, f"{population} {survey}", n)
            moved = given & (new != score)
            score = np.where(moved, new, score)
            changed = np.where(moved, day, changed)
        return score, changed

    def _rows(self, population: str, persons: pl.DataFrame, since: Ints) -> pl.DataFrame:
        score, changed = self._current(population, since)
        return persons.with_columns(
            satisfaction_score=pl.Series(score).fill_nan(None).cast(pl.Int32),
            updated_at=pl.Series(to_dates(changed)),
            since=pl.Series(since),
        )

    def customers(self) -> pl.DataFrame:
        """Table customers: most users, people who are no users, and some people twice."""
        company, dirt = self.company, self.dirt
        signup = company.people.signup
        n = len(signup)
        users = self._rows("customers", people(company.seed, "users", n), signup)

        missing = dirt.rows("customers", "missing", n, _MISSING_EVERY)
        dirt.truth.note("users-whom-the-crm-lacks", users.filter(pl.Series(missing))["email"])
        twice = dirt.rows("customers", "older_row", n, _OLDER_ROW_EVERY) & ~missing
        # The row of the first import stays as it was: no answer, or one taken over by hand.
        first_score = pl.Series(_draw_scores(company.seed, "import", n), dtype=pl.Int32)
        asked = pl.Series(uniform(company.seed, "customers", "imported", n) < 0.5)
        older = users.with_columns(
            satisfaction_score=pl.select(pl.when(asked).then(first_score)).to_series(),
            updated_at=pl.Series(to_dates(signup)),
        ).filter(pl.Series(twice))
        dirt.truth.note("people-twice-in-the-crm", older["email"])

        comers = signup[dirt.rows("customers", "stranger", n, _STRANGER_EVERY)]
        persons = people(company.seed, "strangers", len(comers), tag="p")
        strangers = self._rows("strangers", persons, comers)
        dirt.truth.note("crm-people-who-are-no-users", strangers["email"])

        known = pl.concat([users.filter(~pl.Series(missing)), older, strangers])
        rows = self._soil(known.sort("since", maintain_order=True))
        return rows.select("last_name", "first_name", "email", "satisfaction_score", "updated_at")

    def _soil(self, rows: pl.DataFrame) -> pl.DataFrame:
        dirt, n = self.dirt, len(rows)
        rows = rows.with_columns(key="email")
        for column in ("first_name", "last_name"):
            flags = dirt.rows("customers", f"{column}_case", n, _CASE_EVERY)
            rows = dirt.soil(rows, "case-in-crm-names", column, flags, odd_case(column), key="key")
            flags = dirt.rows("customers", f"{column}_spaces", n, _NAME_SPACE_EVERY)
            rows = dirt.soil(
                rows, "spaces-in-crm-names", column, flags, stray_spaces(column), key="key"
            )
        flags = dirt.rows("customers", "email_case", n, _EMAIL_CASE_EVERY)
        rows = dirt.soil(
            rows, "case-in-crm-emails", "email", flags, odd_case("email")[:1], key="key"
        )
        flags = dirt.rows("customers", "email_spaces", n, _EMAIL_SPACE_EVERY)
        return dirt.soil(
            rows, "spaces-in-crm-emails", "email", flags, stray_ends("email"), key="key"
        )
