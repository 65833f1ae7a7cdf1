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
WIDE, NARROW = "０１２３４５６７８９＋（）", "0123456789+()"
BETWEEN = r"[.]0$|[\s()./-]"  # what people write between the digits of a telephone number
# With its country code a telephone number is told anywhere, and a mobile number of mainland China by its digits.
# Elsewhere a number is told by how it is written: so many digits are as likely a card or a receipt.
PHONES = {"CN": r"(\+|00)?(86)?1[3-9][0-9]{9}"}
ABROAD, WRITTEN = r"\+[1-9][0-9]{6,14}", r"0[1-9][0-9]{6,11}"
IN_A_TEXT = [
    r"(\+|\b00)[1-9]([ ()./-]{0,3}[0-9]){7,14}",
    r"\b0[1-9][0-9]{1,4}[ ()/-]{1,3}[0-9]{3,9}([ -][0-9]{2,6}){0,3}",
]
MOBILE_IN_A_TEXT = {"CN": r"(^|[^0-9])1[3-9][0-9]([ -]?[0-9]{4}){2}($|[^0-9])"}


def is_email(value: str) -> str:
    """SQL: a text value looks like an e-mail address."""
    return f"contains({value}, '@')"


def is_phone(value: str, country: str | None) -> str:
    """SQL: a text value looks like a telephone number, in a form that is told to be one."""
    digits = f"regexp_replace(translate({value}, '{WIDE}', '{NARROW}'), '{BETWEEN}', '', 'g')"
    forms = [ABROAD, PHONES[country]] if country in PHONES else [ABROAD]
    told = f"regexp_matches({digits}, {literal('^(' + '|'.join(f'({form})' for form in forms) + ')$')})"
    if country not in PHONES:  # with blanks between, as nobody writes a card
        told = f"({told} OR (contains(trim({value}), ' ') AND regexp_matches({digits}, '^{WRITTEN}$')))"
    # where it begins is cheap to ask, and spares most values the patterns
    return f"length({value}) BETWEEN 8 AND 32 AND ({value} < ':' OR {value} >= '！') AND {told}"


def hidden(text: str, country: str | None) -> str:
    """A text with every e-mail address and telephone number in it masked.

    >>> hidden("call 13812345678 or ann@example.com", "CN")
    'call *** or ***'
    """
    for pattern, masked in _patterns(country):
        text = re.sub(pattern, masked, text, flags=re.ASCII)
    return text


def hidden_sql(text: str, country: str | None) -> str:
    """SQL of the same."""
    for pattern, masked in _patterns(country):
        text = f"regexp_replace({text}, {literal(pattern)}, {literal(masked)}, 'g')"
    return text


def _patterns(country: str | None) -> list[tuple[str, str]]:
    """Patterns and what stands for each; twice where two may share what lies between them."""
    mobile = MOBILE_IN_A_TEXT.get(country or "")
    own = [(mobile, rf"\1{MASK}\3")] * 2 if mobile else []
    return [(EMAIL_WORDS, MASK), *((pattern, MASK) for pattern in IN_A_TEXT), *own]


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
    if given.is_numeric() and country in PHONES:  # a telephone number may have become a number
        return hidden_sql(written(quoted(column), given), country)
    return written(quoted(column), given) if given.is_temporal() else quoted(column)


def guarded(account: str, country: str | None, has_key: bool, place: str) -> str:
    """SQL of an account number: its keyed hash where it is an e-mail address or a telephone number.

    Without a key the query fails on the first such number: it must not enter the workspace.
    """
    kinds = [(is_email(account), "email"), (is_phone(account, country), "phone")]
    whens = " ".join(
        f"WHEN {condition} THEN {hashed(account, literal(kind), country) if has_key else _refused(kind, place)}"
        for condition, kind in kinds
    )
    return f"CASE {whens} ELSE {account} END"


def _refused(kind: str, place: str) -> str:
    what = {"email": "e-mail addresses", "phone": "telephone numbers"}[kind]
    return "error(" + literal(
        f"{NEEDS_KEY}: {place} holds {what}: set {KEY} to a long secret, so that only their keyed hashes "
        "are stored, or map another column"
    ) + ")"  # fmt: skip
