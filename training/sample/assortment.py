"""What is sold: categories with their cycles and responses, products with their lives, prices and promotions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.sample.plan import PRICES, PRODUCTS, Plan

Array = npt.NDArray[Any]
PRODUCTS_PER_CATEGORY = 20
BUNDLES = 8
REFERENCE = 0.45  # of the products' shares of a category follow Zipf with this exponent


@dataclass(frozen=True)
class Category:
    """A category as households know it: how often they need it, how much of it, and what moves that."""

    name: str
    department: str
    cycle_days: float
    mean_units: float  # per line, before responses; kg where weighed
    weighed: bool
    season: float  # amplitude of the yearly wave
    peak_day: int  # day of the year on which it is highest
    warmth: float  # change of log demand for 10 degrees more
    holiday: float  # factor in the week before a holiday
    elasticity: float
    yuan: tuple[float, float]  # price of a base unit
    shelf_life_days: int


CATEGORIES = (
    Category("叶菜", "生鲜", 5, 0.45, True, 0.10, 100, -0.02, 1.1, 1.2, (5, 16), 3),
    Category("水果", "生鲜", 6, 0.90, True, 0.25, 210, 0.12, 1.4, 1.6, (7, 40), 6),
    Category("猪肉", "生鲜", 7, 0.50, True, 0.12, 20, -0.05, 1.5, 1.3, (26, 70), 4),
    Category("水产", "生鲜", 12, 0.70, True, 0.15, 15, -0.04, 1.6, 1.8, (24, 120), 2),
    Category("牛奶", "乳品", 6, 2.00, False, 0.05, 300, 0.00, 1.1, 1.7, (4, 14), 14),
    Category("酸奶", "乳品", 8, 2.20, False, 0.10, 190, 0.08, 1.0, 2.0, (4, 12), 18),
    Category("鸡蛋", "乳品", 9, 1.20, False, 0.04, 20, -0.01, 1.2, 1.0, (10, 32), 30),
    Category("面包", "烘焙", 6, 1.30, False, 0.04, 330, -0.02, 1.0, 1.4, (6, 26), 4),
    Category("饮料", "食品", 9, 2.40, False, 0.35, 205, 0.20, 1.4, 2.2, (3, 9), 270),
    Category("零食", "食品", 10, 1.70, False, 0.15, 25, -0.01, 1.7, 2.1, (5, 30), 180),
    Category("方便面", "食品", 16, 2.00, False, 0.10, 350, -0.04, 0.9, 1.9, (4, 18), 180),
    Category("大米", "粮油", 35, 1.05, False, 0.03, 10, 0.00, 1.2, 0.9, (28, 95), 365),
    Category("食用油", "粮油", 45, 1.05, False, 0.05, 15, 0.00, 1.5, 1.5, (38, 140), 540),
    Category("啤酒", "酒水", 14, 3.00, False, 0.40, 200, 0.22, 1.5, 1.8, (4, 12), 270),
    Category("纸品", "日化", 25, 1.20, False, 0.03, 310, 0.00, 1.0, 2.4, (12, 45), 1095),
    Category("洗护", "日化", 40, 1.05, False, 0.05, 310, 0.01, 1.1, 2.0, (18, 80), 1095),
)
STYLES = ("家常", "精选", "有机", "特惠", "鲜享", "进口", "本地", "轻享", "大份", "经典")
BRANDS = ("青禾", "白鹭", "南山", "禾田", "海晏", "云岭")


@dataclass(frozen=True)
class Assortment:
    """Products by index; the last BUNDLES of them are bundles of three others.

    codes            text, six digits with leading zeros
    category         index into CATEGORIES
    weighed          whether the base unit is kg
    share            of the choices in its category, over all that are listed
    elasticity       of its demand
    pack             pieces in a case
    launched, ended  first day and day after the last, on the sample's count of days
    shelf_fen        [day, product] price of a base unit without promotion
    price_fen        [day, product] price paid
    display          [day, product] whether it stands out in the shop
    promotions       rows of (product, first day, last day, fen, display)
    parts            [bundle, 3] products; units and shares of the price beside it
    """

    codes: npt.NDArray[Any]
    names: tuple[str, ...]
    category: Array
    weighed: Array
    share: Array
    elasticity: Array
    pack: Array
    launched: Array
    ended: Array
    shelf_fen: Array
    price_fen: Array
    display: Array
    promotions: Array
    parts: Array
    part_units: Array
    part_tenths: Array

    @property
    def plain(self) -> int:
        return len(self.codes) - BUNDLES


def draw_assortment(plan: Plan) -> Assortment:
    """Draw the products; the same plan draws the same."""
    random = plan.random(PRODUCTS)
    category = np.repeat(np.arange(len(CATEGORIES)), PRODUCTS_PER_CATEGORY)
    rank = np.tile(np.arange(PRODUCTS_PER_CATEGORY), len(CATEGORIES))
    plain = len(category)
    share = 1.0 / (1.0 + rank) ** REFERENCE
    elasticity = np.array([CATEGORIES[c].elasticity for c in category]) * random.uniform(0.8, 1.2, plain)
    launched, ended = _lives(plan, random, rank)
    shelf = _shelf_prices(plan, category, random)
    promotions = _promotions(plan, shelf, launched, ended)
    parts, units, tenths = _bundles(random, category)
    bundle_fen = np.array([sum(shelf[0, p] * u for p, u in zip(ps, us, strict=True)) for ps, us in
                           zip(parts, units, strict=True)])  # fmt: skip
    bundle_fen = (bundle_fen * 0.9 / 100).round().astype(np.int64) * 100  # whole yuan, so that tenths are whole fen
    shelf = np.hstack([shelf, np.tile(bundle_fen, (plan.days, 1))])
    price, display = _prices(shelf, promotions)
    order = random.permutation(plain + BUNDLES)
    return Assortment(
        codes=np.array([f"{10_000 + 37 * int(place):06d}" for place in order]),
        names=_names(category, rank), category=category, weighed=np.array([CATEGORIES[c].weighed for c in category]),
        share=share, elasticity=elasticity, pack=random.choice([6, 8, 10, 24], plain + BUNDLES), launched=launched,
        ended=ended, shelf_fen=shelf, price_fen=price, display=display, promotions=promotions, parts=parts,
        part_units=units, part_tenths=tenths,
    )  # fmt: skip


def _names(category: Array, rank: Array) -> tuple[str, ...]:
    plain = [f"{BRANDS[(c + r) % len(BRANDS)]}{STYLES[r % len(STYLES)]}{CATEGORIES[c].name}{'一二'[r // len(STYLES)]}号"
             for c, r in zip(category, rank, strict=True)]  # fmt: skip
    return (*plain, *(f"团购组合{number + 1}" for number in range(BUNDLES)))


def _lives(plan: Plan, random: np.random.Generator, rank: Array) -> tuple[Array, Array]:
    """The two least wanted of each category: one is launched on the way, one delisted."""
    launched = np.zeros(len(rank), np.int64)
    ended = np.full(len(rank), plan.days)
    new, gone = rank == PRODUCTS_PER_CATEGORY - 1, rank == PRODUCTS_PER_CATEGORY - 2
    launched[new] = (random.uniform(0.2, 0.8, new.sum()) * plan.days).astype(np.int64)
    ended[gone] = np.ceil(random.uniform(0.2, 0.8, gone.sum()) * plan.days).astype(np.int64)
    return launched, ended


def _shelf_prices(plan: Plan, category: Array, random: np.random.Generator) -> Array:
    """Prices end in a tenth of a yuan and change about every 75 days, by up to 15 %."""
    low, high = np.array([CATEGORIES[c].yuan for c in category]).T
    first = low * (high / low) ** random.uniform(0, 1, len(category))
    moves = plan.random(PRICES)
    changes = moves.random((plan.days, len(category))) < 1 / 75
    changes[0] = False
    steps = np.where(changes, moves.uniform(-0.15, 0.15, changes.shape), 0.0)
    level = np.clip(np.cumsum(steps, axis=0), -0.35, 0.35)
    fen: Array = (np.round(first * np.exp(level) * 10) * 10).astype(np.int64)
    return fen


def _promotions(plan: Plan, shelf: Array, launched: Array, ended: Array) -> Array:
    """Each product is promoted about every ten weeks for one or two weeks, 10 to 35 % off, every other displayed."""
    random = plan.random(PRICES, 1)
    rows = []
    for product in range(shelf.shape[1]):
        day = int(launched[product]) + int(random.integers(0, 70))
        while day < ended[product]:
            last = min(day + int(random.choice([6, 13])), int(ended[product]) - 1)
            fen = max(10, round(shelf[day, product] * (1 - random.uniform(0.10, 0.35)) / 10) * 10)
            rows.append((product, day, last, fen, int(random.random() < 0.5)))
            day = last + 1 + int(random.integers(35, 90))
    return np.array(rows, np.int64).reshape(-1, 5)


def _prices(shelf: Array, promotions: Array) -> tuple[Array, Array]:
    price, display = shelf.copy(), np.zeros(shelf.shape, bool)
    for product, first, last, fen, shown in promotions:
        price[first : last + 1, product] = np.minimum(fen, shelf[first : last + 1, product])
        display[first : last + 1, product] = bool(shown)
    return price, display


def _bundles(random: np.random.Generator, category: Array) -> tuple[Array, Array, Array]:
    """Bundles of three products that live throughout; their shares are tenths of the price."""
    steady = np.flatnonzero(np.arange(len(category)) % PRODUCTS_PER_CATEGORY < 15)
    parts = np.array([random.choice(steady, 3, replace=False) for _ in range(BUNDLES)])
    weighed = np.array([CATEGORIES[c].weighed for c in category])[parts]
    units = np.where(weighed, 1, random.integers(1, 4, parts.shape))
    tenths = np.array([[5, 3, 2], [4, 4, 2], [6, 3, 1], [3, 3, 4]])[random.integers(0, 4, BUNDLES)]
    return parts, units, tenths
