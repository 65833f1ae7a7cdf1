"""Telephone numbers and e-mail addresses: recognised where nobody said that they are there, and kept out."""

import re
from collections.abc import Mapping
from typing import Any

from features.casts import written
from features.engine import NEEDS_KEY
from features.expressions import literal, quoted
from features.keyed_hash import KEY, hashed

MASK = "***"
EMAIL_WORDS = r"[\w.+-]+@[\w-]+\.[\w.-]+"
# mainland mobile numbers; elsewhere a number of so many digits is as likely to be a card or a receipt
PHONES = {"CN": r"(\+?86[ -]?)?1[3-9][0-9]{9}"}
IN_A_TEXT = {"CN": r"(\+?86[ -]?|\b)1[3-9][0-9]{9}\b"}


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
    phone = IN_A_TEXT.get(country or "")
    return [EMAIL_WORDS, phone] if phone else [EMAIL_WORDS]


def original_row(types: Mapping[str, Any], secret: frozenset[str], country: str | None, prefix: str) -> str:
    """SQL of a row as it came, as JSON text: columns `prefix`NAME under their own names.

    The columns `secret` are masked, and so is what looks personal in any other.
    """
    masked = {column.lower() for column in secret}
    parts = ", ".join(
        f"{quoted(column)} := "
        + (literal(MASK) if column.lower() in masked else _shown(prefix + column, given, country))
        for column, given in types.items()
    )
    return f"CAST(to_json(struct_pack({parts})) AS VARCHAR)"


def _shown(column: str, given: Any, country: str | None) -> str:
    if given.is_string():
        return hidden_sql(quoted(column), country)
    if given.is_numeric() and PHONES.get(country or ""):  # a telephone number may have become a number
        return hidden_sql(written(quoted(column), given), country)
    return written(quoted(column), given) if given.is_temporal() else quoted(column)


def guarded(account: str, country: str | None, has_key: bool, place: str) -> str:
    """SQL of an account number: its keyed hash where it is an e-mail address or a telephone number.

    Without a key the query fails on the first such number: it must not enter the workspace.
    """
    kinds = [(is_email(account), "email")]
    phone = is_phone(account, country)
    if phone is not None:
        kinds.append((phone, "phone"))
    whens = " ".join(
        f"WHEN {condition} THEN {hashed(account, literal(kind)) if has_key else _refused(kind, place)}"
        for condition, kind in kinds
    )
    return f"CASE {whens} ELSE {account} END"


def _refused(kind: str, place: str) -> str:
    what = {"email": "e-mail addresses", "phone": "telephone numbers"}[kind]
    return "error(" + literal(
        f"{NEEDS_KEY}: {place} holds {what}: set {KEY} to a long secret, so that only their keyed hashes "
        "are stored, or map another column"
    ) + ")"  # fmt: skip
