"""The guided tour tells what the program says."""

import difflib
from pathlib import Path

import pytest

from tour import TOUR, clone, normalised, play


@pytest.mark.slow(reason="every command of the tour")
def test_the_guided_tour_says_what_the_program_says(tmp_path: Path) -> None:
    written = TOUR.read_text(encoding="utf-8")
    clone(tmp_path)
    said = play(written, tmp_path)
    difference = difflib.unified_diff(normalised(written).splitlines(), said.splitlines())
    assert normalised(written) == said, "\n".join(difference) + "\nrun: just tour"
