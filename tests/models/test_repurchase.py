"""The purchase cycle model on histories whose cycles are known by construction."""

from pathlib import Path

import numpy as np
import pytest

from features import customers
from features.customers import owned_of
from features.errors import BundleError
from features.history import Purchases, day_number
from models import cycle_rows
from models.outlook import HORIZON_DAYS, Outlook
from models.outlooks import Outlooks
from models.repurchase import Repurchase
from tests.fixtures.hand_history import START, history


def regulars(gap: int, count: int = 60, product: str = "milk", until: int = 200) -> dict[tuple[str, str], list[int]]:
    """Customers who buy every `gap` days, each beginning on another day."""
    return {(f"r{gap}-{i:02}", product): list(range(i % gap, until, gap)) for i in range(count)}


def entry_of(outlook: Outlook, purchases: Purchases, customer: str, product: str) -> np.ndarray:
    codes = purchases.customers.code(customer), purchases.products.code(product)
    return outlook.find(np.array([codes[0]], np.int32), np.array([codes[1]], np.int32))


def products_after(purchases: Purchases) -> Outlook:
    return Repurchase.fit(purchases).as_of(purchases).products


def test_who_buys_every_ten_days_is_due_ten_days_after_the_last_purchase() -> None:
    purchases = history({**regulars(10), ("c", "milk"): list(range(0, 191, 10))}, as_of=190)
    outlook = products_after(purchases)
    entry = entry_of(outlook, purchases, "c", "milk")
    due = outlook.due(entry)
    assert abs(due.median[0] - 10) <= 1
    assert abs(due.likeliest[0] - 10) <= 3
    assert due.earliest <= due.median <= due.latest
    assert outlook.within(5, entry)[0] < 0.2
    assert outlook.within(14, entry)[0] > 0.8


def test_days_gone_by_bring_the_next_purchase_nearer() -> None:
    others = {("now", "milk"): [*range(1, 182, 20)], ("then", "milk"): [*range(11, 192, 20)]}
    purchases = history({**regulars(20), **others}, as_of=196)
    outlook = products_after(purchases)
    since_15, since_5 = (outlook.due(entry_of(outlook, purchases, who, "milk")).median[0] for who in ("now", "then"))
    assert since_15 < since_5


def test_one_customer_alone_is_answered_by_the_formula() -> None:
    purchases = history({("c", "milk"): list(range(0, 140, 7))}, as_of=133)
    model = Repurchase.fit(purchases)
    assert model.boosters == [None] * len(model.boosters)
    due = model.as_of(purchases).products.due(np.array([0]))
    assert abs(due.median[0] - 7) <= 1


def test_a_product_that_nobody_buys_again_is_not_expected() -> None:
    once = {(f"r7-{i:03}", "paint"): [5 + 11 * i % 190] for i in range(200)}
    weekly = {(f"r7-{i:03}", "milk"): list(range(i % 7, 200, 7)) for i in range(200)}
    purchases = history({**weekly, **once, ("r7-007", "paint"): [196]})
    outlook = products_after(purchases)
    paint, milk = (entry_of(outlook, purchases, "r7-007", product) for product in ("paint", "milk"))
    assert outlook.within(28, paint)[0] < 0.05
    assert outlook.stopped(paint)[0] > 0.9
    assert outlook.within(28, milk)[0] > 0.9


def test_who_stopped_long_ago_is_known_as_such() -> None:
    stopped = {(f"s{i:02}", "milk"): list(range(i % 7, 60 + i, 7)) for i in range(40)}
    purchases = history({**regulars(7), **stopped})
    outlook = products_after(purchases)
    assert outlook.stopped(entry_of(outlook, purchases, "s03", "milk"))[0] > 0.7
    assert outlook.stopped(entry_of(outlook, purchases, "r7-03", "milk"))[0] < 0.3


def test_more_bought_lasts_longer() -> None:
    random = np.random.default_rng(0)
    bought = {}
    for number in range(120):
        day, days = int(random.integers(0, 8)), []
        while day < 199:
            units = int(random.integers(1, 3))
            days.append((day, float(units)))
            day += 7 * units
        bought[f"c{number:03}", "milk"] = days
    bought["one", "milk"] = [*((day, 1.0) for day in range(1, 150, 7)), (190, 1.0)]
    bought["two", "milk"] = [*((day, 1.0) for day in range(1, 150, 7)), (190, 2.0)]
    purchases = history(bought, as_of=190)
    outlook = products_after(purchases)
    one, two = (outlook.due(entry_of(outlook, purchases, who, "milk")).median[0] for who in ("one", "two"))
    assert one + 3 <= two


