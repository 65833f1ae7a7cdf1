"""Units as exports name them, counted in the units that the recipe counts in."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from features.choices import chosen
from features.errors import RecipeError
from features.expressions import literal
from features.sources import Unit

DIGITS, MOST_TIMES = 12, 10**7
FACTOR = f"DECIMAL(20, {DIGITS})"


def _named(unit: str, times: str, *names: str) -> dict[str, Unit]:
    return {name: Unit(unit=unit, times=Decimal(times)) for name in names}


# Only names that mean the same to everyone: a 箱, a case or a bottle is another quantity for each product, and an
# oz may be of volume. The recipe's own rules come before these.
BUILT_IN: dict[str, Unit] = {
    **_named("each", "1", "each", "ea", "EA", "Each", "EACH", "pc", "pcs", "PC", "PCS", "piece", "pieces",
             "st", "St", "Stk", "Stück", "个", "件", "只"),
    **_named("each", "12", "dozen", "Dozen", "dz", "打"),
    **_named("kg", "1", "kg", "KG", "Kg", "kgs", "kilo", "kilogram", "kilograms", "公斤", "千克"),
    **_named("kg", "0.001", "g", "gram", "grams", "克"),
    **_named("kg", "0.5", "斤", "市斤"),
    **_named("kg", "0.05", "两"),
    **_named("kg", "1000", "t", "吨"),
    **_named("kg", "0.45359237", "lb", "lbs", "LB", "pound", "pounds"),
    **_named("kg", "0.028349523125", "oz", "OZ", "ounce", "ounces"),
    **_named("l", "1", "l", "L", "liter", "litre", "Liter", "升"),
    **_named("l", "0.001", "ml", "mL", "ML", "毫升"),
}  # fmt: skip


def unit_rules(units: Mapping[str, Unit]) -> dict[str, Unit]:
    """Every rule, the recipe's before the built-in ones, each followed to the unit in which it ends.

    Raises RecipeError where rules go in a circle or are too fine.
    """
    known = {**BUILT_IN, **units}
    return {name: _followed(name, known) for name in known}


def _followed(name: str, known: Mapping[str, Unit]) -> Unit:
    unit, times, passed = name, Decimal(1), [name]
    while unit in known and known[unit].unit != unit:
        times *= known[unit].times
        unit = known[unit].unit
        if unit in passed:
            raise RecipeError(
                f"units.{name}: its rules go in a circle ({' → '.join([*passed, unit])}): end in one unit"
            )
        passed.append(unit)
    if unit in known:
        times *= known[unit].times
    return Unit(unit=unit, times=_checked(times, f"units.{name}"))


def _checked(times: Decimal, place: str) -> Decimal:
    if times >= MOST_TIMES or times != round(times, DIGITS):
        raise RecipeError(f"{place}: times {times} has more than {DIGITS} decimals or is {MOST_TIMES} or more")
    return times


def counted_in(unit: str, rules: Mapping[str, Unit]) -> tuple[str, str]:
    """SQL of the unit that `unit` (SQL) is counted in, and of how many of those one is; null where that is one."""
    renamed = {name: literal(rule.unit) for name, rule in rules.items() if rule.unit != name}
    factors = {name: factor(rule.times) for name, rule in rules.items() if rule.times != 1}
    return chosen(unit, renamed, unit), chosen(unit, factors)


def of_products(unit: str, product: str, rows: list[dict[str, Any]]) -> tuple[str, str]:
    """The same for the rules of PRODUCT_UNITS rows; the unit is null too where no rule holds."""
    units: dict[str, dict[str, str]] = {}
    factors: dict[str, dict[str, str]] = {}
    for row in rows:
        units.setdefault(row["unit"], {})[row["product_id"]] = literal(row["to_unit"])
        factors.setdefault(row["unit"], {})[row["product_id"]] = factor(row["times"])
    return (
        chosen(unit, {name: chosen(product, rules) for name, rules in units.items()}),
        chosen(unit, {name: chosen(product, rules) for name, rules in factors.items()}),
    )


def factor(times: Decimal) -> str:
    """A factor for SQL, always of the same type."""
    return f"CAST({times.normalize():f} AS {FACTOR})"


def multiplied(quantity: str, times: str) -> str:
    """SQL of a quantity times a factor, rounded half away from zero to four decimals; unchanged for a null factor."""
    product = f"TRY_CAST({quantity} * {times} AS DECIMAL(18, 4))"
    return f"CASE WHEN {times} IS NULL THEN {quantity} ELSE {product} END"
