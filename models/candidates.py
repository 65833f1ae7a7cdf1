"""The first stage: products worth ranking for each customer, from several named sources.

Every source proposes its best; a small model, learnt on weeks before those that the ranker learns from, chooses
among all that was proposed. Its features are what the sources say and what the customer bought.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import scipy.sparse as sp

from features.arrays import open_json, save_json
from features.customers import owned_of
from features.errors import BundleError, HistoryError
from features.history import Float, Int, Purchases, day_number
from features.offers import Offers, Showing
from features.own import Lines, Own, lines_of, own_things
from models.als import Als
from models.contracts import Queries
from models.ease import Ease
from models.evidence import EvidenceRecommender, best_of_rows
from models.items import Items
from models.popular import Popular
from models.ranking import Numbers, pairs
from models.settings import RecommendSettings
from models.taste import Categories, Taste, first_buyers, new_products
from models.tifu_knn import TifuKnn

DEPTH = {"own": 500, "tifu_knn": 300, "ease": 600, "als": 500, "items": 100, "family": 300, "promoted": 400,
         "popular": 200, "new": 40}  # fmt: skip
SOURCES = tuple(DEPTH)
SCORES = ("tifu_knn", "ease", "als", "items", "popular")  # what each of these says of every product proposed
PER_CATEGORY = 40  # products of a category that its buyers are offered, those that most new buyers took up
CHUNK = 128  # queries whose scores are held in full at once
POOL_COLUMNS = (*(f"{name}_score" for name in SCORES), "interest", "first_buyers", "shown", "own_decayed", "own_recent",
                "own_baskets", "own_days_since", "own_share", "own_orders_after", "repeat_rate")  # fmt: skip
PARAMETERS: dict[str, Any] = {
    "objective": "binary", "learning_rate": 0.15, "num_leaves": 15, "min_data_in_leaf": 100, "max_bin": 63,
    "deterministic": True, "force_row_wise": True, "verbosity": -1, "num_threads": 1, "lambda_l2": 10.0,
}  # fmt: skip
TREES = 40


@dataclass(frozen=True)
class Candidates:
    """Products to rank, sorted by query, then product.

    source  int32, bit s is set where source SOURCES[s] proposed the product
    score   float32 [entries, SCORES], NaN where that source says nothing of it
    """

    query: Int
    product: Int
    source: Int
    score: Float

    def __len__(self) -> int:
        return len(self.query)

    def part(self, at: Any) -> "Candidates":
        return Candidates(self.query[at], self.product[at], self.source[at], self.score[at])


@dataclass(frozen=True)
class Known:
    """What is known of a chunk of queries' customers, shared by both stages."""

    queries: Queries
    lines: Lines
    own: Own
    taste: Taste


