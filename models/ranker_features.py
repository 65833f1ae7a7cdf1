"""What the ranker sees of a customer and a product: one code for training, batch and live."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from features.arrays import open_record, save_record
from features.customers import owned_of
from features.history import Float, Int, Purchases, day_number
from features.own import RECENT_ORDERS, Own, own_things
from models.candidates import SCORES, Candidates, Known, Sources
from models.popular import count_buyers
from models.settings import RecommendSettings

Column = npt.NDArray[Any]
WINDOWS = (7, 28, 91)
RANKED = ("tifu_knn", "ease", "als")
HALVES = ("eighth", "quarter", "half", "four")
CUSTOMER = ("customer_orders", "customer_decayed", "customer_recent", "customer_days_since", "customer_gap", "customer_late",
            "customer_lines_per_order", "customer_spend_per_order", "customer_products", "customer_novelty",
            "customer_price_level", "customer_days_known", "customer_units_per_line")
OWN = ("own_orders", *(f"own_decayed_{name}" for name in HALVES), *(f"own_share_{name}" for name in HALVES),
       "own_share_since_first", "own_days_since", "own_gap", "own_late", "own_last_gap", "own_late_last",
       "own_gap_spread", "own_orders_after", "own_orders_after_late", "own_days_known",
       *(f"own_in_last_{many}" for many in RECENT_ORDERS), "own_units_per_order", "own_late_product",
       "own_last_was_on_last_day")
PRODUCT = (*(f"product_buyers_{days}" for days in WINDOWS), "product_owners", "product_first_buyers", "product_first_share",
           "product_repeat_rate", "product_gap", "product_trend", "product_age", "product_price", "product_price_relative",
           "product_shops", "product_category_share")
PLACE = ("here_buyers", "here_share", "here_days_since", "here_buyers_28")
OFFER = ("offer_kind", "offer_shops", "offer_now", "offer_days")
CATEGORY = ("orders", *(f"decayed_{name}" for name in HALVES), "share", "days_since", "gap", "late", "last_gap", "orders_after",
            "orders_known", *(f"in_last_{many}" for many in RECENT_ORDERS), "own_part", "products", "lines_per_order")
BRAND = ("brand_orders", "brand_share", "brand_days_since")
COLUMNS = (*(f"{name}_score" for name in SCORES), *(f"{name}_relative" for name in RANKED), *(f"{name}_rank" for name in RANKED),
           "interest", "proposers", *CUSTOMER, *OWN, *PRODUCT, *PLACE, *OFFER, *(f"category_{n}" for n in CATEGORY),
           *(f"parent_{n}" for n in CATEGORY), *BRAND)


@dataclass(frozen=True)
class ProductFacts:
    """Statistics per product as of a day, float32 [products] each."""

    buyers: Float  # [products, WINDOWS]
    owners: Float
    first_buyers: Float
    repeat_rate: Float
    gap: Float
    trend: Float
    age: Float
    price: Float
    price_relative: Float
    shops: Float
    category_share: Float


@dataclass(frozen=True)
class PlaceFacts:
    """Buyers of each product at each location in the last 91 days as compressed rows."""

    start: npt.NDArray[np.int64]
    product: Int
    buyers: Int
    recent: Int
    last_day: Int
    place_buyers: Int


class RankerFeatures:
    purchases: Purchases

    @classmethod
    def fit(cls, purchases: Purchases, settings: RecommendSettings) -> Self:
        made = cls()
        made.purchases, made.settings = purchases, settings
        made.product = _product_facts(purchases, settings.half_life_days)
        made.place = _place_facts(purchases)
        return made

    def matrix(self, known: Known, sources: Sources, found: Candidates) -> Float:
        """The features of each candidate of a chunk, float32 [candidates, len(COLUMNS)]; NaN where a fact does not exist."""
        cols: list[Column] = [*found.score.T, *_relatives(found)]
        cols.append(known.taste.interest(found.query, found.product))
        cols.append(np.bitwise_count(found.source.astype(np.uint32)))
        entry = known.own.find(found.query, found.product)
        customer = self._customer(known)
        cols += [column[found.query] for column in customer.values()]
        cols += self._own(known, customer, found, entry)
        cols += self._product(found.product)
        cols += self._place(known, found)
        cols += self._offer(known, sources, found)
        half = self.settings.half_life_days
        for codes, count in ((sources.categories.finest, sources.categories.finest_count),
                             (sources.categories.parent, sources.categories.parent_count)):
            cols += self._category(known, customer, codes, count, found, entry)
        cols += self._brand(known, customer, found)
        matrix = np.empty((len(found), len(COLUMNS)), np.float32)
        for number, column in enumerate(cols):
            matrix[:, number] = column
        assert len(cols) == len(COLUMNS), (len(cols), len(COLUMNS))
        return matrix

    def _customer(self, known: Known) -> dict[str, Column]:
        half = self.settings.half_life_days
        lines, n = known.lines, known.lines.asked
        whole = own_things(lines, np.zeros(len(self.purchases.products), np.int32), 1, [half / 8, half / 4, half, 4 * half])
        today = day_number(self.purchases.as_of)
        nan = np.full(n, np.nan, np.float32)

        def full(values: Column) -> Column:
            out = nan.copy()
            out[whole.position] = values
            return out

        own = known.own
        lately, before = own.last_day > today - 28, own.first_day > today - 28
        new = np.bincount(own.position[before], minlength=n) + 1
        recent = np.bincount(own.position[lately], minlength=n) + 2
        level = self.product.price_relative[own.thing]
        ok = ~np.isnan(level)
        weight = own.decayed[:, 3]
        total = np.bincount(own.position[ok], weight[ok], minlength=n)
        with np.errstate(invalid="ignore", divide="ignore"):
            price = np.bincount(own.position[ok], (weight * level)[ok], minlength=n) / total
        since, gap = full(today - whole.last_day), full(whole.mean_gap)
        decayed = {name: np.maximum(full(whole.decayed[:, i]), 1e-3) for i, name in enumerate(HALVES)}
        self._decayed = decayed
        return {
            "orders": full(whole.baskets), "decayed": decayed["half"], "recent": decayed["eighth"], "since": since, "gap": gap,
            "late": since / gap, "lines": full(whole.lines / whole.baskets), "spend": full(whole.amount / whole.baskets),
            "products": np.bincount(own.position, minlength=n), "novelty": new / recent, "price": price,
            "known": full(today - whole.first_day), "units": full(whole.units / whole.lines),
        }

    def _own(self, known: Known, customer: dict[str, Column], found: Candidates, entry: Column) -> list[Column]:
        own, bought = known.own, entry >= 0
        if not len(own):
            return [np.full(len(found), np.nan, np.float32)] * len(OWN)
        at = np.maximum(entry, 0)
        today = day_number(self.purchases.as_of)
        since = (today - own.last_day[at]).astype(np.float32)
        gap = own.mean_gap[at]
        usual = self.product.gap[found.product]
        count = own.days[at] - 1.0
        shrunk = (np.nan_to_num(gap) * count + 2 * usual) / (count + 2)
        orders = own.baskets[at].astype(np.float32)
        cus_since = customer["since"][found.query]
        with np.errstate(invalid="ignore", divide="ignore"):
            columns = [
                orders, *own.decayed[at].T,
                *(own.decayed[at, i] / self._decayed[name][found.query] for i, name in enumerate(HALVES)),
                orders / own.orders_known[at], since, gap, since / shrunk, own.last_gap[at], since / own.last_gap[at],
                own.gap_spread[at] / gap, own.orders_after[at], own.orders_after[at] * orders / own.orders_known[at],
                today - own.first_day[at], *own.in_recent[at].T, own.units[at] / orders, since / usual,
                since == cus_since,
            ]
        return [np.where(bought, column, np.nan) for column in columns]

    def _product(self, product: Int) -> list[Column]:
        facts = self.product
        return [*facts.buyers[product].T, *(getattr(facts, name)[product] for name in (
            "owners", "first_buyers")), facts.first_buyers[product] / np.maximum(facts.buyers[product, 1], 1),
            *(getattr(facts, name)[product] for name in ("repeat_rate", "gap", "trend", "age", "price", "price_relative", "shops",
                                                         "category_share"))]

    def _place(self, known: Known, found: Candidates) -> list[Column]:
        location, facts = known.queries.location[found.query], self.place
        out = np.full((4, len(found)), np.nan, np.float32)
        today = day_number(self.purchases.as_of)
        for one in np.unique(location[location >= 0]).tolist():
            part = slice(*facts.start[[one, one + 1]])
            codes = facts.product[part]
            asked = np.flatnonzero(location == one)
            out[0, asked] = 0
            out[1, asked] = 0
            out[3, asked] = 0
            if not len(codes):
                continue
            at = np.minimum(np.searchsorted(codes, found.product[asked]), len(codes) - 1)
            hit = codes[at] == found.product[asked]
            asked, at = asked[hit], at[hit]
            out[0, asked] = facts.buyers[part][at]
            out[1, asked] = facts.buyers[part][at] / max(int(facts.place_buyers[one]), 1)
            out[2, asked] = today - facts.last_day[part][at]
            out[3, asked] = facts.recent[part][at]
        return list(out)

    def _offer(self, known: Known, sources: Sources, found: Candidates) -> list[Column]:
        if sources.showing is None:
            return [np.full(len(found), np.nan, np.float32)] * len(OFFER)
        location = known.queries.location[found.query]
        kind, ends = sources.showing.find(location, found.product)
        now, _ = sources.showing_now.find(location, found.product)
        today = day_number(self.purchases.as_of)
        return [kind, sources.showing.shops[found.product], now, np.where(kind > 0, ends - today, 0)]

    def _category(self, known: Known, customer: dict[str, Column], codes: Int, count: int, found: Candidates, entry: Column) -> list[Column]:
        half = self.settings.half_life_days
        own = own_things(known.lines, codes, max(count, 1), [half / 8, half / 4, half, 4 * half])
        at_ = own.find(found.query, codes[found.product])
        has, at = at_ >= 0, np.maximum(at_, 0)
        if not len(own):
            return [np.full(len(found), np.nan, np.float32)] * len(CATEGORY)
        today = day_number(self.purchases.as_of)
        since = (today - own.last_day[at]).astype(np.float32)
        mine = known.own
        category = codes[mine.thing]
        kinds = np.zeros(len(own), np.int32)
        of = own.find(mine.position, category)
        np.add.at(kinds, of[of >= 0], 1)
        part = np.where(entry >= 0, mine.decayed[np.maximum(entry, 0), 2], 0) if len(mine) else 0
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = own.mean_gap[at]
            columns = [
                own.baskets[at], *own.decayed[at].T, own.decayed[at, 2] / self._decayed["half"][found.query], since, gap, since / gap,
                own.last_gap[at], own.orders_after[at], own.orders_known[at], *own.in_recent[at].T,
                part / np.maximum(own.decayed[at, 2], 1e-9), kinds[at], own.lines[at] / own.baskets[at],
            ]
        return [np.where(has, column, np.nan) for column in columns]

    def _brand(self, known: Known, customer: dict[str, Column], found: Candidates) -> list[Column]:
        brand = self.purchases.catalog.brand
        own = own_things(known.lines, brand, max(len(self.purchases.catalog.brands), 1), [self.settings.half_life_days])
        at_ = own.find(found.query, brand[found.product])
        has, at = at_ >= 0, np.maximum(at_, 0)
        if not len(own):
            return [np.full(len(found), np.nan, np.float32)] * 3
        today = day_number(self.purchases.as_of)
        columns = [own.baskets[at], own.decayed[at, 0] / self._decayed["half"][found.query], today - own.last_day[at]]
        return [np.where(has, column, np.nan) for column in columns]


def _relatives(found: Candidates) -> list[Column]:
    """Scores as shares of the query's highest, and ranks among its candidates."""
    start = np.searchsorted(found.query, found.query, side="left")
    head = np.flatnonzero(np.diff(found.query, prepend=-1))
    out: list[Column] = []
    ranks: list[Column] = []
    for name in RANKED:
        score = np.nan_to_num(found.score[:, SCORES.index(name)], nan=-1e9)
        top = np.maximum.reduceat(score, head) if len(head) else score
        group = np.cumsum(np.diff(found.query, prepend=-1) != 0) - 1
        out.append(score / np.maximum(top[group], 1e-9))
        order = np.lexsort((-score, found.query))
        rank = np.empty(len(score), np.float32)
        rank[order] = np.arange(len(score)) - start
        ranks.append(rank)
    return out + ranks


