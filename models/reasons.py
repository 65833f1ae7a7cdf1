"""Reasons in plain words, made of counts and days that can be recomputed from the history."""

from math import isnan


def times(count: int) -> str:
    """Say how often.

    >>> times(1), times(2), times(6)
    ('once', 'twice', '6 times')
    """
    return {1: "once", 2: "twice"}.get(int(count), f"{count} times")


def ago(days: int) -> str:
    """Say how long ago.

    >>> ago(0), ago(1), ago(11)
    ('today', 'yesterday', '11 days ago')
    """
    return {0: "today", 1: "yesterday"}.get(int(days), f"{days} days ago")


def bought_before(baskets: int, mean_gap_days: float, days_since: int) -> str:
    """Say what is known of a customer and a product; `mean_gap_days` is NaN where there is no gap yet.

    >>> bought_before(6, 12.2, 11)
    'bought 6 times, about every 12 days, last 11 days ago'
    >>> bought_before(1, float("nan"), 0)
    'bought once, today'
    """
    if baskets == 1:
        return f"bought once, {ago(days_since)}"
    if isnan(mean_gap_days):
        return f"bought {times(baskets)}, last {ago(days_since)}"
    rounded = max(round(mean_gap_days), 1)
    every = "every day" if rounded == 1 else f"every {rounded} days"
    return f"bought {times(baskets)}, about {every}, last {ago(days_since)}"


def bought_by(customers: int, anonymous: int, place: str, window: str) -> str:
    """Say how many bought a product.

    >>> bought_by(14, 0, "of this shop", "in the last 28 days")
    'bought by 14 customers of this shop in the last 28 days'
    >>> bought_by(0, 1, "", "so far")
    'bought in 1 basket so far'
    >>> bought_by(1, 30, "of this shop", "in the last 28 days")
    'bought by 1 customer and in 30 anonymous baskets of this shop in the last 28 days'
    """
    people = f"by {customers} customer{'s' if customers != 1 else ''}"
    kind = "anonymous basket" if customers else "basket"
    baskets = f"in {anonymous} {kind}{'s' if anonymous != 1 else ''}"
    who = " and ".join([*([people] if customers else []), *([baskets] if anonymous else [])])
    return " ".join(part for part in ("bought", who or "by nobody", place, window) if part)


def bought_together(name: str, baskets: int) -> str:
    """Say how often two products were in one basket.

    >>> bought_together("Coffee", 31)
    'often bought with Coffee: in 31 baskets'
    """
    return f"often bought with {name}: in {baskets} basket{'s' if baskets != 1 else ''}"


def growing(recent: int, earlier: int, days: int, place: str) -> str:
    """Say how demand moved; buyers are customers, each counted once, and anonymous baskets.

    >>> growing(14, 5, 14, "of this shop")
    '14 buyers of this shop in the last 14 days, 5 in the 14 days before'
    """
    who = f"{recent} buyer{'s' if recent != 1 else ''}{f' {place}' if place else ''}"
    return f"{who} in the last {days} days, {earlier} in the {days} days before"


def in_same_category(category: str, orders: int) -> str:
    """Say that a product is of the same category.

    >>> in_same_category("Apples", 120)
    'also in Apples, bought in 120 baskets so far'
    """
    return f"also in {category}, bought in {orders} basket{'s' if orders != 1 else ''} so far"


def due_again(purchases: int, mean_gap_days: float, days_since: int) -> str:
    """Say why something is due again; `purchases` counts days, at least two.

    >>> due_again(6, 12.2, 9)
    'bought on 6 days, about every 12 days, last 9 days ago'
    """
    rounded = max(round(mean_gap_days), 1)
    every = "every day" if rounded == 1 else f"every {rounded} days"
    return f"bought on {purchases} days, about {every}, last {ago(days_since)}"


def due_again_in_chinese(purchases: int, mean_gap_days: float, days_since: int) -> str:
    """Say the same in Chinese.

    >>> due_again_in_chinese(6, 12.2, 9)
    '有 6 天买过，大约每 12 天一次，上次是 9 天前'
    >>> due_again_in_chinese(30, 1.1, 0)
    '有 30 天买过，大约每天一次，上次是今天'
    """
    rounded = max(round(mean_gap_days), 1)
    every = "大约每天一次" if rounded == 1 else f"大约每 {rounded} 天一次"
    last = {0: "今天", 1: "昨天"}.get(int(days_since), f" {days_since} 天前")
    return f"有 {purchases} 天买过，{every}，上次是{last}"
