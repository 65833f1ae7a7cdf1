from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.tables import ORDER_PROPOSALS
from models.moving_average import MovingAverage
from models.replenishment import ProtectionDemand, order_parts, proposal_table, propose, protection_demand
from models.settings import ForecastSettings, ReplenishmentSettings
from models.supply import Stock, Terms, stock_of, terms_of
from tests.fixtures import tiny_models

PANEL = tiny_models.panel()
ONE = PANEL.only(np.array([0]))


def terms(**changes: float) -> Terms:
    values = {"lead_days": 2, "review_days": 7, "service_level": 0.95, "pack_size": 1.0, "moq": 0.0,
              "presentation_stock": 0.0, "shelf_life_days": np.inf} | changes  # fmt: skip
    return Terms(**{name: np.array([value]) for name, value in values.items()})


def demand(expected: float, quantile: float, sellable: float = np.inf) -> ProtectionDemand:
    return ProtectionDemand(np.array([expected]), np.array([quantile]), np.array([sellable]))


def stock(on_hand: float, on_order: float = 0.0) -> Stock:
    return Stock(np.array([on_hand]), np.array([on_order]))


def order(asked: ProtectionDemand, its_terms: Terms, its_stock: Stock) -> dict[str, object]:
    return proposal_table(ONE, its_terms, its_stock, asked, "v1").to_pylist()[0]


def reasons(row: dict[str, object]) -> dict[str, Decimal]:
    return {name: Decimal(units) for name, _, units in (code.partition("=") for code in row["reason_codes"])}


units = st.floats(0, 5_000, allow_nan=False)
situations = st.fixed_dictionaries({
    "expected": units, "quantile": units, "sellable": units | st.just(np.inf), "on_hand": units | st.just(np.nan),
    "on_order": units, "pack_size": st.sampled_from([0.25, 1, 6, 12, 0.333]), "moq": units,
    "presentation_stock": st.sampled_from([0, 3, 20]),
})  # fmt: skip


def of(situation: dict[str, float]) -> tuple[ProtectionDemand, Terms, Stock]:
    own = {name: situation[name] for name in ("pack_size", "moq", "presentation_stock")}
    return (demand(situation["expected"], situation["quantile"], situation["sellable"]), terms(**own),
            stock(situation["on_hand"], situation["on_order"]))  # fmt: skip


@given(situations)
def test_the_reasons_add_up_exactly_to_the_proposed_units(situation: dict[str, float]):
    row = order(*of(situation))
    assert sum(reasons(row).values()) == Decimal(str(row["proposed_units"]))


@given(situations)
def test_an_order_is_whole_packs_and_never_below_the_minimum(situation: dict[str, float]):
    proposed = int(order_parts(*of(situation)).proposed[0])
    assert proposed % round(situation["pack_size"] * 1000) == 0
    assert proposed == 0 or proposed >= round(situation["moq"] * 1000)


@given(situations, units)
def test_less_stock_never_orders_less(situation: dict[str, float], missing: float):
    asked, its_terms, its_stock = of(situation)
    fewer = Stock(np.maximum(np.nan_to_num(its_stock.on_hand) - missing, 0), its_stock.on_order)
    assert order_parts(asked, its_terms, fewer).proposed >= order_parts(asked, its_terms, its_stock).proposed


@given(situations)
def test_no_order_when_stock_covers_the_level(situation: dict[str, float]):
    asked, its_terms, _ = of(situation)
    row = order(asked, its_terms, stock(1e6))
    assert row["proposed_units"] == 0
    assert row["limiting_constraint"] == "enough-in-stock"


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.5, 0.999), min_size=2, max_size=4))
def test_a_higher_service_level_never_orders_less(levels: list[float]):
    orders = [
        propose(FITTED, PANEL, None, ReplenishmentSettings(service_level=level), "v1")["proposed_units"].to_numpy()
        for level in sorted(levels)
    ]
    for lower, higher in pairwise(orders):
        assert (higher >= lower).all()


FITTED = MovingAverage(ForecastSettings(horizon_days=14)).fit(PANEL)


def test_an_order_is_explained_from_demand_to_packs():
    row = order(demand(40, 52.5), terms(pack_size=12, presentation_stock=6), stock(20, 5))
    assert row["reason_codes"] == ["expected-demand=40", "safety-stock=12.5", "presentation-stock=6", "on-hand=-20",
                                   "on-order=-5", "pack-rounding=2.5"]  # fmt: skip
    assert row["proposed_units"] == 36
    assert row["order_up_to_level"] == 58.5
    assert row["inventory_position"] == 25
    assert row["arrives_on"] == ONE.as_of + timedelta(days=2)
    assert row["limiting_constraint"] == "pack-size"


def test_what_cannot_be_sold_in_time_is_not_ordered():
    row = order(demand(40, 60, sellable=45), terms(), stock(0))
    assert row["proposed_units"] == 45
    assert "shelf-life-cap=-15" in row["reason_codes"]
    assert row["limiting_constraint"] == "shelf-life"


