"""What the ranker sees of a customer and a product: one code for training, batch and live."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.arrays import open_record, save_record
from features.customers import Customers, Long, Owned, customers_of, owned_of
from features.history import Float, Ids, Int, Purchases, day_number
from models.candidates import SOURCES, Candidates
from models.contracts import Queries
from models.typical_gaps import TypicalGaps

Column = npt.NDArray[np.floating[Any]] | Int

CUSTOMER_COLUMNS = ("customer_baskets", "customer_decayed", "customer_days_since", "customer_gap",
                    "customer_lines_per_basket", "customer_lateness")  # fmt: skip
OWN_COLUMNS = ("own_baskets", "own_decayed", "own_recent", "own_days_since", "own_gap", "own_lateness",
               "own_gap_spread", "own_share_of_baskets", "own_orders_since", "own_days_known",
               "own_units_per_basket")  # fmt: skip
PRODUCT_COLUMNS = ("product_buyers", "product_repeat_rate", "product_gap", "product_trend", "product_age",
                   "product_price")  # fmt: skip
CATEGORY_COLUMNS = ("lines", "decayed", "days_since", "lateness", "own_part")
LEVELS = ("category", "parent")
COLUMNS = (
    *(f"{name}_score" for name in SOURCES), *(f"{name}_rank" for name in SOURCES), *CUSTOMER_COLUMNS, *OWN_COLUMNS,
    *PRODUCT_COLUMNS, *(f"{level}_{name}" for level in LEVELS for name in CATEGORY_COLUMNS),
)  # fmt: skip


@dataclass(frozen=True)
class ProductFacts:
    """Statistics per product, float32 [products] each, and its category codes, int32 [products].

    Products without a category share the code after the last one.
    """

    buyers: Float
    repeat_rate: Float
    trend: Float
    age_days: Float
    price: Float
    category: Int
    parent: Int


class RankerFeatures:
    """Computes the feature matrix of candidates as of the end of the history's last day."""

    purchases: Purchases
    customers: Customers
    owned: Owned
    product: ProductFacts
    in_category: tuple[Owned, ...]
    repurchase: TypicalGaps

    @classmethod
    def fit(cls, purchases: Purchases, half_life_days: float) -> Self:
        made = cls()
        made._read(purchases, half_life_days)
        made.product = _product_facts(purchases, made.owned)
        made.repurchase = TypicalGaps.fit(purchases)
        levels = (made.product.category, made.product.parent)
        made.in_category = tuple(_owned_categories(purchases, codes, half_life_days) for codes in levels)
        return made

    def _read(self, purchases: Purchases, half_life_days: float) -> None:
        self.purchases = purchases
        self.customers = customers_of(purchases, half_life_days)
        self.owned = owned_of(purchases, half_life_days)

    def matrix(self, queries: Queries, candidates: Candidates) -> Float:
        """The features of each candidate, float32 [candidates, len(COLUMNS)]; NaN where a fact does not exist."""
        customer = queries.customer[candidates.query]
        product = candidates.product
        entry = self.owned.find(customer, product)
        columns = [
            *candidates.score.T, *candidates.rank.T, *self._customer_columns(customer),
            *self._own_columns(customer, entry), *self._product_columns(product),
            *self._category_columns(0, customer, self.product.category[product], entry),
            *self._category_columns(1, customer, self.product.parent[product], entry),
        ]  # fmt: skip
        matrix = np.empty((len(product), len(COLUMNS)), np.float32)
        for number, column in enumerate(columns):
            matrix[:, number] = column
        return matrix

    def _customer_columns(self, customer: Int) -> list[Column]:
        facts = self.customers
        since = (day_number(self.purchases.as_of) - facts.last_day[customer]).astype(np.float32)
        gap = facts.mean_gap(customer)
        return [facts.baskets[customer], facts.decayed_baskets[customer], since, gap,
                facts.lines[customer] / facts.baskets[customer], since / gap]  # fmt: skip

    def _own_columns(self, customer: Int, entry: Long) -> list[Column]:
        owned, today = self.owned, day_number(self.purchases.as_of)
        if not len(owned):
            return [np.full(len(entry), np.nan, np.float32)] * len(OWN_COLUMNS)
        at = np.maximum(entry, 0)
        baskets = owned.baskets[at].astype(np.float32)
        since = (today - owned.last_day[at]).astype(np.float32)
        gap = self.repurchase.gap_days(owned, at)
        columns = [
            baskets, owned.decayed[at], owned.recent[at], since, gap, since / gap, owned.gap_spread(at) / gap,
            owned.decayed[at] / np.maximum(self.customers.decayed_baskets[customer], 1e-9), owned.orders_since[at],
            today - owned.first_day[at], owned.units[at] / baskets,
        ]  # fmt: skip
        return [np.where(entry >= 0, column, np.nan) for column in columns]

    def _product_columns(self, product: Int) -> list[Column]:
        facts = self.product
        return [facts.buyers[product], facts.repeat_rate[product], self.repurchase.product_gap_days[product],
                facts.trend[product], facts.age_days[product], facts.price[product]]  # fmt: skip

    def _category_columns(self, level: int, customer: Int, category: Int, own_entry: Long) -> list[Column]:
        owned = self.in_category[level]
        entry = owned.find(customer, category)
        if not len(owned):
            return [np.full(len(entry), np.nan, np.float32)] * len(CATEGORY_COLUMNS)
        at = np.maximum(entry, 0)
        since = (owned.as_of_day - owned.last_day[at]).astype(np.float32)
        own = np.where(own_entry >= 0, self.owned.decayed[np.maximum(own_entry, 0)], 0)
        columns = [owned.baskets[at], owned.decayed[at], since, since / owned.mean_gap(at),
                   own / np.maximum(owned.decayed[at], 1e-9)]  # fmt: skip
        return [np.where(entry >= 0, column, np.nan) for column in columns]

    def save(self, folder: Path) -> None:
        save_record(folder / "product", self.product)
        self.repurchase.save(folder / "repurchase")
        for level, owned in zip(LEVELS, self.in_category, strict=True):
            save_record(folder / level, owned)

    @classmethod
    def open(cls, folder: Path, purchases: Purchases, half_life_days: float) -> Self:
        opened = cls()
        opened._read(purchases, half_life_days)
        opened.product = open_record(folder / "product", ProductFacts)
        opened.repurchase = TypicalGaps.open(folder / "repurchase")
        opened.in_category = tuple(open_record(folder / level, Owned) for level in LEVELS)
        return opened


