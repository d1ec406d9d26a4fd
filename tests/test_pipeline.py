"""The whole pipeline: what it shows is what the extracts hold, whatever was loaded before."""

import pytest

from comparison import assert_exports_equal_the_reference, assert_models_equal_the_reference
from conftest import Platform

# Others on other days are in every random sequence of test_time.
LONG = pytest.mark.slow(reason="each is a first run and the reference beside it")


def test_a_run_shows_what_the_reference_computes(finished: Platform) -> None:
    assert_models_equal_the_reference(finished)
    assert_exports_equal_the_reference(finished)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["-r", "7", "--scale", "0.3", "--as-of", "2025-10-31"], marks=LONG),
        pytest.param(["-r", "-1", "--scale", "0.05", "--as-of", "2023-10-15"], marks=LONG),
        pytest.param(["--scale", "0.001", "--as-of", "2022-01-01"], marks=LONG),
        pytest.param(["--scale", "0.02", "--as-of", "2022-03-01"], marks=LONG),
    ],
    ids=" ".join,
)
def test_any_company_on_any_day_is_right(platform: Platform, options: list[str]) -> None:
    platform.call("run", options=options)
    assert_models_equal_the_reference(platform)
    assert_exports_equal_the_reference(platform)