def _product_facts(purchases: Purchases, half_life_days: float) -> ProductFacts:
    products, today = len(purchases.products), day_number(purchases.as_of)
    owned = owned_of(purchases, half_life_days)
    owners = np.bincount(owned.product, minlength=products)
    again = np.bincount(owned.product[owned.baskets > 1], minlength=products)
    buyers = []
    for days in WINDOWS:
        rows = np.flatnonzero((purchases.day > today - days) & (purchases.customer >= 0))
        key = np.unique(purchases.customer[rows].astype(np.int64) * products + purchases.product[rows])
        buyers.append(np.bincount(key % products, minlength=products))
    first_buyers = np.bincount(owned.product[owned.first_day > today - 28], minlength=products)
    first = np.full(products, today, np.int64)
    np.minimum.at(first, purchases.product, purchases.day)
    units = np.bincount(purchases.product, purchases.units, minlength=products)
    amount = np.bincount(purchases.product, purchases.amount, minlength=products)
    price = amount / np.maximum(units, 1e-9)
    gaps = owned.mean_gap()
    ok = ~np.isnan(gaps)
    total = np.bincount(owned.product[ok], minlength=products)
    log_gap = np.bincount(owned.product[ok], np.log(gaps[ok]), minlength=products)
    overall = np.log(gaps[ok]).mean() if ok.any() else np.log(30.0)
    gap = np.exp((log_gap + 5 * overall) / (total + 5))
    finest = purchases.catalog.finest
    known = (finest >= 0) & (price > 0)
    n = int(finest.max(initial=-1)) + 1
    logp = np.log(np.maximum(price, 1e-6))
    mean = np.bincount(finest[known], logp[known], minlength=n) / np.maximum(np.bincount(finest[known], minlength=n), 1)
    relative = np.where(known, logp - mean[np.maximum(finest, 0)] if n else 0, np.nan)
    category_buyers = np.bincount(finest[finest >= 0], buyers[2][finest >= 0], minlength=max(n, 1))
    category_share = np.where(finest >= 0, buyers[2] / np.maximum(category_buyers[np.maximum(finest, 0)], 1), np.nan)
    rows = np.flatnonzero((purchases.day > today - 91) & (purchases.location >= 0))
    pair = np.unique(purchases.location[rows].astype(np.int64) * products + purchases.product[rows])
    shops = np.bincount(pair % products, minlength=products)
    f = np.float32
    return ProductFacts(np.stack(buyers, axis=1).astype(f), owners.astype(f), first_buyers.astype(f), ((again + 1) / (owners + 5)).astype(f),
        gap.astype(f), ((buyers[0] * 4 + 1) / (buyers[1] + 1)).astype(f), (today - first).astype(f), price.astype(f), relative.astype(f), shops.astype(f), category_share.astype(f))


def _place_facts(purchases: Purchases) -> PlaceFacts:
    today, places = day_number(purchases.as_of), len(purchases.locations)
    rows = np.flatnonzero(purchases.day > today - 91)
    long = count_buyers(purchases, rows, purchases.location[rows], places)
    recent = np.flatnonzero(purchases.day > today - 28)
    short = count_buyers(purchases, recent, purchases.location[recent], places)
    place = np.repeat(np.arange(places), np.diff(long.start))
    a, b = short.find(place.astype(np.int32), long.product)
    key = place.astype(np.int64) * len(purchases.products) + long.product
    last = np.zeros(len(key), np.int32)
    mine = purchases.location[rows].astype(np.int64) * len(purchases.products) + purchases.product[rows]
    known = purchases.location[rows] >= 0
    np.maximum.at(last, np.searchsorted(key, mine[known]), purchases.day[rows][known])
    return PlaceFacts(long.start, long.product, long.customers + long.anonymous, a + b, last, long.place_buyers)
