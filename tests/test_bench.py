"""What the bench does with what it measures: the processes are measured by `just bench` itself."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import PROJECT


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    yield
    for path in (PROJECT / "benchmarks").glob("*.py"):
        sys.modules.pop(path.stem, None)


def found(ratio: float, invoices: int = 10) -> dict[str, Any]:
    ratios = [{"of": "a", "to": "b", "ratio": ratio, "beyond_noise": True}]
    return {"case": "build", "invoices": invoices, "ratios": ratios}


@pytest.mark.usefixtures("benchmarks")
def test_a_ratio_that_is_a_quarter_worse_than_the_one_kept_is_told() -> None:
    from suite import worse

    assert worse([found(1.25)], [found(1.0)]) == []
    (said,) = worse([found(1.26), found(9.0, invoices=20)], [found(1.0)])
    assert said == "build, 10 invoices: a / b is 1.26, 1.00 in benchmarks/results.json"


@pytest.mark.usefixtures("benchmarks")
def test_no_ratio_is_claimed_within_the_noise() -> None:
    from measure import Taken
    from setting import Compared
    from suite import measured

    taken = {"a": [Taken(s, s, 10**6) for s in (1.0, 1.1, 5.0)], "b": [Taken(1.0, 1.0, 10**6)]}
    of = measured("build", 10, Compared("build", taken, [("a", "b")], {}), 0.2)
    assert of["contestants"]["a"]["seconds"] == 1.1
    assert (of["contestants"]["a"]["least"], of["contestants"]["a"]["most"]) == (1.0, 5.0)
    assert of["ratios"] == [{"of": "a", "to": "b", "ratio": 1.1, "beyond_noise": False}]
    of = measured("build", 10, Compared("build", taken, [("a", "b")], {}), 0.05)
    assert of["ratios"][0]["beyond_noise"]


@pytest.mark.usefixtures("benchmarks")
def test_contestants_are_measured_forwards_and_backwards_in_turn(tmp_path: Path) -> None:
    from measure import Contestant, in_turns, take

    order: list[str] = []

    def contestant(name: str) -> Contestant:
        def run(place: Path) -> object:
            order.append(name)
            return take([sys.executable, "-c", f"open({str(place / 'x')!r}, 'x')"])

        return Contestant(name, run)  # type: ignore[arg-type]

    taken = in_turns([contestant("a"), contestant("b")], tmp_path, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]  # each in a folder of its own
    assert all(one.seconds > 0 for runs in taken.values() for one in runs)
    with pytest.raises(SystemExit, match=r"failed:\n(.*\n)*ZeroDivisionError"):
        take([sys.executable, "-c", "1 / 0"])


@pytest.mark.usefixtures("benchmarks")
def test_the_models_are_rendered_in_order_and_by_the_names_that_are_asked_for() -> None:
    from rendered import render
    from setting import AS_OF

    models = render(PROJECT, AS_OF, lambda name: f"<{name}>")
    names = [model.name for model in models]
    assert names.index("staging.app__invoices") < names.index("intermediate.invoices")
    (invoices,) = [model for model in models if model.name == "intermediate.invoices"]
    assert "<staging.app__invoices>" in invoices.sql
    assert "2022-01-01" in invoices.sql
    assert {audit.name.rpartition("_")[0] for audit in invoices.audits} >= {"foreign_key"}
    assert all(audit.sql for model in models for audit in model.audits)


@pytest.mark.usefixtures("benchmarks")
def test_a_day_of_each_year_is_told_in_order_with_what_a_year_adds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tables

    seconds = {"as of 2024-06-15": 5.0, "as of 2022-06-15": 3.0, "as of 2023-06-15": 4.0}
    case = {
        "case": tables.HISTORY,
        "invoices": 1_000,
        "contestants": {name: {"seconds": taken} for name, taken in seconds.items()},
    }
    monkeypatch.setattr(tables, "_results", lambda: {"cases": [case]})
    *_, row = tables.history().splitlines()
    assert row == "| 1,000 | 3.0 | 4.0 | 5.0 | 1.00 |"
