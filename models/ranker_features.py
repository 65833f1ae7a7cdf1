"""What the ranker sees of a customer and a product: one code for training, batch and live."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.arrays import open_record, save_record
from features.history import Float, Int, Purchases
from features.own import RECENT_ORDERS, Own
from models.candidates import MODELS, Candidates, Sources
from models.known import NOW, Known
from models.outlooks import TIMING_COLUMNS, Outlooks
from models.product_facts import LATELY_DAYS, WINDOWS, PlaceFacts
from models.repurchase import Repurchase
from models.settings import RecommendSettings

Column = npt.NDArray[Any]
Columns = list[Column]

RANKED = ("tifu_knn", "ease", "als")  # models whose ranks and scores relative to the highest are told too
PRIOR_GAPS = 2.0  # own gaps that weigh as much as the product's
SPANS = ("short", "recent", "usual", "long")  # the half-lives of DECAYS
CUSTOMER_COLUMNS = (
    "customer_orders", "customer_decayed", "customer_recent", "customer_days_since", "customer_gap",
    "customer_lateness", "customer_lines_per_order", "customer_amount_per_order", "customer_products",
    "customer_novelty", "customer_price_level", "customer_days_known", "customer_units_per_line",
)  # fmt: skip
OWN_COLUMNS = (
    "own_orders", *(f"own_decayed_{span}" for span in SPANS), *(f"own_share_{span}" for span in SPANS),
    "own_share_since_first", "own_days_since", "own_gap", "own_lateness", "own_last_gap", "own_lateness_by_last_gap",
    "own_gap_spread", "own_orders_after", "own_orders_late", "own_days_known",
    *(f"own_in_last_{orders}" for orders in RECENT_ORDERS), "own_units_per_order", "own_lateness_by_product",
    "own_on_last_day",
)  # fmt: skip
PRODUCT_COLUMNS = (
    *(f"product_buyers_{days}" for days in WINDOWS), "product_owners", "product_first_buyers", "product_first_share",
    "product_repeat_rate", "product_gap", "product_trend", "product_age", "product_price", "product_price_relative",
    "product_shops", "product_category_share",
)  # fmt: skip
PLACE_COLUMNS = ("place_share", "place_share_lately", "place_size", "place_days_since")
OFFER_COLUMNS = ("offer", "offer_shops", "offer_now", "offer_days_left")
GROUP_COLUMNS = (
    "orders", *(f"decayed_{span}" for span in SPANS), "share", "days_since", "gap", "lateness", "last_gap",
    "orders_after", "orders_known", *(f"in_last_{orders}" for orders in RECENT_ORDERS), "own_part", "products",
    "lines_per_order",
)  # fmt: skip
BRAND_COLUMNS = ("brand_orders", "brand_share", "brand_days_since")
COLUMNS = (
    *(f"{name}_score" for name in MODELS), *(f"{name}_relative" for name in RANKED),
    *(f"{name}_rank" for name in RANKED), "interest", "sources", *CUSTOMER_COLUMNS, *OWN_COLUMNS, *PRODUCT_COLUMNS,
    *PLACE_COLUMNS, *OFFER_COLUMNS, *(f"category_{name}" for name in GROUP_COLUMNS),
    *(f"parent_{name}" for name in GROUP_COLUMNS), *BRAND_COLUMNS, *(f"cycle_{name}" for name in TIMING_COLUMNS),
)  # fmt: skip


class RankerFeatures:
    """Computes the feature matrix of candidates as of the end of the history's last day."""

    places: PlaceFacts
    outlooks: Outlooks

    @classmethod
    def fit(
        cls, purchases: Purchases, settings: RecommendSettings, cycle: Repurchase, customer: Int | None = None
    ) -> Self:
        """`customer` narrows the outlook on purchase cycles to those who will be asked about, in rising order."""
        made = cls()
        made.settings = settings
        made.places = PlaceFacts.of(purchases)
        made.outlooks = cycle.as_of(purchases, customer, settings.target_days)
        return made

    settings: RecommendSettings

    def matrix(self, known: Known, sources: Sources, found: Candidates) -> Float:
        """The features of each candidate, float32 [candidates, COLUMNS]; NaN where a fact does not exist."""
        customer = known.queries.customer[found.query]
        entry = known.own.find(found.query, found.product)
        columns = [
            *found.score.T, *_relatives(found), known.taste.interest(found.query, found.product),
            np.bitwise_count(found.source), *(column[found.query] for column in self._customers(known, sources)),
            *self._own(known, sources, found, entry), *_products(known, sources, found.product),
            *self._places(known, found), *_offers(known, sources, found),
            *_group(known, found, entry, known.finest, known.categories.finest),
            *_group(known, found, entry, known.parent, known.categories.parent), *_brand(known, found),
            *self.outlooks.features(customer, found.product, self.settings.target_days).T,
        ]  # fmt: skip
        matrix = np.empty((len(found), len(COLUMNS)), np.float32)
        for number, column in enumerate(columns):
            matrix[:, number] = column
        return matrix

    def _customers(self, known: Known, sources: Sources) -> Columns:
        """One entry per query; NaN for a query without lines."""
        whole, own, asked = known.whole, known.own, known.lines.asked
        since, gap = _days_since(known), _spread(known, whole.mean_gap)
        lately = known.today - LATELY_DAYS
        first = np.bincount(own.position[own.first_day > lately], minlength=asked)
        last = np.bincount(own.position[own.last_day > lately], minlength=asked)
        level = sources.facts.price_relative[own.thing]
        priced = np.flatnonzero(~np.isnan(level))
        weight = own.decayed[priced, -1]
        total = np.bincount(own.position[priced], weight, minlength=asked)
        with np.errstate(invalid="ignore", divide="ignore"):
            price = np.bincount(own.position[priced], weight * level[priced], minlength=asked) / total
            lateness = since / gap
        return [
            _spread(known, whole.baskets), _spread(known, whole.decayed[:, NOW]), _spread(known, whole.decayed[:, 0]),
            since, gap, lateness, _spread(known, whole.lines / whole.baskets),
            _spread(known, whole.amount / whole.baskets), np.bincount(own.position, minlength=asked),
            (first + 1) / (last + 2), price, _spread(known, known.today - whole.first_day),
            _spread(known, whole.units / whole.lines),
        ]  # fmt: skip

    def _own(self, known: Known, sources: Sources, found: Candidates, entry: Column) -> Columns:
        at = np.flatnonzero(entry >= 0)
        own, entry, query = known.own, entry[at], found.query[at]
        orders = own.baskets[entry].astype(np.float32)
        since = (known.today - own.last_day[entry]).astype(np.float32)
        gap, count, usual = own.mean_gap[entry], own.days[entry] - 1.0, sources.facts.gap_days[found.product[at]]
        shrunk = (np.nan_to_num(gap) * count + PRIOR_GAPS * usual) / (count + PRIOR_GAPS)
        share = orders / own.orders_known[entry]
        after = own.orders_after[entry]
        with np.errstate(invalid="ignore", divide="ignore"):
            columns = [
                orders, *own.decayed[entry].T, *(own.decayed[entry] / known.decayed_orders[query]).T, share, since, gap,
                since / shrunk, own.last_gap[entry], since / own.last_gap[entry], own.gap_spread[entry] / gap, after,
                after * share, known.today - own.first_day[entry], *own.in_recent[entry].T, own.units[entry] / orders,
                since / usual, since == _days_since(known)[query],
            ]  # fmt: skip
        return _filled(columns, at, len(found))

    def _places(self, known: Known, found: Candidates) -> Columns:
        location = known.queries.location[found.query]
        facts, entry = self.places, self.places.find(location, found.product)
        sold = np.flatnonzero(entry >= 0)
        here = entry[sold]
        visitors = np.maximum(facts.place_buyers[location[sold]], 1)
        everyone = max(len(known.purchases.customers), 1)
        columns = _filled([facts.buyers[here] / visitors, facts.lately[here] / visitors, visitors / everyone,
                           known.today - facts.last_day[here]], sold, len(found))  # fmt: skip
        unsold = np.flatnonzero((entry < 0) & (location >= 0))
        columns[0][unsold], columns[1][unsold] = 0, 0
        columns[2][unsold] = facts.place_buyers[location[unsold]] / everyone
        return columns

    def save(self, folder: Path) -> None:
        save_record(folder / "places", self.places)
        self.outlooks.save(folder / "outlooks")

    @classmethod
    def open(cls, folder: Path, purchases: Purchases, settings: RecommendSettings) -> Self:
        opened = cls()
        opened.settings = settings
        opened.places = open_record(folder / "places", PlaceFacts)
        opened.outlooks = Outlooks.open(folder / "outlooks", purchases)
        return opened


