"""Quantities in the units, and amounts in the currency, that the retailer counts in: stages of a mapping."""

from collections.abc import Mapping
from typing import Any

from features.currencies import converted, rate_on, rates_of
from features.errors import RecipeError
from features.expressions import literal, quoted
from features.sources import Retailer, Unit
from features.stages import Stages
from features.units import counted_in, multiplied, of_products, unit_rules
from features.zones import Span, to_local

OWN_UNIT, OWN_TIMES, TIMES = "onebasket_own_unit", "onebasket_own_times", "onebasket_times"
ASKED_UNIT = "onebasket_asked_unit"  # as the export has it, before it is counted in another
CODE, DAY, RATE = "onebasket_code", "onebasket_day", "onebasket_rate"
LACKS_RATE = "onebasket_lacks_rate"  # true where a line's currency is foreign and has no rate
UNIT, QUANTITY = quoted("unit"), quoted("quantity")
MOST_RULES = 1000  # product rules that are written into the query; more are joined, and joining loses the order


def settle_units(stages: Stages, units: Mapping[str, Unit], rules: list[dict[str, Any]]) -> None:
    """Count `quantity` in the unit that `unit` is counted in: a product's own rule first, then the general one.

    `rules` are PRODUCT_UNITS rows, at most MOST_RULES: for more, `join_rules` goes before.
    """
    if OWN_UNIT in stages.columns:
        _count(stages, OWN_UNIT, OWN_TIMES)
    elif rules:
        unit, times = of_products(UNIT, quoted("product_id"), rules)
        stages.then({OWN_UNIT: unit, OWN_TIMES: times})
        _count(stages, OWN_UNIT, OWN_TIMES)
    unit, times = counted_in(UNIT, unit_rules(units))
    stages.then({OWN_UNIT: unit, TIMES: times})
    _count(stages, OWN_UNIT, TIMES)


def _count(stages: Stages, unit: str, times: str) -> None:
    stages.then({"unit": f"coalesce({unit}, {UNIT})", "quantity": multiplied(QUANTITY, times)})


def join_rules(rows: Any, rules: Any) -> Any:
    """Lay PRODUCT_UNITS beside Ibis rows with `product_id` and `unit`, by a join: their order is lost."""
    keyed = rules.group_by(["product_id", "unit"]).agg(
        **{OWN_UNIT: rules.to_unit.min(), OWN_TIMES: rules.times.min().cast("decimal(20, 12)")}
    )
    keyed = keyed.rename(rule_product_id="product_id", rule_unit="unit")
    on = [rows.product_id == keyed.rule_product_id, rows.unit == keyed.rule_unit]
    return rows.left_join(keyed, on).drop("rule_product_id", "rule_unit")


def exchange(stages: Stages, retailer: Retailer, rates: list[dict[str, Any]], span: Span, place: str) -> None:
    """Turn amounts into the retailer's currency at the latest rate up to the line's local day.

    `currency` is null afterwards, for the amounts are the retailer's own; where there is no rate LACKS_RATE is true.
    """
    own = retailer.currency.strip().upper()
    if not own:
        raise RecipeError(f"{place}: which currency is the retailer's own? set retailer.currency, such as 'EUR'")
    local = to_local(quoted("ordered_at"), retailer.time_zone, span)
    stages.then({CODE: f"coalesce(upper(trim({quoted('currency')})), {literal(own)})", DAY: f"CAST({local} AS DATE)"})
    stages.then({RATE: rate_on(CODE, DAY, own, rates_of(rates))})
    foreign = f"{CODE} <> {literal(own)}"
    stages.then({
        **{name: converted(quoted(name), RATE, foreign) for name in ("net_amount", "discount_amount")},
        LACKS_RATE: f"{foreign} AND {RATE} IS NULL",
        "currency": f"CASE WHEN {foreign} AND {RATE} IS NULL THEN currency END",
    })  # fmt: skip
