"""The company's model and marts, recomputed from the Parquet files alone, in plain Python.

An independent way to the same numbers: no SQL, no macros, no state, one loop after the other. Rows
come as tuples in the order of the model's columns, without surrogate keys: a person stands for
their key (last name, first name, e-mail, upper-case names), a contract for (person, start date), a
client for its name in upper case.
"""

import json
import re
import unicodedata
from calendar import monthrange
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from pathlib import Path

import polars as pl

Person = tuple[str, str, str]
Row = tuple[object, ...]


def clean(text: str) -> str:
    return re.sub("[ \t\r\n]+", " ", text).strip(" ")


def clean_email(text: str) -> str:
    return text.strip(" \t\r\n").lower()


def _upper_letter(letter: str) -> str:
    """Its one capital letter; the few that have several (ŉ, ﬁ) stay as they are."""
    capitals = (capital for capital in (letter.upper(), letter.title()) if len(capital) == 1)
    return next(capitals, letter)


def compared(name: str) -> str:
    composed = unicodedata.normalize("NFC", name).replace("ß", "SS").replace("ẞ", "SS")
    return "".join(map(_upper_letter, composed))


def person_key(row: dict[str, str]) -> Person:
    return (
        compared(clean(row["last_name"])),
        compared(clean(row["first_name"])),
        clean_email(row["email"]),
    )


def is_test(row: dict[str, str]) -> bool:
    return clean_email(row["email"]).endswith("@jump.example")


def month_of(day: date) -> date:
    return day.replace(day=1)


def next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def months(first: date, last: date) -> list[date]:
    found = []
    while first <= last:
        found.append(first)
        first = next_month(first)
    return found


def best_score(scores: list[int | None]) -> int | None:
    return max(scores, key=lambda score: -1 if score is None else score)


def nps(scores: list[int]) -> Row:
    promoters = sum(score >= 9 for score in scores)
    detractors = sum(score <= 6 for score in scores)
    value = None
    if scores:
        exact = Decimal(100 * (promoters - detractors)) / len(scores)
        value = exact.quantize(Decimal("0.01"), ROUND_HALF_UP)  # half away from zero
    return (
        value,
        promoters,
        len(scores) - promoters - detractors,
        detractors,
        len(scores),
    )


