"""Values as people read them, in each language; exact: no amount goes through a float."""

from collections.abc import Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

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
        case "percent":
            exact = Decimal(value).quantize(Decimal("0.1"), ROUND_HALF_UP)
            sign = "+" if exact > 0 else ""
            return f"{sign}{format_decimal(exact, '#,##0.0', locale=locale)} %"
        case "decimal":
            return format_decimal(Decimal(value), "#,##0.00", locale=locale)
        case "count":
            return format_decimal(Decimal(value), "#,##0", locale=locale)
    return value


def filled(
    sentence: str,
    row: Mapping[str, str | None],
    shown_as: Mapping[str, str],
    language: str,
    never: str,
) -> str:
    """A sentence with the values of a row in it; `never` in the place of a day that is none."""
    words = {}
    for name, value in row.items():
        of = shown_as.get(name, "text")
        words[name] = never if value is None and of == "day" else worded(value, of, language)
    return sentence.format(**words)
