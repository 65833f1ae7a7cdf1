"""The expression that reads a column as it was seen."""

from features.expressions import literal, quoted
from features.profile import Profile

SECONDS, MILLISECONDS = 10, 13  # digits of a moment counted from 1970


def read(column: str, kind: str, profile: Profile) -> str:
    """An expression that reads `column` into a column of `kind`."""
    name = ".".join(map(_named, column.split("."))) if profile.nested else _named(column)
    if kind in {"decimal", "float", "int"} and profile.comma and profile.is_text:
        return f"replace(replace({name}, '.', ''), ',', '.')::DECIMAL(18, 4)"
    if kind in {"day", "instant"}:
        return _dated(name, kind, profile)
    return name


def _named(column: str) -> str:
    plain = column.isidentifier() and column.isascii() and column.islower() and column not in RESERVED
    return column if plain else quoted(column)


def _dated(name: str, kind: str, profile: Profile) -> str:
    if profile.look == "number" and profile.form is None:
        digits = len(profile.examples[0].split(".")[0]) if profile.examples else 0
        if digits == MILLISECONDS:
            return f"make_timestamp(CAST({name} AS BIGINT) * 1000)"
        if digits == SECONDS:
            return f"make_timestamp(CAST({name} AS BIGINT) * 1000000)"
    if profile.form is None:
        return name
    text = name if profile.is_text else f"CAST({name} AS VARCHAR)"
    parsed = f"strptime({text}, {literal(profile.form)})"
    return f"CAST({parsed} AS DATE)" if kind == "day" else parsed


RESERVED = frozenset({
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "at", "both", "by", "case", "cast", "check",
    "collate", "column", "constraint", "create", "default", "deferrable", "desc", "describe", "distinct", "do",
    "else", "end", "except", "false", "fetch", "for", "foreign", "from", "grant", "group", "having", "in",
    "initially", "intersect", "into", "is", "lambda", "lateral", "leading", "limit", "not", "null", "offset", "on",
    "only", "or", "order", "pivot", "placing", "primary", "qualify", "references", "returning", "select", "show",
    "some", "summarize", "symmetric", "table", "then", "to", "trailing", "true", "union", "unique", "unpivot", "user",
    "using", "variadic", "when", "where", "window", "with",
})  # fmt: skip
