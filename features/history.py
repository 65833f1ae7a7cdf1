"""The purchase history as of a day, in the form that recommenders read: integer-coded columns."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from features.errors import HistoryError
from features.workspace import Snapshot

if TYPE_CHECKING:
    from features.offers import Offers

Int = npt.NDArray[np.int32]
Float = npt.NDArray[np.float32]
UNKNOWN = -1
GOLDEN = np.uint32(2654435769)  # 2**32 ÷ the golden ratio: its multiples spread evenly (Knuth)
EPOCH = date(1970, 1, 1)
PURCHASE_COLUMNS = [
    "order_id", "product_id", "account_id", "channel", "location_id", "ordered_at", "day", "net_units", "net_amount",
    "gift",
]  # fmt: skip


def day_number(day: date) -> int:
    """Return whole days since 1970-01-01.

    >>> day_number(date(1970, 1, 11))
    10
    """
    return (day - EPOCH).days


class Ids:
    """Sorted external ids and their codes 0..n-1; `codes` gives -1 for an id it does not hold.

    >>> ids = Ids(["b", "a", "b"])
    >>> list(ids), ids.codes(["b", "zz"]).tolist(), ids[0]
    (['a', 'b'], [1, -1], 'a')
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.values: list[str] = sorted(set(ids))

    @cached_property
    def _code(self) -> dict[str, int]:
        return {value: code for code, value in enumerate(self.values)}

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __getitem__(self, code: int) -> str:
        return self.values[code]

    def code(self, value: str | None) -> int:
        return UNKNOWN if value is None else self._code.get(value, UNKNOWN)

    def codes(self, values: Sequence[str | None]) -> Int:
        return np.fromiter((self.code(value) for value in values), np.int32, len(values))


def recoded(ids: Ids, into: Ids, codes: Int) -> Int:
    """The codes that other ids give the same things; -1 for what those do not hold.

    >>> recoded(Ids(["a", "b"]), Ids(["b", "c"]), np.array([0, 1, -1], np.int32)).tolist()
    [-1, 0, -1]
    """
    return np.append(into.codes(ids.values), np.int32(UNKNOWN))[codes].astype(np.int32)


@dataclass(frozen=True)
class Catalog:
    """What each product is, aligned to a list of product ids.

    `category` is int32 [products, levels], broadest first, -1 where unknown; `category_names[level]` are its
    ids. A level's code stands for the whole path down to it, so equal names under two parents differ.
    """

    names: list[str]
    category: Int
    category_names: tuple[Ids, ...]
    brand: Int
    brands: Ids

    @property
    def finest(self) -> Int:
        """The narrowest known category of each product, int32 [products]; -1 where none is known."""
        return self.category[:, -1] if self.category.shape[1] else np.full(len(self.names), UNKNOWN, np.int32)


PATH_SEPARATOR = " > "


def catalog_for(products: Ids, table: pa.Table | None) -> Catalog:
    """Align a `catalog` table to `products`; a product without a row is named by its id.

    A path shorter than the deepest one is continued by its own last category, so that every level is filled.
    """
    rows = {row["product_id"]: row for row in table.to_pylist()} if table is not None else {}
    known = [rows.get(product, {}) for product in products.values]
    paths = [[part for part in (row.get("category") or []) if part] for row in known]
    depth = max((len(path) for path in paths), default=0)
    levels = [[PATH_SEPARATOR.join(path[: level + 1]) if path else None for path in paths] for level in range(depth)]
    vocabularies = tuple(Ids(name for name in level if name is not None) for level in levels)
    category = np.stack([ids.codes(level) for ids, level in zip(vocabularies, levels, strict=True)], axis=1) if depth \
        else np.zeros((len(known), 0), np.int32)  # fmt: skip
    brands = Ids(row["brand"] for row in known if row.get("brand"))
    return Catalog(
        names=[row.get("name") or product for row, product in zip(known, products.values, strict=True)],
        category=category,
        category_names=vocabularies,
        brand=brands.codes([row.get("brand") for row in known]),
        brands=brands,
    )


