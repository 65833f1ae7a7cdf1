"""Planned promotions: who knows of them when, and where they hold."""

from datetime import date

import numpy as np
import pyarrow as pa

from features.history import Ids, day_number
from features.offers import Offers, Showing, offers_from
from tests.fixtures import tiny_models

PRODUCTS, SHOPS = Ids(["bread", "milk", "salt"]), Ids(["north", "south"])


def offers() -> Offers:
    rows = [
        ("milk", "north", date(2024, 5, 1), date(2024, 5, 7), date(2024, 4, 24), None, "leaflet"),
        ("bread", "all", date(2024, 5, 6), date(2024, 5, 12), date(2024, 4, 29), "end cap", None),
        ("salt", "north", date(2024, 5, 6), date(2024, 5, 9), date(2024, 5, 6), None, "leaflet"),
        ("salt", "south", date(2024, 5, 1), date(2024, 5, 2), date(2024, 4, 1), None, None),
        ("gone", "south", date(2024, 5, 1), date(2024, 5, 9), date(2024, 4, 1), None, "leaflet"),
    ]
    names = ("product_id", "location_id", "starts_on", "ends_on", "known_on", "display", "promotion")
    texts = {"product_id", "location_id", "display", "promotion"}
    columns = {name: pa.array(values, pa.string() if name in texts else pa.date32())
               for name, values in zip(names, zip(*rows, strict=True), strict=True)}  # fmt: skip
    return offers_from(pa.table(columns), SHOPS, PRODUCTS)


def showing(first: date, last: date) -> Showing:
    return Showing.of(offers().between(day_number(first), day_number(last)), len(SHOPS), len(PRODUCTS))


def test_a_plan_that_shows_nothing_or_names_an_unknown_product_is_left_out() -> None:
    assert len(offers()) == 3


def test_it_holds_at_its_shop_on_its_days_and_everywhere_where_no_shop_is_named() -> None:
    shown = showing(date(2024, 5, 6), date(2024, 5, 7))
    kind, ends = shown.find(np.array([0, 1, 0, 1, -1]), np.array([1, 1, 0, 0, 0]))
    assert kind.tolist() == [2, 0, 1, 1, 1]
    assert ends.tolist()[0] == day_number(date(2024, 5, 7))
    assert showing(date(2024, 5, 8), date(2024, 5, 12)).find(np.array([0]), np.array([1]))[0].tolist() == [0]


def test_everywhere_counts_as_all_shops() -> None:
    assert showing(date(2024, 5, 6), date(2024, 5, 7)).shops.tolist() == [2, 1, 1]


def test_what_was_not_yet_known_is_gone_as_of_an_earlier_day() -> None:
    same = np.arange(len(PRODUCTS) + 1, dtype=np.int32)
    known = offers().recoded(np.array([0, 1, -1], np.int32), same, date(2024, 5, 5))
    assert sorted(PRODUCTS[code] for code in known.product.tolist()) == ["bread", "milk"]


def test_an_earlier_history_has_the_offers_known_by_then_under_its_own_codes() -> None:
    earlier = tiny_models.purchases().until(date(2024, 4, 14))
    assert earlier.offers is not None
    names = {earlier.products[code] for code in earlier.offers.product.tolist()}
    assert "p15" in names  # of the week from 15 April, known on the 8th
    assert "p16" not in names  # of the week after, known on the 15th
    assert (earlier.offers.known <= day_number(date(2024, 4, 14))).all()
