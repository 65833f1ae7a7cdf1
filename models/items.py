"""Item to item: what shares baskets with the current basket, with a given product, or with own recent purchases.

Decayed co-purchase cosine (Linden et al., "Amazon.com recommendations", 2003), shrunk by support.
"""

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from features.arrays import open_record, save_record
from features.customers import owned_of, spread
from features.history import Int, Purchases
from models.co_purchase import CoPurchase, count_together
from models.contracts import Queries, Recommender, Scored, ranked
from models.ranking import Numbers, admitted, flat, pairs
from models.reasons import BoughtTogether, Reason, SameCategory, Seed
from models.saved_settings import open_settings, save_settings

SEEDS = 40  # own products that others are looked up from, the most recently frequent
HALF_LIVES = 3.0  # what goes together changes more slowly than what one customer buys


class Items(Recommender):
    """Sum of similarities to the query's seeds: its anchor, else its basket, else own recent products.

    With an anchor, products of the anchor's own category come first: they can stand in for it.
    """

    name: ClassVar[str] = "items"
    pairs: CoPurchase

    def fit(self, purchases: Purchases) -> Self:
        self.purchases = purchases
        self.pairs = count_together(purchases, HALF_LIVES * self.settings.half_life_days)
        return self

    def score(self, queries: Queries, limit: int) -> Scored:
        """The score is the weighted mean similarity to the seeds, plus 1 per category level shared with an anchor."""
        query, product, score = self._similar(queries)
        category = self._same_category(queries, limit)
        if len(category[0]):
            query, product = np.concatenate((query, category[0])), np.concatenate((product, category[1]))
            score = np.concatenate((score, category[2]))
            query, product, score = _summed(query, product, score, len(self.purchases.products))
        keep = admitted(queries, query, product, len(self.purchases.products))
        return ranked(query[keep], product[keep], score[keep]).top(limit)

    def _seeds(self, queries: Queries) -> tuple[Int, Int, Numbers]:
        """Columns query, product, weight: weights of a query sum to 1."""
        anchored = queries.anchor >= 0
        basket_query, basket = flat(queries.basket)
        in_basket = ~anchored[basket_query]
        has_basket = np.bincount(basket_query, minlength=len(queries)) > 0
        owned = owned_of(self.purchases, self.settings.half_life_days)
        asking = np.where(anchored | has_basket, -1, queries.customer).astype(np.int32)
        own_query, entry = owned.entries(asking)
        own = ranked(own_query, owned.product[entry], owned.recent[entry].astype(np.float64)).top(SEEDS)
        at = np.flatnonzero(anchored)
        query = np.concatenate((at, basket_query[in_basket], own.query)).astype(np.int32)
        product = np.concatenate((queries.anchor[at], basket[in_basket], own.product)).astype(np.int32)
        weight = np.concatenate((np.ones(len(at)), np.ones(in_basket.sum()), np.sqrt(own.score, dtype=np.float64)))
        total = np.bincount(query, weight, minlength=len(queries))
        return query, product, weight / np.maximum(total[query], 1e-30)

    def _similar(self, queries: Queries) -> tuple[Int, Int, Numbers]:
        query, seed, weight = self._seeds(queries)
        products = len(self.purchases.products)
        seeds = sp.csr_matrix((weight, (query, seed)), shape=(len(queries), products))
        found = (seeds @ self.pairs.matrix).tocsr()
        at = np.repeat(np.arange(len(queries), dtype=np.int32), np.diff(found.indptr))
        return at, found.indices.astype(np.int32), found.data.astype(np.float64)

    def _same_category(self, queries: Queries, limit: int) -> tuple[Int, Int, Numbers]:
        """1 per category level that a product shares with the anchor, and a little for how often it is bought.

        Whole departments are left out where narrower categories fill the list: what shares two levels fewer
        cannot catch up, because a similarity adds at most 1.
        """
        category = self.purchases.catalog.category
        if not (queries.anchor >= 0).any():
            return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0)
        empty = np.empty(0, np.int32)
        columns = [(empty, empty, np.empty(0))]
        often = self.pairs.orders / (self.pairs.orders.max(initial=1) + 1.0)
        for query in np.flatnonzero(queries.anchor >= 0).tolist():
            own = category[queries.anchor[query]]
            shared = ((category == own) & (own >= 0)).sum(axis=1)
            may = shared if queries.allowed is None else shared[queries.allowed]
            as_deep = np.cumsum(np.bincount(may, minlength=len(own) + 1)[::-1])[::-1]
            enough = np.flatnonzero(as_deep >= limit + len(queries.excluded[query]))
            same = np.flatnonzero(shared >= max(int(enough.max(initial=0)) - 1, 1))
            columns.append((np.full(len(same), query, np.int32), same.astype(np.int32), (shared + 0.1 * often)[same]))
        queries_, products_, scores = zip(*columns, strict=True)
        return np.concatenate(queries_), np.concatenate(products_), np.concatenate(scores)

    def strongest(self, queries: Queries, scored: Scored) -> tuple[Int, Int]:
        """The seed that speaks most for each entry (-1 where none does), and the orders that hold both."""
        query, seed, weight = self._seeds(queries)
        which, at = spread(self.pairs.start, seed)
        key = pairs(query[which], self.pairs.neighbour[at], len(self.purchases.products))
        asked = pairs(scored.query, scored.product, len(self.purchases.products))
        keep = np.isin(key, asked)
        key, which, at = key[keep], which[keep], at[keep]
        order = np.lexsort((seed[which], -weight[which] * self.pairs.similarity[at], key))
        key, which, at = key[order], which[order], at[order]
        if not len(key):
            return np.full(len(asked), -1, np.int32), np.zeros(len(asked), np.int32)
        found = np.minimum(np.searchsorted(key, asked), len(key) - 1)
        hit = key[found] == asked
        return (
            np.where(hit, seed[which[found]], -1).astype(np.int32),
            np.where(hit, self.pairs.together[at[found]], 0).astype(np.int32),
        )

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        ids, names = self.purchases.products, self.purchases.catalog.names
        seed, together = (column.tolist() for column in self.strongest(queries, scored))
        orders = self.pairs.orders[scored.product].tolist()
        label, origin = self._category_labels(queries, scored), self._origins(queries)
        return [
            SameCategory(label[i], orders[i]) if label[i]
            else BoughtTogether(ids[seed[i]], names[seed[i]], together[i], origin[query])
            for i, query in enumerate(scored.query.tolist())
        ]  # fmt: skip

    def _origins(self, queries: Queries) -> list[Seed]:
        """What the seeds of each query are to it; see `_seeds`."""
        return ["product" if anchor >= 0 else "basket" if len(basket) else "own"
                for anchor, basket in zip(queries.anchor.tolist(), queries.basket, strict=True)]  # fmt: skip

    def sources(self, queries: Queries, scored: Scored) -> list[str]:
        """category where an answer shares a category with its anchor, else items."""
        return ["category" if label else "items" for label in self._category_labels(queries, scored)]

    def _category_labels(self, queries: Queries, scored: Scored) -> list[str]:
        """The narrowest category shared with the query's anchor; '' where there is none."""
        catalog = self.purchases.catalog
        anchor = queries.anchor[scored.query]
        own, theirs = catalog.category[scored.product], catalog.category[np.maximum(anchor, 0)]
        shared = (own == theirs) & (own >= 0) & (anchor >= 0)[:, None]
        depth = shared.sum(axis=1).tolist()
        return [
            catalog.category_names[levels - 1][own[i, levels - 1]].split(" > ")[-1] if levels else ""
            for i, levels in enumerate(depth)
        ]

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        save_record(folder / "pairs", self.pairs)

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases = purchases
        opened.pairs = open_record(folder / "pairs", CoPurchase)
        return opened


def only_basket(queries: Queries) -> Queries:
    """The same queries with nothing but their baskets."""
    unknown = np.full(len(queries), -1, np.int32)
    return replace(queries, customer=unknown, anchor=unknown)


def only_anchor(queries: Queries) -> Queries:
    """The same queries with nothing but the product that others shall be similar to."""
    nothing = (np.empty(0, np.int32),) * len(queries)
    return replace(queries, customer=np.full(len(queries), -1, np.int32), basket=nothing)


def _summed(query: Int, product: Int, score: Numbers, products: int) -> tuple[Int, Int, Numbers]:
    """Add up the scores of equal (query, product) pairs."""
    key, which = np.unique(pairs(query, product, products), return_inverse=True)
    total = np.bincount(which, score, minlength=len(key)).astype(np.float64)
    return (key // products).astype(np.int32), (key % products).astype(np.int32), total
