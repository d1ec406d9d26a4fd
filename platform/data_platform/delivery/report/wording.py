"""Values as people read them, in each language; exact: no amount goes through a float."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from data_platform.delivery.report.charts import ChartColumn

_LOCALES = {"en": "en_GB", "fr": "fr_FR"}


def worded(value: str | None, shown_as: str, language: str) -> str:
    """A value as it is shown; – where there is none."""
    if value is None:
        return "–"
    locale = _LOCALES[language]
    match shown_as:
        case "month":
            return format_date(date.fromisoformat(value), "LLLL y", locale=locale)
        case "day":
            return format_date(date.fromisoformat(value), "d MMM y", locale=locale)
        case "euros":
            return format_currency(Decimal(value), "EUR", locale=locale)
        case "percent" | "share":
            exact = Decimal(value).quantize(Decimal("0.1"), ROUND_HALF_UP)
            sign = "+" if exact > 0 and shown_as == "percent" else ""
            return f"{sign}{format_decimal(exact, '#,##0.0', locale=locale)} %"
        case "curve":
            first, *_, last = [*value.split(" "), value.rpartition(" ")[2]]
            return f"{worded(first, 'euros', language)} → {worded(last, 'euros', language)}"
        case "decimal":
            return format_decimal(Decimal(value), "#,##0.00", locale=locale)
        case "count":
            return format_decimal(Decimal(value), "#,##0", locale=locale)
    return value


def shown(column: ChartColumn, value: str | None, language: str) -> str:
    """A value of a chart's column as it is shown."""
    if value is not None and value in column.values:
        return column.values[value][language]
    return worded(value, column.shown_as, language)


def filled(
    sentence: str,
    row: Mapping[str, str | None],
    columns: Iterable[ChartColumn],
    language: str,
    never: str,
) -> str:
    """A sentence with the values of a row in it; `never` in the place of a day that is none."""
    words = {}
    for column in columns:
        value = row.get(column.name)
        is_never = value is None and column.shown_as == "day"
        words[column.name] = never if is_never else shown(column, value, language)
    return sentence.format(**words)
