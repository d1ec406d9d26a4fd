"""The lakehouse's tables and the export files, compared with the reference row for row."""

import csv
from collections import Counter
from contextlib import nullcontext

import duckdb

from conftest import Platform
from reference import Company


def _compared(name: str) -> str:
    return f"UPPER(REPLACE(REPLACE(NFC_NORMALIZE({name}), 'ß', 'SS'), 'ẞ', 'SS'))"


_PERSON = (
    f"{_compared('freelancers.last_name')}, {_compared('freelancers.first_name')}, "
    "freelancers.email"
)
_BY_FREELANCER = "JOIN intermediate.freelancers AS freelancers ON freelancers.sk = t.freelancer_sk"
_BY_CONTRACT = (
    "JOIN intermediate.job_contracts AS contracts ON contracts.sk = t.job_contract_sk "
    "JOIN intermediate.freelancers AS freelancers ON freelancers.sk = contracts.freelancer_sk"
)

# Each model's rows, with natural keys in the place of surrogate keys.
QUERIES = {
    "freelancers": "SELECT last_name, first_name, email, satisfaction_score "
    "FROM intermediate.freelancers",
    "clients": "SELECT name FROM intermediate.clients",
    "job_contracts": f"SELECT {_PERSON}, start_date, end_date, entity "
    f"FROM intermediate.job_contracts AS t {_BY_FREELANCER}",
    "invoices": f"SELECT {_PERSON}, start_date, {_compared('clients.name')}, reference, "
    f"issue_date, amount FROM intermediate.invoices AS t {_BY_CONTRACT} "
    "JOIN intermediate.clients AS clients ON clients.sk = t.client_sk",
    "payments": "SELECT reference, paid_on, t.amount FROM intermediate.payments AS t "
    "JOIN intermediate.invoices AS invoices ON invoices.sk = t.invoice_sk",
    "unassigned_payments": "SELECT payment_id, invoice_reference, paid_on, amount "
    "FROM intermediate.unassigned_payments",
    "finance__receivables": f"SELECT {_compared('client_name')}, client_name, month, invoiced, "
    "paid, outstanding, overdue FROM marts.finance__receivables",
    "accounting__reference_gaps": "SELECT first_missing, last_missing, missing::BIGINT, "
    "before_date, after_date FROM marts.accounting__reference_gaps",
    "satisfaction_scores": f"SELECT {_PERSON}, t.satisfaction_score, valid_from, valid_to "
    f"FROM intermediate.satisfaction_scores AS t {_BY_FREELANCER}",
    "kpi__monthly_turnover": "FROM marts.kpi__monthly_turnover",
    "kpi__nps": "FROM marts.kpi__nps",
    "kpi__nps_monthly": "FROM marts.kpi__nps_monthly",
    "kpi__active_freelancers": "FROM marts.kpi__active_freelancers",
    "finance__turnover_by_cohort": f"SELECT {_PERSON}, t.* EXCLUDE (freelancer_sk) "
    f"FROM marts.finance__turnover_by_cohort AS t {_BY_FREELANCER}",
    "finance__cohorts": "FROM report.finance__cohorts",
    "finance__turnover_by_entity": "FROM report.finance__turnover_by_entity",
    "care__cumulative_turnover": f"SELECT {_PERSON}, t.* EXCLUDE (freelancer_sk, job_contract_sk) "
    f"FROM marts.care__cumulative_turnover AS t {_BY_CONTRACT}",
    "care__stagnant_freelancers": f"SELECT {_PERSON}, t.* EXCLUDE (freelancer_sk, job_contract_sk) "
    f"FROM marts.care__stagnant_freelancers AS t {_BY_CONTRACT}",
}
EXPORTS = (
    "turnover_by_cohort",
    "cumulative_turnover",
    "monthly_turnover",
    "stagnant_freelancers",
    "receivables",
    "reference_gaps",
)


def assert_models_equal_the_reference(
    platform: Platform,
    keeps_log: bool = False,
    cursor: duckdb.DuckDBPyConnection | None = None,
) -> None:
    """Every intermediate model and mart holds what the reference holds, no row more or less.

    Args:
        keeps_log: the CRM's log holds more than the last extract; take the history from it.
        cursor: of a connection that this process has open already.
    """
    company = Company(platform.data / "sources")
    file = str(platform.settings().lakehouse)
    with nullcontext(cursor) if cursor else duckdb.connect(file, read_only=True) as connection:
        if keeps_log:
            log = connection.execute("FROM sources.crm__customers_log").to_arrow_table()
            company.log = log.to_pylist()
        for name, query in QUERIES.items():
            found = Counter(connection.execute(query).fetchall())
            expected = Counter(getattr(company, name)())
            assert found == expected, (
                f"{name}: only in the lakehouse {list((found - expected).elements())[:3]}, "
                f"only in the reference {list((expected - found).elements())[:3]}"
            )


def assert_exports_equal_the_reference(platform: Platform) -> None:
    """Every export's file holds the reference's rows in the reference's order."""
    company = Company(platform.data / "sources")
    for name in EXPORTS:
        with (platform.data / "exports" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            _, *rows = csv.reader(file)
        assert [tuple(row) for row in rows] == company.export(name), name
