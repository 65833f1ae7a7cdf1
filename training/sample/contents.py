"""What is in the day's baskets: products, units and money, and the coincidences that mislead."""

from typing import Any

import numpy as np
import numpy.typing as npt

from training.sample.assortment import BUNDLES, CATEGORIES, PRODUCTS_PER_CATEGORY
from training.sample.baskets import CLOSES, OPENS
from training.sample.cycles import LOYAL
from training.sample.money import to_cents
from training.sample.people import APP, GROUP, LIVE, MINI, POS
from training.sample.plan import LINES
from training.sample.records import CASE, DOZEN, EACH, JIN, KG, Baskets, Lines
from training.sample.world import World, response

Array = npt.NDArray[Any]
MORE_LINES = 0.3  # mean of further lines of a category in a basket
WEIGHT_SHAPE = 5.0  # of the gamma of a weighed line
JIN_SHARE = {POS: 0.8, MINI: 0.5}  # of the weighed lines are counted in 斤
TWICE = 0.004  # of the baskets with an account are bought again the same day
LOOKALIKE = 0.02  # of the app's orders fetched in a store meet an equal basket of a stranger at its till
IDENTICAL = 0.015  # of the lines at the till are scanned twice and stand twice on the receipt
GIFT = 0.15  # of the live stream's orders
BUNDLE = 0.2  # of the group-buy's orders
GROUP_PRICE = 0.9


def draw_contents(world: World, day: int, baskets: Baskets, basket: Array, category: Array) -> tuple[Baskets, Lines]:
    """Fill the baskets; the coincidences may add some."""
    random = world.plan.random(LINES, day)
    lines = _chosen(world, day, baskets, basket, category, random)
    lines = _in_cases(world, day, baskets, lines, random)
    lines = _with_extras(world, day, baskets, lines, random)
    lines = _in_dollars(world, day, baskets, lines)
    baskets, lines = _bought_twice(world, day, baskets, lines, random)
    baskets, lines = _lookalikes(world, day, baskets, lines, random)
    again = (baskets.system[lines.basket] == POS) & (random.random(len(lines)) < IDENTICAL)
    return baskets, lines.take(np.repeat(np.arange(len(lines)), 1 + again))


def _chosen(
    world: World, day: int, baskets: Baskets, basket: Array, category: Array, random: np.random.Generator
) -> Lines:
    """Lines of the categories due: the favourite or any listed product, in units that respond to the day."""
    times = 1 + random.poisson(MORE_LINES, len(basket))
    basket, category = np.repeat(basket, times), np.repeat(category, times)
    product = _products(world, day, baskets.household[basket], category, random)
    weighed = world.goods.weighed[product]
    region = world.places.region[np.where(baskets.picked_up_in >= 0, baskets.picked_up_in, baskets.location)][basket]
    mean = np.array([c.mean_units for c in CATEGORIES])[category] * response(world, day)[region, product]
    pieces = random.poisson(np.where(weighed, 0, mean)) * 1000
    grams = np.maximum(np.round(random.gamma(WEIGHT_SHAPE, mean * (1000 / WEIGHT_SHAPE))), 20).astype(np.int64)
    milli = np.where(weighed, grams, pieces)
    unit = np.where(weighed, KG, EACH)
    for system, share in JIN_SHARE.items():
        unit[weighed & (baskets.system[basket] == system) & (random.random(len(unit)) < share)] = JIN
    fen, discount = _money(world, day, product, milli)
    bought = milli > 0
    return Lines(basket, product, milli, unit, fen, discount, np.zeros(len(unit), bool)).take(bought)


def _products(world: World, day: int, house: Array, category: Array, random: np.random.Generator) -> Array:
    goods = world.goods
    listed = (goods.launched <= day) & (day < goods.ended)
    table = np.where(listed, goods.share, 0).reshape(len(CATEGORIES), PRODUCTS_PER_CATEGORY)
    reached = np.cumsum(table, axis=1)
    drawn = (random.random(len(house))[:, None] * reached[category, -1:] >= reached[category]).sum(axis=1)
    drawn += category * PRODUCTS_PER_CATEGORY
    usual = world.habits.favourite[house, category].astype(np.int64)
    loyal = (random.random(len(house)) < LOYAL) & (usual >= 0) & listed[usual]
    return np.where(loyal, usual, drawn)


def _money(world: World, day: int, product: Array, milli: Array) -> tuple[Array, Array]:
    """Fen paid, and fen taken off the shelf price; half a fen is rounded up."""
    paid = (milli * world.goods.price_fen[day][product] + 500) // 1000
    listed = (milli * world.goods.shelf_fen[day][product] + 500) // 1000
    return paid, listed - paid


