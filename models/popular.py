"""What most people buy: at this location and channel, backed off to everywhere where little is known there.

The share of a place's buyers who bought a product is shrunk to the share at the wider place: the whole
history → everywhere in the window → the location or the channel → the location in that channel. A small
shop is thus ranked mostly by what all shops sell, a large one by its own sales. One location sells less, so that
its own window is longer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from features.arrays import open_json, open_record, save_json, save_record
from features.customers import Long, owned_of
from features.history import UNKNOWN, Int, Purchases, day_number
from models.contracts import Bools, Queries, Recommender, Scored
from models.ranking import BestOfPlaces, Numbers, lists_of_places
from models.reasons import BoughtBy, BoughtInOrders, Reason
from models.saved_settings import open_settings, save_settings

PRIOR_BUYERS = 50.0  # a place with so many buyers counts its own sales as much as the wider place's
LOCAL_WINDOWS = 3  # of a location, times the window of everywhere
WIDER_WINDOWS = (1, 4, 13, 53)
ENOUGH_BUYERS = 20


@dataclass(frozen=True)
class Counts:
    """Who bought what at each place: entries start[place] … start[place + 1] - 1, sorted by product.

    `customers` are different known customers, `anonymous` baskets without one; `place_buyers` is the number
    of both at the place, whatever they bought.
    """

    start: Long
    product: Int
    customers: Int
    anonymous: Int
    place_buyers: Int

    def at(self, place: int) -> slice:
        return slice(int(self.start[place]), int(self.start[place + 1]))

    def find(self, place: Int, product: Int) -> tuple[Int, Int]:
        """Customers and anonymous baskets of each (place, product); zeros where there were none."""
        customers, anonymous = np.zeros(len(place), np.int32), np.zeros(len(place), np.int32)
        for one in np.unique(place[place >= 0]):
            entries, asked = self.at(int(one)), np.flatnonzero(place == one)
            codes = self.product[entries]
            at = np.minimum(np.searchsorted(codes, product[asked]), max(len(codes) - 1, 0))
            if len(codes):
                hit = codes[at] == product[asked]
                customers[asked[hit]] = self.customers[entries][at[hit]]
                anonymous[asked[hit]] = self.anonymous[entries][at[hit]]
        return customers, anonymous


def count_buyers(purchases: Purchases, rows: Long, place: Int, places: int, by_order: bool = False) -> Counts:
    """Count the buyers of each product at each place over `rows`; `place` has one code per row.

    `by_order` counts every order as a buyer of its own, without a customer.
    """
    customer, product = purchases.customer[rows], purchases.product[rows]
    basket = len(purchases.customers) + purchases.order[rows].astype(np.int64)
    buyer = basket if by_order else np.where(customer >= 0, customer.astype(np.int64), basket)
    here = np.flatnonzero(place >= 0)
    order = here[np.lexsort((buyer[here], product[here], place[here]))]
    sorted_place, sorted_product, sorted_buyer = place[order], product[order], buyer[order]
    new_entry = np.ones(len(order), bool)
    new_entry[1:] = (sorted_place[1:] != sorted_place[:-1]) | (sorted_product[1:] != sorted_product[:-1])
    new_buyer = new_entry.copy()
    new_buyer[1:] |= sorted_buyer[1:] != sorted_buyer[:-1]
    head = np.flatnonzero(new_entry)
    known = sorted_buyer < len(purchases.customers)

    def count(flags: Bools) -> Int:
        sums = np.add.reduceat(flags.astype(np.int64), head) if len(head) else np.empty(0)
        return np.asarray(sums, np.int32)

    buyers = len(purchases.customers) + int(purchases.order.max(initial=-1)) + 1
    visits = np.unique(place[here].astype(np.int64) * buyers + buyer[here]) // buyers
    return Counts(
        start=np.searchsorted(sorted_place[head], np.arange(places + 1)).astype(np.int64),
        product=sorted_product[head],
        customers=count(new_buyer & known),
        anonymous=count(new_buyer & ~known),
        place_buyers=np.bincount(visits, minlength=places).astype(np.int32),
    )


class Popular(Recommender):
    """Share of buyers over a recent window, by place: each customer once, and each anonymous basket."""

    name: ClassVar[str] = "popular"
    by_order: ClassVar[bool] = False

    def fit(self, purchases: Purchases) -> Self:
        """Count buyers in the last `popular_days`, or in a wider window where those hold hardly a purchase."""
        self.purchases, self._best = purchases, BestOfPlaces()
        self.window_days = _window(purchases, self.settings.popular_days)
        locations, channels = len(purchases.locations), len(purchases.channels)
        location, channel = purchases.location, purchases.channel
        both = np.where((location >= 0) & (channel >= 0), location * channels + channel, UNKNOWN).astype(np.int32)
        self.ever = _count_ever(purchases, self.settings.half_life_days)
        self.everywhere = self._count(np.zeros(len(location), np.int32), 1, self.window_days)
        self.in_channel = self._count(channel, channels, self.window_days)
        self.at_location = self._count(location, locations, self.local_days)
        self.at_both = self._count(both, locations * channels, self.local_days)
        return self

    @property
    def local_days(self) -> int:
        """Window of a location, days."""
        return LOCAL_WINDOWS * self.window_days

    def _count(self, place: Int, places: int, days: int) -> Counts:
        rows = np.flatnonzero(self.purchases.day > day_number(self.purchases.as_of) - days)
        return count_buyers(self.purchases, rows, place[rows], places, self.by_order)

    def share(self, location: int = UNKNOWN, channel: int = UNKNOWN) -> Numbers:
        """Estimated share of buyers at a place who buy each product, float64 [products]."""
        share = _shrunk(self.ever, 0, np.zeros(len(self.purchases.products)), 0.0)
        share = _shrunk(self.everywhere, 0, share, 1.0)
        if channel >= 0 and len(self.purchases.channels) > 1:
            share = _shrunk(self.in_channel, channel, share, PRIOR_BUYERS)
        if location >= 0 and len(self.purchases.locations) > 1:
            share = _shrunk(self.at_location, location, share, PRIOR_BUYERS)
            if channel >= 0 and len(self.purchases.channels) > 1:
                share = _shrunk(self.at_both, self._both(location, channel), share, PRIOR_BUYERS)
        return share

    def share_of(self, queries: Queries, query: Int, product: Int) -> Numbers:
        """Estimated share of buyers at each entry's query's place, float64 [entries]."""
        share = np.empty(len(query))
        places, which = np.unique(np.stack([queries.location, queries.channel], axis=1), axis=0, return_inverse=True)
        of_entry = which.ravel()[query]
        for number, place in enumerate(places.tolist()):
            at = np.flatnonzero(of_entry == number)
            share[at] = self.share(*place)[product[at]]
        return share

    def _both(self, location: int, channel: int) -> int:
        return location * len(self.purchases.channels) + channel

    def score(self, queries: Queries, limit: int) -> Scored:
        """The score is the estimated share of buyers."""
        places = np.stack([queries.location, queries.channel], axis=1)
        distinct, place = np.unique(places, axis=0, return_inverse=True)

        def best_of(number: int, count: int) -> tuple[Int, Numbers]:
            where = tuple(distinct[number].tolist())
            return self._best.at(where, lambda here: self.share(*here), count, queries.allowed)

        return lists_of_places(queries, place.ravel().astype(np.int32), best_of, limit, len(self.purchases.products))

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        """Count the buyers here if the product was bought here in the window, else everywhere, else ever."""
        location, everywhere = queries.location[scored.query], np.zeros(len(scored.query), np.int32)
        counts = ((self.at_location, location), (self.everywhere, everywhere), (self.ever, everywhere))
        found = (np.stack(buyers.find(place, scored.product), axis=1).tolist() for buyers, place in counts)
        return [
            BoughtBy(here[0], here[1], True, self.local_days) if any(here)
            else BoughtBy(anywhere[0], anywhere[1], False, self.window_days) if any(anywhere)
            else BoughtBy(*ever)
            for here, anywhere, ever in zip(*found, strict=True)
        ]  # fmt: skip

    def sources(self, queries: Queries, scored: Scored) -> list[str]:
        """popular-here where the location's own buyers speak for it, else popular."""
        customers, anonymous = self.at_location.find(queries.location[scored.query], scored.product)
        return ["popular-here" if here else "popular" for here in (customers + anonymous > 0).tolist()]

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        save_json(folder, "window", {"days": self.window_days})
        for name in _LEVELS:
            save_record(folder / name, getattr(self, name))

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases, opened._best = purchases, BestOfPlaces()
        opened.window_days = open_json(folder, "window")["days"]
        for name in _LEVELS:
            setattr(opened, name, open_record(folder / name, Counts))
        return opened