def _spread(known: Known, values: Column) -> Float:
    """One value per query from one per customer with lines; NaN elsewhere."""
    spread = np.full(known.lines.asked, np.nan, np.float32)
    spread[known.whole.position] = values
    return spread


def _days_since(known: Known) -> Float:
    """Days since each query's customer last bought anything."""
    return _spread(known, known.today - known.whole.last_day)


def _filled(columns: Columns, at: Column, count: int) -> Columns:
    """Columns of `count` entries from those of the entries `at`; NaN elsewhere."""
    table = np.full((len(columns), count), np.nan, np.float32)
    for number, column in enumerate(columns):
        table[number, at] = column
    return list(table)


def _relatives(found: Candidates) -> Columns:
    """Scores ÷ the query's highest, and ranks among its candidates, of the models in RANKED."""
    head = np.flatnonzero(np.diff(found.query, prepend=-1))
    sizes = np.diff(np.append(head, len(found)))
    start = np.repeat(head, sizes)
    shares: Columns = []
    ranks: Columns = []
    for name in RANKED:
        score = found.score[:, list(MODELS).index(name)]
        highest = np.fmax.reduceat(score, head) if len(head) else score
        shares.append(score / np.maximum(np.repeat(highest, sizes), 1e-9))
        rank = np.empty(len(score), np.float32)
        rank[np.lexsort((-score, found.query))] = np.arange(len(score)) - start  # what has no score comes last
        ranks.append(rank)
    return shares + ranks


