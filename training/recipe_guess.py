"""Which table a file fills, and which column of it holds what."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from features.profile import Profile, profiled
from features.sniff import Sniffed, exploded, lists_of_objects, sniff
from training.recipe_words import role_of

NUMERIC = {"quantity", "net_amount", "unit_price", "discount_amount", "closing_units", "on_order_units", "pack_size",
           "shelf_life_days", "planned_price", "rate", "times"}  # fmt: skip
DATED = {"ordered_at", "day", "starts_on", "ends_on"}
LINKS = ("phone", "email", "unionid", "openid", "device")
# tables by what a file must have to fill them, and what speaks for it; the first with the best score is taken
NEEDS: dict[str, tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]] = {
    "order_lines": ((("order_id", "channel_customer_id", "ordered_at"), ("product_id",), ("quantity", "net_amount")),
                    ("order_id", "quantity", "net_amount", "ordered_at", "unit_price", "discount_amount")),
    "headers": ((("order_id",), ("ordered_at", "day", "channel_customer_id", "status")), ("ordered_at", "status")),
    "plans": ((("product_id",), ("starts_on", "week"), ("promotion", "planned_price", "display")),
              ("starts_on", "ends_on", "promotion", "display", "planned_price")),
    "stock": ((("product_id",), ("closing_units",), ("day", "ordered_at")), ("closing_units", "on_order_units")),
    "product_units": ((("product_id",), ("unit",), ("times",)), ("times",)),
    "exchange_rates": ((("currency",), ("rate",), ("day", "ordered_at", "starts_on")), ("rate",)),
    "catalog": ((("product_id",), ("name", "category", "brand")), ("name", "category", "brand")),
    "locations": ((("location_id",), ("name", "region")), ("name", "region")),
    "identity_links": ((("channel_customer_id",), LINKS), LINKS),
}  # fmt: skip


@dataclass(frozen=True)
class Guess:
    """A file, the table that it seems to fill (None for none), and its columns by role, the surest first."""

    file: Sniffed
    table: str | None
    roles: dict[str, list[str]]
    profiles: dict[str, Profile]
    pattern: str | None = None  # of the files that it stands for, where they are several

    @property
    def name(self) -> str:
        stem = (self.pattern or self.file.path.name).split(".")[0].replace("*", "")
        return "".join(sign if sign.isalnum() else "_" for sign in stem).strip("_").lower() or "export"

    def column(self, role: str) -> str | None:
        found = self.roles.get(role)
        return found[0] if found else None

    def profile(self, role: str) -> Profile:
        column = self.column(role)
        return self.profiles[column] if column else Profile("nothing")


def put_together(guesses: Iterable[Guess]) -> Iterator[Guess]:
    """One guess for files that differ in the numbers of their names only, such as an export for every day."""
    groups: dict[tuple[object, ...], list[Guess]] = {}
    for guess in guesses:
        file = guess.file
        # a day on which every list was empty shows nothing of what is in them
        outer = tuple(
            dict.fromkeys(name.partition(".")[0] if file.format == "jsonl" else name for name in file.columns)
        )
        alike = (file.path.parent, _numberless(file.path.name), file.format, outer, file.delimiter, file.sheet)
        groups.setdefault(alike, []).append(guess)
    every = [guess.file.path for of_one in groups.values() for guess in of_one]
    for of_one in groups.values():
        paths = [guess.file.path for guess in of_one]
        pattern = _numberless(paths[0].name)
        others = [path for path in every if path.parent == paths[0].parent and path not in paths]
        if len(of_one) > 1 and not any(fnmatch(path.name, pattern) for path in others):
            fullest = max(of_one, key=lambda guess: len(guess.file.rows))
            yield replace(fullest, pattern=pattern)
        else:
            yield from of_one


def _numberless(name: str) -> str:
    """A file's name with a star for its numbers.

    >>> _numberless("till-2024-01-31.csv")
    'till-*.csv'
    """
    return re.sub(r"\d+([-_.]\d+)*", "*", name)


def guessed(path: Path) -> Guess:
    """Look at a file and guess what it is."""
    file = sniff(path)
    found = _guessed(file)
    if "product_id" in found.roles:
        return found
    for column in lists_of_objects(file):  # an order names no product where its items do
        within = _guessed(exploded(file, column))
        if any(name.startswith(f"{column}.") for name in within.roles.get("product_id", [])):
            return within
    return found


def _guessed(file: Sniffed) -> Guess:
    profiles = {
        name: replace(profiled(file.values(name), len(file.rows)), nested=name in file.nested) for name in file.columns
    }
    roles = _roles(file, profiles)
    return Guess(file, _table(file, roles, profiles), roles, profiles)


def _roles(file: Sniffed, profiles: dict[str, Profile]) -> dict[str, list[str]]:
    found: dict[str, list[tuple[int, int, str]]] = {}
    for place, name in enumerate(file.columns):
        named = role_of(name)
        look = profiles[name].look
        if look in {"email", "phone"} and (named is None or named[0] not in {"channel_customer_id", "order_id"}):
            named = (look, 2)
        if named is None and look == "instant":
            named = ("ordered_at", 0)
        if named is None or not _fits(named[0], profiles[name]):
            continue
        role, sure = named
        found.setdefault(role, []).append((-sure, place, name))
    roles = {role: [name for *_, name in sorted(names)] for role, names in found.items()}
    if "ordered_at" not in roles and "day" in roles:
        roles["ordered_at"] = roles["day"]
    return roles


def _fits(role: str, profile: Profile) -> bool:
    """Whether a column of such values can hold what its name says."""
    if role in NUMERIC:
        return profile.look in {"number", "nothing"}
    if role in DATED:
        return profile.look in {"day", "instant", "nothing"} or (role == "ordered_at" and profile.look == "number")
    return profile.look not in {"instant", "day", "nested", "list"} or (role == "category" and profile.look == "list")


def _table(file: Sniffed, roles: dict[str, list[str]], profiles: dict[str, Profile]) -> str | None:
    scores = {}
    for table, (needs, signs) in NEEDS.items():
        if all(any(role in roles for role in alternatives) for alternatives in needs):
            scores[table] = len(needs) + sum(role in roles for role in signs)
    if "order_lines" in scores and "closing_units" in roles and "order_id" not in roles:
        del scores["order_lines"]
    if not scores:
        return None
    if "catalog" in scores and profiles[roles["product_id"][0]].distinct_share > MOSTLY_ONCE and len(file.rows) > 1 \
            and "order_lines" not in scores and "plans" not in scores:  # fmt: skip
        return "catalog"
    return max(scores, key=lambda table: scores[table])


MOSTLY_ONCE = 0.95  # of the values of a column that names one thing per row
