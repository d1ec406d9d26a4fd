"""What is decided to be computed again, and over which months."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from data_platform.project.reach import FurtherReach
from data_platform.project.window import Kind, Window
from data_platform.record.loads import Change
from data_platform.transform.restatement import Node, decide

ALL_TIME = Window.of_months(date(2022, 1, 1), date(2024, 3, 20))
MARCH = Window.of_months(date(2024, 3, 1), date(2024, 3, 1))
ANY_MONTH_OF_USERS = FurtherReach(any_month_of=frozenset({"sources.users"}))
OLDER = FurtherReach(looks_back_days=31)
MODELS = (
    Node("people", ("sources.users",), Kind.FULL),
    Node("contracts", ("sources.contracts", "people"), Kind.VIEW),
    Node("invoices", ("sources.invoices", "contracts"), Kind.INCREMENTAL),
    Node("running", ("invoices", "as_of"), Kind.INCREMENTAL, extends_itself=True),
    Node("as_of", ("sources.extracts",), Kind.VIEW),
    Node("nps", ("sources.log", "people"), Kind.INCREMENTAL, False, ANY_MONTH_OF_USERS),
    Node("owed", ("invoices", "sources.payments"), Kind.INCREMENTAL, False, OLDER),
)
# After what they read, as the decision wants them.
IN_ORDER = tuple(sorted(MODELS, key=lambda node: node.name == "running"))


def decided(*changes: Change) -> dict[str, str]:
    """What is computed again, by model: `full`, `view`, or months."""
    found = decide(IN_ORDER, {f"sources.{change.table}": change for change in changes}, ALL_TIME)
    return {
        name: str(why.window) if why.kind is Kind.INCREMENTAL else why.kind.value
        for name, why in found.items()
    }


def test_nothing_changed_and_nothing_runs() -> None:
    assert decided() == {}
    assert decided(Change("users"), Change("invoices", first_day=date(2024, 3, 1))) == {}


def test_a_new_day_reaches_its_month_alone() -> None:
    day = date(2024, 3, 20)
    found = decided(Change("invoices", 5, 0, day, day), Change("extracts", 1, 0, day))
    # What becomes overdue on a day was issued the month before.
    owed = {"owed": "2024-01 to 2024-03"}
    assert found == {"invoices": "2024-03", "as_of": "view", "running": "2024-03", **owed}


def test_an_event_of_long_ago_reaches_its_month_and_what_adds_up_after_it() -> None:
    found = decided(Change("invoices", 1, 1, date(2022, 5, 7), date(2022, 6, 1)))
    assert found["invoices"] == "2022-05 to 2022-06"
    assert found["running"] == "2022-05 to 2024-03"


def test_a_change_that_lasts_reaches_every_month_after_it() -> None:
    found = decided(Change("contracts", 1, 1, date(2024, 1, 31)))
    assert found["contracts"] == "view"
    assert found["invoices"] == found["running"] == "2024-01 to 2024-03"


def test_new_rows_without_a_date_reach_no_month_by_themselves() -> None:
    found = decided(Change("users", added=3))
    assert "invoices" not in found
    assert found["people"] == "full"
    # but where a model says so: who signs up brings older entries along
    assert found["nps"] == "2022-01 to 2024-03"


def test_rows_reach_the_months_that_they_point_to_as_well() -> None:
    day = date(2024, 3, 20)
    changes = {"sources.payments": Change("payments", 2, 0, day, day)}

    def months(first: date, last: date) -> str:
        pointed_to = {"owed": Window.of_months(first, last)}
        return str(decide(IN_ORDER, changes, ALL_TIME, pointed_to)["owed"].window)

    assert months(date(2022, 5, 7), date(2022, 6, 1)) == "2022-05 to 2024-03"
    assert months(day, day) == "2024-01 to 2024-03"


def test_rewritten_rows_without_a_date_reach_any_month() -> None:
    found = decided(Change("users", added=1, removed=1))
    assert found["invoices"] == found["running"] == "2022-01 to 2024-03"


def test_days_before_the_company_s_first_are_computed_by_nobody() -> None:
    found = decided(Change("invoices", 1, 0, date(2021, 5, 7), date(2022, 1, 3)))
    assert found["invoices"] == "2022-01"


def test_a_restatement_says_why() -> None:
    day = date(2024, 3, 20)
    changes = {"sources.invoices": Change("invoices", 1, 0, day, day)}
    why = decide(IN_ORDER, changes, ALL_TIME)["invoices"]
    assert str(why) == "over 2024-03 because of sources.invoices"


DAYS = st.dates(ALL_TIME.first, ALL_TIME.last)


@given(days=st.lists(DAYS, min_size=1, max_size=4))
def test_changes_taken_together_reach_what_each_reaches_alone(days: list[date]) -> None:
    events = [Change("invoices", 1, 0, day, day) for day in days]
    together = Change("invoices", len(days), 0, min(days), max(days))
    window = decide(IN_ORDER, {"sources.invoices": together}, ALL_TIME)["invoices"].window
    for event in events:
        alone = decide(IN_ORDER, {"sources.invoices": event}, ALL_TIME)["invoices"].window
        assert window | alone == window
        assert alone.first.day == 1
        assert alone.first <= event.first_day <= alone.last  # type: ignore[operator]
