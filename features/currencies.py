"""Amounts of foreign currencies in the retailer's own."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from features.choices import chosen

RATE = "DECIMAL(20, 12)"
REASON = "currency has no exchange rate on or before its day"


@dataclass(frozen=True)
class Rates:
    """The daily rates of one currency from `first` on, each the latest known; the last one holds for good."""

    first: date
    daily: tuple[Decimal, ...]

    def at(self, day: str) -> str:
        """SQL of the rate on `day` (SQL of a date): a look-up by place, which asks for no join."""
        listed = ", ".join(f"{rate:f}" for rate in self.daily)
        place = f"least(date_diff('day', DATE '{self.first}', {day}) + 1, {len(self.daily)})"
        known = f"{day} >= DATE '{self.first}'"
        return f"CASE WHEN {known} THEN (CAST([{listed}] AS {RATE}[]))[CAST({place} AS INT)] END"


def rates_of(rows: Iterable[dict[str, Any]]) -> dict[str, Rates]:
    """EXCHANGE_RATES rows as the rates of each currency."""
    given: dict[str, dict[date, Decimal]] = {}
    for row in sorted(rows, key=lambda row: (str(row["currency"]), row["day"])):  # ' usd' and 'USD' are one
        given.setdefault(str(row["currency"]).strip().upper(), {})[row["day"]] = Decimal(repr(row["rate"]))
    return {currency: _daily(days) for currency, days in sorted(given.items())}


def _daily(days: dict[date, Decimal]) -> Rates:
    first, last = min(days), max(days)
    rates, rate = [], days[first]
    for offset in range((last - first).days + 1):
        rate = days.get(first + timedelta(days=offset), rate)
        rates.append(round(rate, 12).normalize())
    return Rates(first, tuple(rates))


def rate_on(currency: str, day: str, own: str, rates: dict[str, Rates]) -> str:
    """SQL of what one unit of `currency` is worth on `day`; 1 for the retailer's own, null where it is unknown."""
    found = {name: of_one.at(day) for name, of_one in rates.items() if name != own}
    return chosen(currency, {**found, own: "1"})


def converted(amount: str, rate: str, foreign: str) -> str:
    """SQL of an amount in the retailer's currency; where `foreign`, to four decimals, half away from zero."""
    return f"CASE WHEN {foreign} THEN TRY_CAST({amount} * {rate} AS DECIMAL(18, 4)) ELSE {amount} END"
