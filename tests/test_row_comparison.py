"""Rows compared in sets come to what comparing them one by one comes to."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_platform.deployment.row_comparison import MASK, compare_rows

ONLY = ("only in production", "only in dev")
MEMORY = duckdb.connect()  # opening one takes longer than comparing
Row = tuple[int | None, str | None, int | None]
rows = st.lists(
    st.tuples(
        st.none() | st.integers(0, 3),
        st.none() | st.sampled_from(["a", "b", ""]),
        st.none() | st.integers(0, 2),
    ),
    max_size=12,
)


def compared(before: Sequence[Row], after: Sequence[Row], **options: Any) -> dict[str, Any]:
    with MEMORY.cursor() as connection:
        for name, values in (("p", before), ("e", after)):
            connection.execute(
                f'CREATE OR REPLACE TABLE {name} (k INT, "a ""b" TEXT, n DECIMAL(9, 2))'
            )
            if values:
                connection.executemany(f"INSERT INTO {name} VALUES (?, ?, ?)", values)
        masked = options.get("masked", frozenset())
        others = {'a "b': 'a "b', "n": "n"}
        return compare_rows(connection, ("p", "e"), {"k": "k"}, others, ONLY, masked)


def one_by_one(before: Sequence[Row], after: Sequence[Row]) -> tuple[int, int, int]:
    """Rows only on either side by key, and how many with the same key differ at least."""
    sides = []
    for side in (before, after):
        by_key: dict[int | None, list[Row]] = defaultdict(list)
        for row in side:
            by_key[row[0]].append(row)
        sides.append(by_key)
    only_before = only_after = 0
    for key in sides[0].keys() | sides[1].keys():
        count = len(sides[0][key]) - len(sides[1][key])
        only_before += max(count, 0)
        only_after += max(-count, 0)
    return only_before, only_after, len(before) - only_before


@given(rows, rows)
def test_what_is_the_same_is_the_same_and_nothing_else(before: list[Row], after: list[Row]) -> None:
    found = compared(before, after)
    is_same = Counter(before) == Counter(after)
    assert (not found) == is_same
    if found:
        only_before, only_after, in_both = one_by_one(before, after)
        assert found["rows_only"] == (only_before, only_after)
        assert found["rows_changed"] <= in_both
        by_column = sum(found["changed_by_column"].values())
        assert found["rows_changed"] <= by_column <= 2 * found["rows_changed"]
        assert found["rows_changed"] or only_before or only_after


@given(rows)
def test_with_a_key_of_its_own_each_row_is_matched_with_itself(before: list[Row]) -> None:
    numbered = [(place, *row[1:]) for place, row in enumerate(before)]
    after = [(key, text, None if n == 0 else n) for key, text, n in numbered]
    changed = sum(n == 0 for *_, n in numbered)
    found = compared(numbered, after)
    assert found.get("rows_changed", 0) == changed
    assert found.get("rows_only", (0, 0)) == (0, 0)
    assert found.get("changed_by_column", {}) == ({"n": changed} if changed else {})


def test_samples_show_the_key_and_what_differs_and_mask_what_is_personal() -> None:
    before = [(1, "Léa", 10), (2, "Max", 20), (3, "Zoé", 30)]
    after = [(1, "Lea", 11), (2, "Max", 20), (4, None, 40)]
    found = compared(before, after, masked=frozenset({'a "b'}))
    assert found["rows_only"] == (1, 1) and found["rows_changed"] == 1
    both, there, here = found["samples"]
    assert both.key == {"k": 1}
    assert both.values['a "b'] == (MASK, MASK) and [*map(int, both.values["n"])] == [10, 11]
    assert (there.where, there.key, there.values) == (ONLY[0], {"k": 3}, {})
    assert (here.where, here.key) == (ONLY[1], {"k": 4})
    by_name = compared(before, after, masked=frozenset({"k"}))["samples"]
    assert {sample.key["k"] for sample in by_name} == {MASK}


VALUES = {  # of each kind, one that others cannot be cast to
    "INT": "7",
    "DECIMAL(9, 2)": "7.00",
    "DOUBLE": "7.5",
    "BOOLEAN": "TRUE",
    "TEXT": "'2024/01'",
    "DATE": "DATE '2024-01-31'",
    "TIMESTAMP": "TIMESTAMP '2024-01-31 00:00:00'",
    "UUID": "UUID '00000000-0000-0000-0000-000000000001'",
    "INT[]": "[1, 2]",
}


@pytest.mark.parametrize("is_key", [False, True])
@pytest.mark.parametrize("before", VALUES)
@pytest.mark.parametrize("after", VALUES)
def test_a_column_whose_type_differs_is_compared(before: str, after: str, is_key: bool) -> None:
    with MEMORY.cursor() as connection:
        connection.execute(f"CREATE OR REPLACE TABLE p AS SELECT 1 AS k, {VALUES[before]} AS v")
        connection.execute(f"CREATE OR REPLACE TABLE e AS SELECT 1 AS k, {VALUES[after]} AS v")
        keys, others = {"k": "k"}, {"v": "v"}
        if is_key:
            keys, others = others, keys
        found = compare_rows(connection, ("p", "e"), keys, others, ONLY, frozenset())
    # What looks alike on both sides is the same; so is a number or a day that is written otherwise.
    same = {frozenset(("INT", "DECIMAL(9, 2)")), frozenset(("DATE", "TIMESTAMP"))}
    if before == after or {before, after} in same:
        assert not found.get("rows_changed") and found.get("rows_only", (0, 0)) == (0, 0)
    elif is_key:
        assert found["rows_only"] == (1, 1)
    else:
        assert (found["rows_changed"], found["changed_by_column"]) == (1, {"v": 1})


def test_without_a_column_in_common_no_row_is_in_both() -> None:
    with MEMORY.cursor() as connection:
        connection.execute("CREATE OR REPLACE TABLE p AS SELECT 1 AS a FROM RANGE(3)")
        connection.execute("CREATE OR REPLACE TABLE e AS SELECT 1 AS b FROM RANGE(2)")
        found = compare_rows(connection, ("p", "e"), {}, {}, ONLY, frozenset())
        assert found == {"rows_only": (3, 2)}
        connection.execute("DELETE FROM p; DELETE FROM e")
        assert compare_rows(connection, ("p", "e"), {}, {}, ONLY, frozenset()) == {}