def _product_facts(purchases: Purchases, owned: Owned) -> ProductFacts:
    products, today = len(purchases.products), day_number(purchases.as_of)
    owners = np.bincount(owned.product, minlength=products)
    again = np.bincount(owned.product[owned.baskets > 1], minlength=products)
    decayed = np.bincount(owned.product, owned.decayed, minlength=products)
    recent = np.bincount(owned.product, owned.recent, minlength=products)
    first = np.full(products, today, np.int64)
    np.minimum.at(first, purchases.product, purchases.day)
    units = np.bincount(purchases.product, purchases.units, minlength=products)
    amount = np.bincount(purchases.product, purchases.amount, minlength=products)
    category = purchases.catalog.category
    finest = [_filled(category[:, -level]) if category.shape[1] >= level else np.zeros(products, np.int32)
              for level in (1, 2)]  # fmt: skip
    columns = (decayed, (again + 1) / (owners + 5), (recent + 1) / (decayed + 1), today - first,
               amount / np.maximum(units, 1e-9))  # fmt: skip
    buyers, repeat_rate, trend, age_days, price = (np.asarray(column, np.float32) for column in columns)
    return ProductFacts(buyers, repeat_rate, trend, age_days, price, *finest)


def _filled(codes: Int) -> Int:
    return np.where(codes >= 0, codes, codes.max(initial=-1) + 1).astype(np.int32)


def _owned_categories(purchases: Purchases, codes: Int, half_life_days: float) -> Owned:
    """The customer × product statistics with categories in the place of products."""
    names = Ids(())
    names.values = [str(code) for code in range(int(codes.max(initial=-1)) + 1)]
    return owned_of(replace(purchases, product=codes[purchases.product], products=names), half_life_days)
