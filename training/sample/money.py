"""Yuan and dollars: rates with two decimals, so that an amount in cents becomes an exact one in yuan."""

from typing import Any

import numpy as np
import numpy.typing as npt

from training.sample.plan import SECONDS, Plan

Array = npt.NDArray[Any]


def rates(plan: Plan, days: int) -> Array:
    """Hundredths of a yuan for a dollar on each day; they change once a week."""
    random = plan.random(1, 2)
    steps = np.cumsum(random.integers(-3, 4, days // 7 + 1))
    return (712 + np.clip(steps, -40, 40))[np.arange(days) // 7]


def to_cents(plan: Plan, day: int, fen: Array) -> Array:
    """Dollars' cents for fen at the day's rate; at least one for what is not free."""
    cents = (fen * 100 + 350) // int(rates(plan, plan.days)[day])
    return np.where(fen > 0, np.maximum(cents, 1), 0)


def yuan_ten_thousandths(plan: Plan, amount: Array, usd: Array, at: Array) -> Array:
    """Amounts in fen, or in cents where `usd`, as ten thousandths of a yuan at the rate of their local day."""
    day = np.clip((at - plan.midnight(0)) // SECONDS, 0, plan.days - 1)
    return np.where(usd, amount * rates(plan, plan.days)[day], amount * 100)
