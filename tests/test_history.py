"""A table that shows only the present keeps what it ever showed; one that loses rows is told."""

import csv
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from conftest import AS_OF, Platform
from test_schema_changes import CLIENTS, edit_contract

LOG = "sources.app__clients_log"
CLIENTS_LOG = """- name: sources.app__clients_log
  description: One row per name that a client entry ever had.
  columns:
    id: text
    name: text
    seen_as_of: date
  audits:
    - name: not_null
      columns: (id, name, seen_as_of)
"""
DAYS = [AS_OF + timedelta(days=number) for number in range(4)]


def keep(entry: dict) -> None:
    entry["tags"] = [*entry.get("tags", []), "keep_history"]


@pytest.fixture
def deliver(analyst: Platform) -> Callable[..., None]:
    """Hand over the clients as files, and load them as of a day."""
    sources = analyst.project / "sources.yaml"

    def act(day: date, *rows: tuple[str, str], said: str = "", loss: str = "null") -> str:
        sources.write_text(
            f"app:\n  kind: files\n  folder: drop\n  max_loss: {loss}\n"
            "crm:\n  kind: simulated\nbilling:\n  kind: simulated\n"
        )
        drop = analyst.project / "drop"
        drop.mkdir(exist_ok=True)
        empty = {
            "users": ["id", "first_name", "last_name", "email"],
            "job_contracts": ["id", "user_id", "entity", "start_date", "end_date"],
            "invoices": ["id", "job_contract_id", "client_id", "reference", "amount", "issue_date"],
        }
        for name, header in empty.items():
            (drop / f"{name}.csv").write_text(",".join(header) + "\n")
        with (drop / "clients.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("id", "name"), *rows])
        done = analyst.call(
            "extract", "-s", "app", "load", "-s", "app",
            options=["--as-of", str(day)], check=not said,
        )  # fmt: skip
        assert said in done.stderr, done.stderr
        return done.stderr

    return act


def test_any_table_can_keep_what_it_ever_showed(
    analyst: Platform, deliver: Callable[..., None]
) -> None:
    deliver(DAYS[0], ("1", "Old"), ("2", "Two"))
    # History that begins later begins with what is there.
    contract = analyst.project / "external_models.yaml"
    edit_contract(analyst, keep, CLIENTS)
    contract.write_text(contract.read_text() + CLIENTS_LOG)
    deliver(DAYS[1], ("1", "Old"), ("2", "Two"))
    deliver(DAYS[2], ("1", "New"), ("3", "Three"))
    deliver(DAYS[3], ("1", "Old"))
    first, second = DAYS[1], DAYS[2]
    assert sorted(analyst.rows(f"FROM {LOG}")) == [
        ("1", "New", second), ("1", "Old", first), ("2", "Two", first), ("3", "Three", second),
    ]  # fmt: skip
    assert analyst.rows("FROM sources.app__clients") == [("1", "Old")]


def test_a_history_without_its_table_is_refused(analyst: Platform) -> None:
    edit_contract(analyst, keep, CLIENTS)
    done = analyst.call("extract", check=False)
    assert "sources.app__clients_log is missing, which the platform keeps" in done.stderr
    contract = analyst.project / "external_models.yaml"
    contract.write_text(
        contract.read_text() + CLIENTS_LOG.replace("    name: text", "    name: int")
    )
    done = analyst.call("extract", check=False)
    assert "app__clients_log is to have the columns of sources.app__clients, then" in done.stderr


def test_a_table_that_loses_more_than_its_source_may_is_refused(
    analyst: Platform, deliver: Callable[..., None]
) -> None:
    rows = [(str(number), "Name") for number in range(10)]
    deliver(DAYS[0], *rows)
    deliver(DAYS[1], *rows[:8], loss="20 %")
    assert "rows_do_not_vanish" in deliver(DAYS[2], *rows[:7])
    said = "app.clients has lost 57% of its rows, 7 before, 3 now; max_loss of app in sources.yaml"
    deliver(DAYS[3], *rows[:3], loss="20%", said=said)
    assert len(analyst.rows("FROM sources.app__clients")) == 7
    deliver(DAYS[3], *rows[:3], loss="60 %")
    assert len(analyst.rows("FROM sources.app__clients")) == 3


@pytest.mark.parametrize("stated", ["20", "a fifth", "120 %", "-1 %", "0.2"])
def test_a_share_that_is_none_is_refused(deliver: Callable[..., None], stated: str) -> None:
    deliver(DAYS[0], loss=stated, said="app.max_loss is ")


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        (
            "not_before:issue_date=2024-01-01",
            "from 2024-01-01 to 9999-12-31, found one out of range",
        ),
        (
            "not_after:issue_date=2023-01-01",
            "from 0001-01-01 to 2023-01-01, found one out of range",
        ),
    ],
)
def test_a_day_outside_of_the_contract_s_bounds_is_refused(
    analyst: Platform, tag: str, said: str
) -> None:
    analyst.call("extract")

    def bound(entry: dict) -> None:
        entry["tags"] = [*entry["tags"], tag]

    edit_contract(analyst, bound, "sources.app__invoices")
    done = analyst.call("load", check=False)  # of simulated ones, when they are loaded
    assert done.returncode == 1
    assert "column issue_date has 202" in done.stderr, done.stderr
    folder = analyst.project / "drop"
    folder.mkdir()
    text = "id,job_contract_id,client_id,reference,amount,issue_date\n1,1,1,JMP1,1.00,2023-06-01\n"
    for name in ("users", "job_contracts", "clients"):
        (folder / f"{name}.csv").write_text(
            {"users": "id,first_name,last_name,email\n", "clients": "id,name\n",
             "job_contracts": "id,user_id,entity,start_date,end_date\n"}[name]
        )  # fmt: skip
    (folder / "invoices.csv").write_text(text)
    (analyst.project / "sources.yaml").write_text(
        "app:\n  kind: files\n  folder: drop\ncrm:\n  kind: simulated\n"
        "billing:\n  kind: simulated\n"
    )
    done = analyst.call("extract", check=False)
    assert done.returncode == 1 and f"issue_date expected a date {said} "


@pytest.mark.parametrize(
    "tag",
    ["not_before:issue_date=soon", "not_after:amount=2024-01-01", "zone:issue_date=Europe/Paris",
     "not_before:issue_date"],
)  # fmt: skip
def test_a_bound_that_is_none_is_refused(analyst: Platform, tag: str) -> None:
    def bound(entry: dict) -> None:
        entry["tags"] = [*entry["tags"], tag]

    edit_contract(analyst, bound, "sources.app__invoices")
    done = analyst.call("extract", check=False)
    assert done.returncode == 1 and f"tag {tag!r} is " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "tag", ["not_befor:issue_date=2024-01-01", "keep_histry", "onn:issue_date"]
)
def test_a_tag_that_is_none_is_refused(analyst: Platform, tag: str) -> None:
    contract = analyst.project / "external_models.yaml"
    text = contract.read_text()
    contract.write_text(text.replace("['on:issue_date'", f"['{tag}', 'on:issue_date'"))
    done = analyst.call("extract", check=False)
    assert done.returncode == 1 and f"there is no tag '{tag}'" in done.stderr
    assert "did you mean" in done.stderr
