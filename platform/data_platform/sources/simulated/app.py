"""The company's own application: users, job contracts, clients, invoices."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_platform.memory import release_memory
from data_platform.sources.simulated.calendar import Settled, month_start, to_dates
from data_platform.sources.simulated.company import Company, Issued
from data_platform.sources.simulated.dirt import Dirt, odd_case, stray_ends, stray_spaces
from data_platform.sources.simulated.draws import (
    PIECE_ROWS,
    Flags,
    Ints,
    Words,
    chunk_words,
    fractions,
    integers,
    pieces,
    starts,
    uniform,
)
from data_platform.sources.simulated.identity import Persons, id_words, ids, uuids
from data_platform.sources.simulated.references import References
from data_platform.sources.simulated.vocabulary import vocabulary
from data_platform.sources.source import Part

# One row in so many is dirty; primes, so that the kinds meet in all combinations.
_TEST_ACCOUNT_EVERY, _ODD_EMAIL_EVERY, _EMAIL_SPACE_EVERY, _NAME_SPACE_EVERY = 89, 23, 41, 37
_SECOND_CLIENT_EVERY, _CLIENT_CASE_EVERY, _CLIENT_SPACE_EVERY = 7, 11, 13
_SECOND_CLIENT_SHARE = 0.4  # of the client's invoices, once it is there twice


@dataclass(frozen=True)
class App:
    """The application's tables as of the company's as-of date."""

    company: Company
    dirt: Dirt

    def parts(self, settled: Settled) -> Iterator[Part]:
        """The tables in parts that can be made in any order, the invoices one a month.

        Of a month that is settled, the number of its invoices alone is needed.
        """
        names = {
            month: month_start(month).strftime("%Y-%m")
            for month in range(self.company.as_of_month + 1)
        }
        open_months = [month for month in names if ("invoices", names[month]) not in settled]
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # no more: each needs memory
            _ = self.company.people  # of which both users and contracts are made
            users = [pool.submit(lambda: self.users)]  # taken out by who writes them, and gone
            _ = self.company.contracts
            release_memory()
            shared = pool.submit(self._warm_up)
            issued = dict(zip(open_months, pool.map(self.company.issued, open_months), strict=True))
            shared.result()
        yield Part("users", "users", lambda: users.pop().result())
        yield Part("clients", "clients", lambda: self.clients)
        rank = 0
        for month, name in names.items():
            if month == self.company.as_of_month // 2:  # far from the users: both are large
                yield Part("job_contracts", "job_contracts", lambda: self.job_contracts)
            if month not in issued:
                rank += settled["invoices", name]
                continue
            of_month = issued.pop(month)
            yield Part("invoices", name, partial(self.invoices, month, of_month, rank))
            rank += len(of_month)
        self.dirt.truth.note("reference-gaps", self.references.missing(rank))

    def _warm_up(self) -> None:
        """Compute what all months share before they are made side by side."""
        _ = self.contract_ids, self._invoice_clients

    @property
    def _account_words(self) -> tuple[Words, Ints]:
        """(the ids of everybody's account, then of the second ones, as words; who has those)."""
        seed, truth = self.company.seed, self.company.people
        twice = np.flatnonzero(truth.has_second_account)
        if self.dirt.pristine:
            twice = twice[:0]
        first = id_words(seed, "users", len(truth.signup))
        return np.concatenate([first, id_words(seed, "second_accounts", len(twice))]), twice

    @property
    def users(self) -> pl.DataFrame:
        """Table users: people, people who signed up twice, and internal test accounts.

        Accounts are put in the order of sign-up by their numbers, and written in pieces: texts of
        all of them at once would be the most memory that an extract takes.
        """
        dirt, company, truth = self.dirt, self.company, self.company.people
        words, twice = self._account_words
        testers = np.flatnonzero(
            dirt.rows("users", "test_account", len(truth.signup), _TEST_ACCOUNT_EVERY)
        )
        # Each person's account, then the second ones, then those of tests.
        person = np.concatenate([np.arange(len(truth.signup)), twice, testers])
        day = np.concatenate([truth.signup, truth.second_signup[twice], truth.signup[testers]])
        first_second, first_test = len(truth.signup), len(words)
        words = np.concatenate([words, id_words(company.seed, "test_accounts", len(testers))])

        order = np.argsort(day, kind="stable")
        order = order[day[order] <= company.as_of_day]
        persons = Persons(company.seed, "users", len(truth.signup))

        def written(accounts: Ints) -> pl.DataFrame:
            release_memory()  # of the piece before, and of what is made beside it
            number = pl.Series(accounts - first_test + 1).cast(pl.String)
            is_test = pl.Series(accounts >= first_test)
            return persons.of(person[accounts]).select(
                uuids(words[accounts]).alias("id"),
                first_name=pl.when(is_test).then("Compte " + number).otherwise("first_name"),
                last_name=pl.when(is_test).then(pl.lit("Test")).otherwise("last_name"),
                email=pl.when(is_test).then("test." + number + "@jump.example").otherwise("email"),
            )

        rows = pl.concat(written(accounts) for accounts in pieces(order))
        release_memory()
        is_second = (order >= first_second) & (order < first_test)
        dirt.truth.note("test-accounts", rows["id"].filter(pl.Series(order >= first_test)))
        dirt.truth.note("second-accounts", rows["id"].filter(pl.Series(is_second)))
        return self._soil_people(rows, is_second)

    def _soil_people(self, rows: pl.DataFrame, is_second: Flags) -> pl.DataFrame:
        dirt = self.dirt
        n = len(rows)
        for column in ("first_name", "last_name"):
            flags = dirt.rows("users", f"{column}_spaces", n, _NAME_SPACE_EVERY)
            rows = dirt.soil(rows, "spaces-in-names", column, flags, stray_spaces(column))
        flags = dirt.rows("users", "email_case", n, _ODD_EMAIL_EVERY)
        rows = dirt.soil(rows, "case-in-emails", "email", flags, odd_case("email")[:1])
        flags = dirt.rows("users", "email_spaces", n, _EMAIL_SPACE_EVERY)
        rows = dirt.soil(rows, "spaces-in-emails", "email", flags, stray_ends("email"))
        # Whoever signs up again does not mind the capitals.
        return dirt.soil(
            rows, "case-in-second-accounts", "last_name", is_second, odd_case("last_name")
        )

    @property
    def references(self) -> References:
        """The numbers that invoices bear."""
        return References(self.company.seed, self.company.scale, self.dirt.pristine)

    @cached_property
    def contract_ids(self) -> pl.Series:
        """The identifier of every planned contract."""
        return ids(self.company.seed, "job_contracts", len(self.company.contracts.start))

    @property
    def job_contracts(self) -> pl.DataFrame:
        """Table job_contracts: an end is told once it has come."""
        company, contracts = self.company, self.company.contracts
        words, twice = self._account_words
        people = len(words) - len(twice)
        second_account = np.arange(people)  # by person: their own, where there is one
        second_account[twice] = people + np.arange(len(twice))
        order = np.argsort(contracts.start, kind="stable")
        order = order[contracts.start[order] <= company.as_of_day]

        def written(rows: Ints) -> pl.DataFrame:
            person, end = contracts.person[rows], contracts.end[rows]
            # The second account comes with the contract that the person signs with it.
            account = np.where(contracts.is_second[rows], second_account[person], person)
            return pl.DataFrame(
                {
                    "id": self.contract_ids.gather(rows),
                    "user_id": uuids(words[account]),
                    "is_blue": contracts.is_blue[rows],
                    "start_date": to_dates(contracts.start[rows]),
                    "end_date": to_dates(end),
                    "has_ended": end <= company.as_of_day,
                }
            ).select(
                "id",
                "user_id",
                entity=pl.when("is_blue").then(pl.lit("blue")).otherwise(pl.lit("green")),
                start_date="start_date",
                end_date=pl.when("has_ended").then("end_date"),
            )

        return pl.concat((written(rows) for rows in pieces(order)), rechunk=True)

    @cached_property
    def client_names(self) -> pl.Series:
        """The names of all clients: every company of the pool once, then again with a city."""
        pools, n = vocabulary(), len(self.company.client_joined)
        shuffled = np.argsort(uniform(self.company.seed, "clients", "pool", len(pools.companies)))
        number = np.arange(n)
        lap = pl.Series(number // len(pools.companies), dtype=pl.Int64)
        company = pl.Series(pools.companies).gather(shuffled[number % len(pools.companies)])
        branch = pl.Series(pools.cities).gather(lap % len(pools.cities)) + pl.when(
            lap < len(pools.cities)
        ).then(pl.lit("")).otherwise(pl.format(" {}", lap))
        return pl.select(
            pl.when(lap == 0).then(company).otherwise(pl.format("{} {}", company, branch))
        ).to_series()

    @cached_property
    def _client_rows(self) -> pl.DataFrame:
        """Columns client, is_second, day, id, name: all clients, then second entries of some."""
        seed, joined = self.company.seed, self.company.client_joined
        n = len(joined)
        first = pl.DataFrame(
            {
                "client": np.arange(n),
                "is_second": np.zeros(n, dtype=np.bool_),
                "day": joined,
                "id": ids(seed, "clients", n),
                "name": self.client_names,
            }
        )
        second = first.with_columns(
            is_second=pl.lit(True),
            day=pl.Series(joined + integers(seed, "clients", "second_joined", n, 30, 300)),
            id=ids(seed, "second_clients", n),
        )
        twice = self.dirt.rows("clients", "second_client", n, _SECOND_CLIENT_EVERY)
        return pl.concat([first, second.filter(pl.Series(twice))])

    @property
    def clients(self) -> pl.DataFrame:
        """Table clients: some are there under two ids, with a spelling of their own."""
        dirt = self.dirt
        known = self._client_rows.filter(pl.col("day") <= self.company.as_of_day)
        rows = known.sort("day", maintain_order=True)
        dirt.truth.note("second-clients", rows.filter("is_second")["id"])
        spellings = [*odd_case("name"), stray_spaces("name")[3]]
        rows = dirt.soil(
            rows, "spelling-of-second-clients", "name", rows["is_second"].to_numpy(), spellings
        )
        flags = dirt.rows("clients", "name_case", len(rows), _CLIENT_CASE_EVERY)
        rows = dirt.soil(rows, "case-in-client-names", "name", flags, odd_case("name"))
        flags = dirt.rows("clients", "name_spaces", len(rows), _CLIENT_SPACE_EVERY)
        rows = dirt.soil(rows, "spaces-in-client-names", "name", flags, stray_spaces("name"))
        return rows.select("id", "name")

    @cached_property
    def _invoice_clients(self) -> tuple[pl.Series, pl.Series, NDArray[np.int64]]:
        """Per client: its id, its second id, and the day of the second (far away if none)."""
        first = self._client_rows.filter(~pl.col("is_second"))
        second = self._client_rows.filter("is_second").select(
            "client", second_id="id", second_day="day"
        )
        both = first.join(second, on="client", how="left", maintain_order="left")
        never = self.company.as_of_day + 1
        return both["id"], both["second_id"], both["second_day"].fill_null(never).to_numpy()

    def invoices(self, month: int, issued: Issued, first_rank: int) -> pl.DataFrame:
        """The rows of table invoices of one month; `first_rank` invoices came before them."""
        parts = (
            self._invoices(month, issued.part(first, PIECE_ROWS), first, first_rank)
            for first in starts(len(issued))
        )
        return pl.concat(parts, rechunk=True)

    def _invoices(self, month: int, issued: Issued, first: int, first_rank: int) -> pl.DataFrame:
        """Those of the month from the `first` on."""
        seed, batch = self.company.seed, self.company.invoices(month, issued, first)
        n = len(issued)
        first_id, second_id, second_day = self._invoice_clients
        draw = fractions(chunk_words(seed, "invoices", "second_client", month, n, first))
        as_second = (second_day[batch.client] <= batch.day) & (draw < _SECOND_CLIENT_SHARE)
        return pl.DataFrame(
            {
                "id": uuids(batch.id_words),
                "job_contract_id": self.contract_ids.gather(batch.contract),
                "first_client": first_id.gather(batch.client),
                "second_client": second_id.gather(batch.client),
                "as_second": as_second,
                "reference": self.references.of(first_rank + first + np.arange(n)),
                "cents": batch.cents,
                "issue_date": to_dates(batch.day),
            }
        ).select(
            "id",
            "job_contract_id",
            client_id=pl.when("as_second").then("second_client").otherwise("first_client"),
            reference="reference",
            amount=pl.col("cents").cast(pl.Decimal(12, 0)) * pl.lit(Decimal("0.01")),
            issue_date="issue_date",
        )
