"""What everybody's purchases say of each product, and of each product at each location, as of a day."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from features.customers import Long, Owned, owned_of
from features.history import Float, Int, Purchases, day_number
from models.popular import count_buyers

WINDOWS = (7, 28, 91)  # days back in which buyers are counted
LATELY_DAYS = 28  # in which a first buyer, and a first sale, are new
PRIOR_GAPS = 5.0  # gaps of a product that weigh as much as everybody's
USUAL_GAP_DAYS = 30.0  # where nothing was ever bought twice
PRIOR_OWNERS, PRIOR_AGAIN = 5.0, 1.0

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ProductFacts:
    """Statistics per product, float32 [products] each; customers are known ones.

    buyers         [products, WINDOWS]: customers who bought it in each window
    owners         customers who ever bought it; `first_buyers` those whose first time was within LATELY_DAYS
    repeat_rate    share of owners who bought it again, shrunk
    gap_days       geometric mean of the owners' mean gaps, shrunk
    trend          buyers of the last week ÷ a quarter of those of four, shrunk
    age_days       since its first sale
    price          money per unit so far; `price_relative` its logarithm less the mean of its category, NaN without one
    shops          locations that sold it in the longest window
    category_share its part of the buyers of its category in the longest window, NaN without a category
    """

    buyers: Float
    owners: Float
    first_buyers: Float
    repeat_rate: Float
    gap_days: Float
    trend: Float
    age_days: Float
    price: Float
    price_relative: Float
    shops: Float
    category_share: Float

    @classmethod
    def of(cls, purchases: Purchases, half_life_days: float) -> Self:
        products, today = len(purchases.products), day_number(purchases.as_of)
        owned = owned_of(purchases, half_life_days)
        owners = np.bincount(owned.product, minlength=products)
        again = np.bincount(owned.product[owned.baskets > 1], minlength=products)
        buyers = np.stack([_buyers(owned, purchases, days) for days in WINDOWS], axis=1)
        first = np.full(products, today, np.int64)
        np.minimum.at(first, purchases.product, purchases.day)
        price, relative = _prices(purchases)
        columns = (
            buyers, owners, np.bincount(owned.product[owned.first_day > today - LATELY_DAYS], minlength=products),
            (again + PRIOR_AGAIN) / (owners + PRIOR_OWNERS), _gap_days(owned),
            (4 * buyers[:, 0] + 1) / (buyers[:, 1] + 1), today - first, price, relative, _shops(purchases),
            _category_share(purchases.catalog.finest, buyers[:, -1]),
        )  # fmt: skip
        return cls(*(np.asarray(column, np.float32) for column in columns))

    def new(self, history_days: int) -> Int:
        """Codes of the products first sold within LATELY_DAYS; none where the whole history is hardly longer."""
        if history_days < 2 * LATELY_DAYS:
            return np.empty(0, np.int32)
        return np.flatnonzero(self.age_days < LATELY_DAYS).astype(np.int32)


def _buyers(owned: Owned, purchases: Purchases, days: int) -> Long:
    """Customers who bought each product in the last `days`: those whose last purchase of it was then."""
    lately = owned.last_day > day_number(purchases.as_of) - days
    return np.bincount(owned.product[lately], minlength=owned.products)


def _gap_days(owned: Owned) -> Numbers:
    gaps = owned.mean_gap()
    known = ~np.isnan(gaps)
    logs = np.log(gaps[known])
    overall = logs.mean() if len(logs) else np.log(USUAL_GAP_DAYS)
    count = np.bincount(owned.product[known], minlength=owned.products)
    total = np.bincount(owned.product[known], logs, minlength=owned.products)
    return np.asarray(np.exp((total + PRIOR_GAPS * overall) / (count + PRIOR_GAPS)), np.float64)


def _prices(purchases: Purchases) -> tuple[Numbers, Numbers]:
    products, finest = len(purchases.products), purchases.catalog.finest
    units = np.bincount(purchases.product, purchases.units, minlength=products)
    price = np.bincount(purchases.product, purchases.amount, minlength=products) / np.maximum(units, 1e-9)
    known = (finest >= 0) & (price > 0)
    logs, count = np.log(np.maximum(price, 1e-9)), int(finest.max(initial=-1)) + 1
    if not count:
        return price, np.full(products, np.nan)
    total = np.bincount(finest[known], logs[known], minlength=count)
    mean = total / np.maximum(np.bincount(finest[known], minlength=count), 1)
    return price, np.where(known, logs - mean[finest], np.nan)


def _shops(purchases: Purchases) -> Long:
    products = len(purchases.products)
    rows = (purchases.day > day_number(purchases.as_of) - WINDOWS[-1]) & (purchases.location >= 0)
    sold = np.unique(purchases.location[rows].astype(np.int64) * products + purchases.product[rows])
    return np.bincount(sold % products, minlength=products)


def _category_share(finest: Int, buyers: Long) -> Numbers:
    known = finest >= 0
    total = np.bincount(finest[known], buyers[known], minlength=1)
    return np.where(known, buyers / np.maximum(total[np.maximum(finest, 0)], 1), np.nan)


@dataclass(frozen=True)
class PlaceFacts:
    """What sold at each location in the longest window: entries start[l] … start[l + 1] - 1, sorted by product.

    buyers, lately  customers and anonymous baskets with the product, in the longest window and in LATELY_DAYS
    last_day        day number of the last sale
    place_buyers    int32 [locations], customers and anonymous baskets of the longest window, whatever they bought
    """

    start: Long
    product: Int
    buyers: Int
    lately: Int
    last_day: Int
    place_buyers: Int

    @classmethod
    def of(cls, purchases: Purchases) -> Self:
        today, places, products = day_number(purchases.as_of), len(purchases.locations), len(purchases.products)
        rows = np.flatnonzero(purchases.day > today - WINDOWS[-1])
        counted = count_buyers(purchases, rows, purchases.location[rows], places)
        place = np.repeat(np.arange(places, dtype=np.int32), np.diff(counted.start))
        late_rows = np.flatnonzero(purchases.day > today - LATELY_DAYS)
        late = count_buyers(purchases, late_rows, purchases.location[late_rows], places).find(place, counted.product)
        key = place.astype(np.int64) * products + counted.product
        here = rows[purchases.location[rows] >= 0]
        sold = purchases.location[here].astype(np.int64) * products + purchases.product[here]
        last_day = np.zeros(len(key), np.int32)
        np.maximum.at(last_day, np.searchsorted(key, sold), purchases.day[here])
        return cls(counted.start, counted.product, counted.customers + counted.anonymous, late[0] + late[1], last_day,
                   counted.place_buyers)  # fmt: skip

    def find(self, location: Int, product: Int) -> Long:
        """The entry of each (location, product), -1 where it did not sell there."""
        entry = np.full(len(product), -1, np.int64)
        for one in np.unique(location[location >= 0]).tolist():
            begin, end = self.start[[one, one + 1]].tolist()
            asked = np.flatnonzero(location == one)
            if begin == end:
                continue
            codes = self.product[begin:end]
            at = np.minimum(np.searchsorted(codes, product[asked]), end - begin - 1)
            hit = codes[at] == product[asked]
            entry[asked[hit]] = begin + at[hit]
        return entry
