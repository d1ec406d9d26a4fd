"""A column of a source table, as the contract states it, and its types."""

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing Polars takes a tenth of a second, and those who read need none
    import polars as pl

DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


@dataclass(frozen=True)
class Column:
    """A column as the contract states it; `type` is DuckDB's name of it, upper case."""

    name: str
    type: str
    nullable: bool
    description: str
    # What rows have in it that were loaded before it was in the contract; None for null.
    default: str | None = None
    # The name that it had before, where it was renamed.
    was: str | None = None
    # The time zone that its times are in, where they do not say it.
    zone: str | None = None
    # The earliest and the latest day that it may have.
    not_before: date | None = None
    not_after: date | None = None

    @property
    def polars_type(self) -> "pl.DataType":
        """The type that the extract writes."""
        import polars as pl

        if decimal := DECIMAL.fullmatch(self.type):
            return pl.Decimal(int(decimal[1]), int(decimal[2]))
        if self.type == "TIMESTAMP":
            return pl.Datetime("us")
        plain: pl.DataType = getattr(pl, _POLARS_NAMES[self.type])()
        return plain


_POLARS_NAMES = {
    "VARCHAR": "String",
    "DATE": "Date",
    "INTEGER": "Int32",
    "BIGINT": "Int64",
    "DOUBLE": "Float64",
}
# Those that a column may have, beside a decimal.
TYPES = (*_POLARS_NAMES, "TIMESTAMP")
DUCKDB_NAMES = {"TEXT": "VARCHAR", "INT": "INTEGER"}
