"""The macros that models share, as properties: any text, any count."""

import importlib.util
import re
from decimal import ROUND_HALF_UP, Decimal
from types import ModuleType
from uuid import UUID

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one
from sqlmesh import macro

from conftest import PROJECT
from reference import clean, clean_email, compared


def _macros(name: str) -> ModuleType:
    """A file of macros under a name of its own, and without a trace in SQLMesh's registry.

    SQLMesh imports them as macros.<name>, and takes a module of that name that another project has
    left in this process for something installed: models would get other fingerprints.
    """
    known = macro.get_registry()
    spec = importlib.util.spec_from_file_location(f"tested_{name}", PROJECT / f"macros/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    macro.set_registry(known)
    return module


cleaning, keys, numbers = map(_macros, ("cleaning", "keys", "numbers"))

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
VALUES = st.one_of(st.none(), TEXTS, st.sampled_from(["", "-", "1:", "0:", "2:ab"]))
COUNTS = st.integers(0, 10**6)
WHITE = st.text(st.sampled_from(" \t\r\nab"), max_size=12)


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def evaluate(database: duckdb.DuckDBPyConnection, expression: exp.Expression) -> object:
    (value,) = database.execute(f"SELECT {expression.sql('duckdb')}").fetchone() or ()
    return value


def literal(value: str | None) -> exp.Expression:
    return exp.cast(exp.null() if value is None else exp.Literal.string(value), "text")


def key(database: duckdb.DuckDBPyConnection, values: list[str | None]) -> object:
    return evaluate(database, keys.surrogate_key(None, *map(literal, values)))


LETTERS = st.text(
    st.characters(categories=("Lu", "Ll", "Mn", "Nd", "Zs"), max_codepoint=0x2000), max_size=8
)


@settings(max_examples=300)
@example(text="Straße")
@example(text="STRAẞE")
@example(text="Zoe\N{COMBINING DIAERESIS}")
@example(text="ŉ ﬁ ǆ ΐ ı İ ΣΊΣΥΦΟΣ")
@given(text=LETTERS)
def test_names_are_compared_composed_and_in_capital_letters(
    database: duckdb.DuckDBPyConnection, text: str
) -> None:
    assert evaluate(database, keys.compared_name(None, literal(text))) == compared(text)


def test_two_ways_to_write_a_name_are_one_person_and_one_client(
    database: duckdb.DuckDBPyConnection,
) -> None:
    def person(last: str, first: str) -> object:
        return evaluate(database, keys.person_key(None, *map(literal, (last, first, "a@b.fr"))))

    def client(name: str) -> object:
        return evaluate(database, keys.client_key(None, literal(name)))

    assert person("GROß", "Zoé") == person("gross", "ZOE\N{COMBINING ACUTE ACCENT}")
    assert person("Groẞ", "Zoé") == person("GROSS", "zoé")
    assert person("Gros", "Zoé") != person("Gross", "Zoé")
    assert client("Weiß & Söhne") == client("WEISS & SO\N{COMBINING DIAERESIS}HNE")


LOOKS = st.text(st.sampled_from("ab '’`-‐é\u00a0\u200bß~\n"), max_size=8)


@settings(max_examples=300)
@example(text="O`Neill")
@example(text="\N{NO-BREAK SPACE}Anne\N{NON-BREAKING HYPHEN}Marie\N{ZERO WIDTH SPACE}")
@given(text=LOOKS)
def test_names_that_look_alike_are_seen_as_one(
    database: duckdb.DuckDBPyConnection, text: str
) -> None:
    seen = "".join(one for one in compared(text) if one != "\u200b")
    for plain, others in {"'": "’`", "-": "‐\u2011", " ": "\u00a0"}.items():
        seen = re.sub(f"[{others}]", plain, seen)
    assert evaluate(database, keys.seen_name(None, literal(text))) == seen.strip(" ")


@given(one=st.lists(VALUES, min_size=1, max_size=4), other=st.lists(VALUES, min_size=1, max_size=4))
def test_surrogate_keys_are_equal_for_equal_values_only(
    database: duckdb.DuckDBPyConnection, one: list[str | None], other: list[str | None]
) -> None:
    first = key(database, one)
    assert isinstance(first, UUID)
    assert first == key(database, one)
    assert (first == key(database, other)) == (one == other)


@given(
    promoters=st.integers(0, 10**6),
    passives=st.integers(0, 10**6),
    detractors=st.integers(0, 10**6),
)
def test_the_net_promoter_score_is_exact_and_rounded_half_away_from_zero(
    database: duckdb.DuckDBPyConnection, promoters: int, passives: int, detractors: int
) -> None:
    respondents = promoters + passives + detractors
    counts = (parse_one(f"CAST({n} AS BIGINT)") for n in (promoters, detractors, respondents))
    found = evaluate(database, exp.cast(numbers.net_promoter_score(None, *counts), "decimal(5, 2)"))
    if respondents == 0:
        assert found is None
    else:
        exact = Decimal(100 * (promoters - detractors)) / respondents
        assert found == exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


@settings(max_examples=300)
@example(text="\N{NO-BREAK SPACE} a \N{NO-BREAK SPACE}")
@given(text=st.one_of(WHITE, TEXTS))
def test_names_are_cleaned_of_white_space_only(
    database: duckdb.DuckDBPyConnection, text: str
) -> None:
    assert evaluate(database, cleaning.clean_name(None, literal(text))) == clean(text)


@settings(max_examples=300)
@example(text="\N{NO-BREAK SPACE}a \N{NO-BREAK SPACE}\t")
@given(text=WHITE)
def test_emails_are_trimmed_and_keep_what_is_inside(
    database: duckdb.DuckDBPyConnection, text: str
) -> None:
    assert evaluate(database, cleaning.clean_email(None, literal(text.upper()))) == clean_email(
        text
    )


@pytest.mark.parametrize(
    ("amount", "shown"),
    [("34.15", "34,15"), ("0", "0,00"), ("-0.5", "-0,50"), ("1234567.8", "1234567,80")],
)
def test_amounts_are_shown_as_french_readers_write_them(
    database: duckdb.DuckDBPyConnection, amount: str, shown: str
) -> None:
    number = parse_one(f"CAST({amount} AS DECIMAL(18, 2))")
    assert evaluate(database, numbers.euros(None, number)) == shown