def _products(known: Known, sources: Sources, product: Int) -> Columns:
    """Counts of customers are told as shares of all, so that they mean the same in a sample of them."""
    facts, everyone = sources.facts, max(len(known.purchases.customers), 1)
    first, month = facts.first_buyers[product], facts.buyers[product, WINDOWS.index(LATELY_DAYS)]
    return [
        *facts.buyers[product].T / everyone, facts.owners[product] / everyone, first / everyone,
        first / np.maximum(month, 1),
        facts.repeat_rate[product], facts.gap_days[product], facts.trend[product], facts.age_days[product],
        facts.price[product], facts.price_relative[product],
        facts.shops[product] / max(len(known.purchases.locations), 1), facts.category_share[product],
    ]  # fmt: skip


def _offers(known: Known, sources: Sources, found: Candidates) -> Columns:
    """What is on offer at the query's location in the target window, at how many others, now already, for how long."""
    if sources.coming is None or sources.showing is None:
        return [np.full(len(found), np.nan, np.float32)] * len(OFFER_COLUMNS)
    location = known.queries.location[found.query]
    kind, ends = sources.coming.find(location, found.product)
    now, _ = sources.showing.find(location, found.product)
    shops = sources.coming.shops[found.product] / max(sources.coming.locations, 1)
    return [kind, shops, now, np.where(kind > 0, ends - known.today, 0)]


def _group(known: Known, found: Candidates, own_entry: Column, own: Own, codes: Int) -> Columns:
    """What the customer bought of the candidate's category, or of its parent; `codes` tells that of each product."""
    mine = known.own
    entry = own.find(found.query, codes[found.product])
    at = np.flatnonzero(entry >= 0)
    entry, query = entry[at], found.query[at]
    since = (known.today - own.last_day[entry]).astype(np.float32)
    part = np.where(own_entry[at] >= 0, mine.decayed[np.maximum(own_entry[at], 0), NOW], 0) if len(mine) else 0
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = [
            own.baskets[entry], *own.decayed[entry].T, own.decayed[entry, NOW] / known.decayed_orders[query, NOW],
            since, own.mean_gap[entry], since / own.mean_gap[entry], own.last_gap[entry], own.orders_after[entry],
            own.orders_known[entry], *own.in_recent[entry].T, part / np.maximum(own.decayed[entry, NOW], 1e-9),
            _kinds(own, mine, codes)[entry], own.lines[entry] / own.baskets[entry],
        ]  # fmt: skip
    return _filled(columns, at, len(found))


def _kinds(groups: Own, products: Own, codes: Int) -> Int:
    """How many different products of each group were bought."""
    entry = groups.find(products.position, codes[products.thing])
    return np.bincount(entry[entry >= 0], minlength=len(groups)).astype(np.int32)


def _brand(known: Known, found: Candidates) -> Columns:
    own = known.brand
    entry = own.find(found.query, known.purchases.catalog.brand[found.product])
    at = np.flatnonzero(entry >= 0)
    entry = entry[at]
    share = own.decayed[entry, NOW] / known.decayed_orders[found.query[at], NOW]
    return _filled([own.baskets[entry], share, known.today - own.last_day[entry]], at, len(found))
