"""What lists are like apart from their hits: how much of the catalogue, how known, how alike, how small and how new.

Each figure is a plain function of exposures: (query, product) pairs that were shown. What households bought themselves
can be put in their place, which shows how a list differs from what people do.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.history import Int, Purchases, day_number
from models.contracts import Bools, Scored
from models.ranking import pairs

Numbers = npt.NDArray[np.float64]
TOP_SHARE = 0.01  # of the products, by lines: the most popular
SMALL_SHARE = 0.2  # of the sales: the brands that make up the last fifth are small
NEW_DAYS = 28


@dataclass(frozen=True)
class Shelf:
    """What is known of each product before the cut-off; every array has one entry per product.

    novelty   -log2 of the share of customers who bought it
    lines     purchases so far
    category  int32 [products, levels], -1 unknown
    small     of a small brand; None where no brand is known
    new       first sold within NEW_DAYS
    """

    novelty: Numbers
    lines: Numbers
    category: Int
    small: Bools | None
    new: Bools

    @classmethod
    def of(cls, purchases: Purchases) -> "Shelf":
        products = len(purchases.products)
        known = purchases.customer >= 0
        bought = np.unique(pairs(purchases.customer[known], purchases.product[known], products))
        buyers = np.bincount(bought % products, minlength=products)
        first = np.full(products, np.iinfo(np.int32).max, np.int64)
        np.minimum.at(first, purchases.product, purchases.day)
        return cls(
            novelty=-np.log2(np.maximum(buyers, 1) / max(len(purchases.customers), 1)),
            lines=np.bincount(purchases.product, minlength=products).astype(np.float64),
            category=purchases.catalog.category,
            small=_small_brands(purchases),
            new=first > day_number(purchases.as_of) - NEW_DAYS,
        )

    @property
    def popular(self) -> Bools:
        """The TOP_SHARE of products with the most lines, at least one."""
        count = max(int(len(self.lines) * TOP_SHARE), 1)
        top = np.zeros(len(self.lines), bool)
        top[np.argsort(-self.lines, kind="stable")[:count]] = True
        return top


def _small_brands(purchases: Purchases) -> Bools | None:
    brand = purchases.catalog.brand
    if not (brand >= 0).any():
        return None
    of_line = brand[purchases.product]
    branded = of_line >= 0
    sales = np.bincount(of_line[branded], purchases.amount[branded], len(purchases.catalog.brands))
    order = np.argsort(-sales, kind="stable")
    before = np.cumsum(sales[order]) - sales[order]  # of larger brands
    small = np.zeros(len(sales), bool)
    small[order] = before >= (1 - SMALL_SHARE) * sales.sum()
    return np.asarray((brand >= 0) & small[np.maximum(brand, 0)], bool)


def list_figures(query: Int, product: Int, shelf: Shelf) -> dict[str, float]:
    """Every figure of some exposures; NaN where there are none, or where the catalog does not tell."""
    if not len(product):
        return dict.fromkeys(("coverage", "novelty", "diversity", "top_share", "gini", "small_brands", "new"), np.nan)
    exposures = np.bincount(product, minlength=len(shelf.lines)).astype(np.float64)
    return {
        "coverage": float((exposures > 0).mean()),
        "novelty": float(shelf.novelty[product].mean()),
        "diversity": diversity(query, product, shelf.category),
        "top_share": float(exposures[shelf.popular].sum() / exposures.sum()),
        "gini": gini(exposures),
        "small_brands": np.nan if shelf.small is None else float(shelf.small[product].mean()),
        "new": float(shelf.new[product].mean()),
    }


def gini(exposures: Numbers) -> float:
    """Inequality of exposures among all products: 0 where all are shown alike, near 1 where one has them all.

    >>> gini(np.array([2.0, 2.0, 2.0])), gini(np.array([0.0, 0.0, 0.0, 8.0]))
    (0.0, 0.75)
    """
    rising = np.sort(exposures)
    place = np.arange(1, len(rising) + 1)
    return float((2 * place - len(rising) - 1) @ rising / (len(rising) * rising.sum()))


def diversity(query: Int, product: Int, category: Int) -> float:
    """Mean over lists of the mean distance of two products of the list; NaN without categories.

    The distance is the share of category levels at which they differ: 0 for two of one kind, 1 for two of different
    departments (intra-list diversity with Hamming distance). Unknown categories differ from all others.
    """
    levels = category.shape[1]
    size = np.bincount(query).astype(np.float64)
    several = size > 1
    if not levels or not several.any():
        return float("nan")
    alike = np.zeros(len(size))
    for level in range(levels):
        code = category[product, level].astype(np.int64)
        held = code >= 0
        cell, count = np.unique(query[held] * np.int64(category.max() + 1) + code[held], return_counts=True)
        np.add.at(alike, cell // (category.max() + 1), count * (count - 1) / levels)
    return float((1 - alike[several] / (size[several] * (size[several] - 1))).mean())


def overlap(one: Scored, other: Scored, products: int, places: int) -> Numbers:
    """Share of the first `places` of each query's list that is also in its other list, for queries with both.

    Both lists name the same queries and products by the same numbers.
    """
    first, second = one.top(places), other.top(places)
    both = np.intersect1d(first.query, second.query)
    shared = np.isin(pairs(first.query, first.product, products), pairs(second.query, second.product, products))
    count = np.bincount(first.query, minlength=int(both.max(initial=-1)) + 1)[both]
    kept = np.bincount(first.query[shared], minlength=int(both.max(initial=-1)) + 1)[both]
    return np.asarray(kept / count, np.float64)
