"""The first stage: products worth ranking for each customer, from several named sources.

Every source proposes its best. A small model, learnt on a week before those that the ranker learns from, chooses among
all that was proposed by what the sources say of it and what the customer bought.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from features.arrays import open_array, open_json, open_record, save_array, save_json, save_record
from features.errors import HistoryError
from features.history import Float, Int, Purchases, day_number
from features.offers import Showing
from models.als import Als
from models.boosters import LEARNING, open_booster, save_booster
from models.contracts import Queries, Recommender
from models.ease import Ease
from models.evidence import best_of_rows
from models.items import Items
from models.known import NOW, Known
from models.popular import Popular
from models.product_facts import ProductFacts
from models.ranking import admitted, flat, pairs
from models.settings import RecommendSettings
from models.taste import Categories
from models.tifu_knn import TifuKnn

Long = npt.NDArray[np.int64]
Proposed = tuple[Long, Int]  # `pairs` of query and product, and the bit of the source

MODELS: dict[str, type[Recommender]] = {
    "tifu_knn": TifuKnn, "ease": Ease, "als": Als, "items": Items, "popular": Popular,
}  # fmt: skip
# The best that each source proposes to a customer: chosen on development weeks, where more adds hardly any truth.
DEPTH = {"own": 500, "tifu_knn": 300, "ease": 600, "als": 500, "items": 100, "family": 300, "promoted": 400,
         "popular": 200, "new": 40}  # fmt: skip
SOURCES = tuple(DEPTH)
PER_CATEGORY = 40  # products of a category that its buyers are offered: those that most new buyers took up
PRIOR_BUYERS = 0.3  # first buyers of a product that had none of late
POOL_COLUMNS = (*(f"{name}_score" for name in MODELS), "interest", "first_buyers", "offer", "own_decayed", "own_recent",
                "own_orders", "own_days_since", "own_share", "own_orders_after", "repeat_rate")  # fmt: skip
TREES = 40
SHOWN = ("coming", "showing", "promoted")


@dataclass(frozen=True)
class Candidates:
    """Products to rank, sorted by query, then product.

    source  int32, bit s is set where SOURCES[s] proposed the product
    score   float32 [entries, MODELS], what each model says of it; NaN where it knows nothing
    """

    query: Int
    product: Int
    source: Int
    score: Float

    def __len__(self) -> int:
        return len(self.query)

    def part(self, at: Any) -> "Candidates":
        return Candidates(self.query[at], self.product[at], self.source[at], self.score[at])


class Sources:
    """Every source of candidates, fitted on one history; `chooser` is None until one has been learnt.

    `coming` is what is on offer in the target window, `showing` what is on the history's last day, and `promoted` what
    is promoted on the day after it; None without plans.
    """

    purchases: Purchases
    models: dict[str, Any]
    facts: ProductFacts
    new: Int
    coming: Showing | None
    showing: Showing | None
    promoted: Showing | None
    chooser: lgb.Booster | None

    @classmethod
    def fit(cls, purchases: Purchases, settings: RecommendSettings) -> Self:
        """Fit each source; one that cannot learn from so short a history is left out."""
        made = cls()
        made._read(purchases, settings)
        made.models, made.chooser = {}, None
        for name, kind in MODELS.items():
            try:
                made.models[name] = kind(settings).fit(purchases)
            except HistoryError:
                continue
        made.facts = ProductFacts.of(purchases, settings.half_life_days)
        today = day_number(purchases.as_of)
        made.new = made.facts.new(today - int(purchases.day.min()))
        made.coming = _shown(purchases, today + 1, today + settings.target_days)
        made.showing = _shown(purchases, today, today)
        made.promoted = _shown(purchases, today + 1, today + 1, promotions_only=True)
        return made

    def _read(self, purchases: Purchases, settings: RecommendSettings) -> None:
        self.purchases, self.settings = purchases, settings
        self.categories = Categories.of(purchases)

    def known(self, queries: Queries) -> Known:
        return Known.of(self.purchases, queries, self.categories, self.settings.half_life_days)

    def gather(self, known: Known, limit: int) -> Candidates:
        """At most `limit` candidates per query: the chooser's, or before one is learnt those of tifu_knn and ease."""
        pool = self.pool(known)
        if self.chooser is None:
            score = np.nan_to_num(pool.score[:, [list(MODELS).index(name) for name in ("tifu_knn", "ease")]]).sum(
                axis=1
            )
        else:
            score = np.asarray(self.chooser.predict(self.features(known, pool), num_threads=1, raw_score=True))
        return pool.part(_highest(pool.query, score, limit))

    def pool(self, known: Known) -> Candidates:
        """All that is proposed to the queries of a chunk, less what they exclude."""
        queries, products = known.queries, len(self.purchases.products)
        said, proposed = self._sayings(known)
        proposed += [_marked(known.own.key, "own"), self._listed(known, "promoted"), self._listed(known, "new")]
        popular = self.models["popular"].score(queries, DEPTH["popular"])
        proposed.append(_marked(pairs(popular.query, popular.product, products), "popular"))
        key, bit = (np.concatenate(parts) for parts in zip(*proposed, strict=True))
        distinct, which = np.unique(key, return_inverse=True)
        source = np.zeros(len(distinct), np.int32)
        np.bitwise_or.at(source, which, bit)
        query, product = (distinct // products).astype(np.int32), (distinct % products).astype(np.int32)
        keep = np.flatnonzero(admitted(queries, query, product, products))
        query, product, source = query[keep], product[keep], source[keep]
        score = np.full((len(query), len(MODELS)), np.nan, np.float32)
        scratch = np.zeros((len(queries), products), np.float32)
        for number, name in enumerate(MODELS):
            if name in said:
                score[:, number] = _looked_up(said[name], query, product, scratch)
        score[:, list(MODELS).index("popular")] = self._popularity(queries, query, product)
        return Candidates(query, product, source, score)

    def _sayings(self, known: Known) -> tuple[dict[str, sp.csr_matrix | Float], list[Proposed]]:
        """Scores of each model by query and product, sparse or in full, and its best; likewise of product families."""
        rows = {name: self.models[name].evidence(known.queries.customer) for name in ("tifu_knn", "ease")}
        rows["items"] = self._complements(known)
        proposed = [_best(scores, name) for name, scores in (*rows.items(), ("family", self._family(known)))]
        said: dict[str, sp.csr_matrix | Float] = {**rows}
        if "als" in self.models:
            said["als"], best = self._by_factors(known.queries)
            proposed.append(best)
        return said, proposed

    def _complements(self, known: Known) -> sp.csr_matrix:
        """What goes with the basket, and with what was bought on the customer's last day."""
        items: Items = self.models["items"]
        own, shape = known.own, (len(known.queries), len(self.purchases.products))
        last = np.full(len(known.queries), -1, np.int64)
        np.maximum.at(last, own.position, own.last_day)
        lately = np.flatnonzero(own.last_day == last[own.position])
        position, basket = flat(known.queries.basket)
        query, seed = np.concatenate((own.position[lately], position)), np.concatenate((own.thing[lately], basket))
        seeds = sp.csr_matrix((np.ones(len(query), np.float32), (query, seed)), shape=shape)
        found: sp.csr_matrix = (seeds @ items.pairs.matrix).tocsr()
        return found

    def _family(self, known: Known) -> sp.csr_matrix:
        """Of the categories that a customer buys, what most new buyers took up: other sizes, brands and flavours."""
        interest = sp.csr_matrix(known.taste.finest[:, :-1])
        offered: sp.csr_matrix = (interest @ self._taken_up).tocsr()
        return offered

    @cached_property
    def _taken_up(self) -> sp.csr_matrix:
        """First buyers of late of PER_CATEGORY products, categories × products."""
        finest = self.categories.finest
        held = np.flatnonzero(finest >= 0)
        shape = (self.categories.finest_count, len(finest))
        buyers = sp.csr_matrix((self.facts.first_buyers[held] + PRIOR_BUYERS, (finest[held], held)), shape=shape)
        category, product, count = best_of_rows(buyers, PER_CATEGORY)
        return sp.csr_matrix((count, (category, product)), shape=shape)

    def _by_factors(self, queries: Queries) -> tuple[Float, Proposed]:
        als: Als = self.models["als"]
        known = np.flatnonzero(queries.customer >= 0)
        full = np.full((len(queries), len(self.purchases.products)), np.nan, np.float32)
        score = als.table(queries.customer[known])
        full[np.ix_(known, als.product)] = score
        count = min(DEPTH["als"], score.shape[1])
        best = als.product[np.argpartition(-score, count - 1, axis=1)[:, :count]]
        return full, _marked(pairs(np.repeat(known, count), best.ravel(), full.shape[1]), "als")

    def _listed(self, known: Known, name: str) -> Proposed:
        """Of what is on offer at each query's location, or of what is new, the best by interest × first buyers."""
        location, keys = known.queries.location, [np.empty(0, np.int64)]
        for one in np.unique(location).tolist():
            listed = self.new if name == "new" else self.coming.at(one)[0] if self.coming else self.new[:0]
            if not len(listed):
                continue
            asking = np.flatnonzero(location == one).astype(np.int32)
            score = known.taste.interest(np.repeat(asking, len(listed)), np.tile(listed, len(asking)))
            score = score.reshape(len(asking), -1) * (self.facts.first_buyers[listed] + PRIOR_BUYERS)
            count = min(DEPTH[name], len(listed))
            best = np.argpartition(-score, count - 1, axis=1)[:, :count]
            keys.append(pairs(np.repeat(asking, count), listed[best.ravel()], len(self.purchases.products)))
        return _marked(np.concatenate(keys), name)

    def _popularity(self, queries: Queries, query: Int, product: Int) -> Float:
        """Estimated share of buyers at the query's place, float32 [entries]."""
        share = np.empty(len(query), np.float32)
        places, of_query = np.unique(np.stack([queries.location, queries.channel], axis=1), axis=0, return_inverse=True)
        of_entry = of_query.ravel()[query]
        for number, place in enumerate(places.tolist()):
            at = np.flatnonzero(of_entry == number)
            share[at] = self.models["popular"].share(*place)[product[at]]
        return share

    def features(self, known: Known, pool: Candidates) -> Float:
        """What the chooser sees of each entry of the pool, float32 [entries, POOL_COLUMNS]."""
        own, entry = known.own, known.own.find(pool.query, pool.product)
        at = np.flatnonzero(entry >= 0)
        entry = entry[at]
        matrix = np.full((len(pool), len(POOL_COLUMNS)), np.nan, np.float32)
        first = len(MODELS)
        matrix[:, :first] = pool.score
        matrix[:, first] = known.taste.interest(pool.query, pool.product)
        matrix[:, first + 1] = self.facts.first_buyers[pool.product] / max(len(self.purchases.customers), 1)
        if self.coming is not None:
            matrix[:, first + 2] = self.coming.find(known.queries.location[pool.query], pool.product)[0]
        bought = (own.decayed[entry, NOW], own.decayed[entry, NOW - 1], own.baskets[entry],
                  known.today - own.last_day[entry], own.baskets[entry] / own.orders_known[entry],
                  own.orders_after[entry])  # fmt: skip
        for number, column in enumerate(bought):
            matrix[at, first + 3 + number] = column
        matrix[:, -1] = self.facts.repeat_rate[pool.product]
        return matrix

    def save(self, folder: Path) -> None:
        save_json(folder, "sources", {"models": list(self.models), "chooser": self.chooser is not None})
        for name, model in self.models.items():
            model.save(folder / name)
        save_record(folder / "facts", self.facts)
        save_array(folder, "new", self.new)
        for name in SHOWN:
            shown = getattr(self, name)
            if shown is not None:
                save_record(folder / name, shown)
        if self.chooser is not None:
            save_booster(folder, "chooser", self.chooser)

    @classmethod
    def open(cls, folder: Path, purchases: Purchases, settings: RecommendSettings) -> Self:
        """Reopen what `save` wrote. Raises BundleError when a file is missing or damaged."""
        opened, content = cls(), open_json(folder, "sources")
        opened._read(purchases, settings)
        opened.models = {name: MODELS[name].open(folder / name, purchases) for name in content["models"]}
        opened.facts, opened.new = open_record(folder / "facts", ProductFacts), open_array(folder, "new")
        for name in SHOWN:
            setattr(opened, name, open_record(folder / name, Showing) if (folder / name).is_dir() else None)
        opened.chooser = open_booster(folder, "chooser") if content["chooser"] else None
        return opened


def learn_to_choose(features: Float, label: npt.NDArray[np.bool_], weight: Float, seed: int) -> lgb.Booster:
    """Learn the chance that a proposed product is bought; `weight` undoes the drawing of rows."""
    parameters = {**LEARNING, "learning_rate": 0.15, "num_leaves": 15, "seed": seed}
    data = lgb.Dataset(features, label.astype(np.int8), weight=weight, feature_name=list(POOL_COLUMNS),
                       params={"max_bin": LEARNING["max_bin"], "verbosity": -1})  # fmt: skip
    return lgb.train(parameters, data, num_boost_round=TREES)


def _shown(purchases: Purchases, first: int, last: int, promotions_only: bool = False) -> Showing | None:
    if purchases.offers is None:
        return None
    offers = purchases.offers.between(first, last)
    if promotions_only:
        offers = offers.part(offers.promotion)
    return Showing.of(offers, len(purchases.locations), len(purchases.products))


def _marked(key: Long, name: str) -> Proposed:
    return key, np.full(len(key), 1 << SOURCES.index(name), np.int32)


def _best(scores: sp.csr_matrix, name: str) -> Proposed:
    row, product, _ = best_of_rows(scores, DEPTH[name])
    return _marked(pairs(row, product, scores.shape[1]), name)


def _looked_up(said: sp.csr_matrix | Float, query: Int, product: Int, scratch: Float) -> Float:
    """Scores of (query, product) entries; 0 where sparse rows say nothing. `scratch` is zero before and after."""
    if isinstance(said, np.ndarray):
        return np.asarray(said[query, product], np.float32)
    row = np.repeat(np.arange(said.shape[0]), np.diff(said.indptr))
    scratch[row, said.indices] = said.data
    found = scratch[query, product]
    scratch[row, said.indices] = 0
    return found


def _highest(query: Int, score: npt.NDArray[Any], limit: int) -> Long:
    """Positions of the `limit` highest entries of each query, in their order."""
    order = np.lexsort((-score, query))
    place = np.arange(len(query)) - np.searchsorted(query, query, side="left")
    return np.sort(order[place < limit])
