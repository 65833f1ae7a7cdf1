"""Why a product is in a list: facts that can be recomputed from the history, which render themselves as a sentence.

One class per kind of claim; its fields are the claim's facts as plain values. A sentence is made only where it is
shown, so a list in any language costs the same and no fact is read back out of words.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date
from math import isnan
from typing import Literal, get_args

Language = Literal["en", "zh"]  # zh is written in simplified characters
LANGUAGES: tuple[Language, ...] = get_args(Language)
Seed = Literal["basket", "own", "product"]
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEEKDAYS_ZH = "一二三四五六日"
SEEDS_ZH: dict[Seed, str] = {"basket": "您购物篮里的", "own": "您买过的", "product": ""}


class Reason(ABC):
    """A claim about a product, and perhaps about the customer who is answered."""

    __slots__ = ()

    def text(self, language: Language = "en") -> str:
        """The claim as a sentence, without a full stop."""
        return self._chinese() if language == "zh" else self._english()

    @abstractmethod
    def _english(self) -> str: ...

    @abstractmethod
    def _chinese(self) -> str: ...


@dataclass(frozen=True, slots=True)
class BoughtBefore(Reason):
    """This customer bought it in `times` orders; `gap_days` as `whole_gap` gives it, None where there is no gap yet.

    >>> BoughtBefore(6, 12, 11).text(), BoughtBefore(6, 12, 11).text("zh")
    ('bought 6 times, about every 12 days, last 11 days ago', '买过6次，大约每12天一次，上次是11天前')
    >>> BoughtBefore(1, None, 0).text(), BoughtBefore(1, None, 0).text("zh")
    ('bought once, today', '今天买过1次')
    """

    times: int
    gap_days: int | None
    days_since: int

    def _english(self) -> str:
        if self.times == 1:
            return f"bought once, {_ago(self.days_since)}"
        every = f"about {_every(self.gap_days)}, " if self.gap_days is not None else ""
        return f"bought {_times(self.times)}, {every}last {_ago(self.days_since)}"

    def _chinese(self) -> str:
        if self.times == 1:
            return f"{_ago_zh(self.days_since)}买过1次"
        every = f"大约{_every_zh(self.gap_days)}一次，" if self.gap_days is not None else ""
        return f"买过{self.times}次，{every}上次是{_ago_zh(self.days_since)}"


@dataclass(frozen=True, slots=True)
class Due(Reason):
    """This customer usually buys it, or something of `category`, every `gap_days` (as `whole_gap` gives it).

    >>> Due(12, 14).text(), Due(12, 14).text("zh")
    ('you usually buy this every 12 days, last 14 days ago', '您通常每12天买一次，上次是14天前')
    >>> Due(7, 9, "Coffee").text(), Due(7, 9, "咖啡").text("zh")
    ('you usually buy Coffee every 7 days, last 9 days ago', '您通常每7天买一次咖啡类商品，上次是9天前')
    """

    gap_days: int
    days_since: int
    category: str | None = None

    def _english(self) -> str:
        what = self.category or "this"
        return f"you usually buy {what} {_every(self.gap_days)}, last {_ago(self.days_since)}"

    def _chinese(self) -> str:
        what = f"{self.category}类商品" if self.category else ""
        return f"您通常{_every_zh(self.gap_days)}买一次{what}，上次是{_ago_zh(self.days_since)}"


@dataclass(frozen=True, slots=True)
class BoughtBy(Reason):
    """Different known customers and anonymous baskets that bought it, in this shop if `here`, else anywhere.

    They are counted over the last `days` days up to as_of, or over the whole history where that is None;
    `anonymous` is None where baskets without a customer were not counted.

    >>> BoughtBy(14, 0, True, 28).text(), BoughtBy(14, 0, True, 28).text("zh")
    ('bought by 14 customers of this shop in the last 28 days', '近28天本店有14位顾客买过')
    >>> BoughtBy(0, 1).text(), BoughtBy(0, 1).text("zh")
    ('bought in 1 basket so far', '至今售出1单')
    >>> BoughtBy(1, 30, True, 28).text()
    'bought by 1 customer and in 30 anonymous baskets of this shop in the last 28 days'
    >>> BoughtBy(1, 30, True, 28).text("zh")
    '近28天本店有1位顾客买过，另有30笔匿名订单'
    """

    customers: int
    anonymous: int | None
    here: bool = False
    days: int | None = None

    def _english(self) -> str:
        people = [f"by {_counted(self.customers, 'customer')}"] if self.customers else []
        kind = "anonymous basket" if self.customers else "basket"
        baskets = [f"in {_counted(self.anonymous, kind)}"] if self.anonymous else []
        who = " and ".join([*people, *baskets]) or "by nobody"
        window = f"in the last {self.days} days" if self.days is not None else "so far"
        return f"bought {who} {'of this shop ' if self.here else ''}{window}"

    def _chinese(self) -> str:
        others = f"，另有{self.anonymous}笔匿名订单" if self.anonymous else ""
        nameless = f"售出{self.anonymous}单" if self.anonymous else "还没有人买过"
        who = f"有{self.customers}位顾客买过{others}" if self.customers else nameless
        return f"{_window_zh(self.days)}{'本店' if self.here else ''}{who}"


@dataclass(frozen=True, slots=True)
class BoughtInOrders(Reason):
    """Orders with it, in this shop if `here`, over the last `days` days up to as_of.

    >>> BoughtInOrders(9, True, 84).text(), BoughtInOrders(9, True, 84).text("zh")
    ('bought in 9 baskets of this shop in the last 84 days', '近84天本店售出9单')
    >>> BoughtInOrders(1, False, 28).text()
    'bought in 1 basket in the last 28 days'
    """

    orders: int
    here: bool
    days: int

    def _english(self) -> str:
        where = "of this shop " if self.here else ""
        return f"bought in {_counted(self.orders, 'basket')} {where}in the last {self.days} days"

    def _chinese(self) -> str:
        return f"{_window_zh(self.days)}{'本店' if self.here else ''}售出{self.orders}单"


@dataclass(frozen=True, slots=True)
class PopularInCategory(Reason):
    """This customer bought something of the product's category in `times` orders; who bought the product itself.

    >>> reason = PopularInCategory("Coffee", 6, BoughtBy(14, 0, True, 28))
    >>> reason.text()
    'you bought Coffee 6 times, and this was bought by 14 customers of this shop in the last 28 days'
    >>> reason.text("zh")
    '您买过6次Coffee类商品；这款近28天本店有14位顾客买过'
    """

    category: str
    times: int
    buyers: BoughtBy

    def _english(self) -> str:
        return f"you bought {self.category} {_times(self.times)}, and this was {self.buyers.text('en')}"

    def _chinese(self) -> str:
        return f"您买过{self.times}次{self.category}类商品；这款{self.buyers.text('zh')}"


@dataclass(frozen=True, slots=True)
class BoughtTogether(Reason):
    """`baskets` orders of the whole history hold both it and `product_id`, called `name`.

    `seed` says what that product is to the query: in its basket, bought by the customer before, or the product asked
    about.

    >>> reason = BoughtTogether("p1", "Coffee", 31, "basket")
    >>> reason.text(), reason.text("zh")
    ('often bought with Coffee: in 31 baskets', '常与您购物篮里的Coffee一起购买：31单')
    """

    product_id: str
    name: str
    baskets: int
    seed: Seed

    def _english(self) -> str:
        return f"often bought with {self.name}: in {_counted(self.baskets, 'basket')}"

    def _chinese(self) -> str:
        return f"常与{SEEDS_ZH[self.seed]}{self.name}一起购买：{self.baskets}单"


@dataclass(frozen=True, slots=True)
class SameCategory(Reason):
    """It shares `category` with the product asked about, and `baskets` orders of the whole history hold it.

    >>> SameCategory("Apples", 120).text(), SameCategory("苹果", 120).text("zh")
    ('also in Apples, bought in 120 baskets so far', '同属苹果类，至今售出120单')
    """

    category: str
    baskets: int

    def _english(self) -> str:
        return f"also in {self.category}, bought in {_counted(self.baskets, 'basket')} so far"

    def _chinese(self) -> str:
        return f"同属{self.category}类，至今售出{self.baskets}单"


@dataclass(frozen=True, slots=True)
class Growing(Reason):
    """Buyers in the last `days` days and in as many before: customers, each counted once, and anonymous baskets.

    >>> Growing(14, 5, 14, True).text(), Growing(14, 5, 14, True).text("zh")
    ('14 buyers of this shop in the last 14 days, 5 in the 14 days before', '近14天本店有14人买过，再往前14天是5人')
    """

    recent: int
    earlier: int
    days: int
    here: bool = False

    def _english(self) -> str:
        who = f"{_counted(self.recent, 'buyer')}{' of this shop' if self.here else ''}"
        return f"{who} in the last {self.days} days, {self.earlier} in the {self.days} days before"

    def _chinese(self) -> str:
        place = "本店" if self.here else ""
        return f"{_window_zh(self.days)}{place}有{self.recent}人买过，再往前{self.days}天是{self.earlier}人"


@dataclass(frozen=True, slots=True)
class OnPromotion(Reason):
    """A plan known on as_of promotes it at the query's shop; `until` is the last day in force.

    >>> OnPromotion(date(2017, 12, 3)).text(), OnPromotion(date(2017, 12, 3)).text("zh")
    ('on promotion at your shop until Sunday (3 December)', '本店促销，至周日（12月3日）')
    """

    until: date

    def _english(self) -> str:
        return f"on promotion at your shop until {WEEKDAYS[self.until.weekday()]} ({_day(self.until)})"

    def _chinese(self) -> str:
        return f"本店促销，至周{WEEKDAYS_ZH[self.until.weekday()]}（{_day_zh(self.until)}）"


@dataclass(frozen=True, slots=True)
class NewInRange(Reason):
    """It was sold for the first time on `since`, in this shop if `here`, else anywhere.

    >>> NewInRange(date(2017, 12, 3)).text(), NewInRange(date(2017, 12, 3), here=True).text("zh")
    ('new in the range since 3 December', '本店新品，12月3日起有售')
    """

    since: date
    here: bool = False

    def _english(self) -> str:
        return f"new in the range {'of this shop ' if self.here else ''}since {_day(self.since)}"

    def _chinese(self) -> str:
        return f"{'本店' if self.here else ''}新品，{_day_zh(self.since)}起有售"


def language_of(tag: str) -> Language | None:
    """The language of a tag such as zh-CN or zh_Hans; None where reasons do not speak it.

    >>> language_of("zh-Hans-CN"), language_of("EN_gb"), language_of("zhuang")
    ('zh', 'en', None)
    """
    primary = tag.strip().lower().replace("_", "-").partition("-")[0]
    return next((language for language in LANGUAGES if language == primary), None)


def whole_gap(mean_gap_days: float) -> int | None:
    """A mean gap between days with a purchase as it is said, whole days and at least 1; None for NaN.

    >>> whole_gap(12.2), whole_gap(0.4), whole_gap(float("nan"))
    (12, 1, None)
    """
    return None if isnan(mean_gap_days) else max(round(mean_gap_days), 1)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _ago(days: int) -> str:
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")


def _ago_zh(days: int) -> str:
    return {0: "今天", 1: "昨天"}.get(days, f"{days}天前")


def _every(gap_days: int) -> str:
    return "every day" if gap_days == 1 else f"every {gap_days} days"


def _every_zh(gap_days: int) -> str:
    return "每天" if gap_days == 1 else f"每{gap_days}天"


def _window_zh(days: int | None) -> str:
    return f"近{days}天" if days is not None else "至今"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]}"


def _day_zh(day: date) -> str:
    return f"{day.month}月{day.day}日"
