"""What is a table of events, which rows of a model can point from (`project/reach.py`)."""

import pytest
from sqlglot import exp, parse_one
from sqlmesh.core.model import (
    FullKind,
    Model,
    ViewKind,
    create_external_model,
    create_sql_model,
)

from data_platform.project.reach import event_of

PAYMENTS = {
    "id": exp.DataType.build("text"),
    "of": exp.DataType.build("text"),
    "paid_on": exp.DataType.build("date"),
}
KNOWN: dict[str, Model] = {
    "sources.payments": create_external_model(
        "sources.payments", columns=PAYMENTS, tags=["on:paid_on"], default_catalog="lakehouse"
    ),
    "sources.clients": create_external_model(
        "sources.clients", columns={"id": PAYMENTS["id"]}, default_catalog="lakehouse"
    ),
}
EVENT = ("sources.payments", "paid_on")

QUERIES = {
    "SELECT id::TEXT AS id, of::TEXT AS of, paid_on::DATE AS paid_on FROM sources.payments": EVENT,
    "SELECT UPPER(of)::TEXT AS of, paid_on::DATE AS paid_on FROM sources.payments "
    "WHERE id <> 'x'": EVENT,
    # Its rows are of days before those on which they change.
    "SELECT of::TEXT AS of, MIN(paid_on)::DATE AS paid_on FROM sources.payments GROUP BY of": None,
    "SELECT DISTINCT of::TEXT AS of, paid_on::DATE AS paid_on FROM sources.payments": None,
    "SELECT of::TEXT AS of, MIN(paid_on) OVER (PARTITION BY of)::DATE AS paid_on "
    "FROM sources.payments": None,
    "SELECT of::TEXT AS of, paid_on::DATE AS paid_on FROM sources.payments "
    "WHERE of NOT IN (SELECT of FROM sources.payments WHERE id = 'x')": None,
    "SELECT of::TEXT AS of, paid_on::DATE AS paid_on FROM sources.payments "
    "GROUP BY of, paid_on": None,
    # What it points to depends on rows of other days.
    "SELECT MIN(of) OVER (PARTITION BY id)::TEXT AS of, paid_on::DATE AS paid_on "
    "FROM sources.payments": None,
    # Its days are others than those of the events.
    "SELECT of::TEXT AS of, id::DATE AS paid_on FROM sources.payments": None,
    "SELECT of::TEXT AS of, (paid_on - 31)::DATE AS paid_on FROM sources.payments": None,
    "SELECT of::TEXT AS of, paid_on::TIMESTAMP AS paid_on FROM sources.payments": None,
    "SELECT of::TEXT AS of FROM sources.payments": None,
    # It is made of more, or of no events.
    "SELECT p.of::TEXT AS of, p.paid_on::DATE AS paid_on FROM sources.payments AS p "
    "JOIN sources.clients AS c ON p.id = c.id": None,
    "SELECT id::TEXT AS id FROM sources.clients": None,
}


def model(name: str, query: str, kind: ViewKind | FullKind) -> Model:
    return create_sql_model(
        name, parse_one(query, dialect="duckdb"), kind=kind, default_catalog="lakehouse"
    )


def shown(query: str, kind: ViewKind | FullKind) -> tuple[str, str] | None:
    below = model("staging.payments", query, kind)
    above = model(
        "intermediate.payments",
        "SELECT of::TEXT AS of, paid_on::DATE AS paid_on FROM staging.payments",
        ViewKind(),
    )
    found = event_of(below, KNOWN)
    if "paid_on::TIMESTAMP" not in query:  # of which the one above makes a day again
        assert event_of(above, {**KNOWN, "staging.payments": below}) == found
    return found


@pytest.mark.parametrize(("query", "expected"), QUERIES.items())
def test_events_are_rows_of_one_source_as_they_are(
    query: str, expected: tuple[str, str] | None
) -> None:
    assert shown(query, ViewKind()) == expected
    # A table holds, when it is asked which months are reached, what it held before the load.
    assert shown(query, FullKind()) is None


def test_a_source_shows_its_own_events() -> None:
    assert event_of(KNOWN["sources.payments"], KNOWN) == EVENT
    assert event_of(KNOWN["sources.clients"], KNOWN) is None
