"""Look-ups in small tables as plain SQL: a tree of comparisons, so that no join disturbs the order of the rows."""

from collections.abc import Mapping

from features.expressions import literal

LEAF = 3  # so few are compared one after another


def chosen(value: str, answers: Mapping[str, str], otherwise: str = "NULL") -> str:
    """SQL that gives the answer (SQL) whose key equals the text `value` (SQL), else `otherwise`.

    >>> chosen("unit", {"kg": "1", "g": "0.001"}, "0")
    "CASE WHEN unit = 'g' THEN 0.001 WHEN unit = 'kg' THEN 1 ELSE 0 END"
    """
    # engines compare texts by their bytes, and so must the tree be laid out
    ordered = sorted(answers.items(), key=lambda item: item[0].encode())
    return _among(value, ordered, otherwise) if ordered else otherwise


def _among(value: str, answers: list[tuple[str, str]], otherwise: str) -> str:
    if len(answers) <= LEAF:
        whens = " ".join(f"WHEN {value} = {literal(key)} THEN {answer}" for key, answer in answers)
        return f"CASE {whens} ELSE {otherwise} END"
    middle = len(answers) // 2
    left = _among(value, answers[:middle], otherwise)
    right = _among(value, answers[middle:], otherwise)
    return f"CASE WHEN {value} < {literal(answers[middle][0])} THEN {left} ELSE {right} END"
