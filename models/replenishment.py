"""From the distribution of demand to what to order: an order-up-to policy with periodic review.

An order placed tonight arrives after the lead time, and the next one a review period later; until then nothing
else can help. So what is in stock and under way, together with the order, must cover the demand of the whole
protection period (lead time + review period) with the probability that the service level asks for.
Amounts are counted in thousandths of a unit, so that the reasons of an order add up to it exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.demand import Panel
from features.tables import ORDER_PROPOSALS
from features.workspace import Snapshot
from models.contracts import Forecast, Forecaster
from models.settings import ReplenishmentSettings
from models.supply import Doubles, Stock, Terms, stock_of, terms_of

Milli = npt.NDArray[np.int64]  # thousandths of a unit


@dataclass(frozen=True)
class ProtectionDemand:
    """Demand over each series' protection period, in units; all [series].

    `sellable_units` is the expected demand until units that arrive with this order pass their shelf life.
    """

    expected_units: Doubles
    quantile_units: Doubles
    sellable_units: Doubles


@dataclass(frozen=True)
class Parts:
    """What an order is made of, in the order applied; each [series]. Their sum is the proposed quantity."""

    expected_demand: Milli
    safety_stock: Milli
    presentation_stock: Milli
    shelf_life_cap: Milli
    on_hand: Milli
    on_order: Milli
    enough_in_stock: Milli
    pack_rounding: Milli
    minimum_order: Milli

    @property
    def order_up_to(self) -> Milli:
        return self.expected_demand + self.safety_stock + self.presentation_stock + self.shelf_life_cap

    @property
    def unrounded(self) -> Milli:
        return self.order_up_to + self.on_hand + self.on_order + self.enough_in_stock

    @property
    def proposed(self) -> Milli:
        return self.unrounded + self.pack_rounding + self.minimum_order


def propose(
    forecaster: Forecaster,
    panel: Panel,
    snapshot: Snapshot | None,
    settings: ReplenishmentSettings,
    model_version: str,
    forecast: Forecast | None = None,
) -> pa.Table:
    """Order proposals for every series of `panel`, sorted by location and product, ORDER_PROPOSALS columns.

    Stock, supply terms and the catalog's pack sizes come from `snapshot` where it holds them; nothing later than
    the panel's as_of is read. `forecast`, if given, is the forecaster's own for this panel and saves its repetition.
    """

    def table(name: str) -> pa.Table | None:
        return snapshot.read(name) if snapshot is not None and snapshot.holds(name) else None

    terms = terms_of(panel, settings, table("supply_terms"), table("catalog"))
    stock = stock_of(panel, table("stock"))
    demand = protection_demand(forecaster, panel, terms, forecast)
    return proposal_table(panel, terms, stock, demand, model_version)


def protection_demand(
    forecaster: Forecaster, panel: Panel, terms: Terms, forecast: Forecast | None = None
) -> ProtectionDemand:
    """Mean and service-level quantile of the demand over each series' protection period.

    Each distinct protection period asks the forecaster once, for all its service levels. What sells in whole units
    gets a whole quantile: half a unit, rounded up to a pack by every order, would fill the shelves of slow sellers.
    """
    days = terms.protection_days
    longest = int(days.max(initial=1))
    if forecast is None or forecast.horizon_days < longest:
        forecast = forecaster.forecast(panel, longest)
    quantile = np.zeros(len(panel))
    for period in np.unique(days):
        rows = np.flatnonzero(days == period)
        levels, which = np.unique(terms.service_level[rows], return_inverse=True)
        quantile[rows] = forecaster.sums(panel, int(period), levels.tolist())[rows, which]
    return ProtectionDemand(
        expected_units=_expected(forecast, days.astype(np.float64)),
        quantile_units=np.where(_sold_whole(panel), np.rint(quantile), quantile),
        sellable_units=_expected(forecast, terms.lead_days + terms.shelf_life_days),
    )


def _sold_whole(panel: Panel) -> npt.NDArray[np.bool_]:
    """Which series have only ever sold whole units; bool [series]."""
    units = np.nan_to_num(panel.units)
    return np.asarray((units == np.rint(units)).all(axis=1))


def _expected(forecast: Forecast, days: Doubles) -> Doubles:
    """Expected units of the next `days` days of each series; days beyond the horizon are as its average day."""
    total = np.cumsum(forecast.mean_units, axis=1, dtype=np.float64)
    horizon = forecast.horizon_days
    inside = np.clip(np.minimum(days, horizon).astype(np.int64), 1, horizon)
    expected = total[np.arange(len(total)), inside - 1]
    beyond = np.where(days > horizon, days - horizon, 0)
    return np.where(np.isinf(days), np.inf, expected + np.where(np.isinf(beyond), 0, beyond) * total[:, -1] / horizon)


def order_parts(demand: ProtectionDemand, terms: Terms, stock: Stock) -> Parts:
    """Work out each order: up to the order-up-to level, whole packs, at least the minimum order."""
    expected = _milli(demand.expected_units)
    safety = _milli(demand.quantile_units) - expected
    presentation = _milli(terms.presentation_stock)
    wanted = expected + safety + presentation
    sellable = np.where(np.isinf(demand.sellable_units), wanted, 0) + _milli(
        np.where(np.isinf(demand.sellable_units), 0, demand.sellable_units)
    )
    up_to = np.minimum(wanted, sellable)
    on_hand, on_order = _milli(np.nan_to_num(stock.on_hand)), _milli(stock.on_order)
    gap = up_to - on_hand - on_order
    need = np.maximum(gap, 0)
    pack = np.maximum(_milli(terms.pack_size), 1)
    packed = -(-need // pack) * pack
    least = -(-_milli(terms.moq) // pack) * pack
    proposed = np.where(packed > 0, np.maximum(packed, least), 0)
    return Parts(expected, safety, presentation, up_to - wanted, -on_hand, -on_order, need - gap,
                 packed - need, proposed - packed)  # fmt: skip


def _milli(units: Doubles) -> Milli:
    return np.rint(np.asarray(units, np.float64) * 1000).astype(np.int64)


def proposal_table(panel: Panel, terms: Terms, stock: Stock, demand: ProtectionDemand, model_version: str) -> pa.Table:
    """The ORDER_PROPOSALS table of orders placed at the close of the panel's last day."""
    parts = order_parts(demand, terms, stock)
    unknown = np.isnan(stock.on_hand)
    columns = {
        "product_id": pa.array(panel.product_ids, pa.string()),
        "location_id": pa.array(panel.location_ids, pa.string()),
        "made_on": pa.array([panel.as_of] * len(panel), pa.date32()),
        "on_hand": pa.array(-parts.on_hand / 1000, mask=unknown),
        "on_order": -parts.on_order / 1000,
        "inventory_position": -(parts.on_hand + parts.on_order) / 1000,
        "protection_days": terms.protection_days,
        "expected_units": parts.expected_demand / 1000,
        "protection_units": (parts.expected_demand + parts.safety_stock) / 1000,
        "safety_stock": parts.safety_stock / 1000,
        "order_up_to_level": parts.order_up_to / 1000,
        "unrounded_units": parts.unrounded / 1000,
        "proposed_units": parts.proposed / 1000,
        "arrives_on": pa.array(_arrivals(panel.as_of, terms.lead_days.tolist()), pa.date32()),
        "reason_codes": pa.array(_reason_codes(parts, unknown.tolist()), pa.list_(pa.string())),
        "limiting_constraint": pa.array(_limiting(parts).tolist(), pa.string()),
        "model_version": pa.array([model_version] * len(panel), pa.string()),
    }
    table = pa.table({name: columns[name] for name in ORDER_PROPOSALS.column_names})
    return table.sort_by([("location_id", "ascending"), ("product_id", "ascending")])


