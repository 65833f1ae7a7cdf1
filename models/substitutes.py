"""What may stand in for a product: what customers took instead of it, in its own finest category.

The switches between two products, in either direction, are shrunk to what the whole category switches to, so that a
product that is seldom left is answered by its category; the same brand and a price near its own raise that part. Of
two products the one that the place sells more of comes first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from features.arrays import open_array, open_record, save_array, save_record
from features.customers import Long, decay, spread
from features.history import Float, Int, Purchases, day_number
from models.contracts import Queries, Recommender, Scored, ranked
from models.evidence import top_of_rows
from models.popular import Popular
from models.ranking import Numbers, admitted
from models.reasons import Reason, SameCategory
from models.saved_settings import open_settings, save_settings
from models.switches import find_switches

KEPT = 60  # substitutes of a product
OFFERED = 120  # products of a category that all of it may be replaced with: those that most switches go to
HALF_LIVES = 6.0  # of the settings
PRIOR_SWITCHES = 15.0  # of a product, that weigh as much as its category's
ORDER_SHARE = 0.05  # of a switch, that an order counts: what nobody switched to yet comes by its orders
SAME_BRAND = 3.0  # times as much of the category's part
PRICE_DECAY = 0.3  # of the category's part, per unit of the logarithm of the ratio of prices
LEAST_SHARE = 0.01  # of the buyers here, beside those of all the substitutes
CHUNK = 2000  # products whose substitutes are weighed at once


@dataclass(frozen=True)
class Standing:
    """Substitutes of product p are entries start[p] … start[p + 1] - 1; `weight` float32 is above zero."""

    start: Long
    other: Int
    weight: Float


class Substitutes(Recommender):
    """Products of the anchor's finest category; a query without an anchor, or one without a category, gets none."""

    name: ClassVar[str] = "substitutes"
    standing: Standing
    orders: Int
    popular: Popular

    def fit(self, purchases: Purchases, fitted: dict[str, Recommender] | None = None) -> Self:
        """`fitted` are models of these purchases that need not be fitted again."""
        self.purchases = purchases
        self.orders = np.bincount(purchases.product, minlength=len(purchases.products)).astype(np.int32)
        self._borrow(fitted or {})
        if not self.borrowed:
            self.popular = Popular(self.settings).fit(purchases)
        self.standing = stand_ins(purchases, HALF_LIVES * self.settings.half_life_days)
        return self

    def _borrow(self, fitted: dict[str, Recommender]) -> None:
        popular = fitted.get("popular")
        self.borrowed = isinstance(popular, Popular)
        if isinstance(popular, Popular):
            self.popular = popular

    def score(self, queries: Queries, limit: int) -> Scored:
        """The score is the weight of switches × the square root of the product's share of the buyers here."""
        query, entry = spread(self.standing.start, queries.anchor)
        product, weight = self.standing.other[entry], self.standing.weight[entry]
        keep = admitted(queries, query, product, len(self.purchases.products)) & (product != queries.anchor[query])
        here = self.popular.share_of(queries, query, product)
        total = np.bincount(query, here, minlength=len(queries))
        score = weight * np.sqrt(here / np.maximum(total[query], 1e-30) + LEAST_SHARE)
        return ranked(query[keep], product[keep], score[keep]).top(limit)

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        catalog = self.purchases.catalog
        category = catalog.finest[scored.product].tolist()
        orders = self.orders[scored.product].tolist()
        return [
            SameCategory(catalog.category_names[-1][code].split(" > ")[-1], count)
            for code, count in zip(category, orders, strict=True)
        ]

    def sources(self, queries: Queries, scored: Scored) -> list[str]:
        return ["category"] * len(scored.query)

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        save_record(folder / "standing", self.standing)
        save_array(folder, "orders", self.orders)
        if not self.borrowed:
            self.popular.save(folder / "popular")

    @classmethod
    def open(cls, folder: Path, purchases: Purchases, fitted: dict[str, Recommender] | None = None) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases, opened.orders = purchases, open_array(folder, "orders")
        opened.standing = open_record(folder / "standing", Standing)
        opened._borrow(fitted or {})
        if not opened.borrowed:
            opened.popular = Popular.open(folder / "popular", purchases)
        return opened


def stand_ins(purchases: Purchases, half_life_days: float) -> Standing:
    """Weigh the substitutes of every product with a category, some products at a time."""
    switched, taken = _switched(purchases, half_life_days)
    rows = [top_of_rows(part, KEPT) for part in _weighed(purchases, switched, taken)]
    every = sp.vstack(rows).tocsr()
    return Standing(every.indptr.astype(np.int64), every.indices.astype(np.int32), every.data.astype(np.float32))


def _switched(purchases: Purchases, half_life_days: float) -> tuple[sp.csr_matrix, Numbers]:
    """Decayed switches between products in either direction, and to each product beside a little for its orders.

    A return with many products left and taken is one decision: each of its pairs counts 1 / √(their number).
    """
    products, today = len(purchases.products), day_number(purchases.as_of)
    found = find_switches(purchases)
    weight = decay(found.day, today, half_life_days) / np.sqrt(found.pairs)
    between = sp.csr_matrix((weight, (found.left, found.taken)), shape=(products, products))
    orders = np.bincount(purchases.product, decay(purchases.day, today, half_life_days), minlength=products)
    taken = np.bincount(found.taken, weight, minlength=products) + ORDER_SHARE * orders
    return (between + between.T).tocsr(), taken


def _weighed(purchases: Purchases, switched: sp.csr_matrix, taken: Numbers) -> Iterator[sp.csr_matrix]:
    """Weights of products × products, CHUNK rows at a time."""
    finest, brand = purchases.catalog.finest, purchases.catalog.brand
    products, start, offered = len(finest), *_offered(finest, taken)
    total = np.bincount(np.maximum(finest, 0), np.where(finest >= 0, taken, 0))
    price = _logarithm_of_price(purchases)
    for begin in range(0, products, CHUNK):
        end = min(begin + CHUNK, products)
        row, at = spread(start, finest[begin:end])
        here, other = row + begin, offered[at]
        row, here, other = (column[here != other] for column in (row, here, other))
        part = PRIOR_SWITCHES * taken[other] / np.maximum(total[finest[other]], 1e-30)
        part *= np.where((brand[here] == brand[other]) & (brand[here] >= 0), SAME_BRAND, 1.0)
        part *= np.exp(-PRICE_DECAY * np.abs(price[here] - price[other]))
        prior = sp.csr_matrix((part, (row, other)), shape=(end - begin, products))
        weighed: sp.csr_matrix = (prior + switched[begin:end]).astype(np.float32).tocsr()
        weighed.eliminate_zeros()
        yield weighed


def _offered(finest: Int, taken: Numbers) -> tuple[Long, Int]:
    """The OFFERED products of each category that most switches go to, as compressed rows."""
    order = np.lexsort((-taken, finest))
    order = order[finest[order] >= 0]
    category = finest[order]
    place = np.arange(len(order)) - np.searchsorted(category, category, side="left")
    order, category = order[place < OFFERED], category[place < OFFERED]
    start = np.searchsorted(category, np.arange(int(finest.max(initial=-1)) + 2))
    return start.astype(np.int64), order.astype(np.int32)


def _logarithm_of_price(purchases: Purchases) -> Numbers:
    """Of money per unit over the whole history; 0 for what was given away."""
    products = len(purchases.products)
    amount, units = (np.bincount(purchases.product, column, minlength=products)
                     for column in (purchases.amount, purchases.units))  # fmt: skip
    price = amount / np.maximum(units, 1e-9)
    return np.log(np.where(price > 0, price, 1.0))