@dataclass
class Company:
    """Everything the models should hold, from a folder of extracts.

    `log` holds the rows of crm__customers_log; by default those of this extract alone.
    """

    folder: Path
    log: list[dict[str, object]] | None = None

    @cached_property
    def manifest(self) -> dict[str, dict]:
        return json.loads((self.folder / "manifest.json").read_text())

    @cached_property
    def as_of(self) -> date:
        return date.fromisoformat(self.manifest["sources"]["app"]["as_of"])

    def table(self, name: str) -> list[dict]:
        files = [self.folder / file["path"] for file in self.manifest["tables"][name]]
        return pl.concat([pl.read_parquet(f) for f in files]).to_dicts() if files else []

    @cached_property
    def accounts(self) -> dict[str, dict]:
        return {row["id"]: row for row in self.table("app.users") if not is_test(row)}

    @cached_property
    def scores_now(self) -> dict[Person, int | None]:
        entries: dict[Person, list[dict]] = defaultdict(list)
        for row in self.table("crm.customers"):
            if not is_test(row):
                entries[person_key(row)].append(row)
        found = {}
        for person, rows in entries.items():
            newest = max(row["updated_at"] for row in rows)
            found[person] = best_score(
                [row["satisfaction_score"] for row in rows if row["updated_at"] == newest]
            )
        return found

    @cached_property
    def names(self) -> dict[Person, tuple[str, str]]:
        """The spelling of each freelancer: that of the smallest account id."""
        spelled: dict[Person, tuple[str, str]] = {}
        for _, row in sorted(self.accounts.items()):
            key = person_key(row)
            spelled.setdefault(key, (clean(row["last_name"]), clean(row["first_name"])))
        return spelled

    @cached_property
    def contracts(self) -> dict[str, dict]:
        rows = self.table("app.job_contracts")
        return {
            row["id"]: row | {"person": person_key(self.accounts[row["user_id"]])} for row in rows
        }

    @cached_property
    def client_names(self) -> dict[str, str]:
        return {row["id"]: clean(row["name"]) for row in self.table("app.clients")}

    @cached_property
    def invoice_rows(self) -> list[dict]:
        return [
            row | {"contract": self.contracts[row["job_contract_id"]]}
            for row in self.table("app.invoices")
        ]

    def freelancers(self) -> list[Row]:
        return [
            (*names, person[2], self.scores_now.get(person)) for person, names in self.names.items()
        ]

    def clients(self) -> list[Row]:
        spellings: dict[str, Counter[str]] = defaultdict(Counter)
        for name in self.client_names.values():
            spellings[compared(name)][name] += 1
        return [(min(c, key=lambda name: (-c[name], name)),) for c in spellings.values()]

    def job_contracts(self) -> list[Row]:
        return [
            (*row["person"], row["start_date"], row["end_date"], row["entity"])
            for row in self.contracts.values()
        ]

    def invoices(self) -> list[Row]:
        return [
            (
                *row["contract"]["person"],
                row["contract"]["start_date"],
                compared(self.client_names[row["client_id"]]),
                row["reference"],
                row["issue_date"],
                row["amount"],
            )
            for row in self.invoice_rows
        ]

    def payments(self) -> list[Row]:
        references = {row["reference"] for row in self.invoice_rows}
        return [
            (reference, row["paid_on"], row["amount"])
            for row in self.table("billing.payments")
            if (reference := row["invoice_reference"].strip(" \t\r\n")) in references
        ]

    def unassigned_payments(self) -> list[Row]:
        references = {row["reference"] for row in self.invoice_rows}
        return [
            (row["id"], reference, row["paid_on"], row["amount"])
            for row in self.table("billing.payments")
            if (reference := row["invoice_reference"].strip(" \t\r\n")) not in references
        ]

    def finance__receivables(self) -> list[Row]:
        paid: dict[str, Decimal] = defaultdict(Decimal)
        for reference, paid_on, amount in self.payments():
            if paid_on <= self.as_of:
                paid[reference] += amount
        shown = {compared(name): name for (name,) in self.clients()}
        sums: dict[tuple[str, date], list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
        for row in self.invoice_rows:
            client = compared(self.client_names[row["client_id"]])
            received = paid[row["reference"]]
            is_due = row["issue_date"] + timedelta(days=30) < self.as_of
            overdue = max(row["amount"] - received, Decimal(0)) if is_due else Decimal(0)
            key = client, month_of(row["issue_date"])
            both = zip(sums[key], (row["amount"], received, overdue), strict=True)
            sums[key] = [one + more for one, more in both]
        return [
            (client, shown[client], month, invoiced, received, invoiced - received, overdue)
            for (client, month), (invoiced, received, overdue) in sums.items()
        ]

    def accounting__reference_gaps(self) -> list[Row]:
        days: dict[int, list[date]] = defaultdict(list)
        width: dict[int, int] = {}
        for row in self.invoice_rows:
            if re.fullmatch(r"JMP[0-9]+", row["reference"]):
                number = int(row["reference"][3:])
                days[number].append(row["issue_date"])
                width[number] = max(width.get(number, 0), len(row["reference"]) - 3)
        gaps: list[Row] = []
        before, before_date = 0, None
        for number in sorted(days):
            if number > before + 1:
                first, last = (f"JMP{n:0{width[number]}}" for n in (before + 1, number - 1))
                missing = number - before - 1
                gaps.append((first, last, missing, before_date, min(days[number])))
            before, before_date = number, max(days[number])
        return gaps

    @cached_property
    def score_periods(self) -> list[tuple[Person, int, date, date | None]]:
        rows = self.table("crm.customers") if self.log is None else self.log
        changes: dict[Person, dict[date, list[int | None]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            person = person_key(row)
            if row["updated_at"] <= self.as_of and person in self.names:
                changes[person][row["updated_at"]].append(row["satisfaction_score"])
        found = []
        for person, days in changes.items():
            ordered = sorted(days)
            for day, until in zip(ordered, [*ordered[1:], None], strict=True):
                score = best_score(days[day])
                if score is not None:
                    found.append((person, score, day, until))
        return found

    def satisfaction_scores(self) -> list[Row]:
        return [(*person, *rest) for person, *rest in self.score_periods]

    def kpi__monthly_turnover(self) -> list[Row]:
        totals: dict[date, Decimal] = defaultdict(Decimal)
        for row in self.invoice_rows:
            totals[month_of(row["issue_date"])] += row["amount"]
        if not totals:
            return []
        return [(m, totals[m]) for m in months(min(totals), month_of(self.as_of))]

    def kpi__nps(self) -> list[Row]:
        scores = [self.scores_now.get(person) for person in self.names]
        return [nps([score for score in scores if score is not None])]

    def kpi__nps_monthly(self) -> list[Row]:
        if not self.score_periods:
            return []
        first = month_of(min(start for _, _, start, _ in self.score_periods))
        found = []
        for month in months(first, month_of(self.as_of)):
            day = min(next_month(month) - timedelta(days=1), self.as_of)
            in_force = [
                score
                for _, score, start, until in self.score_periods
                if start <= day and (until is None or day < until)
            ]
            found.append((month, *nps(in_force)))
        return found

    def kpi__active_freelancers(self) -> list[Row]:
        rows = list(self.contracts.values())
        if not rows:
            return []
        found = []
        for month in months(month_of(min(row["start_date"] for row in rows)), month_of(self.as_of)):
            day = min(next_month(month) - timedelta(days=1), self.as_of)
            for entity in ("blue", "green"):
                of_entity = [row for row in rows if row["entity"] == entity]
                active = {
                    row["person"]
                    for row in of_entity
                    if row["start_date"] <= day and (row["end_date"] or date.max) >= day
                }
                joined = sum(month_of(row["start_date"]) == month for row in of_entity)
                left = sum(
                    row["end_date"] is not None and month_of(row["end_date"]) == month
                    for row in of_entity
                )
                found.append((month, entity, len(active), joined, left))
        return found

    def finance__turnover_by_cohort(self) -> list[Row]:
        firsts: dict[tuple[Person, str], date] = {}
        for row in self.contracts.values():
            key = row["person"], row["entity"]
            firsts[key] = min(firsts.get(key, date.max), month_of(row["start_date"]))
        cohorts: dict[Person, date] = {}
        for (person, _), month in firsts.items():
            cohorts[person] = min(cohorts.get(person, date.max), month)
        totals: dict[Row, Decimal] = defaultdict(Decimal)
        for row in self.invoice_rows:
            contract = row["contract"]
            totals[contract["person"], contract["entity"], month_of(row["issue_date"])] += row[
                "amount"
            ]
        return [
            (
                *person,
                *self.names[person],
                cohorts[person],
                entity,
                month,
                totals[person, entity, month],
            )
            for (person, entity), first in firsts.items()
            for month in months(first, month_of(self.as_of))
        ]

    def care__cumulative_turnover(self) -> list[Row]:
        totals: dict[tuple[str, date], Decimal] = defaultdict(Decimal)
        for row in self.invoice_rows:
            totals[row["job_contract_id"], month_of(row["issue_date"])] += row["amount"]
        found = []
        for identifier, row in self.contracts.items():
            last = min(month_of(row["end_date"] or self.as_of), month_of(self.as_of))
            so_far = Decimal(0)
            for month in months(month_of(row["start_date"]), last):
                so_far += totals[identifier, month]
                found.append(
                    (
                        *row["person"],
                        *self.names[row["person"]],
                        row["start_date"],
                        row["end_date"],
                        row["entity"],
                        month,
                        totals[identifier, month],
                        so_far,
                    )
                )
        return found

    def care__stagnant_freelancers(self) -> list[Row]:
        last_complete = month_of(self.as_of)
        if self.as_of.day != monthrange(self.as_of.year, self.as_of.month)[1]:
            last_complete = month_of(last_complete - timedelta(days=1))
        window = last_complete
        for _ in range(2):
            window = month_of(window - timedelta(days=1))
        found = []
        for identifier, row in self.contracts.items():
            mine = [i for i in self.invoice_rows if i["job_contract_id"] == identifier]
            recent = any(invoice["issue_date"] >= window for invoice in mine)
            if row["end_date"] is None and row["start_date"] <= window and not recent:
                found.append(
                    (
                        *row["person"],
                        *self.names[row["person"]],
                        row["entity"],
                        row["start_date"],
                        max((i["issue_date"] for i in mine), default=None),
                        sum((i["amount"] for i in mine), Decimal(0)),
                    )
                )
        return found

    def export(self, name: str) -> list[Row]:
        """The rows of an export, in order, as its file shows them."""
        rows = getattr(self, f"_export_{name}")()
        return sorted(rows)

    def finance__cohorts(self) -> list[Row]:
        totals: dict[Row, Decimal] = defaultdict(Decimal)
        for *_, cohort, _, month, turnover in self.finance__turnover_by_cohort():
            quarter = cohort.replace(month=1 + (cohort.month - 1) // 3 * 3)
            totals[quarter, month] += turnover
        return [(*key, total) for key, total in totals.items()]

    def finance__turnover_by_entity(self) -> list[Row]:
        totals: dict[Row, Decimal] = defaultdict(Decimal)
        for *_, entity, month, turnover in self.finance__turnover_by_cohort():
            totals[month, entity] += turnover
        return [(*key, total) for key, total in totals.items()]

    def _export_turnover_by_cohort(self) -> list[Row]:
        return [
            (last, first, ym(cohort), entity, ym(month), euros(turnover))
            for *_, last, first, cohort, entity, month, turnover in (
                self.finance__turnover_by_cohort()
            )
        ]

    def _export_cumulative_turnover(self) -> list[Row]:
        return [
            (last, first, ymd(start), ymd(end), entity, ym(month), euros(so_far), euros(turnover))
            for *_, last, first, start, end, entity, month, turnover, so_far in (
                self.care__cumulative_turnover()
            )
        ]

    def _export_monthly_turnover(self) -> list[Row]:
        return [(ym(month), euros(amount)) for month, amount in self.kpi__monthly_turnover()]

    def _export_receivables(self) -> list[Row]:
        return [
            (name, ym(month), *map(euros, amounts))
            for _, name, month, *amounts in self.finance__receivables()
        ]

    def _export_reference_gaps(self) -> list[Row]:
        return [
            (first, last, str(missing), ymd(before), ymd(after))
            for first, last, missing, before, after in self.accounting__reference_gaps()
        ]

    def _export_stagnant_freelancers(self) -> list[Row]:
        return [
            (last, first, entity, ymd(start), ymd(invoiced), euros(total))
            for *_, last, first, entity, start, invoiced, total in (
                self.care__stagnant_freelancers()
            )
        ]


def ym(month: date) -> str:
    return month.strftime("%Y/%m")


def ymd(day: date | None) -> str:
    return "" if day is None else day.strftime("%Y/%m/%d")


def euros(amount: Decimal) -> str:
    return f"{amount:.2f}".replace(".", ",")