@dataclass(frozen=True)
class Purchases:
    """Every purchase (units above zero) up to the end of `as_of`, one entry per order and product.

    All arrays have one entry per purchase and are sorted by customer, day, order, product; anonymous baskets
    have customer -1 and come first. `day` counts from 1970-01-01. `order` numbers orders by time. Codes index
    the `Ids` beside them, which hold what occurs up to `as_of` and nothing later. `offers` are the plans known by
    then, of some weeks before and after it; None where no plans are given.
    """

    as_of: date
    customers: Ids
    products: Ids
    locations: Ids
    channels: Ids
    customer: Int
    product: Int
    location: Int
    channel: Int
    order: Int
    day: Int
    units: Float
    amount: Float
    catalog: Catalog
    offers: "Offers | None" = None

    def __len__(self) -> int:
        return len(self.customer)

    def until(self, as_of: date) -> "Purchases":
        """The same history as of an earlier day: later rows, and ids that occur only in them, are gone."""
        return self._narrowed_to(self.day <= day_number(as_of), as_of)

    def thinned(self, share: float) -> "Purchases":
        """About this share of customers, all that each bought, and of orders without one; the same each time."""
        of_customers, of_orders = (codes.astype(np.uint32) * GOLDEN for codes in (self.customer, self.order))
        drawn = np.where(self.customer >= 0, of_customers, of_orders) <= np.uint32(share * (2**32 - 1))
        return self._narrowed_to(drawn, self.as_of)

    def _narrowed_to(self, keep: npt.NDArray[np.bool_], as_of: date) -> "Purchases":
        coded: dict[str, Any] = {}
        used: dict[str, Int] = {}
        for name in ("customer", "product", "location", "channel"):
            used[name], coded[f"{name}s"], coded[name] = _narrowed(getattr(self, f"{name}s"), getattr(self, name)[keep])
        _, order = np.unique(self.order[keep], return_inverse=True)
        offers = self.offers and self.offers.recoded(
            _new_codes(used["location"], len(self.locations)), _new_codes(used["product"], len(self.products)), as_of
        )
        return Purchases(
            as_of=as_of, **coded, order=order.astype(np.int32), day=self.day[keep], units=self.units[keep],
            amount=self.amount[keep], catalog=_narrowed_catalog(self.catalog, used["product"]), offers=offers,
        )  # fmt: skip


def _narrowed(ids: Ids, codes: Int) -> tuple[Int, Ids, Int]:
    """Which codes occur, the ids of only those, and the codes into them."""
    used = np.unique(codes[codes >= 0])
    return used, Ids(ids[code] for code in used.tolist()), _new_codes(used, len(ids))[codes]


def _new_codes(used: Int, count: int) -> Int:
    """The new code of each of `count` old ones when only `used` remain, -1 for the others and for the code -1."""
    new_code = np.full(count + 1, UNKNOWN, np.int32)  # its last entry serves the code -1
    new_code[used] = np.arange(len(used), dtype=np.int32)
    return new_code


def _narrowed_catalog(catalog: Catalog, products: Int) -> Catalog:
    """The catalog of some of its products, as `catalog_for` would make it of only their rows."""
    levels = [_narrowed(ids, catalog.category[products, level]) for level, ids in enumerate(catalog.category_names)]
    _, brands, brand = _narrowed(catalog.brands, catalog.brand[products])
    depth = 0
    for _, ids, codes in levels:
        _, deepest_ids, deepest = levels[-1]
        pairs = {(code, last) for code, last in zip(codes.tolist(), deepest.tolist(), strict=True) if code >= 0}
        depth += bool(pairs)
        if all(ids[code] == deepest_ids[last] for code, last in pairs):
            break
    category = np.stack([codes for _, _, codes in levels[:depth]], axis=1) if depth \
        else np.zeros((len(products), 0), np.int32)  # fmt: skip
    names = [catalog.names[code] for code in products.tolist()]
    return Catalog(names, category, tuple(ids for _, ids, _ in levels[:depth]), brand, brands)


