"""What is written for a person, character by character."""

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