class Sources:
    """Every source of candidates, fitted on one history; `chooser` is None until it has been learnt."""

    purchases: Purchases
    fitted: dict[str, Any]
    chooser: lgb.Booster | None

    @classmethod
    def fit(cls, purchases: Purchases, settings: RecommendSettings) -> Self:
        """Fit each source; one that cannot learn from so short a history is left out."""
        made = cls()
        made._read(purchases, settings)
        made.fitted, made.chooser = {}, None
        for name, kind in (("tifu_knn", TifuKnn), ("ease", Ease), ("als", Als), ("items", Items), ("popular", Popular)):
            try:
                made.fitted[name] = kind(settings).fit(purchases)
            except HistoryError:
                continue
        owned = owned_of(purchases, settings.half_life_days)
        owners = np.bincount(owned.product, minlength=owned.products)
        again = np.bincount(owned.product[owned.baskets > 1], minlength=owned.products)
        made.first_buyers = first_buyers(owned)
        made.repeat_rate = ((again + 1) / (owners + 5)).astype(np.float32)
        made.new = new_products(purchases)
        today = day_number(purchases.as_of)
        made.showing = _showing(purchases, today + 1, today + settings.target_days)
        made.showing_now = _showing(purchases, today, today)
        return made

    def _read(self, purchases: Purchases, settings: RecommendSettings) -> None:
        self.purchases, self.settings = purchases, settings
        self.categories = Categories.of(purchases)
        self.every = np.arange(len(purchases.products), dtype=np.int32)

    def known(self, queries: Queries) -> Known:
        half = self.settings.half_life_days
        lines = lines_of(self.purchases, queries.customer)
        own = own_things(lines, self.every, len(self.every), [half / 8, half / 4, half, 4 * half])
        return Known(queries, lines, own, Taste.of(lines, self.categories, half))

    def pool(self, known: Known) -> Candidates:
        """The union of the sources' best for a chunk of queries."""
        queries, rows, products = known.queries, len(known.queries), len(self.every)
        dense: dict[str, Any] = {}
        columns = [(known.own.key, np.full(len(known.own), 1, np.int32))]
        for name in ("tifu_knn", "ease"):
            dense[name] = self.fitted[name].evidence(queries.customer)
            columns.append(_best(dense[name], DEPTH[name], name))
        if "als" in self.fitted:
            columns.append(self._by_factors(queries, dense))
        dense["items"] = self._complements(known)
        columns.append(_best(dense["items"], DEPTH["items"], "items"))
        columns += [self._family(known), self._listed(known, "promoted"), self._listed(known, "new")]
        popular = self.fitted["popular"].score(queries, DEPTH["popular"])
        columns.append(_marked(pairs(popular.query, popular.product, products), "popular"))
        key, source = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        distinct, which = np.unique(key, return_inverse=True)
        proposed = np.zeros(len(distinct), np.int32)
        np.bitwise_or.at(proposed, which, source)
        query, product = (distinct // products).astype(np.int32), (distinct % products).astype(np.int32)
        score = np.full((len(distinct), len(SCORES)), np.nan, np.float32)
        scratch = np.zeros((rows, products), np.float32)
        for name, said in dense.items():
            column = SCORES.index(name)
            score[:, column] = _looked_up(said, query, product, scratch)
        score[:, SCORES.index("popular")] = self._popularity(queries, query, product)
        return Candidates(query, product, proposed, score)

    def _by_factors(self, queries: Queries, tables: dict[str, Any]) -> tuple[Numbers, Int]:
        als: Als = self.fitted["als"]
        known = np.flatnonzero(queries.customer >= 0)
        full = np.full((len(queries), len(self.every)), np.nan, np.float32)
        if not len(known):
            tables["als"] = full
            return _marked(np.empty(0, np.int64), "als")
        score = als.table(queries.customer[known])
        full[np.ix_(known, als.product)] = score
        tables["als"] = full
        count = min(DEPTH["als"], score.shape[1])
        best = als.product[np.argpartition(-score, count - 1, axis=1)[:, :count]]
        return _marked(pairs(np.repeat(known, count), best.ravel(), len(self.every)), "als")

    def _complements(self, known: Known) -> sp.csr_matrix:
        """What goes with the basket, and with what was bought on the last day with an order."""
        items: Items = self.fitted["items"]
        own, queries = known.own, known.queries
        last = np.full(len(queries), -1, np.int64)
        np.maximum.at(last, own.position, own.last_day)
        at = np.flatnonzero(own.last_day == last[own.position])
        basket = [np.empty(0, np.int32), *queries.basket]
        sizes = [len(codes) for codes in queries.basket]
        row = np.concatenate((own.position[at], np.repeat(np.arange(len(queries)), sizes)))
        seed = np.concatenate((own.thing[at], np.concatenate(basket)))
        shape = (len(queries), len(self.every))
        seeds = sp.csr_matrix((np.ones(len(row), np.float32), (row, seed)), shape=shape)
        found = (seeds @ items.pairs.matrix).tocsr()
        found.sort_indices()
        return found

    def _family(self, known: Known) -> tuple[Numbers, Int]:
        """Of the categories that the customer buys, the products that most new buyers took up of late."""
        taste = known.taste
        interest = sp.csr_matrix(taste.finest[:, :-1])
        offered = (interest @ self._taken_up).tocsr()
        return _best(offered, DEPTH["family"], "family")

    @property
    def _taken_up(self) -> sp.csr_matrix:
        """First buyers of the PER_CATEGORY products with most, categories × products."""
        if "_family_matrix" not in vars(self):
            finest, count = self.categories.finest, max(self.categories.finest_count, 1)
            held = np.flatnonzero(finest >= 0)
            table = sp.csr_matrix((self.first_buyers[held] + 0.1, (finest[held], held)), shape=(count, len(finest)))
            row, column, value = best_of_rows(table, PER_CATEGORY)
            self._family_matrix = sp.csr_matrix((value, (row, column)), shape=table.shape)
        return self._family_matrix[: self.categories.finest_count]

    def _listed(self, known: Known, name: str) -> tuple[Numbers, Int]:
        """The best by interest × first buyers of what is promoted at each query's shop, or of what is new."""
        queries, keys = known.queries, []
        for location in np.unique(queries.location).tolist():
            product = self.new if name == "new" else self.showing.at(location)[0] if self.showing else self.new[:0]
            if not len(product):
                continue
            asking = np.flatnonzero(queries.location == location).astype(np.int32)
            position, listed = np.repeat(asking, len(product)), np.tile(product, len(asking))
            score = known.taste.interest(position, listed) * (self.first_buyers[listed] + 0.3)
            table = score.reshape(len(asking), len(product))
            count = min(DEPTH[name], len(product))
            best = np.argpartition(-table, count - 1, axis=1)[:, :count]
            keys.append(pairs(np.repeat(asking, count), product[best.ravel()], len(self.every)))
        return _marked(np.concatenate([np.empty(0, np.int64), *keys]), name)

    def _popularity(self, queries: Queries, query: Int, product: Int) -> Float:
        popular: Popular = self.fitted["popular"]
        share = np.empty(len(query), np.float32)
        places, which = np.unique(np.stack([queries.location, queries.channel], axis=1), axis=0, return_inverse=True)
        of_entry = which.ravel()[query]
        for number, place in enumerate(places.tolist()):
            at = np.flatnonzero(of_entry == number)
            share[at] = popular.share(*place)[product[at]]
        return share

    def pool_features(self, known: Known, pool: Candidates) -> Float:
        """What the chooser sees of each entry, float32 [entries, POOL_COLUMNS]."""
        own, entry = known.own, known.own.find(pool.query, pool.product)
        bought, at = entry >= 0, np.maximum(entry, 0)
        location = known.queries.location[pool.query]
        shown = self.showing.find(location, pool.product)[0] if self.showing else np.zeros(len(pool), np.int8)
        matrix = np.empty((len(pool), len(POOL_COLUMNS)), np.float32)
        columns = [
            *pool.score.T, known.taste.interest(pool.query, pool.product), self.first_buyers[pool.product], shown,
        ]  # fmt: skip
        if len(own):
            since = day_number(self.purchases.as_of) - own.last_day[at]
            facts = (own.decayed[at, 2], own.decayed[at, 1], own.baskets[at], since, own.baskets[at] / own.orders_known[at],
                     own.orders_after[at])  # fmt: skip
            columns += [np.where(bought, fact, np.nan) for fact in facts]
        else:
            columns += [np.full(len(pool), np.nan)] * 6
        columns.append(self.repeat_rate[pool.product])
        for number, column in enumerate(columns):
            matrix[:, number] = column
        return matrix

    def gather(self, known: Known, limit: int) -> Candidates:
        """At most `limit` candidates per query of a chunk, those that the chooser prefers; all while it is not learnt."""
        pool = self.pool(known)
        if self.chooser is None:
            return pool
        score = self.chooser.predict(self.pool_features(known, pool), num_threads=1, raw_score=True)
        return pool.part(_highest(pool.query, score, limit))

    def learn_to_choose(self, features: Float, label: Int, weight: Float, seed: int) -> lgb.Booster:
        data = lgb.Dataset(features, label, weight=weight, feature_name=list(POOL_COLUMNS),
                           params={"max_bin": PARAMETERS["max_bin"], "verbosity": -1})  # fmt: skip
        return lgb.train({**PARAMETERS, "seed": seed}, data, num_boost_round=TREES)


def _showing(purchases: Purchases, first: int, last: int) -> Showing | None:
    """What is shown on some of these days, as far as known; None where no plans are given."""
    offers: Offers | None = purchases.offers
    if offers is None:
        return None
    return Showing.of(offers.between(first, last), len(purchases.locations), len(purchases.products))


def _marked(key: Any, name: str) -> tuple[Any, Int]:
    return key, np.full(len(key), 1 << SOURCES.index(name), np.int32)


def _best(scores: sp.csr_matrix, depth: int, name: str) -> tuple[Any, Int]:
    row, product, _ = best_of_rows(scores, depth)
    return _marked(pairs(row, product, scores.shape[1]), name)


def _looked_up(said: Any, query: Int, product: Int, scratch: Float) -> Float:
    """Scores of (query, product) entries in sparse rows or a full table; 0 where a row says nothing."""
    if not sp.issparse(said):
        return np.asarray(said[query, product], np.float32)
    row = np.repeat(np.arange(said.shape[0]), np.diff(said.indptr))
    scratch[row, said.indices] = said.data
    found = scratch[query, product]
    scratch[row, said.indices] = 0
    return found


def _highest(query: Int, score: Numbers, limit: int) -> Any:
    """Positions of the `limit` highest entries of each query, in their order."""
    order = np.lexsort((-score, query))
    place = np.arange(len(query)) - np.searchsorted(query, query, side="left")
    return np.sort(order[place < limit])
