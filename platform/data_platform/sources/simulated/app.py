"""The company's own application: users, job contracts, clients, invoices."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data_platform.sources.simulated.calendar import Settled, month_start, to_dates
from data_platform.sources.simulated.company import Company, Issued
from data_platform.sources.simulated.dirt import Dirt, odd_case, stray_ends, stray_spaces
from data_platform.sources.simulated.draws import (
    Ints,
    chunk_words,
    fractions,
    integers,
    uniform,
)
from data_platform.sources.simulated.identity import ids, people, uuids
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
        with ThreadPoolExecutor() as pool:
            _ = self.company.people  # of which both users and contracts are made
            users = [pool.submit(lambda: self.users)]  # taken out by who writes them, and gone
            _ = self.company.contracts
            shared = pool.submit(self._warm_up)
            issued = dict(zip(open_months, pool.map(self.company.issued, open_months), strict=True))
            shared.result()
        yield Part("users", "users", lambda: users.pop().result())
        yield Part("job_contracts", "job_contracts", lambda: self.job_contracts)
        yield Part("clients", "clients", lambda: self.clients)
        rank = 0
        for month, name in names.items():
            if month not in issued:
                rank += settled["invoices", name]
                continue
            of_month = issued.pop(month)
            yield Part("invoices", name, partial(self.invoices, month, of_month, rank))
            rank += len(of_month[0])
        self.dirt.truth.note("reference-gaps", self.references.missing(rank))

    def _warm_up(self) -> None:
        """Compute what all months share before they are made side by side."""
        _ = self.contract_ids, self._invoice_clients

    @property
    def _accounts(self) -> pl.DataFrame:
        """Every account ever to be opened by the known people, clean, in the order of sign-up.

        Columns: person, is_second, day, id, first_name, last_name, email.
        """
        company, seed = self.company, self.company.seed
        truth = company.people
        persons = people(seed, "users", len(truth.signup))
        first_ids, twice, second_ids = self._account_ids
        first = persons.with_columns(
            person=pl.Series(np.arange(len(truth.signup))),
            is_second=pl.lit(False),
            day=pl.Series(truth.signup),
            id=first_ids,
        )
        second = first[twice].with_columns(
            is_second=pl.lit(True), day=pl.Series(truth.second_signup[twice]), id=second_ids
        )
        return pl.concat([first, second])

    @property
    def _account_ids(self) -> tuple[pl.Series, Ints, pl.Series]:
        """(the id of everybody's account, who has a second one, the ids of those)."""
        seed, truth = self.company.seed, self.company.people
        twice = np.flatnonzero(truth.has_second_account)
        if self.dirt.pristine:
            twice = twice[:0]
        first = ids(seed, "users", len(truth.signup))
        return first, twice, ids(seed, "second_accounts", len(twice))

    @property
    def users(self) -> pl.DataFrame:
        """Table users: people, people who signed up twice, and internal test accounts."""
        dirt, company = self.dirt, self.company
        accounts = self._accounts.filter(pl.col("day") <= company.as_of_day)

        testers = dirt.rows(
            "users", "test_account", len(company.people.signup), _TEST_ACCOUNT_EVERY
        )
        count = int(testers.sum())
        number = pl.Series(range(1, count + 1), dtype=pl.String)
        tests = pl.DataFrame(
            {
                "person": pl.Series([None] * count, dtype=pl.Int64),
                "is_second": pl.Series([False] * count, dtype=pl.Boolean),
                "day": pl.Series(company.people.signup[testers]),
                "id": ids(company.seed, "test_accounts", count),
                "first_name": "Compte " + number,
                "last_name": pl.Series(["Test"] * count, dtype=pl.String),
                "email": "test." + number + "@jump.example",
            }
        )
        rows = pl.concat([accounts, tests.select(accounts.columns)]).sort(
            "day", maintain_order=True
        )
        dirt.truth.note("test-accounts", rows.filter(pl.col("person").is_null())["id"])
        dirt.truth.note("second-accounts", rows.filter("is_second")["id"])
        rows = self._soil_people(rows)
        return rows.select("id", "first_name", "last_name", "email")

    def _soil_people(self, rows: pl.DataFrame) -> pl.DataFrame:
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
        flags = rows["is_second"].to_numpy()
        return dirt.soil(rows, "case-in-second-accounts", "last_name", flags, odd_case("last_name"))

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
        first_ids, twice, second_ids = self._account_ids
        second = pl.DataFrame({"person": twice, "second_id": second_ids})
        ended = contracts.end <= company.as_of_day
        return (
            pl.DataFrame(
                {
                    "id": self.contract_ids,
                    "person": contracts.person,
                    "ordinal": contracts.ordinal,
                    "first_id": first_ids.gather(contracts.person),
                    "entity": pl.Series(contracts.is_blue),
                    "start_day": contracts.start,
                    "start_date": to_dates(contracts.start),
                    "end_date": to_dates(contracts.end),
                    "ended": ended,
                }
            )
            .join(second, on="person", how="left", maintain_order="left")
            .filter(pl.col("start_day") <= company.as_of_day)
            .sort("start_day", maintain_order=True)
            .select(
                "id",
                # The second account comes with the contract that the person signs with it.
                user_id=pl.when(pl.col("ordinal") == 1)
                .then(pl.coalesce("second_id", "first_id"))
                .otherwise("first_id"),
                entity=pl.when("entity").then(pl.lit("blue")).otherwise(pl.lit("green")),
                start_date="start_date",
                end_date=pl.when("ended").then("end_date"),
            )
        )

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
        seed, batch = self.company.seed, self.company.invoices(month, issued)
        n = len(batch.day)
        first_id, second_id, second_day = self._invoice_clients
        draw = fractions(chunk_words(seed, "invoices", "second_client", month, n))
        as_second = (second_day[batch.client] <= batch.day) & (draw < _SECOND_CLIENT_SHARE)
        return pl.DataFrame(
            {
                "id": uuids(batch.id_words),
                "job_contract_id": self.contract_ids.gather(batch.contract),
                "first_client": first_id.gather(batch.client),
                "second_client": second_id.gather(batch.client),
                "as_second": as_second,
                "reference": self.references.of(first_rank + np.arange(n)),
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
