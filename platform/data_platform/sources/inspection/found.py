"""A table as it was found: what a database declares, or what rows let suppose."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import duckdb

_PERSONAL = re.compile(
    r"(^|_)(e?mail|phone|mobile|first_?name|last_?name|surname|full_?name|(person|customer|client|employee|contact)_name|birth\w*|address|street"
    r"|iban|nom|prenom|telephone|adresse)($|_)"
)
_MONEY = re.compile(r"(^|_)(amount|price|total|cost|fee|salary|montant|prix)($|_)")


@dataclass(frozen=True)
class FoundColumn:
    """A column as it was found; `type` is as the contract writes it."""

    name: str
    type: str
    nullable: bool
    # The SQL that makes such a type of it, where it has another.
    expression: str | None = None

    @property
    def is_likely_personal(self) -> bool:
        """Whether its name sounds like a person's data."""
        return bool(_PERSONAL.search(self.name.lower()))

    @property
    def is_likely_money(self) -> bool:
        """Whether it sounds like an amount of money."""
        return self.type.startswith("decimal") and bool(_MONEY.search(self.name.lower()))


@dataclass(frozen=True)
class Found:
    """A table as it was found; `kind`, `options` and `of_table` are as sources.yaml says them."""

    kind: str
    options: Mapping[str, str]
    columns: Sequence[FoundColumn]
    # The columns that tell rows apart, as far as one can see; none perhaps.
    key: tuple[str, ...]
    of_table: Mapping[str, str] = field(default_factory=dict)

    @property
    def event(self) -> str | None:
        """The first column of days that is never missing: perhaps when a row happened."""
        days = (c.name for c in self.columns if c.type == "date" and not c.nullable)
        return next(days, None)


@cache
def _reserved() -> frozenset[str]:
    """The words that SQL keeps for itself."""
    rows = duckdb.execute(
        "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
    ).fetchall()
    return frozenset(name for (name,) in rows)


def clean_name(name: str) -> str:
    """A name that needs no quotes anywhere: lower-case letters, digits and _, no word of SQL."""
    plain = re.sub(r"\W+", "_", name.strip().lower()).strip("_") or "column"
    plain = f"_{plain}" if plain[0].isdigit() else plain
    return f"{plain}_" if plain in _reserved() else plain


def renamed(columns: Sequence[FoundColumn], quotes: str = "{}") -> list[FoundColumn]:
    """Columns by clean names, each made of what it is called there."""
    return [
        replace(c, name=clean_name(c.name), expression=quotes.format(c.name))
        if clean_name(c.name) != c.name
        else c
        for c in columns
    ]
