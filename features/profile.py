"""What the values of a column look like: dates and their form, numbers, personal data."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from features.personal import EMAIL_WORDS, MASK

Look = Literal["nothing", "text", "number", "day", "instant", "email", "phone", "list", "nested"]
PHONE = re.compile(r"(\+?86[ -]?)?1[3-9]\d{9}|\+\d[\d ()/-]{7,16}\d|0\d{2,4}[ /-]\d{5,9}")
PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
COMMA_NUMBER = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+|[+-]?\d{1,3}(\.\d{3})+")
MOSTLY = 0.9  # of the values that must look alike
# form of a date, and how an expression reads it; None where the engine reads it as it stands
CLOCK = r"(?P<clock>[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?)?"
DATES: tuple[tuple[re.Pattern[str], str | None], ...] = (
    (re.compile(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}" + CLOCK), None),
    (re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}" + CLOCK), "%d.%m.%Y"),
    (re.compile(r"\d{1,2}/\d{1,2}/\d{4}" + CLOCK), "%d/%m/%Y"),
    (re.compile(r"\d{4}年\d{1,2}月\d{1,2}日" + CLOCK), "%Y年%m月%d日"),
    (re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"), "%Y%m%d"),
    (re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-5]\d"), "%Y%m%d%H%M%S"),
)  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """A column's looks. `form` is the strptime form of texts that the engine cannot read as they stand."""

    look: Look
    form: str | None = None
    is_text: bool = True
    comma: bool = False
    negative_share: float = 0.0
    distinct_share: float = 0.0
    filled_share: float = 0.0
    doubtful_days: bool = False
    examples: tuple[str, ...] = ()
    nested: bool = False  # a field of an object within the row's

    @property
    def personal(self) -> bool:
        return self.look in {"email", "phone"}


def profiled(values: list[Any], rows: int) -> Profile:
    """The looks of the values that are there, of `rows` rows."""
    if not values:
        return Profile("nothing")
    texts = [str(value).strip() for value in values]
    if any(isinstance(value, dict | list | tuple) for value in values):
        inner: Look = "nested" if any(isinstance(value, dict) for value in values) else "list"
        return Profile(inner, is_text=False, filled_share=len(values) / max(rows, 1))
    look, form = _look(values, texts)
    numbers = [number for text in texts if (number := _number(text)) is not None]
    shown = [MASK if _is_personal(text) else text[:40] for text in dict.fromkeys(texts)][:3]
    return Profile(
        look, form, isinstance(values[0], str), any(COMMA_NUMBER.fullmatch(text) for text in texts),
        sum(number < 0 for number in numbers) / len(values), len(set(texts)) / len(values), len(values) / max(rows, 1),
        form in {"%d/%m/%Y", "%m/%d/%Y"} and not _decided(texts), tuple(shown),
    )  # fmt: skip


def _look(values: list[Any], texts: list[str]) -> tuple[Look, str | None]:
    kinds = Counter(_kind(value) for value in values)
    kind, count = kinds.most_common(1)[0]
    if kind != "text" and count >= MOSTLY * len(values):
        if kind == "number" and _share(texts, PHONE) >= MOSTLY:
            return "phone", None
        return kind, None
    if _share(texts, re.compile(EMAIL_WORDS)) >= MOSTLY:
        return "email", None
    if _share(texts, PHONE) >= MOSTLY:
        return "phone", None
    for pattern, form in DATES:
        found = [match for text in texts if (match := pattern.fullmatch(text))]
        if len(found) >= MOSTLY * len(texts):
            return _dated(found, form, texts)
    is_number = [PLAIN_NUMBER.fullmatch(text) or COMMA_NUMBER.fullmatch(text) for text in texts]
    return ("number" if sum(map(bool, is_number)) >= MOSTLY * len(texts) else "text"), None


def _kind(value: Any) -> Look:
    if isinstance(value, datetime):
        return "instant"
    if isinstance(value, date):
        return "day"
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return "number"
    if isinstance(value, dict):
        return "nested"
    return "list" if isinstance(value, list | tuple) else "text"


def _dated(found: list[re.Match[str]], form: str | None, texts: list[str]) -> tuple[Look, str | None]:
    clocks = [match.groupdict().get("clock") for match in found]
    if form == "%d/%m/%Y" and any(int(text.split("/")[1]) > 12 for text in texts if "/" in text):
        form = "%m/%d/%Y"
    if form == "%Y%m%d%H%M%S":
        return "instant", form
    if not any(clocks):
        return "day", form
    if form is None:
        return "instant", None
    longest = max((clock or "" for clock in clocks), key=len)
    return "instant", form + longest[0] + ("%H:%M:%S" if longest.count(":") > 1 else "%H:%M")


def _decided(texts: list[str]) -> bool:
    """Whether some date has a number above 12 where a day stands, so that day and month are told apart."""
    return any(int(part) > 12 for text in texts for part in text.split("/")[:2] if part.isdigit())


def _share(texts: list[str], pattern: re.Pattern[str]) -> float:
    return sum(bool(pattern.fullmatch(text)) for text in texts) / len(texts)


def _is_personal(text: str) -> bool:
    return bool(PHONE.fullmatch(text) or re.search(EMAIL_WORDS, text))


def _number(text: str) -> float | None:
    if PLAIN_NUMBER.fullmatch(text):
        return float(text)
    if COMMA_NUMBER.fullmatch(text):
        return float(text.replace(".", "").replace(",", "."))
    return None
