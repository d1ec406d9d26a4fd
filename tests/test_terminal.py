"""What is written for a person, character by character."""

import io
import sys

import pytest

from data_platform.cli.terminal import Reporter


def test_a_message_shows_the_names_that_it_quotes_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`:abc:` and `:x:` are emoji to the library that prints it, `[red]` a colour."""
    reporter = Reporter()
    for say in (reporter.warn, reporter.fail):
        say("tag looks_back:abc: expected; months_off:x: [red]")
        assert "tag looks_back:abc: expected; months_off:x: [red]" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_data_and_what_is_said_after_it_are_whole_in_any_encoding(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    output = io.TextIOWrapper(written, encoding=encoding, errors="replace")
    monkeypatch.setattr(sys, "stdout", output)
    reporter = Reporter()
    for text in ("plain\n", "12 € é\n", "é\n"):
        reporter.write(text)
    reporter.say("€ é")
    output.flush()
    assert written.getvalue().decode() == "plain\n12 € é\né\n€ é\n"
