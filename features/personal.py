"""Telephone numbers and e-mail addresses: recognised where nobody said that they are there, and kept out."""

import re
from collections.abc import Iterable

from features.expressions import literal, quoted

MASK = "***"
NEEDS_KEY = "personal data without a key"  # the engine raises it, `features.engine` turns it into a RecipeError
EMAIL_WORDS = r"[\w.+-]+@[\w-]+\.[\w.-]+"
# mainland mobile numbers; elsewhere a number of so many digits is as likely to be a card or a receipt
PHONES = {"CN": r"(\+?86[ -]?)?1[3-9][0-9]{9}"}


def is_email(value: str) -> str:
    """SQL: a text value looks like an e-mail address."""
    return f"contains({value}, '@')"


def is_phone(value: str, country: str | None) -> str | None:
    """SQL: a text value looks like a mobile number of the country; None where numbers are not recognised."""
    pattern = PHONES.get(country or "")
    if pattern is None:
        return None
    # the length is cheap to ask and spares most values the pattern
    return f"length({value}) BETWEEN 11 AND 15 AND regexp_matches({value}, {literal(f'^{pattern}$')})"


def hidden(text: str, country: str | None) -> str:
    """A text with every e-mail address and telephone number in it masked.

    >>> hidden("call 13812345678 or ann@example.com", "CN")
    'call *** or ***'
    """
    for pattern in _patterns(country):
        text = re.sub(pattern, MASK, text, flags=re.ASCII)
    return text


def hidden_sql(text: str, country: str | None) -> str:
    """SQL of the same."""
    for pattern in _patterns(country):
        text = f"regexp_replace({text}, {literal(pattern)}, {literal(MASK)}, 'g')"
    return text


def _patterns(country: str | None) -> list[str]:
    phone = PHONES.get(country or "")
    return [EMAIL_WORDS] + ([rf"\b1[3-9][0-9]{{9}}\b"] if phone else [])


def original_row(columns: Iterable[str], secret: frozenset[str], country: str | None, prefix: str) -> str:
    """SQL of a row as it came, as JSON text: columns `prefix`NAME under their own names, personal ones masked."""
    masked = {column.lower() for column in secret}
    parts = ", ".join(
        f"{quoted(column)} := " + (literal(MASK) if column.lower() in masked else quoted(prefix + column))
        for column in columns
    )
    return hidden_sql(f"CAST(to_json(struct_pack({parts})) AS VARCHAR)", country)