class PopularByOrders(Popular):
    """Share of orders: a customer counts as often as it comes, so that what regulars live on comes first."""

    name: ClassVar[str] = "popular_orders"
    by_order = True

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        """Count the orders here if the product was bought here in the window, else everywhere, else buyers ever."""
        location, everywhere = queries.location[scored.query], np.zeros(len(scored.query), np.int32)
        here, anywhere = (
            np.sum(counts.find(place, scored.product), axis=0).tolist()
            for counts, place in ((self.at_location, location), (self.everywhere, everywhere))
        )
        ever = np.stack(self.ever.find(everywhere, scored.product), axis=1).tolist()
        return [
            BoughtInOrders(here[i], True, self.local_days) if here[i]
            else BoughtInOrders(anywhere[i], False, self.window_days) if anywhere[i]
            else BoughtBy(*ever[i])
            for i in range(len(ever))
        ]  # fmt: skip


_LEVELS = ("ever", "everywhere", "at_location", "in_channel", "at_both")


def _window(purchases: Purchases, days: int) -> int:
    """`days`, or as many times that as are needed to see ENOUGH_BUYERS rows; all days if nothing suffices."""
    age = day_number(purchases.as_of) - purchases.day
    for times in WIDER_WINDOWS:
        if np.count_nonzero(age < days * times) >= min(ENOUGH_BUYERS, max(len(age), 1)):
            return days * times
    return int(age.max(initial=0)) + 1


def _count_ever(purchases: Purchases, half_life_days: float) -> Counts:
    """Buyers of each product in the whole history, from statistics that are there already."""
    products, owned = len(purchases.products), owned_of(purchases, half_life_days)
    nameless = purchases.customer < 0
    baskets = len(np.unique(purchases.order[nameless]))
    return Counts(
        start=np.array([0, products], np.int64),
        product=np.arange(products, dtype=np.int32),
        customers=np.bincount(owned.product, minlength=products).astype(np.int32),
        anonymous=np.bincount(purchases.product[nameless], minlength=products).astype(np.int32),
        place_buyers=np.array([len(purchases.customers) + baskets], np.int32),
    )


def _shrunk(counts: Counts, place: int, wider: Numbers, prior: float) -> Numbers:
    entries = counts.at(place)
    share = wider * prior
    share[counts.product[entries]] += counts.customers[entries] + counts.anonymous[entries]
    return np.asarray(share / max(float(counts.place_buyers[place]) + prior, 1.0), np.float64)
