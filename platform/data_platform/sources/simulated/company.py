"""The simulated company as it really is, before any application records it.

Everything is a column of numbers, indexed by person, contract or client, and a pure function of
(seed, scale, as-of date). Days count from the company's first day, months from its first month.
People, clients and planned contracts are numbered in the order of their arrival and drawn by that
number, so a later as-of date only appends. What lies after the as-of date (a contract's planned
end) is known here and must not be told: the applications, `app` and `crm`, see to that.
"""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from data_platform.sources.simulated.calendar import (
    day_number,
    month_number,
    month_start,
    to_months,
)
from data_platform.sources.simulated.draws import (
    Flags,
    Floats,
    Ints,
    Words,
    chunk_words,
    every,
    fractions,
    integers,
    uniform,
)

# No invoice at all in October 2023: a month that every report must still show.
SILENT_MONTH = month_number(date(2023, 10, 1))

# Scale 1 as of the reference day: about 1,000 users, 20 clients and 15,000 invoices.
_REFERENCE_DAY = day_number(date(2026, 11, 22))
_PEOPLE, _CLIENTS = 970, 18
_HEAD_START_DAYS = 30  # those who came before the first day sign up on it

_SECOND_ACCOUNT_EVERY, _NEVER_SIGNS_EVERY, _ONE_DAY_EVERY = 53, 19, 97
_SECOND_CONTRACT_RATE = 0.18  # one in ten has had it by the reference day, the rest is to come
_QUIET_RATE = 0.25
# How many invoices a contract sends in a month: none, one, two, three.
_INVOICES_CUMULATIVE = (0.12, 0.80, 0.96)
MOST_INVOICES = 3
# The same by the first 16 bits of a draw.
_COUNTS = np.searchsorted(np.array(_INVOICES_CUMULATIVE) * 2**16, np.arange(2**16), side="right")


SmallInts = NDArray[np.int32]  # days, months and numbers of rows, of which many are kept


def _small(values: Ints | Floats) -> SmallInts:
    return values.astype(np.int32)


@dataclass(frozen=True)
class People:
    """Who signed up by the as-of day, in the order of `signup`; one entry a person."""

    signup: Ints
    contracts: Ints  # how many contracts the person is ever to sign: 0, 1 or 2
    has_second_account: Flags
    second_signup: Ints  # meaningful where has_second_account


@dataclass(frozen=True)
class Contracts:
    """Every contract that those people are ever to sign, by person, then in time."""

    person: SmallInts
    is_second: Flags  # of its person's contracts, of which there are two at most
    start: SmallInts
    end: SmallInts  # last day, planned: unknown to the world until it has come
    quiet_from: SmallInts  # months, [from, to): a spell without invoices
    quiet_to: SmallInts
    is_blue: Flags
    client: SmallInts  # the contract's main client
    monthly_rate: Floats  # euros


# Those that somebody holds: several applications share what they have computed.
_COMPANIES: "WeakValueDictionary[tuple[int, float, date], Company]" = WeakValueDictionary()


def company_of(seed: int, scale: float, as_of: date) -> "Company":
    """A company as of the end of a day; the same object for all who ask at one time."""
    company = _COMPANIES.get((seed, scale, as_of))
    if company is None:
        company = _COMPANIES[seed, scale, as_of] = Company(seed, scale, as_of)
    return company


@dataclass(frozen=True)
class Issued:
    """Which invoices were issued in a month by the as-of day, in the order of their issue.

    Of all months at once, hence as small as it can be.
    """

    first_day: int  # of the month
    place: NDArray[np.uint8]  # days from the first to that of the issue
    contract: SmallInts

    def __len__(self) -> int:
        return len(self.place)

    def part(self, first: int, count: int) -> "Issued":
        """`count` of them from the `first` on."""
        rows = slice(first, first + count)
        return Issued(self.first_day, self.place[rows], self.contract[rows])

    @property
    def day(self) -> SmallInts:
        """The day of each invoice's issue."""
        return self.first_day + self.place.astype(np.int32)


