"""Which language an answer is written in: the one that the request names, else the one that its reader prefers."""

import re

from models.reasons import Language, language_of

DEFAULT: Language = "en"
PREFERENCE = re.compile(r"\s*([A-Za-z0-9*-]+)\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?")


def chosen_language(asked: str | None, accepted: str) -> Language:
    """The language of the tag `asked`; without one, the most preferred of an Accept-Language header (RFC 9110).

    What is not spoken is answered in DEFAULT.

    >>> chosen_language("zh-CN", "en"), chosen_language("fr", "zh"), chosen_language(None, "fr, zh-CN;q=0.8, en;q=0.5")
    ('zh', 'en', 'zh')
    """
    if asked is not None:
        return language_of(asked) or DEFAULT
    best: tuple[float, Language] = (0.0, DEFAULT)
    for part in accepted.split(","):
        wish = PREFERENCE.fullmatch(part)
        spoken = (DEFAULT if wish[1] == "*" else language_of(wish[1])) if wish else None
        if wish and spoken and float(wish[2] or 1) > best[0]:
            best = (float(wish[2] or 1), spoken)
    return best[1]
