"""Popularity by place, backed off where little is known."""

from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa

from features.history import Purchases, purchases_from
from models.contracts import Queries, Query
from models.popular import Popular, PopularByOrders
from models.reasons import BoughtInOrders
from models.settings import RecommendSettings
from models.surfaces import Surfaces

AS_OF = date(2024, 6, 30)
Row = tuple[str, str, str, str | None, int]  # product, location, channel, customer, days before AS_OF


def history(rows: list[Row]) -> Purchases:
    days = [AS_OF - timedelta(days=age) for *_, age in rows]
    return purchases_from(
        pa.table({
            "order_id": [f"o{number}" for number in range(len(rows))],
            "product_id": [product for product, *_ in rows],
            "account_id": pa.array([customer for *_, customer, _ in rows], pa.string()),
            "channel": [channel for _, _, channel, *_ in rows],
            "location_id": [location for _, location, *_ in rows],
            "ordered_at": [datetime(day.year, day.month, day.day) for day in days],
            "day": pa.array(days, pa.date32()),
            "net_units": [1.0] * len(rows),
            "net_amount": [1.0] * len(rows),
            "gift": [False] * len(rows),
        }), AS_OF)  # fmt: skip


def names(purchases: Purchases, location: str | None = None, channel: str | None = None, **settings: int) -> list[str]:
    made = Popular(RecommendSettings(**settings)).fit(purchases)
    share = made.share(purchases.locations.code(location), purchases.channels.code(channel))
    return [purchases.products[int(code)] for code in np.argsort(-share, kind="stable")]


def bought(product: str, location: str, count: int, channel: str = "pos", age: int = 3) -> list[Row]:
    return [(product, location, channel, f"{location}-{channel}-{number}", age) for number in range(count)]


def test_a_large_shop_is_ranked_by_its_own_sales() -> None:
    purchases = history(bought("rice", "north", 200) + bought("bread", "south", 150) + bought("rice", "south", 10))
    assert names(purchases)[0] == "rice"
    assert names(purchases, "south")[0] == "bread"


def test_a_small_shop_is_ranked_by_what_all_shops_sell() -> None:
    purchases = history(bought("rice", "north", 200) + bought("bread", "kiosk", 1))
    assert names(purchases, "kiosk")[0] == "rice"


def test_an_unknown_place_is_answered_as_everywhere() -> None:
    purchases = history(bought("rice", "north", 20) + bought("bread", "south", 10))
    assert names(purchases, "nowhere", "nothing") == names(purchases) == ["rice", "bread"]


def test_a_channel_of_its_own_taste_is_heard_with_and_without_a_location() -> None:
    purchases = history(bought("rice", "north", 300) + bought("tea", "north", 120, channel="app"))
    assert names(purchases, "north")[0] == "rice"
    assert names(purchases, None, "app")[0] == "tea"
    assert names(purchases, "north", "app")[0] == "tea"


def test_what_sold_before_the_window_comes_after_what_sold_in_it() -> None:
    purchases = history(bought("old", "north", 90, age=100) + bought("new", "north", 30))
    assert names(purchases) == ["new", "old"]


def test_an_empty_window_is_widened_until_it_holds_sales() -> None:
    purchases = history(bought("old", "north", 90, age=100))
    made = Popular(RecommendSettings(popular_days=28)).fit(purchases)
    assert made.window_days == 28 * 4
    reason = Surfaces.fit(purchases, RecommendSettings(recommender="popular")).answer("for-you", [Query()], 1)[0][0]
    assert reason.reason.text() == "bought by 90 customers in the last 112 days"


def test_a_customer_counts_once_and_each_anonymous_basket_too() -> None:
    rows: list[Row] = [("tea", "s", "pos", "one", 1), ("tea", "s", "pos", "one", 2), ("tea", "s", "pos", None, 1),
                       ("tea", "s", "pos", None, 2), ("rice", "s", "pos", "two", 1)]  # fmt: skip
    purchases = history(rows)
    made = Popular(RecommendSettings()).fit(purchases)
    tea = np.array([purchases.products.code("tea")], np.int32)
    customers, anonymous = made.everywhere.find(np.array([0], np.int32), tea)
    assert (customers.tolist(), anonymous.tolist()) == ([1], [2])
    assert made.everywhere.place_buyers.tolist() == [4]


def test_a_location_is_judged_over_a_longer_window_than_everywhere() -> None:
    old = bought("tea", "south", 400, age=60)
    purchases = history(old + bought("rice", "north", 30) + bought("bread", "south", 5))
    assert names(purchases)[0] == "rice"
    assert names(purchases, "south")[0] == "tea"


def test_by_orders_a_regular_counts_as_often_as_it_comes() -> None:
    regular: list[Row] = [("milk", "s", "pos", "regular", age) for age in range(9)]
    purchases = history(regular + bought("salt", "s", 3))
    assert [made.share().argmax() for made in (Popular(RecommendSettings()).fit(purchases),
                                               PopularByOrders(RecommendSettings()).fit(purchases))] \
        == [purchases.products.code("salt"), purchases.products.code("milk")]  # fmt: skip
    made = PopularByOrders(RecommendSettings()).fit(purchases)
    queries = Queries.of_customers(np.array([-1], np.int32), np.array([0], np.int32))
    assert made.reasons(queries, made.score(queries, 1)) == [BoughtInOrders(9, True, 84)]