def _in_cases(world: World, day: int, baskets: Baskets, lines: Lines, random: np.random.Generator) -> Lines:
    """Group-buy sells pieces by the case or the dozen, and everything cheaper."""
    group = baskets.system[lines.basket] == GROUP
    fate = random.random(len(lines))
    case = group & (lines.unit == EACH) & (fate < 0.35)
    dozen = group & (lines.unit == EACH) & (fate > 0.80)
    size = np.select([case, dozen], [world.goods.pack[lines.product], 12], 1)
    packs = np.where(case | dozen, np.minimum(lines.milli, 2000), lines.milli)
    milli = packs * size
    fen, discount = _money(world, day, lines.product, milli)
    cheaper = np.where(group, (fen * int(GROUP_PRICE * 100) + 50) // 100, fen)
    unit = np.select([case, dozen], [CASE, DOZEN], lines.unit)
    return Lines(lines.basket, lines.product, milli, unit, cheaper, discount + fen - cheaper, lines.gift)


def _with_extras(world: World, day: int, baskets: Baskets, lines: Lines, random: np.random.Generator) -> Lines:
    """Gifts in the live stream's orders and bundles in the group-buy's, beside what was chosen."""
    filled = np.unique(lines.basket)
    system, fate = baskets.system[filled], random.random(len(filled))
    gifted, bundled = filled[(system == LIVE) & (fate < GIFT)], filled[(system == GROUP) & (fate < BUNDLE)]
    snacks = next(number for number, category in enumerate(CATEGORIES) if category.name == "零食")
    gift = snacks * PRODUCTS_PER_CATEGORY + random.integers(0, 15, len(gifted))
    bundle = world.goods.plain + random.integers(0, BUNDLES, len(bundled))
    count = random.integers(1, 3, len(bundled))
    gifts = _pieces(gifted, gift, np.ones(len(gifted), np.int64), np.zeros(len(gifted), np.int64), True)
    fen = count * world.goods.price_fen[day][bundle]
    return lines.followed_by(gifts, _pieces(bundled, bundle, count, fen, False))


def _pieces(basket: Array, product: Array, count: Array, fen: Array, gift: bool) -> Lines:
    same = np.zeros(len(basket), np.int64)
    return Lines(basket, product, count * 1000, same + EACH, fen, same, same.astype(bool) | gift)


def _in_dollars(world: World, day: int, baskets: Baskets, lines: Lines) -> Lines:
    """The lines of cross-border orders are paid in cents."""
    usd = baskets.usd[lines.basket]
    return lines.take(slice(None), fen=np.where(usd, to_cents(world.plan, day, lines.fen), lines.fen),
                      discount=np.where(usd, to_cents(world.plan, day, lines.discount), lines.discount))  # fmt: skip


def _copied(baskets: Baskets, lines: Lines, chosen: Array, **changes: Array) -> tuple[Baskets, Lines]:
    """The baskets with copies of the chosen ones and of their lines after them."""
    number = np.full(len(baskets), -1, np.int64)
    number[chosen] = len(baskets) + np.arange(len(chosen))
    rows = number[lines.basket] >= 0
    copies = lines.take(rows, basket=number[lines.basket[rows]])
    return baskets.followed_by(baskets.take(chosen, **changes)), lines.followed_by(copies)


def _bought_twice(
    world: World, day: int, baskets: Baskets, lines: Lines, random: np.random.Generator
) -> tuple[Baskets, Lines]:
    """The same customer buys the same again, 20 minutes to four hours later: two orders, both real."""
    able = np.isin(baskets.system, (POS, APP, MINI)) & (baskets.account >= 0)
    again = baskets.at + random.integers(1200, 4 * 3600, len(baskets))
    able &= (again < world.plan.midnight(day) + CLOSES) & (random.random(len(baskets)) < TWICE)
    chosen = np.flatnonzero(able)
    return _copied(baskets, lines, chosen, at=again[chosen])


def _lookalikes(
    world: World, day: int, baskets: Baskets, lines: Lines, random: np.random.Generator
) -> tuple[Baskets, Lines]:
    """A stranger buys at the till what somebody orders in the app for the same store in the same minute."""
    second = baskets.at - world.plan.midnight(day)
    able = (baskets.system == APP) & ~baskets.delivery & (second > OPENS + 60) & (second < CLOSES - 60)
    chosen = np.flatnonzero(able & (random.random(len(baskets)) < LOOKALIKE))
    people = world.people
    stranger = random.integers(0, people.persons, len(chosen))
    house = people.household[stranger]
    distinct = house != baskets.household[chosen]
    chosen, stranger, house = chosen[distinct], stranger[distinct], house[distinct]
    card = np.where(random.random(len(chosen)) < 0.7, people.own[POS][stranger], -1)
    none = np.zeros(len(chosen), bool)
    return _copied(baskets, lines, chosen, household=house.astype(np.int64), person=stranger,
                   system=np.full(len(chosen), POS), account=card.astype(np.int64), delivery=none, cancelled=none,
                   at=baskets.at[chosen] // 60 * 60 + random.integers(0, 60, len(chosen)))  # fmt: skip
