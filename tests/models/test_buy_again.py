"""What a customer will need again, on histories whose answer is known."""

from pathlib import Path

import numpy as np
import pytest

from features.history import Purchases
from models.buy_again import BuyAgain
from models.contracts import Queries
from models.settings import RecommendSettings
from tests.fixtures.hand_history import history

AS_OF = 200


@pytest.fixture(scope="module")
def purchases() -> Purchases:
    """Everybody buys oil and rice every 14 days, half a cycle apart; `asked` bought oil yesterday, rice 13 days ago."""
    bought = {(f"c{i:02}", product): list(range((i + shift) % 14, AS_OF + 1, 14))
              for i in range(60) for product, shift in (("oil", 0), ("rice", 7))}  # fmt: skip
    bought["asked", "oil"] = list(range((AS_OF - 1) % 14, AS_OF, 14))
    bought["asked", "rice"] = list(range((AS_OF - 13) % 14, AS_OF - 12, 14))
    return history(bought, AS_OF)


def asked(purchases: Purchases) -> Queries:
    return Queries.of_customers(purchases.customers.codes(["asked"]))


def test_what_is_due_comes_before_what_was_just_bought(purchases: Purchases) -> None:
    scored = BuyAgain(RecommendSettings()).fit(purchases).score(asked(purchases), 5)
    assert [purchases.products[code] for code in scored.product.tolist()] == ["rice", "oil"]
    assert scored.score[0] > 2 * scored.score[1]


def test_a_longer_target_brings_the_other_one_back(purchases: Purchases) -> None:
    score = [BuyAgain(RecommendSettings(target_days=days)).fit(purchases).score(asked(purchases), 5).score
             for days in (7, 28)]  # fmt: skip
    assert score[1][1] / score[1][0] > score[0][1] / score[0][0]


def test_a_saved_one_answers_alike(purchases: Purchases, tmp_path: Path) -> None:
    model = BuyAgain(RecommendSettings()).fit(purchases)
    model.save(tmp_path)
    opened = BuyAgain.open(tmp_path, purchases)
    everyone = Queries.of_customers(np.arange(len(purchases.customers), dtype=np.int32))
    ours, theirs = model.score(everyone, 5), opened.score(everyone, 5)
    assert np.array_equal(ours.score, theirs.score)
    assert model.reasons(everyone, ours) == opened.reasons(everyone, theirs)
