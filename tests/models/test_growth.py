"""Growth: buyers are counted once a week, and a product whose growth lasts is told from one that was bought once."""

from datetime import timedelta

import numpy as np

from features.history import Purchases
from models.growth import chance_of_growth, weekly_buyers
from models.settings import RecommendSettings
from models.trending import Trending
from tests.fixtures.hand_history import START, history
from training.surface_week import asked

WEEKS = 24


def shop(as_of: int = 7 * WEEKS - 1) -> Purchases:
    """Products of three kinds, four of each starting every week: lasting growth, one good week, steady sales."""
    bought: dict[tuple[str | None, str], list[int]] = {}
    for start in range(WEEKS):
        for kind in range(3):
            for week in range(start, WEEKS + 1):
                age = week - start
                buyers = {0: min(1 + 2 * age, 13), 1: 9 if age == 5 else 3, 2: 4}[kind]
                for buyer in range(buyers):
                    for copy in "abcd":
                        name = f"{('lasting', 'once', 'steady')[kind]} {start:02d}{copy}"
                        bought.setdefault((f"c{buyer}", name), []).append(7 * week + buyer % 7)
    return history(bought, as_of)


def test_buyers_are_counted_once_a_week() -> None:
    bought = {("a", "x"): [13, 12, 6], ("b", "x"): [13], (None, "x"): [9, 2], ("a", "y"): [0]}
    counts = weekly_buyers(history(bought, 13), 2)
    assert counts.tolist() == [[3, 0], [2, 1]]


def test_lasting_growth_has_the_higher_chance() -> None:
    purchases = shop()
    chance = chance_of_growth(purchases, 7)
    assert chance is not None
    lasting, once = (purchases.products.code(f"{kind} {WEEKS - 6:02d}a") for kind in ("lasting", "once"))
    assert chance[lasting] > 0.8
    assert chance[once] < 0.2


def test_one_good_week_leads_no_list_though_it_grew_most() -> None:
    purchases = shop()
    made = Trending(RecommendSettings()).fit(purchases)
    scored = made.score(asked(np.array([-1], np.int32), np.array([-1], np.int32)), 8)
    named = [purchases.products[int(code)] for code in scored.product]
    assert len(named) == 8
    assert not any(name.startswith(f"once {WEEKS - 6:02d}") for name in named)


def test_a_short_history_has_no_chance_and_still_a_list() -> None:
    purchases = shop(40)
    assert chance_of_growth(purchases, 7) is None
    made = Trending(RecommendSettings()).fit(purchases)
    scored = made.score(asked(np.array([-1], np.int32), np.array([0], np.int32)), 3)
    assert len(scored.query) == 3


def test_rows_after_as_of_are_never_read() -> None:
    end = 7 * 20 - 1
    one, other = (chance_of_growth(rows, 7) for rows in (shop().until(START + timedelta(days=end)), shop(end)))
    assert one is not None
    assert other is not None
    assert one.tobytes() == other.tobytes()
