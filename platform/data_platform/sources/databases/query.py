"""What is read of one table of a database, as sources.yaml states it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from data_platform.sources.contract import SourceTable
from data_platform.sources.cursor import OPTIONS as OF_CURSORS
from data_platform.sources.entries import Entry
from data_platform.sql import quoted

# What may be said of one table.
OF_A_TABLE = ("table", "query", "columns", *OF_CURSORS)


@dataclass(frozen=True)
class Query:
    """A table or query, and an expression for each column of the contract."""

    # A FROM clause's item, with the alias `source`.
    rows_of: str
    expressions: Mapping[str, str]

    @classmethod
    def of(
        cls,
        entry: Entry,
        table: SourceTable,
        schema: str | None,
        quote: Callable[[str], str] = quoted,
    ) -> "Query":
        """What an entry says of a table; the contract's names where it says nothing."""
        query = entry.of_table(table, "query", str)
        name = entry.of_table(table, "table", str) or table.part_name
        place = f"{quote(schema)}.{quote(name)}" if schema else quote(name)
        stated = entry.of_table(table, "columns", dict) or {}
        return cls(
            f"({query}) AS source" if query else f"{place} AS source",
            {c.name: str(stated.get(c.name, quote(c.name))) for c in table.columns},
        )