def _arrivals(placed_on: date, lead_days: Sequence[int]) -> list[date]:
    return [placed_on + timedelta(days=days) for days in lead_days]


def _reason_codes(parts: Parts, stock_unknown: Sequence[bool]) -> list[list[str]]:
    """`code=units` for every part that is not 0, expected demand always; stock-unknown=0 where 0 was assumed."""
    names = [name.replace("_", "-") for name in vars(parts)]
    rows = np.stack(list(vars(parts).values()), axis=1).tolist()
    return [
        [f"{name}={units(part)}" for name, part in zip(names, row, strict=True) if part or name == "expected-demand"]
        + (["stock-unknown=0"] if unknown else [])
        for row, unknown in zip(rows, stock_unknown, strict=True)
    ]


def units(milli: int) -> str:
    """Thousandths as a decimal without trailing zeros.

    >>> units(-12500), units(3000), units(-5)
    ('-12.5', '3', '-0.005')
    """
    whole, rest = divmod(abs(milli), 1000)
    fraction = f".{rest:03d}".rstrip("0").rstrip(".")
    return f"{'-' if milli < 0 else ''}{whole}{fraction}"


def _limiting(parts: Parts) -> npt.NDArray[np.str_]:
    """Name what decided each quantity: the last rule that changed it by a unit or more, else the service level."""
    cases = [
        (parts.proposed == 0, "enough-in-stock"),
        (parts.minimum_order > 0, "minimum-order"),
        (parts.shelf_life_cap < 0, "shelf-life"),
        (parts.pack_rounding >= 1000, "pack-size"),
    ]
    return np.select([case for case, _ in cases], [name for _, name in cases], "service-level")
