"""Our recommenders beside RecTools' on one small history: `make references` makes the environment and runs this."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from features.customers import owned_of
from features.history import Purchases, day_number
from models import ease, item_bm25, item_neighbours
from models.ease import Ease, square_roots_of
from models.item_bm25 import ItemBm25
from models.item_cosine import ItemCosine
from models.popular import Popular, PopularByOrders
from models.settings import RecommendSettings
from tests.fixtures import small_shop

PYTHON = Path(__file__).resolve().parents[2] / ".venv-references" / "bin" / "python"
SETTINGS = RecommendSettings(half_life_days=30, popular_days=28)
CUSTOMERS = 80
NEIGHBOURS = 8
Scores = Mapping[str, npt.NDArray[np.float64]]
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="make references makes .venv-references")


@pytest.fixture(scope="module")
def history() -> Purchases:
    return small_shop.purchases(CUSTOMERS, products=40)


@pytest.fixture(scope="module")
def theirs(history: Purchases, tmp_path_factory: pytest.TempPathFactory) -> Scores:
    folder = tmp_path_factory.mktemp("rectools")
    orders = Ease(SETTINGS).fit(history)._orders(everyone())
    owned = owned_of(history, SETTINGS.half_life_days)
    np.savez(
        folder / "given.npz", customers=CUSTOMERS, products=len(history.products), customer=owned.customer,
        product=owned.product, weight=orders.data, root=square_roots_of(orders).data, last_day=owned.last_day,
        line_customer=history.customer, line_product=history.product, line_day=history.day, neighbours=NEIGHBOURS,
        k1=item_bm25.SATURATION, b=item_bm25.LENGTH, regularisation=ease.REGULARISATION,
        since_day=day_number(history.as_of) - SETTINGS.popular_days + 1,
    )  # fmt: skip
    script = Path(__file__).with_name("rectools_scores.py")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run([PYTHON, script, folder / "given.npz", folder / "found.npz"], check=True, env=clean)
    with np.load(folder / "found.npz") as found:
        return dict(found)


def everyone() -> npt.NDArray[np.int32]:
    return np.arange(CUSTOMERS, dtype=np.int32)


def test_ease_learns_rectools_weights(history: Purchases, theirs: Scores, monkeypatch: pytest.MonkeyPatch) -> None:
    """RecTools 0.19 then scores by rows times its weights' transpose, where the paper has the weights themselves."""
    monkeypatch.setattr(ease, "KEPT", len(history.products))
    made = Ease(SETTINGS).fit(history)
    ours, rows = made.weights.matrix.toarray(), square_roots_of(made._orders(everyone()))
    np.testing.assert_allclose(ours, theirs["ease_weights"], atol=1e-4)
    np.testing.assert_allclose(rows @ ours.T, theirs["ease"], atol=1e-4)


@pytest.mark.parametrize(("kind", "name"), [(ItemCosine, "cosine"), (ItemBm25, "bm25")])
def test_neighbours_of_products_give_rectools_scores(
    kind: type[item_neighbours.ItemNeighbours], name: str, history: Purchases, theirs: Scores,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(f"models.item_{name}.NEIGHBOURS", NEIGHBOURS)
    monkeypatch.setattr(item_neighbours, "LEAST_CUSTOMERS", 1)
    ours = kind(SETTINGS).fit(history).evidence(everyone()).toarray()
    np.testing.assert_allclose(ours, np.maximum(theirs[name], 0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("kind", "name"), [(Popular, "popular"), (PopularByOrders, "popular_orders")])
def test_popularity_counts_what_rectools_counts(
    kind: type[Popular], name: str, history: Purchases, theirs: Scores
) -> None:
    counted = kind(SETTINGS).fit(history).everywhere
    ours = np.zeros(len(history.products))
    ours[counted.product] = counted.customers + counted.anonymous
    np.testing.assert_array_equal(ours, theirs[name])
