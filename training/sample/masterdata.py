"""The exports beside the orders: what products, shops, plans, prices, weather and customers are."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from training.sample.arrow_text import clock, exact, named
from training.sample.assortment import BUNDLES, CATEGORIES
from training.sample.evidence import KINDS, draw_wishes
from training.sample.layouts import app_skus, seller_skus
from training.sample.money import rates
from training.sample.people import SYSTEMS
from training.sample.places import FORECAST_DAYS, REGIONS
from training.sample.world import World

Array = npt.NDArray[Any]
Columns = dict[str, Any]
LEAD_DAYS = {3: 1, 6: 2}  # of categories by shelf life; others PLAIN_LEAD
PLAIN_LEAD = 3
PLAN_AHEAD = 14  # days before which a promotion is known


def write_masterdata(world: World, folder: Path) -> None:
    """Write every export that is not written day by day."""
    exports: dict[str, tuple[Columns, str]] = {
        "masterdata/catalog.csv": (_catalog(world), "gbk"),
        "masterdata/locations.csv": (_locations(world), "utf-8"),
        "masterdata/bundles.csv": (_bundles(world), "utf-8"),
        "masterdata/product_units.csv": (_product_units(world), "utf-8"),
        "masterdata/listings.csv": (_listings(world), "utf-8"),
        "masterdata/prices.csv": (_prices(world), "utf-8"),
        "masterdata/supply_terms.csv": (_supply_terms(world), "utf-8"),
        "masterdata/exchange_rates.csv": (_exchange_rates(world), "utf-8"),
        "plans/promotions.csv": (_promotions(world), "utf-8"),
        "calendar/calendar.csv": (_calendar(world), "utf-8"),
        "weather/weather.csv": (_weather(world), "utf-8"),
        "crm/identity_links.csv": (_identity_links(world), "utf-8"),
        "crm/consents.csv": (_consents(world), "utf-8"),
        "app/sku_map.csv": ({"sku": app_skus(world), "house_no": world.goods.codes}, "utf-8"),
        "ecommerce/product_map.csv": ({"seller_sku": seller_skus(world), "house_no": world.goods.codes}, "utf-8"),
        "mini_program/stores.csv": ({"门店名称": world.places.names, "门店编号": world.places.codes}, "utf-8"),
    }
    for name, (columns, encoding) in exports.items():
        _write(folder / "exports" / name, columns, encoding)


def _write(path: Path, columns: Columns, encoding: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: _plain(column) for name, column in columns.items()})
    options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
    with path.open("wb") as file:
        file.write((",".join(columns) + "\n").encode(encoding))
        if encoding == "utf-8":
            pa.csv.write_csv(table, file, options)
        else:
            body = pa.BufferOutputStream()
            pa.csv.write_csv(table, body, options)
            file.write(body.getvalue().to_pybytes().decode().encode(encoding))


def _plain(column: Any) -> Any:
    if isinstance(column, pa.DictionaryArray):
        return column.cast(pa.string())
    return column if isinstance(column, pa.Array) else pa.array(column)


def _dates(world: World, days: Array) -> Any:
    """Days of the sample as dates; null where below -1000."""
    first = (world.plan.starts_on - world.plan.starts_on.replace(1970, 1, 1)).days
    days = np.asarray(days)
    return pa.array((days + first).astype(np.int32), pa.date32(), mask=days < -1000)


def _catalog(world: World) -> Columns:
    goods = world.goods
    chosen = [CATEGORIES[category] for category in goods.category]
    return {
        "商品编码": goods.codes, "名称": list(goods.names),
        "部门": [*(category.department for category in chosen), *["团购"] * BUNDLES],
        "品类": [*(category.name for category in chosen), *["组合"] * BUNDLES],
        "品牌": [*(name[:2] for name in goods.names[: goods.plain]), *["自有"] * BUNDLES],
        "基本单位": [*("公斤" if weighed else "件" for weighed in goods.weighed), *["件"] * BUNDLES],
        "箱规": goods.pack,
        "保质期": [*(category.shelf_life_days for category in chosen), *[3] * BUNDLES],
    }  # fmt: skip


def _locations(world: World) -> Columns:
    places = world.places
    return {
        "location_id": places.codes, "name": list(places.names), "kind": list(places.kinds),
        "region": [REGIONS[region] for region in places.region],
        "opened_on": _dates(world, np.where(places.opens > 0, places.opens, -900)),
    }  # fmt: skip


def _bundles(world: World) -> Columns:
    goods = world.goods
    return {
        "bundle": np.repeat(goods.codes[goods.plain :], goods.parts.shape[1]),
        "product": goods.codes[goods.parts.ravel()], "units": goods.part_units.ravel(),
        "share": goods.part_tenths.ravel() / 10,
    }  # fmt: skip


def _product_units(world: World) -> Columns:
    pieces = np.flatnonzero(~world.goods.weighed)
    return {"product": world.goods.codes[pieces], "unit": ["case"] * len(pieces), "pieces": world.goods.pack[pieces]}


def _listings(world: World) -> Columns:
    """A row for every product everywhere, and one for each in a store that opens later."""
    goods, places = world.goods, world.places
    new = np.flatnonzero(places.opens > 0)
    location = np.concatenate([np.full(goods.plain, -1), np.repeat(new, goods.plain)])
    product = np.tile(np.arange(goods.plain), 1 + len(new))
    starts = np.maximum(goods.launched[product], np.where(location >= 0, places.opens[location], 0))
    ends = np.where(goods.ended[product] < world.plan.days, goods.ended[product] - 1, -2000)
    kept = (ends < -1000) | (starts <= ends)
    place = np.where(location < 0, len(places.codes), location)
    return {"product": goods.codes[product][kept], "location": np.append(places.codes, "all")[place][kept],
            "starts_on": _dates(world, starts[kept]), "ends_on": _dates(world, ends[kept])}  # fmt: skip


def _prices(world: World) -> Columns:
    shelf = world.goods.shelf_fen
    changed = np.vstack([np.ones(shelf.shape[1], bool), shelf[1:] != shelf[:-1]])
    product, day = np.nonzero(changed.T)
    return {"product": world.goods.codes[product], "starts_on": _dates(world, day),
            "price": exact(shelf[day, product], 2)}  # fmt: skip


def _promotions(world: World) -> Columns:
    product, first, last, fen, shown = world.goods.promotions.T
    return {
        "product": world.goods.codes[product], "starts_on": _dates(world, first), "ends_on": _dates(world, last),
        "known_on": _dates(world, first - PLAN_AHEAD), "price": exact(fen, 2),
        "display": named(shown - 1, ["堆头"]), "promotion": ["直降"] * len(product),
    }  # fmt: skip


def _supply_terms(world: World) -> Columns:
    goods = world.goods
    life = [CATEGORIES[category].shelf_life_days for category in goods.category]
    return {
        "product": goods.codes[: goods.plain], "lead_time_days": [LEAD_DAYS.get(days, PLAIN_LEAD) for days in life],
        "review_period_days": [1 if days <= 7 else 7 for days in life], "pack_size": goods.pack[: goods.plain],
        "moq": goods.pack[: goods.plain], "presentation_stock": [2.0] * goods.plain, "shelf_life_days": life,
        "service_level": [0.92 if days <= 7 else 0.97 for days in life],
    }  # fmt: skip


def _exchange_rates(world: World) -> Columns:
    days = np.arange(0, world.plan.days, 7)
    return {"currency": ["USD"] * len(days), "day": _dates(world, days),
            "rate": exact(rates(world.plan, world.plan.days)[days], 2)}  # fmt: skip


def _calendar(world: World) -> Columns:
    days = world.days
    return {
        "day": _dates(world, np.arange(world.plan.days)), "is_open": days.open,
        "holiday": [name or None for name in days.holidays],
        "working_day": (days.weekday < 5) & np.array([not name for name in days.holidays]),
    }  # fmt: skip


def _weather(world: World) -> Columns:
    """Three rows for a region and day: forecast three days and one day ahead, and seen, known the day after."""
    days = world.days
    figures = np.concatenate([days.told, days.seen[None]])
    known = np.array([*(-ahead for ahead in FORECAST_DAYS), 1])
    version, day, region = (part.ravel() for part in np.indices(figures.shape[:3]))
    flat = figures.reshape(-1, 3)
    return {
        "region": [REGIONS[number] for number in region], "day": _dates(world, day),
        "known_on": _dates(world, day + known[version]), "low": flat[:, 0], "high": flat[:, 1], "rain": flat[:, 2],
    }  # fmt: skip


def _identity_links(world: World) -> Columns:
    evidence, people = world.evidence, world.people
    return {
        "channel": named(people.account_system[evidence.account], SYSTEMS),
        "account": people.account_text.take(pa.array(evidence.account)), "kind": named(evidence.kind, KINDS),
        "value": evidence.value, "linked_at": clock(evidence.since),
    }  # fmt: skip


def _consents(world: World) -> Columns:
    wishes, people = draw_wishes(world.plan, world.people), world.people
    return {
        "channel": named(people.account_system[wishes.account], SYSTEMS),
        "account": people.account_text.take(pa.array(wishes.account)), "wish": wishes.wish,
        "wished_at": clock(wishes.at),
    }  # fmt: skip
