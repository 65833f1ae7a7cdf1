"""What may go into a basket, and what is known of each such product: from the basket, its customer and its place."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from features.arrays import open_record, save_record
from features.history import Float, Int, Purchases
from models.basket_ease import learn_basket_weights
from models.basket_links import BasketLinks
from models.contracts import Queries, Recommender
from models.ease import Ease
from models.evidence import best_of_rows
from models.items import Items
from models.known import DECAYS, NOW, Known
from models.popular import Popular
from models.product_facts import ProductFacts
from models.ranking import admitted, flat, pairs
from models.settings import RecommendSettings
from models.taste import Categories
from models.weights import Weights

MODELS: dict[str, type[Recommender]] = {"items": Items, "ease": Ease, "popular": Popular}
DEPTH = {"own": 150, "links": 150, "solved": 100, "evidence": 100, "popular": 100}  # the best that each proposes
COLUMNS = (
    "links_total", "links_greatest", "links_count", "links_lift", "links_together", "links_part", "solved",
    "basket_size", "same_finest", "same_parent",
    *(f"own_decayed_{part:g}" for part in DECAYS), "own_days_since", "own_orders", "own_share", "own_orders_after",
    "own_gap_ratio", "own_with_basket", "customer_orders", "evidence",
    "popularity", "price", "price_relative", "repeat_rate", "owners", "trend", "age_days", "gap_days",
)  # fmt: skip


class BasketSources:
    """Everything that speaks of a basket's next product, fitted on one history."""

    purchases: Purchases
    models: dict[str, Any]
    facts: ProductFacts
    weights: Weights

    @classmethod
    def fit(cls, purchases: Purchases, settings: RecommendSettings, fitted: dict[str, Recommender]) -> Self:
        """`fitted` are models that were fitted on these purchases already."""
        made = cls()
        made._read(purchases, settings)
        made.models = {name: fitted[name] if name in fitted else kind(settings).fit(purchases)
                       for name, kind in made.needed.items()}  # fmt: skip
        made.weights = learn_basket_weights(purchases)
        made.facts = ProductFacts.of(purchases, settings.half_life_days)
        return made

    def _read(self, purchases: Purchases, settings: RecommendSettings) -> None:
        self.purchases, self.settings = purchases, settings
        self.categories = Categories.of(purchases)
        self.orders = int(purchases.order.max(initial=-1)) + 1

    @property
    def needed(self) -> dict[str, type[Recommender]]:
        """Where nobody is known, nothing is learnt of customers."""
        return {name: kind for name, kind in MODELS.items() if name != "ease" or len(self.purchases.customers)}

    def asked(self, queries: Queries) -> "Asked":
        """What is known of a chunk of queries."""
        known = Known.of(self.purchases, queries, self.categories, self.settings.half_life_days)
        position, product = flat(queries.basket)
        basket = sp.csr_matrix((np.ones(len(position), np.float32), (position, product)),
                               shape=(len(queries), len(self.purchases.products)))  # fmt: skip
        basket.data[:] = 1
        solved = _above_zero(basket @ self.weights.matrix)
        links = BasketLinks.of(self.models["items"].pairs, queries, self.orders)
        evidence = self.models["ease"].evidence(queries.customer) if "ease" in self.models else 0 * basket
        return Asked(known, basket, links, solved, evidence)

    def pool(self, asked: "Asked") -> tuple[Int, Int]:
        """Products worth ranking for each query, none that it excludes or holds: columns query, product."""
        queries, products, own = asked.known.queries, len(self.purchases.products), asked.known.own
        shape = (len(queries), products)
        links, decayed = asked.links, own.decayed[:, NOW]
        said = {
            "own": sp.csr_matrix((decayed, (own.position, own.thing)), shape=shape),
            "links": sp.csr_matrix((links.total, (links.query, links.product)), shape=shape),
            "solved": asked.solved,
            "evidence": asked.evidence,
        }
        proposed = [best_of_rows(rows, DEPTH[name])[:2] for name, rows in said.items()]
        popular = self.models["popular"].score(queries, DEPTH["popular"])
        keys = [pairs(query, product, products) for query, product in (*proposed, (popular.query, popular.product))]
        key = np.setdiff1d(np.concatenate(keys), pairs(*flat(queries.basket), products))
        query, product = (key // products).astype(np.int32), (key % products).astype(np.int32)
        keep = admitted(queries, query, product, products) & (np.diff(asked.basket.indptr)[query] > 0)
        return query[keep], product[keep]

    def features(self, asked: "Asked", query: Int, product: Int) -> Float:
        """What the chance is told from, float32 [entries, COLUMNS]; NaN where nothing is known."""
        stranger = asked.known.queries.customer[query] < 0
        columns = [
            *self._basket_columns(asked, query, product),
            *self._own_columns(asked, query, product),
            np.where(stranger, np.float32(np.nan), _entries(asked.evidence, query, product)),
            self.models["popular"].share_of(asked.known.queries, query, product),
            *(getattr(self.facts, name)[product] for name in COLUMNS[-7:]),
        ]
        return np.stack([np.asarray(column, np.float32) for column in columns], axis=1)

    def _basket_columns(self, asked: "Asked", query: Int, product: Int) -> list[Any]:
        links, size = asked.links, np.diff(asked.basket.indptr)[query]
        entry = links.find(query, product)
        held = [np.append(column, np.float32(0))[entry]
                for column in (links.total, links.greatest, links.count, links.lift, links.together)]  # fmt: skip
        solved = _entries(asked.solved, query, product)
        same = [
            _same(asked.basket, codes, query, product) for codes in (self.categories.finest, self.categories.parent)
        ]
        return [*held, held[2] / np.maximum(size, 1), solved, size, *same]

    def _own_columns(self, asked: "Asked", query: Int, product: Int) -> list[Any]:
        known, own = asked.known, asked.known.own
        entry = own.find(query, product)

        def owned(column: Any) -> Float:
            return np.append(column.astype(np.float32), np.float32(np.nan))[entry]

        since = owned(known.today - own.last_day)
        whole = known.whole.find(query, np.zeros(len(query), np.int32))
        orders = np.append(known.whole.baskets.astype(np.float32), np.float32(np.nan))[whole]
        decayed = [owned(own.decayed[:, number]) for number in range(len(DECAYS))]
        return [*decayed, since, owned(own.baskets), owned(own.baskets / np.maximum(own.orders_known, 1)),
                owned(own.orders_after), since / np.maximum(owned(own.mean_gap), 1),
                np.append(self._with_basket(asked), np.float32(np.nan))[entry], orders]  # fmt: skip

    def _with_basket(self, asked: "Asked") -> Float:
        """Of each own product, its orders by how alike they were to the basket: the sum of their cosines."""
        lines, own, basket = asked.known.lines, asked.known.own, asked.basket
        order = self.purchases.order[lines.row]
        _, which = np.unique(pairs(lines.position, order, self.orders), return_inverse=True)
        row = _row(basket)
        held = np.isin(
            pairs(lines.position, lines.product, basket.shape[1]), pairs(row, basket.indices, basket.shape[1])
        )
        alike = np.bincount(which, held)[which] / np.sqrt(np.bincount(which)[which])
        entry = own.find(lines.position, lines.product)
        total = np.bincount(entry, alike / np.sqrt(np.maximum(np.diff(basket.indptr)[lines.position], 1)), len(own))
        return total.astype(np.float32)

    def save(self, folder: Path, shared: dict[str, Recommender]) -> None:
        """Write everything but the models in `shared`."""
        for name, model in self.models.items():
            if name not in shared:
                model.save(folder / name)
        save_record(folder / "weights", self.weights)
        save_record(folder / "facts", self.facts)

    @classmethod
    def open(
        cls, folder: Path, purchases: Purchases, settings: RecommendSettings, shared: dict[str, Recommender]
    ) -> Self:
        opened = cls()
        opened._read(purchases, settings)
        opened.models = {name: shared[name] if name in shared else kind.open(folder / name, purchases)
                         for name, kind in opened.needed.items()}  # fmt: skip
        opened.weights = open_record(folder / "weights", Weights)
        opened.facts = open_record(folder / "facts", ProductFacts)
        return opened


@dataclass(frozen=True)
class Asked:
    """A chunk of queries: baskets as rows of ones, and what its products and the customer's history say of others."""

    known: Known
    basket: sp.csr_matrix
    links: BasketLinks
    solved: sp.csr_matrix
    evidence: sp.csr_matrix


def _same(basket: sp.csr_matrix, codes: Int, query: Int, product: Int) -> Float:
    """How many products of the basket share the product's category; NaN where it has none."""
    row = _row(basket)
    many = int(codes.max(initial=-1)) + 1
    held_key = pairs(row, codes[basket.indices], many)[codes[basket.indices] >= 0]
    held, counts = np.unique(held_key, return_counts=True)
    asked = pairs(query, codes[product], many)
    if not len(held):
        return np.where(codes[product] >= 0, np.float32(0), np.float32(np.nan))
    at = np.minimum(np.searchsorted(held, asked), len(held) - 1)
    found = np.where(held[at] == asked, counts[at], 0).astype(np.float32)
    return np.where(codes[product] >= 0, found, np.float32(np.nan))


def _entries(rows: sp.csr_matrix, query: Int, product: Int) -> Float:
    """Entries of sparse rows whose indices are sorted; 0 where there is none."""
    row = _row(rows)
    held, asked = pairs(row, rows.indices, rows.shape[1]), pairs(query, product, rows.shape[1])
    if not len(held):
        return np.zeros(len(query), np.float32)
    at = np.minimum(np.searchsorted(held, asked), len(held) - 1)
    return np.where(held[at] == asked, rows.data[at], np.float32(0)).astype(np.float32)


def _above_zero(rows: sp.csr_matrix) -> sp.csr_matrix:
    rows = rows.tocsr()
    rows.data = np.maximum(rows.data, np.float32(0))
    rows.sort_indices()
    return rows


def _row(rows: sp.csr_matrix) -> Int:
    """Row of each entry."""
    return np.repeat(np.arange(rows.shape[0], dtype=np.int32), np.diff(rows.indptr))