def test_unknown_stock_counts_as_none_and_says_so():
    row = order(demand(4, 6), terms(), stock(np.nan))
    assert row["on_hand"] is None
    assert row["proposed_units"] == 6
    assert row["reason_codes"][-1] == "stock-unknown=0"


def test_a_minimum_order_is_named():
    row = order(demand(4, 6), terms(moq=25, pack_size=10), stock(0))
    assert row["proposed_units"] == 30
    assert row["limiting_constraint"] == "minimum-order"
    assert reasons(row)["minimum-order"] == 20


def test_proposals_have_the_columns_of_the_table_sorted_by_location_and_product():
    table = propose(FITTED, PANEL, None, ReplenishmentSettings(), "v1")
    assert tuple(table.column_names) == ORDER_PROPOSALS.column_names
    keys = list(zip(table["location_id"].to_pylist(), table["product_id"].to_pylist(), strict=True))
    assert keys == sorted(keys)
    assert len(keys) == len(PANEL)


def test_each_series_is_protected_over_its_own_period_at_its_own_level():
    rows = [
        (PANEL.product_ids[0], PANEL.location_ids[0], 21, 0.99),
        (PANEL.product_ids[1], PANEL.location_ids[1], 3, 0.8),
    ]
    own = pa.table({
        "product_id": [row[0] for row in rows],
        "location_id": [row[1] for row in rows],
        "lead_time_days": [row[2] for row in rows],
        "service_level": [row[3] for row in rows],
    })  # fmt: skip
    its_terms = terms_of(PANEL, ReplenishmentSettings(), own)
    assert its_terms.protection_days[:3].tolist() == [28, 10, 9]
    found = protection_demand(FITTED, PANEL, its_terms).quantile_units
    assert found[0] == np.rint(FITTED.sums(PANEL, 28, [0.99])[0, 0])
    assert found[1] == np.rint(FITTED.sums(PANEL, 10, [0.8])[1, 0])
    assert found[2] == np.rint(FITTED.sums(PANEL, 9, [0.95])[2, 0])


def test_the_catalog_gives_pack_size_and_shelf_life_unless_the_terms_do():
    catalog = pa.table({"product_id": [ONE.product_ids[0]], "pack_size": [6.0], "shelf_life_days": [4.0]})
    own = pa.table({"product_id": ONE.product_ids, "location_id": ONE.location_ids, "pack_size": [8.0]})
    both = terms_of(ONE, ReplenishmentSettings(), own, catalog)
    assert (both.pack_size[0], both.shelf_life_days[0]) == (8, 4)
    assert terms_of(ONE, ReplenishmentSettings(), None, catalog).pack_size[0] == 6


def test_terms_without_a_location_hold_at_every_one_that_has_none_of_its_own():
    rows = pa.table({"product_id": [ONE.product_ids[0]] * 2, "location_id": ["all", ONE.location_ids[0]],
                     "lead_time_days": [5, None], "pack_size": [6.0, 8.0]})  # fmt: skip
    everywhere = terms_of(ONE, ReplenishmentSettings(), rows.slice(0, 1))
    assert (everywhere.lead_days[0], everywhere.pack_size[0]) == (5, 6)
    both = terms_of(ONE, ReplenishmentSettings(), rows)
    assert (both.lead_days[0], both.pack_size[0]) == (5, 8)


@pytest.mark.parametrize(("days_old", "on_hand"), [(0, 7.0), (6, 7.0), (7, None), (-1, None)])
def test_only_a_recent_count_of_the_past_is_believed(days_old: int, on_hand: float | None):
    day: date = ONE.as_of - timedelta(days=days_old)
    counted = pa.table({
        "product_id": ONE.product_ids, "location_id": ONE.location_ids, "day": pa.array([day], pa.date32()),
        "closing_units": [7.0], "on_order_units": [2.0],
    })  # fmt: skip
    found = stock_of(ONE, counted)
    assert np.isnan(found.on_hand[0]) if on_hand is None else found.on_hand[0] == on_hand


def test_a_panel_without_series_gives_an_empty_table():
    nobody = PANEL.only(np.empty(0, np.intp))
    empty = Stock(np.empty(0), np.empty(0))
    none = Terms(*(np.empty(0, int) for _ in range(2)), *(np.empty(0) for _ in range(5)))
    table = proposal_table(replace(nobody), none, empty, ProtectionDemand(*(np.empty(0),) * 3), "v1")
    assert table.num_rows == 0


def test_what_sells_in_whole_units_is_protected_in_whole_units_and_what_is_weighed_is_not():
    weighed = replace(PANEL, units=PANEL.units * np.float32(0.3))
    at_default = terms_of(PANEL, ReplenishmentSettings(), None)
    whole = protection_demand(FITTED, PANEL, at_default).quantile_units
    assert (whole == np.rint(whole)).all()
    parts = protection_demand(MovingAverage(ForecastSettings()).fit(weighed), weighed, at_default).quantile_units
    assert (parts != np.rint(parts)).any()
