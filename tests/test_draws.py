"""Random draws: a chunk alone, a prefix and a whole column agree."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_platform.sources.simulated.draws import (
    CHUNK_ROWS,
    chunk_words,
    every,
    fractions,
    integers,
    uuid_bytes,
    words,
)

SEEDS = st.integers(-(2**63), 2**63 - 1)


@given(seed=SEEDS, chunk=st.integers(0, 3))
def test_a_chunk_made_alone_is_the_slice_of_the_whole_column(seed: int, chunk: int) -> None:
    whole = words(seed, "table", "column", 4 * CHUNK_ROWS)
    alone = chunk_words(seed, "table", "column", chunk, CHUNK_ROWS)
    assert np.array_equal(alone, whole[chunk * CHUNK_ROWS : (chunk + 1) * CHUNK_ROWS])


@given(seed=SEEDS)
def test_no_two_chunks_are_alike(seed: int) -> None:
    drawn = {tuple(chunk_words(seed, "table", "column", chunk, 4)) for chunk in range(10)}
    assert len(drawn) == 10


@given(seed=SEEDS, fewer=st.integers(0, 100), more=st.integers(0, 100))
def test_drawing_more_does_not_change_what_was_drawn(seed: int, fewer: int, more: int) -> None:
    assert np.array_equal(words(seed, "t", "c", fewer), words(seed, "t", "c", fewer + more)[:fewer])


@given(seed=SEEDS, first=st.integers(0, 200), count=st.integers(0, 50))
def test_a_part_of_a_chunk_is_its_slice(seed: int, first: int, count: int) -> None:
    whole = chunk_words(seed, "t", "c", 0, 300)
    part = chunk_words(seed, "t", "c", 0, count, first)
    assert np.array_equal(part, whole[first : first + count])


@given(seed=SEEDS)
def test_tables_columns_and_seeds_are_drawn_apart(seed: int) -> None:
    drawn = [
        tuple(words(*name, 4))
        for name in [(seed, "a", "b"), (seed, "a", "c"), (seed, "c", "b"), (seed + 1, "a", "b")]
    ]
    assert len(set(drawn)) == len(drawn)


@given(seed=SEEDS, low=st.integers(-50, 50), width=st.integers(1, 50))
def test_integers_stay_within_their_bounds(seed: int, low: int, width: int) -> None:
    drawn = integers(seed, "t", "c", 500, low, low + width)
    assert drawn.min() >= low
    assert drawn.max() < low + width


def test_the_largest_word_is_still_below_one() -> None:
    assert fractions(np.array([2**64 - 1], dtype=np.uint64))[0] < 1


@given(seed=SEEDS, count=st.integers(0, 300), period=st.integers(1, 60))
def test_every_flags_at_a_fixed_rate(seed: int, count: int, period: int) -> None:
    flagged = int(every(seed, "t", "c", count, period).sum())
    assert count // period <= flagged <= count // period + 1


@given(seed=SEEDS)
def test_uuids_are_well_formed_and_distinct(seed: int) -> None:
    texts = [bytes(row).decode() for row in uuid_bytes(words(seed, "t", "id", 200))]
    pattern = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(pattern.fullmatch(text) for text in texts)
    assert len(set(texts)) == len(texts)
