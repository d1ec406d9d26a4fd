"""What a database declares of a table: columns, types, nulls, its primary key."""

import re
from typing import Any, Protocol

from data_platform.sources.inspection.found import FoundColumn, clean_name
from data_platform.sql import literal, quoted

# What a contract calls the types that databases declare, without their arguments.
_DECLARED = {
    "integer": "int", "smallint": "int", "int": "int", "mediumint": "int", "tinyint": "int",
    "int unsigned": "bigint", "smallint unsigned": "int", "tinyint unsigned": "int",
    "bigint": "bigint", "bigint unsigned": "decimal(20, 0)", "uinteger": "bigint",
    "ubigint": "decimal(20, 0)", "hugeint": "decimal(38, 0)",
    "double precision": "double", "double": "double", "real": "double",
    "date": "date", "datetime": "timestamp", "timestamp": "timestamp",
    "timestamp without time zone": "timestamp", "timestamp with time zone": "timestamp",
    "text": "text", "varchar": "text", "char": "text", "character varying": "text",
    "character": "text", "uuid": "text", "enum": "text", "mediumtext": "text",
    "longtext": "text", "tinytext": "text",
}  # fmt: skip
# What makes a text, or a number, of values of other types.
_OTHERWISE = {
    "postgres": "{}::text",
    "mysql": "CAST({} AS CHAR)",
    "duckdb": "CAST({} AS VARCHAR)",
}
_MYSQL = {
    "float": ("double", "CAST({} AS DOUBLE)"), "bit": ("bigint", "{} + 0"),
    "blob": ("text", "HEX({})"), "tinyblob": ("text", "HEX({})"), "longblob": ("text", "HEX({})"),
    "mediumblob": ("text", "HEX({})"), "binary": ("text", "HEX({})"),
    "varbinary": ("text", "HEX({})"),
}  # fmt: skip


class Asked(Protocol):
    """A session of a database, which answers queries."""

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query, few enough for memory."""


_OF_POSTGRES = """
SELECT a.attname, format_type(
  CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END,
  CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END
) AS type, NOT (a.attnotnull OR t.typnotnull) AS nullable, t.typtype = 'd' AS is_domain
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass({place}) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_KEY_OF_POSTGRES = """
SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a
ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
WHERE i.indrelid = to_regclass({place}) AND i.indisprimary ORDER BY a.attnum
"""
_OF_OTHERS = """
SELECT column_name, {type}, is_nullable = 'YES', false FROM information_schema.columns
WHERE table_schema = {schema} AND table_name = {table} ORDER BY ordinal_position
"""
_KEY_OF_OTHERS = """
SELECT k.column_name FROM information_schema.key_column_usage AS k
JOIN information_schema.table_constraints AS c ON c.table_schema = k.table_schema
AND c.table_name = k.table_name AND c.constraint_name = k.constraint_name
WHERE c.constraint_type = 'PRIMARY KEY' AND k.table_schema = {schema} AND k.table_name = {table}
ORDER BY k.ordinal_position
"""


def declared(session: Asked, table: str, kind: str) -> tuple[list[FoundColumn], tuple[str, ...]]:
    """The columns that a database declares, and its primary key."""
    if kind == "postgres":
        words = {"place": literal(f"public.{quoted(table)}")}
        of, key = _OF_POSTGRES, _KEY_OF_POSTGRES
    else:
        schema, type_ = {"duckdb": ("'main'", "data_type"), "mysql": ("DATABASE()", "column_type")}[
            kind
        ]
        words = {"schema": schema, "table": literal(table), "type": type_}
        of, key = _OF_OTHERS, _KEY_OF_OTHERS
    columns = [
        _column(kind, str(name), str(type_).lower(), _is_true(nullable), _is_true(is_domain))
        for name, type_, nullable, is_domain in session.ask(of.format(**words))
    ]
    return columns, tuple(str(row[0]) for row in session.ask(key.format(**words)))


def _is_true(value: Any) -> bool:
    return value in (True, "1", "t", "true")


def _column(kind: str, name: str, type_: str, nullable: bool, is_domain: bool) -> FoundColumn:
    there = f"`{name.replace('`', '``')}`" if kind == "mysql" else quoted(name)
    plain = re.sub(r"\s*\(.*?\)", "", type_).replace(" zerofill", "").strip()
    expression = None if clean_name(name) == name else there
    if plain in ("numeric", "decimal", "decimal unsigned"):
        digits = re.search(r"\((\d+), ?(\d+)\)", type_)
        found = f"decimal({digits[1]}, {digits[2]})" if digits else "decimal(18, 2)"
    elif kind == "mysql" and plain in _MYSQL:
        found, otherwise = _MYSQL[plain]
        expression = otherwise.format(there)
    elif plain in _DECLARED:
        found = _DECLARED[plain]
    else:
        found, expression = "text", _OTHERWISE[kind].format(there)
    if is_domain and expression in (None, there):
        expression = f"{there}::{type_}"
    return FoundColumn(clean_name(name), found, nullable, expression)
