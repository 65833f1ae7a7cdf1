"""Quantities in the units, and amounts in the currency, that the retailer counts in: as stages of a mapping."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from features.currencies import converted, rate_on, rates_of
from features.errors import RecipeError
from features.expressions import literal, quoted
from features.sources import Retailer, Unit
from features.stages import Stages
from features.units import MOST_IN_A_TREE, counted_in, multiplied, of_products, unit_rules
from features.zones import Span, to_local

OWN_UNIT, OWN_TIMES, TIMES = "onebasket_own_unit", "onebasket_own_times", "onebasket_times"
CODE, DAY, RATE, LACKS_RATE = "onebasket_code", "onebasket_day", "onebasket_rate", "onebasket_lacks_rate"
