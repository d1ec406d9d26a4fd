"""What a load finds strange warns, stands as long as it is there, and stops nothing."""

import re
from dataclasses import replace
from datetime import date

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from conftest import COMPANY, Platform
from data_platform.ingest.anomalies import is_unusual
from data_platform.ingest.extract import extract
from data_platform.ingest.load import load
from tampering import EARLIER, LATER, extract_and_load, rewrite

# Days of many invoices.
LARGE = replace(COMPANY, scale=5)


def test_a_day_with_a_third_of_the_usual_invoices_warns(platform: Platform) -> None:
    yesterday, today = date(2024, 3, 4), date(2024, 3, 5)
    assert extract_and_load(platform, yesterday, LARGE).warnings == ()
    settings = platform.settings(today)
    extract(settings, LARGE)
    of_today, number = pl.col("issue_date") == today, pl.int_range(pl.len())
    rewrite(platform, "app.invoices", lambda f: f.filter(~of_today | (number % 3 == 0)), number=-1)
    (warning,) = load(settings).warnings
    assert warning.model == "sources.app__invoices"
    assert warning.audit == "days_are_usual"
    assert re.fullmatch(r"2024-03-05 has \d+, usually \d\d", warning.keys[0])
    # The whole day again: what was strange is gone, and loads that change nothing say nothing.
    extract(settings, LARGE)
    load(settings)
    assert extract_and_load(platform, date(2024, 3, 6), LARGE).warnings == ()


def test_a_table_that_shrank_warns_but_not_where_time_goes_back(platform: Platform) -> None:
    extract_and_load(platform, LATER)
    assert extract_and_load(platform, EARLIER).warnings == ()
    rewrite(platform, "app.users", lambda f: f[2:])
    (warning,) = load(platform.settings(EARLIER)).warnings
    assert str(warning) == (
        "sources.app__users: rows_do_not_vanish failed for 2 rows: 46 before, 44 now"
    )


@given(usual=st.floats(0, 1e6), rows=st.integers(0, 10**7))
def test_no_day_near_the_usual_is_unusual_and_a_third_of_many_is(usual: float, rows: int) -> None:
    assert not is_unusual(round(usual), usual)
    if usual > 12:
        assert is_unusual(int(usual / 3), usual)
        assert is_unusual(int(usual * 3) + 1, usual)
    if usual / 2 < rows < usual * 2:
        assert not is_unusual(rows, usual)


def test_a_warning_stands_while_the_day_is_loaded_and_goes_with_the_company(
    platform: Platform,
) -> None:
    extract_and_load(platform, date(2024, 3, 4), LARGE)
    settings = platform.settings(date(2024, 3, 5))
    extract(settings, LARGE)
    number = pl.int_range(pl.len())
    is_kept = (pl.col("issue_date") != settings.as_of) | (number % 3 == 0)
    rewrite(platform, "app.invoices", lambda f: f.filter(is_kept), number=-1)
    warnings = load(settings).warnings
    assert [warning.audit for warning in warnings] == ["days_are_usual"]
    # Something else changes on the same day: the day is as strange as before.
    rewrite(platform, "crm.customers", lambda f: f.with_columns(pl.col("first_name") + "x"))
    assert load(settings).warnings == warnings
    other = extract_and_load(
        platform, date(2024, 3, 5), replace(LARGE, random_seed=7), starts_over=True
    )
    assert other.warnings == ()