def load_purchases(snapshot: Snapshot, as_of: date, accounts: pa.Table | None = None) -> Purchases:
    """Load every purchase of a snapshot up to the end of `as_of`, reading no row later than that.

    `accounts` is what `accounts_as_of` gave for that day, where it is at hand already.
    Raises HistoryError when nothing was bought by then.
    """
    by_then = pads.field("day") <= pa.scalar(as_of, pa.date32())
    history = snapshot.read("purchase_history", by_then, PURCHASE_COLUMNS)
    if not len(history):
        raise HistoryError(f"nothing was bought up to {as_of}: the history begins on {snapshot.first_day}")
    catalog = None
    if snapshot.holds("catalog"):
        catalog = snapshot.read("catalog", pads.field("product_id").isin(pc.unique(history["product_id"])))
    if accounts is None:
        from features.who import accounts_as_of  # the server opens coded histories and needs no engine

        accounts = accounts_as_of(snapshot, as_of)
    purchases = purchases_from(history, as_of, catalog, accounts)
    if not snapshot.holds("plans"):
        return purchases
    from features.offers import load_offers  # it reads histories itself

    return replace(purchases, offers=load_offers(snapshot, purchases.locations, purchases.products, as_of))


def purchases_from(
    history: pa.Table, as_of: date, catalog: pa.Table | None = None, accounts: pa.Table | None = None
) -> Purchases:
    """Code a `purchase_history` table for the recommenders, reading no row later than `as_of`.

    Rows without units sold (returns) and gifts are left out. `catalog` is a `catalog` table or None; `accounts`
    says whose each account is, and without it each is its own customer.
    """
    history = history.filter(pc.and_(pc.less_equal(history["day"], pa.scalar(as_of, pa.date32())),
                                     pc.greater(history["net_units"], 0)))  # fmt: skip
    history = history.filter(pc.invert(history["gift"]))
    orders = pa.table({"at": history["ordered_at"], "order_id": history["order_id"]})
    first = (
        orders.group_by("order_id")
        .aggregate([("at", "min")])
        .sort_by([("at_min", "ascending"), ("order_id", "ascending")])
    )
    number = pc.index_in(history["order_id"], value_set=first["order_id"].combine_chunks())
    columns = {
        "customer_id": _customers(history["account_id"], accounts),
        "product_id": history["product_id"],
        "location_id": history["location_id"],
        "channel": history["channel"],
        "order": number.cast(pa.int32()),
        "day": history["day"].cast(pa.date32()).cast(pa.int32()),
        "units": history["net_units"].cast(pa.float64()).cast(pa.float32()),
        "amount": pc.fill_null(history["net_amount"].cast(pa.float64()), 0.0).cast(pa.float32()),
    }
    return _coded(columns, as_of, catalog)


def _customers(account: pa.ChunkedArray, accounts: pa.Table | None) -> pa.ChunkedArray:
    """The customer of each account."""
    if accounts is None:
        return account
    place = pc.index_in(account, value_set=accounts["account_id"].combine_chunks())
    return pc.take(accounts["customer_id"], place)


def _coded(columns: dict[str, pa.Array], as_of: date, catalog: pa.Table | None) -> Purchases:
    def code(name: str) -> tuple[Ids, Int]:
        ids = Ids(pc.unique(columns[name]).drop_null().to_pylist())
        codes = pc.fill_null(pc.index_in(columns[name], value_set=pa.array(ids.values, pa.string())), UNKNOWN)
        return ids, codes.to_numpy(zero_copy_only=False).astype(np.int32)

    customers, customer = code("customer_id")
    products, product = code("product_id")
    locations, location = code("location_id")
    channels, channel = code("channel")
    _, order = np.unique(_numpy(columns["order"]), return_inverse=True)
    day = _numpy(columns["day"])
    rank = np.lexsort((product, order, day, customer))
    return Purchases(
        as_of=as_of,
        customers=customers,
        products=products,
        locations=locations,
        channels=channels,
        customer=customer[rank],
        product=product[rank],
        location=location[rank],
        channel=channel[rank],
        order=order.astype(np.int32)[rank],
        day=day[rank],
        units=_numpy(columns["units"])[rank],
        amount=_numpy(columns["amount"])[rank],
        catalog=catalog_for(products, catalog),
    )


def _numpy(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
    return np.asarray(column.to_numpy(zero_copy_only=False)) if isinstance(column, pa.Array) else column.to_numpy()
