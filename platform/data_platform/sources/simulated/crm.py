"""The CRM: what customers think of Jump, one row a customer, only the last answer."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_platform.sources.simulated.calendar import Settled, to_dates
from data_platform.sources.simulated.company import Company
from data_platform.sources.simulated.dirt import Dirt, odd_case, stray_ends, stray_spaces
from data_platform.sources.simulated.draws import Ints, integers, pieces, uniform
from data_platform.sources.simulated.identity import Persons
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

    def customers(self) -> pl.DataFrame:
        """Table customers: most users, people who are no users, and some people twice."""
        company, dirt = self.company, self.dirt
        signup = company.people.signup
        n = len(signup)
        users = Persons(company.seed, "users", n)
        score, changed = self._current("customers", signup)

        missing = dirt.rows("customers", "missing", n, _MISSING_EVERY)
        there, lacking = np.flatnonzero(~missing), np.flatnonzero(missing)
        dirt.truth.note("users-whom-the-crm-lacks", users.of(lacking)["email"])
        twice = np.flatnonzero(dirt.rows("customers", "older_row", n, _OLDER_ROW_EVERY) & ~missing)
        dirt.truth.note("people-twice-in-the-crm", users.of(twice)["email"])
        # The row of the first import stays as it was: no answer, or one taken over by hand.
        asked = uniform(company.seed, "customers", "imported", n) < 0.5
        first_score = np.where(asked, _draw_scores(company.seed, "import", n), np.nan)

        comers = signup[dirt.rows("customers", "stranger", n, _STRANGER_EVERY)]
        strangers = Persons(company.seed, "strangers", len(comers), tag="p")
        stranger = np.arange(len(comers))
        stranger_score, stranger_changed = self._current("strangers", comers)
        dirt.truth.note("crm-people-who-are-no-users", strangers.of(stranger)["email"])

        number = np.concatenate([there, twice, stranger])
        is_stranger = np.arange(len(number)) >= len(there) + len(twice)
        score = np.concatenate([score[there], first_score[twice], stranger_score])
        changed = np.concatenate([changed[there], signup[twice], stranger_changed])
        since = np.concatenate([signup[there], signup[twice], comers])

        def written(rows: Ints) -> pl.DataFrame:
            persons = users.of(np.where(is_stranger[rows], 0, number[rows]))
            places = np.flatnonzero(is_stranger[rows])
            others = strangers.of(number[rows[places]])
            return persons.select(
                *(persons[name].scatter(places, others[name]) for name in persons.columns),
                satisfaction_score=pl.Series(score[rows]).fill_nan(None).cast(pl.Int32),
                updated_at=pl.Series(to_dates(changed[rows])),
            )

        order = np.argsort(since, kind="stable")
        rows = pl.concat((written(rows) for rows in pieces(order)), rechunk=True)
        return self._soil(rows).select(
            "last_name", "first_name", "email", "satisfaction_score", "updated_at"
        )

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
