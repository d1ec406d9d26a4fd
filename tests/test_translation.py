"""What is said otherwise for other engines, and what is refused there."""

from collections.abc import Callable
from types import SimpleNamespace

import duckdb
import pytest
from sqlglot import exp, parse_one

from data_platform.errors import PlatformError
from data_platform.project.error_messages import what_an_engine_says, what_values_did
from data_platform.project.postgres_sql import in_postgres
from data_platform.project.spark_sql import in_spark


def on_postgres(sql: str) -> str:
    return in_postgres(parse_one(sql, dialect="duckdb"), "lakehouse").sql("postgres")


def on_spark(sql: str) -> str:
    return in_spark(parse_one(sql, dialect="duckdb")).sql("spark")


REFUSED = [
    (on_postgres, "TRY_CAST(a AS INT)", "test the value"),
    (on_postgres, "SUBSTR(a, -2)", "use RIGHT"),
    (on_postgres, "REGEXP_MATCHES(a, 'b', 'i')", "within the pattern"),
    (on_postgres, "ARG_MAX(a, b, 3)", "ROW_NUMBER"),
    (on_postgres, "ARG_MAX(a, b) FILTER (WHERE c)", "ROW_NUMBER"),
    (on_postgres, "DATE_DIFF('week', a, b)", "count days, months"),
    (on_spark, "DATE_DIFF('week', a, b)", "count days, months"),
    (on_spark, "LIST(a ORDER BY b)", "STRING_AGG"),
    (on_spark, "REGEXP_REPLACE(a, 'b', 'c')", "option 'g'"),
    (on_spark, "DAYOFWEEK(a)", "ISODOW"),
    (on_spark, "EXTRACT(dow FROM a)", "ISODOW"),
    (on_spark, "STRING_AGG(a, ',' ORDER BY b, c)", "one column"),
    (on_spark, "STRING_AGG(DISTINCT a, ',' ORDER BY a)", "one column"),
]


@pytest.mark.parametrize(("say", "phrase", "way_out"), REFUSED)
def test_what_would_mean_something_else_is_refused(
    say: Callable[[str], str], phrase: str, way_out: str
) -> None:
    with pytest.raises(PlatformError, match=way_out):
        say(f"SELECT {phrase} FROM t")


@pytest.mark.parametrize("say", [on_postgres, on_spark])
def test_what_means_the_same_is_not(say: Callable[[str], str]) -> None:
    for phrase in (
        "STRING_AGG(a, '-' ORDER BY b DESC)",
        "DATE_DIFF('day', a, b)",
        "DATE_DIFF('month', a, b)",
        "REGEXP_REPLACE(a, 'b', 'c', 'g')",
        "ARG_MAX(a, b)",
        "SUBSTR(a, 2)",
    ):
        say(f"SELECT {phrase} FROM t")


def test_months_are_counted_as_duckdb_counts_them() -> None:
    for engine in (on_postgres, on_spark):
        said = engine("SELECT DATE_DIFF('month', a, b), DATE_DIFF('quarter', a, b) FROM t")
        assert "AGE" not in said and "MONTHS_BETWEEN" not in said
    # The words are DuckDB's own, too.
    days = "(VALUES (DATE '2024-01-31', DATE '2024-02-01'), (DATE '2023-12-31', DATE '2025-01-01'))"
    for unit in ("month", "quarter", "year"):
        asked = parse_one(f"SELECT DATE_DIFF('{unit}', a, b) FROM {days} AS t(a, b)", "duckdb")

        expected = duckdb.sql(asked.sql("duckdb")).fetchall()
        assert duckdb.sql(in_spark(asked.copy()).sql("duckdb")).fetchall() == expected
        assert isinstance(asked, exp.Select)


def test_a_column_of_rows_has_one_type_on_spark() -> None:
    said = on_spark("SELECT a, b FROM (VALUES (NULL::DATE, 'x'), ('2024-01-31', NULL)) AS t(a, b)")
    assert "(CAST('2024-01-31' AS DATE), NULL)" in said
    assert "(CAST(NULL AS DATE), 'x')" in said
    # Of which type it is on DuckDB, Spark would not know; it refuses them.
    mixed = "(1.5::DECIMAL(3, 1)), (2.25::DECIMAL(10, 2)), ('1.25')"
    assert on_spark(f"SELECT a FROM (VALUES {mixed}) AS t(a)").count("('1.25')") == 1


class FromPostgres(Exception):
    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.pgcode, self.diag = code, SimpleNamespace(message_primary=said)


@pytest.mark.parametrize(
    ("error", "is_about_values", "said"),
    [
        (FromPostgres("22P02", 'invalid syntax: "Anna"'), True, "FromPostgres: the value is not"),
        (FromPostgres("42883", "function year(date) does not exist"), False, "year(date) does not"),
        (FromPostgres("57014", "canceling"), False, None),
        (
            Exception("[CAST_INVALID_INPUT] The value 'Anna' of"),
            True,
            "CAST_INVALID_INPUT: the",
        ),
        (Exception("[TABLE_OR_VIEW_NOT_FOUND] no t"), False, None),
        (
            duckdb.ConversionException("Conversion Error: 'Anna'"),
            True,
            "Conversion Error: the",
        ),
        (duckdb.BinderException("Binder Error: no column a"), False, "Binder Error: no column a"),
        (ValueError("Anna"), False, None),
    ],
)
def test_what_engines_say_of_errors_is_told_without_values(
    error: Exception, is_about_values: bool, said: str | None
) -> None:
    of_values, told = what_values_did(error), what_an_engine_says(error)
    assert (of_values is not None) is is_about_values
    assert (told is None) if said is None else (told is not None and said in told)
    assert "Anna" not in f"{of_values}{told}"