@dataclass(frozen=True)
class MonthOfInvoices:
    """The invoices of one month by the as-of day, in the order of their issue."""

    day: SmallInts
    contract: SmallInts
    client: Ints
    cents: Ints
    id_words: Words  # two an invoice


@dataclass(frozen=True)
class Company:
    """The company of a seed and a scale, as of the end of a day."""

    seed: int
    scale: float
    as_of: date

    @cached_property
    def as_of_day(self) -> int:
        return day_number(self.as_of)

    @cached_property
    def as_of_month(self) -> int:
        return month_number(self.as_of)

    def _arrivals(self, final: int) -> Ints:
        """How many of a population have come by the end of each day, never fewer than one."""
        progress = (np.arange(self.as_of_day + 1) + _HEAD_START_DAYS) / (
            _REFERENCE_DAY + _HEAD_START_DAYS
        )
        grown = self.scale * final * (0.8 * progress + 0.2 * progress * progress)
        return np.maximum(1, grown.astype(np.int64))

    def _arrival_days(self, arrivals: Ints) -> Ints:
        days: Ints = np.searchsorted(arrivals, np.arange(arrivals[-1]), side="right")
        return days

    @cached_property
    def _people_by_day(self) -> Ints:
        return self._arrivals(_PEOPLE)

    @cached_property
    def _clients_by_day(self) -> Ints:
        return self._arrivals(_CLIENTS)

    @cached_property
    def client_joined(self) -> Ints:
        """The day on which each client came; one entry a client."""
        return self._arrival_days(self._clients_by_day)

    @cached_property
    def _periods(self) -> tuple[SmallInts, SmallInts, SmallInts, SmallInts]:
        """(first start, first end, second start, second end) of every person's contracts."""
        n = int(self._people_by_day[-1])
        signup = self._arrival_days(self._people_by_day)

        def length(column: str) -> Ints:
            days = 60 - 590 * np.log1p(-uniform(self.seed, "job_contracts", column, n))
            whole: Ints = np.minimum(days, 2_500).astype(np.int64)
            return whole

        start = signup + integers(self.seed, "job_contracts", "delay", n, 0, 15)
        one_day = every(self.seed, "job_contracts", "one_day", n, _ONE_DAY_EVERY)
        end = start + np.where(one_day, 0, length("length"))
        # The next contract may start on the very next day.
        gap = 1 + np.maximum(0, integers(self.seed, "job_contracts", "gap", n, -30, 120))
        second_start = end + gap
        second_end = second_start + length("second_length")
        return _small(start), _small(end), _small(second_start), _small(second_end)

    @cached_property
    def people(self) -> People:
        n = int(self._people_by_day[-1])
        signup = self._arrival_days(self._people_by_day)
        signs = ~every(self.seed, "users", "never_signs", n, _NEVER_SIGNS_EVERY)
        twice = every(self.seed, "users", "second_account", n, _SECOND_ACCOUNT_EVERY)
        # Half of the second accounts come with the contract that the person signs with it.
        signs_again = np.where(
            twice,
            uniform(self.seed, "users", "second_account_signs", n) < 0.5,
            uniform(self.seed, "users", "second_contract", n) < _SECOND_CONTRACT_RATE,
        )
        contracts = np.where(signs, 1 + signs_again, 0)
        second_start = self._periods[2]
        later = signup + integers(self.seed, "users", "second_signup", n, 30, 300)
        return People(
            signup=signup,
            contracts=contracts,
            has_second_account=twice,
            second_signup=np.where(contracts == 2, second_start, later),
        )

    @cached_property
    def contracts(self) -> Contracts:
        first_start, first_end, second_start, second_end = self._periods
        everybody = _small(np.arange(len(self.people.contracts)))
        person = np.repeat(everybody, self.people.contracts)
        n = len(person)
        is_second = np.zeros(n, dtype=np.bool_)
        is_second[1:] = person[1:] == person[:-1]
        start = np.where(is_second, second_start[person], first_start[person])
        end = np.where(is_second, second_end[person], first_end[person])

        quiet = uniform(self.seed, "job_contracts", "quiet", n) < _QUIET_RATE
        quiet_from = to_months(start) + integers(self.seed, "job_contracts", "quiet_from", n, 1, 30)
        quiet_months = integers(self.seed, "job_contracts", "quiet_months", n, 3, 10)
        # Only clients whom the company has by the start; a start to come has no client yet.
        known = self._clients_by_day[np.minimum(start, self.as_of_day)]
        rate = uniform(self.seed, "job_contracts", "rate", n)
        return Contracts(
            person=person,
            is_second=is_second,
            start=start,
            end=end,
            quiet_from=_small(quiet_from),
            quiet_to=_small(quiet_from + np.where(quiet, quiet_months, 0)),
            is_blue=uniform(self.seed, "job_contracts", "entity", n) < 0.6,
            client=_small(uniform(self.seed, "job_contracts", "client", n) * known),
            monthly_rate=2_000 + 9_000 * rate * rate,
        )

    @cached_property
    def _contracts_by_day(self) -> Ints:
        """How many planned contracts the people of each day are to sign."""
        return np.concatenate([[0], np.cumsum(self.people.contracts)])[self._people_by_day]

    def issued(self, month: int) -> Issued:
        """The month's invoices by the as-of day."""
        if month not in self._known_months:
            self._known_months[month] = self._issue(month)
        return self._known_months[month]

    @cached_property
    def _known_months(self) -> dict[int, Issued]:
        """What was issued in the months that somebody asked for."""
        return {}

    def _issue(self, month: int) -> Issued:
        """The month's invoices by the as-of day.

        One word a contract and month tells how many invoices, and the day of each: a day outside
        the contract sends none, so that a month half under contract brings half as many.
        """
        first = day_number(month_start(month))
        last = min(day_number(month_start(month + 1)) - 1, self.as_of_day)
        days_in_month = day_number(month_start(month + 1)) - first
        planned = int(self._contracts_by_day[last])
        if month == SILENT_MONTH or planned == 0:
            return Issued(first, np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.int32))

        every_one = self.contracts
        raw = chunk_words(self.seed, "invoices", "issue", month, planned)
        start, end = every_one.start[:planned], every_one.end[:planned]
        silent = (every_one.quiet_from[:planned] <= month) & (month < every_one.quiet_to[:planned])
        sending = np.flatnonzero((start <= last) & (end >= first) & ~silent)
        # One part for the count, one for each day.
        parts = raw[sending].view(np.uint16).reshape(-1, 1 + MOST_INVOICES)
        place = parts[:, 1:].astype(np.uint32) * np.uint32(days_in_month) >> np.uint32(16)
        earliest = np.maximum(start[sending] - first, 0)
        latest = np.minimum(end[sending], last) - first
        sent = (
            (np.arange(MOST_INVOICES) < _COUNTS[parts[:, 0], None])
            & (place >= earliest[:, None])
            & (place <= latest[:, None])
        )
        which, nth = np.nonzero(sent)
        place = place[which, nth].astype(np.uint8)  # of which there are few: sorted by counting
        order = np.argsort(place, kind="stable")
        return Issued(first, place[order], _small(sending[which[order]]))

    def invoices(self, month: int, issued: Issued, first: int = 0) -> MonthOfInvoices:
        """The invoices of one month; drawn by their rank in the month, so days only append.

        Args:
            issued: of the whole month, or a part of it.
            first: the rank of the first of these in the month.
        """
        day, contract, n = issued.day, issued.contract, len(issued)

        def draw(column: str) -> Floats:
            return fractions(chunk_words(self.seed, "invoices", column, month, n, first))

        main = self.contracts.client[contract]
        any_client = (draw("other_client") * self._clients_by_day[day]).astype(np.int64)
        rate = self.contracts.monthly_rate[contract] * (0.6 + 0.8 * draw("amount"))
        return MonthOfInvoices(
            day=day,
            contract=contract,
            client=np.where(draw("is_other_client") < 0.2, any_client, main),
            cents=(rate * 100).astype(np.int64),
            id_words=chunk_words(self.seed, "invoices", "id", month, 2 * n, 2 * first),
        )
