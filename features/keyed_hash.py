"""Numbers and addresses of people become keyed hashes: equal ones stay equal, and only the key's holder can try them.

HMAC-SHA256 (RFC 2104) under the key of the environment variable ONEBASKET_IDENTITY_KEY. The engine holds only the two
padded keys, in session variables: the key stands in no SQL text, no view, no error message and no file.
"""

import hashlib
import hmac
import os
import re
from functools import cache

from phonenumbers import PhoneMetadata

from features.engine import Engine
from features.errors import RecipeError

KEY = "ONEBASKET_IDENTITY_KEY"
SHORTEST_KEY = 16  # characters; phone numbers are few enough to try them all under a key that can be guessed
BLOCK_BYTES = 64
INNER, OUTER = "onebasket_inner_pad", "onebasket_outer_pad"
WIDE, NARROW = "０１２３４５６７８９＋＠．", "0123456789+@."
BLANKS = " \t\r\n\u00a0\u3000"
MOBILE = r"^(?:00)?(?:86)?(1[3-9]\d{9})$"  # of mainland China, with or without its country code
MASKED = r"[*xX•]"  # 138****5678 is the number of many
FEWEST_DIGITS = 7


def unlock(engine: Engine) -> None:
    """Give the engine what `hashed` needs; RecipeError if the key is missing or too short to be one."""
    inner, outer = _pads(identity_key())
    engine.hold_pads({INNER: inner, OUTER: outer})


@cache
def _numbering(country: str | None) -> tuple[str, str, int]:
    """How telephone numbers of a country are dialled, by Google's libphonenumber: its calling code, what is dialled
    before a number within it, and how long a number may be without both; an empty code where nothing is known."""
    known = PhoneMetadata.metadata_for_region(country, None) if country else None
    if known is None or known.country_code is None:
        return "", "", 0
    lengths = known.general_desc.possible_length if known.general_desc else ()
    return str(known.country_code), known.national_prefix or "", max(lengths or (0,))


def identity_key() -> bytes:
    """The key of the environment; the message of a RecipeError says how to make one, never what was given."""
    key = os.environ.get(KEY, "")
    if not key:
        raise RecipeError(
            f"identity_links need a key, so that no phone number or address is stored as it is: set {KEY} to a secret "
            f"text that never changes, such as the output of: openssl rand -hex 32"
        )
    if len(key) < SHORTEST_KEY:
        raise RecipeError(
            f"{KEY} has {len(key)} characters, which can be guessed: at least {SHORTEST_KEY}, such as the output of: "
            f"openssl rand -hex 32"
        )
    return key.encode()


def key_fingerprint() -> str:
    """Twelve characters that tell two keys apart and say nothing of either: values under another key match nothing."""
    return hmac.digest(identity_key(), b"onebasket identity key", "sha256").hex()[:12]


def _pads(key: bytes) -> tuple[bytes, bytes]:
    if len(key) > BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    key = key.ljust(BLOCK_BYTES, b"\0")
    return bytes(byte ^ 0x36 for byte in key), bytes(byte ^ 0x5C for byte in key)


def hashed(value: str, kind: str, country: str | None = None) -> str:
    """SQL for the keyed hash (64 hexadecimal digits) of the SQL text `value` of the SQL kind `kind`.

    The kind is hashed with the value, so that one text as a phone number and as a card number are two. Null where
    the value is null, blank, or no number or address at all (see `normalised`). An engine that is not unlocked raises.
    """
    message = f"encode({kind} || ':' || {normalised(value, kind, country)})"
    inner = f"unhex(sha256({_variable(INNER)} || {message}))"
    return f"CASE WHEN {value} IS NOT NULL THEN sha256({_variable(OUTER)} || {inner}) END"


def _variable(name: str) -> str:
    locked = f"error('the engine was not unlocked: call features.keyed_hash.unlock before values of {KEY} are hashed')"
    return f"coalesce(CAST(getvariable('{name}') AS BLOB), CAST({locked} AS BLOB))"


def normalised(value: str, kind: str, country: str | None = None) -> str:
    """SQL for one way of writing a value: what people and systems write differently and mean as the same.

    A phone number is its digits with its country code (of `country`, ISO 3166, where it has none), a mainland mobile
    without; an address or a name is in lower case; the rest is trimmed. Full-width digits are digits. A masked number
    or address (138****5678) and a phone number of fewer than seven digits give null: many people share them.
    """
    text = f"trim(translate({value}, '{WIDE}', '{NARROW}'), '{BLANKS}')"
    digits = f"regexp_replace({text}, '[^0-9]', '', 'g')"
    phone = f"regexp_replace({_dialled(text, country)}, '{MOBILE}', '\\1')"
    whole = f"NOT regexp_matches({text}, '{MASKED}') AND length({digits}) >= {FEWEST_DIGITS}"
    return (
        f"CASE {kind} WHEN 'phone' THEN CASE WHEN {whole} THEN {phone} END "
        f"WHEN 'email' THEN CASE WHEN contains({text}, '@') AND NOT contains({text}, '*') THEN lower({text}) END "
        f"WHEN 'family_name' THEN lower(nullif({text}, '')) WHEN 'given_name' THEN lower(nullif({text}, '')) "
        f"ELSE nullif({text}, '') END"
    )


def _dialled(text: str, country: str | None) -> str:
    """SQL for the digits of a phone number as they are dialled from abroad."""
    code, trunk, longest = _numbering(country)
    digits = f"regexp_replace(replace({text}, '(0)', ''), '[^0-9]', '', 'g')"
    forms = [f"WHEN starts_with({text}, '+') THEN {digits} WHEN starts_with({digits}, '00') THEN substr({digits}, 3)"]
    if trunk:
        forms.append(
            f"WHEN starts_with({digits}, '{trunk}') THEN '{code}' || substr({digits}, {len(trunk) + 1}) "
            f"WHEN starts_with({digits}, '{code}') THEN {digits}"
        )
    elif code:
        forms.append(f"WHEN starts_with({digits}, '{code}') AND length({digits}) > {longest} THEN {digits}")
    last = f"'{code}' || {digits}" if code else digits
    return f"CASE {' '.join(forms)} ELSE {last} END"


def _dialled_text(text: str, country: str | None) -> str:
    """The same in Python."""
    code, trunk, longest = _numbering(country)
    digits = re.sub("[^0-9]", "", text.replace("(0)", ""))
    if text.startswith("+") or (not code and not digits.startswith("00")):
        return digits
    if digits.startswith("00"):
        return digits[2:]
    if trunk and digits.startswith(trunk):
        return code + digits[len(trunk) :]
    abroad = digits.startswith(code) and (trunk or len(digits) > longest)
    return digits if abroad else code + digits


def hashed_value(value: str, kind: str, country: str | None = None) -> str | None:
    """What `hashed` gives for one value, in Python: to look an account up by its phone number."""
    text = value.translate(str.maketrans(WIDE, NARROW)).strip(BLANKS)
    if kind == "phone":
        digits = re.sub("[^0-9]", "", text)
        masked = re.search(MASKED, text) or len(digits) < FEWEST_DIGITS
        text = "" if masked else re.sub(MOBILE, r"\1", _dialled_text(text, country))
    elif kind in ("family_name", "given_name"):
        text = text.lower()
    elif kind == "email":
        text = text.lower() if "@" in text and "*" not in text else ""
    return hmac.digest(identity_key(), f"{kind}:{text}".encode(), "sha256").hex() if text else None


def has_key() -> bool:
    """Whether the environment holds a key."""
    return bool(os.environ.get(KEY))
