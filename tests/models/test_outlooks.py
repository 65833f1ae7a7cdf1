"""What rankers and forecasters look up, on histories whose answers are known."""

import numpy as np
import pytest

from features.history import Purchases
from features.tables import EXPECTED_PURCHASES
from models.outlook import HORIZON_DAYS
from models.outlooks import TIMING_COLUMNS, Outlooks, expected_purchases, median_days
from models.repurchase import Repurchase
from tests.fixtures.hand_history import history

SHELF = {"whole": "milk", "skimmed": "milk", "green": "tea"}


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    whole = {(f"c{i:02}", "whole"): list(range(i % 14, 200, 14)) for i in range(40)}
    skimmed = {(f"c{i:02}", "skimmed"): list(range((i + 7) % 14, 200, 14)) for i in range(40)}
    green = {(f"c{i:02}", "green"): list(range(i % 30, 200, 30)) for i in range(20)}
    return history({**whole, **skimmed, **green}, category=SHELF)


@pytest.fixture(scope="module")
def outlooks(purchases: Purchases) -> Outlooks:
    return Repurchase.fit(purchases).as_of(purchases)


def test_a_ranker_sees_the_products_and_its_categorys_chance(purchases: Purchases, outlooks: Outlooks) -> None:
    customer = purchases.customers.codes(["c03", "c30", "c30", None])
    product = purchases.products.codes(["whole", "green", "whole", "whole"])
    known = outlooks.features(customer, product, 7)
    assert known.shape == (4, len(TIMING_COLUMNS))
    chance, category_chance, due_days, elapsed, stopped, category_stopped = known.T
    assert category_chance[0] > chance[0]
    assert np.isnan(known[1]).all()  # c30 never bought tea
    assert np.isnan(known[3]).all()
    last = int(outlooks.products.last_day[outlooks.products.find(customer[:1], product[:1])][0])
    assert abs(last + 14 - outlooks.products.as_of_day - due_days[0]) <= 2
    assert 0 <= elapsed[0] <= 1
    assert stopped[0] < 0.1
    assert category_stopped[0] < 0.1


def test_due_days_are_where_the_chance_passes_one_half(outlooks: Outlooks) -> None:
    days = median_days(outlooks.products.hazard)
    every = np.arange(len(outlooks.products))
    survival = outlooks.products.survival(every)
    soon = days < HORIZON_DAYS - 1
    after = survival[every[soon], np.ceil(days[soon]).astype(int)]
    assert (after <= 0.5 + 1e-5).all()
    assert (outlooks.products.stopped()[~soon] >= 0.45).all()


def test_expected_purchases_add_up_to_the_chances(purchases: Purchases, outlooks: Outlooks) -> None:
    table = expected_purchases(outlooks, purchases, 7, 60)
    assert table.column_names == list(EXPECTED_PURCHASES.column_names)
    frame = table.to_pandas()
    assert frame["expected_purchases"].sum() == pytest.approx(float(outlooks.products.within(7).sum()), rel=1e-4)
    by_product = frame.groupby("product_id")["expected_purchases"].sum()
    for name in SHELF:
        own = outlooks.products.thing == purchases.products.code(name)
        assert by_product[name] == pytest.approx(float(outlooks.products.within(7)[own].sum()), rel=1e-4)
    assert frame["target_date"].nunique() == 7
    assert set(frame["location_id"]) == {"s"}


def test_known_regular_customers_are_expected_at_their_true_rate(purchases: Purchases, outlooks: Outlooks) -> None:
    frame = expected_purchases(outlooks, purchases, 14, 60).to_pandas()
    assert frame.loc[frame["product_id"] == "whole", "expected_purchases"].sum() == pytest.approx(40, rel=0.1)
