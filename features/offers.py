"""Planned promotions near a day: which products stand out at which location, as far as it was known by then."""

from dataclasses import dataclass, fields
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import scipy.sparse as sp

from features.history import EPOCH, UNKNOWN, Ids, Int, day_number
from features.workspace import Snapshot

Bools = npt.NDArray[np.bool_]
EVERYWHERE = "all"  # the location of a plan that holds for every one
KINDS = ("display", "promotion")
PAST_DAYS = 120  # so far back that past target windows can be learnt from
AHEAD_DAYS = 35
COLUMNS = ["product_id", "location_id", "starts_on", "ends_on", "known_on", *KINDS]


@dataclass(frozen=True)
class Offers:
    """One entry per plan: codes of location (-1 = everywhere) and product, day numbers, and what kind it is of.

    It holds at `location` from `starts` to `ends`, and counts as known from `known` on.
    """

    location: Int
    product: Int
    starts: Int
    ends: Int
    known: Int
    display: Bools
    promotion: Bools

    def __len__(self) -> int:
        return len(self.product)

    def recoded(self, location_code: Int, product_code: Int, as_of: date) -> "Offers":
        """The offers known by `as_of` under other codes; those of dropped locations (code -1) or products are gone.

        Both arrays give the new code of each old one; `location_code` has an entry more at its end, for -1.
        """
        product, location = product_code[self.product], location_code[self.location]
        keep = (product >= 0) & ((location >= 0) | (self.location < 0)) & (self.known <= day_number(as_of))
        kept = {name: getattr(self, name)[keep] for name in ("starts", "ends", "known", *KINDS)}
        return Offers(location[keep], product[keep], **kept)

    def between(self, first: int, last: int) -> "Offers":
        """Those in force on any day from `first` to `last` (day numbers)."""
        return self.part((self.starts <= last) & (self.ends >= first))

    def part(self, keep: Bools) -> "Offers":
        return Offers(*(getattr(self, one.name)[keep] for one in fields(self)))


def load_offers(snapshot: Snapshot, locations: Ids, products: Ids, as_of: date) -> Offers:
    """The plans known by `as_of` and in force from PAST_DAYS before it to AHEAD_DAYS after it."""
    first, last = as_of - timedelta(days=PAST_DAYS), as_of + timedelta(days=AHEAD_DAYS)
    wanted = (
        (pads.field("starts_on") <= _scalar(last)) & (pads.field("ends_on") >= _scalar(first))
        & (pads.field("known_on") <= _scalar(as_of))
    )  # fmt: skip
    return offers_from(snapshot.read("plans", wanted, COLUMNS), locations, products)


def offers_from(plans: pa.Table, locations: Ids, products: Ids) -> Offers:
    """Code a `plans` table; plans of unknown locations or products are left out, and those that show nothing."""
    product = _codes(plans["product_id"], products)
    location = _codes(plans["location_id"], locations)
    everywhere = pc.equal(plans["location_id"], EVERYWHERE).to_numpy()
    shown = {kind: pc.is_valid(plans[kind]).to_numpy() for kind in KINDS}
    keep = (product >= 0) & ((location >= 0) | everywhere) & (shown["display"] | shown["promotion"])
    days = [plans[name].cast(pa.int32()).to_numpy()[keep] for name in ("starts_on", "ends_on", "known_on")]
    return Offers(location[keep], product[keep], *days, *(shown[kind][keep] for kind in KINDS))


def _codes(column: pa.ChunkedArray, ids: Ids) -> Int:
    coded = pc.index_in(column, value_set=pa.array(ids.values, pa.string()))
    return np.asarray(pc.fill_null(coded, UNKNOWN).to_numpy(), np.int32)


def _scalar(day: date) -> pa.Scalar:
    return pa.scalar((day - EPOCH).days, pa.int32()).cast(pa.date32())


@dataclass(frozen=True)
class Showing:
    """What is shown at each location on some days, as compressed rows: row l is location l, the last row everywhere.

    `kind` is 1 for a display, 2 for a promotion, 3 for both; `ends` is the last day of the offer.
    """

    start: npt.NDArray[np.int64]
    product: Int
    kind: npt.NDArray[np.int8]
    ends: Int
    products: int

    @classmethod
    def of(cls, offers: Offers, locations: int, products: int) -> "Showing":
        row = np.where(offers.location >= 0, offers.location, locations).astype(np.int64)
        key = row * products + offers.product
        kind = (offers.display + 2 * offers.promotion).astype(np.int8)
        order = np.lexsort((offers.ends, key))
        key, kind, ends = key[order], kind[order], offers.ends[order]
        head = np.flatnonzero(np.diff(key, prepend=-1))
        tail = np.append(head[1:], len(key))[: len(head)] - 1
        kinds = np.bitwise_or.reduceat(kind, head) if len(head) else kind
        start = np.searchsorted(key[head], np.arange(locations + 2, dtype=np.int64) * products)
        return cls(start, (key[head] % products).astype(np.int32), kinds, ends[tail], products)

    @property
    def locations(self) -> int:
        return len(self.start) - 2

    @cached_property
    def shops(self) -> Int:
        """At how many locations each product is shown, int32 [products]; everywhere counts as all of them."""
        held = np.bincount(self.product[: self.start[-2]], minlength=self.products)
        held[self.product[self.start[-2] :]] = max(self.locations, 1)
        return held.astype(np.int32)

    def at(self, location: int) -> tuple[Int, npt.NDArray[np.int8], Int]:
        """Product, kind and last day of what is shown at a location (-1: what is shown everywhere), by product."""
        rows = [slice(*self.start[[row, row + 1]]) for row in {location, self.locations} if row >= 0]
        product, kind, ends = (np.concatenate([column[part] for part in rows])
                               for column in (self.product, self.kind, self.ends))  # fmt: skip
        order = np.argsort(product, kind="stable")
        return product[order], kind[order], ends[order]

    def find(self, location: Int, product: Int) -> tuple[npt.NDArray[np.int8], Int]:
        """Kind and last day of the offer of each (location, product); kind 0 where it is not shown there."""
        kind, ends = np.zeros(len(product), np.int8), np.zeros(len(product), np.int32)
        for one in np.unique(location).tolist():
            shown, its_kind, its_end = self.at(one)
            asked = np.flatnonzero(location == one)
            if len(shown):
                at = np.minimum(np.searchsorted(shown, product[asked]), len(shown) - 1)
                hit = shown[at] == product[asked]
                kind[asked[hit]], ends[asked[hit]] = its_kind[at[hit]], its_end[at[hit]]
        return kind, ends

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """1 where a product is shown, float32 [locations + 1, products]."""
        shape = (len(self.start) - 1, self.products)
        return sp.csr_matrix((np.ones(len(self.product), np.float32), self.product, self.start), shape=shape)