def test_the_outlook_has_the_entries_of_owned_and_is_a_distribution() -> None:
    purchases = history({**regulars(7), **regulars(10, product="tea"), (None, "milk"): [3]})
    outlook = products_after(purchases)
    owned = owned_of(purchases, 60)
    assert outlook.thing.tolist() == owned.product.tolist()
    assert outlook.start.tolist() == owned.start.tolist()
    assert outlook.last_day.tolist() == owned.last_day.tolist()
    every = np.arange(len(outlook))
    chance, left = outlook.daily(every), outlook.survival(every)
    assert chance.shape == (len(outlook), HORIZON_DAYS)
    assert (chance >= 0).all()
    assert chance.sum(axis=1) + outlook.stopped() == pytest.approx(1, abs=1e-5)
    assert outlook.within(9) == pytest.approx(1 - left[:, 8], abs=1e-5)
    with pytest.raises(ValueError, match="1 to 90 days"):
        outlook.within(91)


def test_categories_have_their_own_cycle() -> None:
    shelf = {f"milk-{kind}": "milk" for kind in "abcde"}
    bought = {(f"c{i:02}", f"milk-{kind}"): list(range(i % 5 + 5 * place, 200, 25))
              for i in range(50) for place, kind in enumerate("abcde")}  # fmt: skip
    purchases = history(bought, category=shelf)
    outlooks = Repurchase.fit(purchases).as_of(purchases)
    assert outlooks.category.tolist() == [0] * 5
    assert len(outlooks.categories) == 50
    assert np.median(outlooks.categories.due(np.arange(50)).median) <= 6
    assert np.median(outlooks.products.due(np.arange(250)).median) >= 8


def test_later_rows_change_nothing_to_the_bit() -> None:
    bought = {**regulars(7), **regulars(12, product="tea")}
    short = history({pair: [day for day in days if day <= 150] for pair, days in bought.items()}, as_of=150)
    cut = history(bought).until(short.as_of)
    ours, theirs = (Repurchase.fit(purchases).as_of(purchases).products for purchases in (short, cut))
    assert np.array_equal(ours.hazard, theirs.hazard)
    assert day_number(START) + 150 == ours.as_of_day == theirs.as_of_day


def test_refit_equals_fit_and_a_saved_model_answers_alike(tmp_path: Path) -> None:
    purchases = history({**regulars(7), **regulars(12, product="tea")})
    model = Repurchase.fit(purchases)
    model.save(tmp_path / "model")
    outlooks = model.as_of(purchases)
    outlooks.save(tmp_path / "outlooks")
    again = Repurchase.fit(purchases).as_of(purchases)
    reopened = Repurchase.open(tmp_path / "model").as_of(purchases)
    kept = Outlooks.open(tmp_path / "outlooks", purchases)
    for other in (again, reopened, kept):
        assert np.array_equal(outlooks.products.hazard, other.products.hazard)
        assert np.array_equal(outlooks.categories.hazard, other.categories.hazard)
    (tmp_path / "model" / "bin_0.txt").write_text("broken")
    with pytest.raises(BundleError, match="missing or damaged"):
        Repurchase.open(tmp_path / "model")


def test_what_was_learnt_reads_an_earlier_history_too() -> None:
    purchases = history(regulars(7))
    earlier = purchases.until(purchases.as_of.replace(month=3, day=1))
    outlook = Repurchase.fit(purchases).as_of(earlier).products
    assert outlook.as_of_day == day_number(earlier.as_of)
    assert np.median(outlook.due(np.arange(len(outlook))).latest) <= 14


def test_of_a_large_history_some_customers_are_learnt_from_and_all_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    purchases = history(regulars(7, count=200))
    monkeypatch.setattr(cycle_rows, "MOST_ROWS", len(purchases) // 4)
    monkeypatch.setattr(customers, "BLOCK_ROWS", len(purchases) // 3)
    rows = cycle_rows.sampled(purchases)
    chosen = np.unique(purchases.customer[rows])
    assert 35 <= len(chosen) <= 65
    assert 0.3 < (chosen % 2).mean() < 0.7
    outlook = products_after(purchases)
    assert len(outlook) == 200
    assert np.median(outlook.due(np.arange(200)).latest) <= 9


@pytest.mark.parametrize("bought", [
    {(None, "milk"): [3, 5]}, {("c", "milk"): [200]}, {("c", "milk"): [3]}, {("c", "milk"): [0, 200]},
])  # fmt: skip
def test_the_thinnest_histories_are_answered(bought: dict[tuple[str | None, str], list[int]]) -> None:
    purchases = history(bought)
    outlooks = Repurchase.fit(purchases).as_of(purchases)
    entries = np.arange(len(outlooks.products))
    assert len(entries) == len({who for who, _ in bought if who})
    assert np.isfinite(outlooks.products.hazard).all()
    assert outlooks.products.due(entries).median.shape == entries.shape
    assert outlooks.products.find(np.array([-1], np.int32), np.array([0], np.int32)).tolist() == [-1]
    assert outlooks.categories.find(np.array([0], np.int32), np.array([0], np.int32)).tolist() == [-1]
