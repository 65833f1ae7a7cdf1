"""Returns laid to the sales that they give back, however much later, each with the evidence that told it."""

from typing import Any

import ibis

from features.sources import Orders

DECIMAL = "decimal(18, 4)"
ZERO = ibis.literal(0).cast(DECIMAL)
LINE, ORDER, PRICE, PRODUCT, UNMATCHED = (
    "line number", "order and product", "customer, product and price", "customer and product", "unmatched",
)  # fmt: skip
LEVELS = (LINE, ORDER, PRICE, PRODUCT)
REASONS = ("no sale before it fits", "more given back than bought", "given back in another system already")
LATEST = 32  # of a customer's sales of a product, how many before a return are looked at
SAME_PRICE = 0.01
KEY = ("source", "source_line_id")


def matched_returns(
    engine: Any, returns: Any, sales: Any, settings: Orders, order_twins: Any | None = None, takers: Any | None = None
) -> Any:
    """The table `returns`: per return line and sale line what was given back; per return line the sums are its own.

    Returns are taken in time order, so that a later one changes nothing before it. Each takes the best evidence
    first (line number, then order and product, then customer and product at the same price, then at any within
    `return_days`) and the latest sale first, and never units that were given back before. A return whose line or
    order was found is laid to no other. What is left is 'unmatched', with the reason. Money back alone (quantity 0)
    takes no units. With `order_twins`, a return that names an order dropped as a twin finds the one that was kept.
    `takers` (sale_source, sale_line_id, taker) are the sources whose returns took of a sale before.
    """
    returns = engine.keep("return_lines", _numbered(returns))
    pairs = engine.keep("return_pairs", _pairs(returns, sales, settings, order_twins))
    taken, rounds = engine.keep("return_round_1", pairs.mutate(taken=ZERO)), 0
    while True:
        # as with twins: what a return takes depends on earlier returns only, so rounds end where one changes nothing
        after = engine.keep(f"return_round_{rounds % 2}", _round(taken))
        if not after.anti_join(taken, ["turn", "choice", "taken"]).limit(1).to_pyarrow().num_rows:
            break
        taken, rounds = after, rounds + 1
    return _table(returns, taken, takers)


def is_return(lines: Any) -> Any:
    """True for units that come back, and for money back alone."""
    return (lines.quantity < 0) | ((lines.quantity == 0) & (lines.net_amount < 0).coalesce(False))


def _numbered(returns: Any) -> Any:
    window = ibis.window(order_by=["ordered_at", *KEY])
    return returns.select(
        *KEY, "order_id", "product_id", "day", "location_id", "ordered_at", "returns_line_id",
        customer=_customer(returns),
        named=returns.returns_order_id.coalesce(returns.order_number),
        told=returns.returns_order_id.notnull() | returns.returns_line_id.notnull(),
        units=-returns.quantity,
        amount=-returns.net_amount,
        turn=ibis.row_number().over(window),
    )  # fmt: skip


def _customer(lines: Any) -> Any:
    return lines.customer_id if "customer_id" in lines.columns else lines.account_id


def _sold(sales: Any) -> Any:
    """The sale lines with their own names, so that joins need no renaming; of some units were given back before."""
    before = sales.taken_before if "taken_before" in sales.columns else ZERO
    return sales.filter((sales.quantity > 0) & (sales.status.coalesce("completed") != "cancelled")).select(
        sale_source="source", sale_line_id="source_line_id", sale_order_id="order_id", sale_number="order_number",
        sale_product="product_id", sale_day="day", sold_at="ordered_at", sold_units="quantity",
        sold_amount="net_amount", sale_customer=_customer(sales), left=(sales.quantity - before).cast(DECIMAL),
    )  # fmt: skip


def _pairs(returns: Any, sales: Any, settings: Orders, order_twins: Any | None) -> Any:
    """Each return with the sales that it may give back, `choice` 0 the best."""
    sold = _sold(sales)
    found = [_by_line(returns, sold), _by_order(returns, sold), _by_customer(returns, sold, settings.return_days)]
    if order_twins is not None:
        found.append(_by_twin(returns, sold, order_twins))
    every = found[0]
    for pairs in found[1:]:
        every = every.union(pairs)
    once = ibis.window(group_by=["turn", "sale_source", "sale_line_id"], order_by=["level", "dearness"])
    every = every.mutate(nth=ibis.row_number().over(once))
    every = every.filter(every.nth == 0).drop("nth")
    named = every.level.min().over(ibis.window(group_by="turn")) <= 1
    every = every.mutate(named=named)
    every = every.filter(~every.named | (every.level <= 1)).drop("named")  # what names its sale is not guessed at
    best = [every.level, every.dearness, every.sold_at.desc(), every.sale_source, every.sale_line_id]
    return every.mutate(choice=ibis.row_number().over(ibis.window(group_by="turn", order_by=best)))


def _pair(pairs: Any, level: Any) -> Any:
    """The columns of a pair; `dearness` is 0 where price per unit agrees, 1 where not."""
    far = ibis.cases((_same_price(pairs), 0), else_=1).cast("int64")
    return pairs.select(
        "turn", "units", "sale_source", "sale_line_id", "sale_order_id", "sale_day", "sold_at", "sold_units",
        "left", level=level(far), dearness=far,
    )  # fmt: skip


def _same_price(pairs: Any) -> Any:
    back = pairs.amount.cast("float64") / ibis.cases((pairs.units > 0, pairs.units.cast("float64")), else_=None)
    paid = pairs.sold_amount.cast("float64") / pairs.sold_units.cast("float64")
    return ((back - paid).abs() <= SAME_PRICE * paid).coalesce(False)


def _by_line(returns: Any, sold: Any) -> Any:
    return _in_own_source_first(returns, sold, lambda back: [back.returns_line_id == sold.sale_line_id], 0)


def _by_order(returns: Any, sold: Any) -> Any:
    own = _in_own_source_first(
        returns, sold, lambda back: [back.named == sold.sale_number, back.product_id == sold.sale_product], 1
    )
    whole = returns.inner_join(sold, [  # named as source:number
        returns.named == sold.sale_order_id, returns.product_id == sold.sale_product,
        sold.sold_at <= returns.ordered_at,
    ])  # fmt: skip
    return own.union(_pair(whole, lambda _: ibis.literal(1).cast("int64")))


def _in_own_source_first(returns: Any, sold: Any, names: Any, level: int) -> Any:
    """Pairs in which a return names its sale: in its own source, else, where it says so itself, in the only other one.

    A file of refunds is a source of its own, and what an app sold comes back to a till; but numbers of several systems
    may be the same by chance.
    """

    def laid(back: Any, where: Any) -> Any:
        pairs = back.inner_join(sold, [where, *names(back), sold.sold_at <= back.ordered_at])
        return _pair(pairs, lambda _: ibis.literal(level).cast("int64"))

    own = laid(returns, returns.source == sold.sale_source)
    lost = returns.filter(returns.told).anti_join(own, "turn")
    other = laid(lost, lost.source != sold.sale_source)
    of_one = ibis.window(group_by="turn")
    first, last = other.sale_order_id.min().over(of_one), other.sale_order_id.max().over(of_one)
    return own.union(other.mutate(alone=first == last).filter(lambda rows: rows.alone).drop("alone"))


def _by_twin(returns: Any, sold: Any, order_twins: Any) -> Any:
    dropped = order_twins.filter(order_twins.kept_order_id.notnull())
    dropped = dropped.select(dropped_source="source", dropped_number="order_number", kept="kept_order_id").distinct()
    named = returns.inner_join(
        dropped, [returns.source == dropped.dropped_source, returns.named == dropped.dropped_number]
    )
    pairs = named.inner_join(sold, [
        named.kept == sold.sale_order_id, named.product_id == sold.sale_product, sold.sold_at <= named.ordered_at
    ])  # fmt: skip
    return _pair(pairs, lambda _: ibis.literal(1).cast("int64"))


def _by_customer(returns: Any, sold: Any, return_days: int) -> Any:
    """The LATEST sales of the product to the customer before the return: joined by their number, never all with all."""
    key = ["customer", "product"]
    # one that names what it gives back is not guessed at: that sale may lie before the history
    back = returns.filter(returns.customer.notnull() & ~returns.told).mutate(product=returns.product_id)
    sold = sold.mutate(customer=sold.sale_customer, product=sold.sale_product)
    sold = sold.semi_join(back, key)
    nth = ibis.row_number().over(
        ibis.window(group_by=key, order_by=[sold.sold_at, sold.sale_source, sold.sale_line_id])
    )
    sold = sold.mutate(nth=nth)
    moments = back.select(*key, "turn", at="ordered_at", sale=ibis.literal(0).cast("int64")).union(
        sold.select(*key, turn=ibis.null("int64"), at="sold_at", sale=ibis.literal(1).cast("int64"))
    )
    # returns come before the sales of their own instant: such a sale is no earlier one
    upto = ibis.cumulative_window(group_by=key, order_by=[moments["at"], moments.sale, moments.turn])
    before = moments.mutate(before=moments.count(where=moments.sale == 1).over(upto))
    before = before.filter((before.sale == 0) & (before.before > 0)).select("turn", "before")
    least = ibis.greatest(before.before - LATEST, 0)
    asked = before.select("turn", nth=ibis.range(least, before.before).unnest())
    pairs = back.inner_join(asked, "turn").inner_join(sold, [*key, "nth"])
    second = 86_400 * return_days
    age = pairs.ordered_at.truncate("s").epoch_seconds() - pairs.sold_at.truncate("s").epoch_seconds()
    return _pair(pairs.filter(age <= second), lambda far: far + 2)


def _round(pairs: Any) -> Any:
    """What each return takes of each sale, given what the round before gave to earlier returns."""
    sale, mine = ["sale_source", "sale_line_id"], ["turn"]
    earlier = ibis.window(group_by=sale, order_by="turn", preceding=(None, 1))
    pairs = pairs.mutate(used=pairs.taken.sum().over(earlier).coalesce(ZERO))
    pairs = pairs.mutate(free=ibis.greatest(pairs.left - pairs.used, ZERO).cast(DECIMAL)).drop("used", "taken")
    better = ibis.window(group_by=mine, order_by="choice", preceding=(None, 1))
    pairs = pairs.mutate(had=pairs.free.sum().over(better).coalesce(ZERO))
    wanted = ibis.greatest(pairs.units - pairs.had, ZERO)
    return pairs.mutate(taken=ibis.least(wanted, pairs.free).cast(DECIMAL)).drop("had", "free")


def _table(returns: Any, taken: Any, standing: Any | None) -> Any:
    """One row per return and sale, and one for what was not matched, with the money split by units."""
    used = (taken.taken > 0) | ((taken.units == 0) & (taken.choice == 0))
    pieces = taken.filter(used).select(
        "turn", "choice", "level", "sale_order_id", "sale_line_id", "sale_day", part="taken"
    )
    told = pieces.group_by("turn").agg(matched=pieces.part.sum().cast(DECIMAL))
    rest = returns.left_join(told, "turn").drop("turn_right")
    rest = rest.left_join(_why_left(returns, taken, standing), "turn").drop("turn_right")
    over = (rest.units - rest.matched.coalesce(ZERO)).cast(DECIMAL)
    rest = rest.filter((over > 0) | ((rest.units == 0) & rest.matched.isnull()))
    nothing = {"sale_order_id": ibis.null("string"), "sale_line_id": ibis.null("string"), "sale_day": ibis.null("date")}
    unmatched = rest.select(
        "turn", choice=ibis.literal(1 << 30).cast("int64"), level=rest.why.coalesce(len(LEVELS)), **nothing, part=over
    )
    every = pieces.union(unmatched).inner_join(returns, "turn")
    return every.select(
        *KEY, "order_id", "product_id", "day", "location_id",
        units=every.part, amount=_money(every),
        sale_order_id="sale_order_id", sale_line_id="sale_line_id", sale_day="sale_day",
        matched_by=ibis.cases(*((every.level == number, name) for number, name in enumerate(LEVELS)),
                              else_=UNMATCHED),
        reason=ibis.cases(*((every.level == number, name) for number, name in enumerate(REASONS, len(LEVELS))),
                          else_=None),
    )  # fmt: skip


def _why_left(returns: Any, taken: Any, standing: Any | None) -> Any:
    """Per return that had a sale the number of the reason for what it could not take."""
    source = returns.select("turn", "source")
    pairs = taken.inner_join(source, "turn")
    sale = ["sale_source", "sale_line_id"]
    takers = pairs.filter((pairs.taken > 0) & (pairs.level <= 1)).select(*sale, taker="source", took="turn")
    if standing is not None:
        takers = takers.union(standing.select(*sale, "taker", took=ibis.literal(-1).cast("int64")))
    elsewhere = pairs.filter(pairs.level <= 1).inner_join(takers, sale)
    elsewhere = elsewhere.filter((elsewhere.taker != elsewhere.source) & (elsewhere.took < elsewhere.turn))
    elsewhere = elsewhere.select("turn").distinct().mutate(twice=ibis.literal(True))
    had = taken.select("turn").distinct().left_join(elsewhere, "turn").drop("turn_right")
    over, twice = (ibis.literal(len(LEVELS) + number).cast("int64") for number in (1, 2))
    return had.select("turn", why=ibis.cases((had.twice.coalesce(False), twice), else_=over))


def _money(every: Any) -> Any:
    """The part's money: what lies between two marks rounded to the cent, so that the parts add up."""
    upto = every.part.sum().over(ibis.cumulative_window(group_by="turn", order_by="choice")).cast(DECIMAL)

    def mark(units: Any) -> Any:
        share = units.cast("float64") / ibis.cases((every.units > 0, every.units.cast("float64")), else_=1.0)
        cents = (every.amount.cast("float64").abs() * share * 100 + 0.5).floor().cast("int64")
        exact = (cents.cast("decimal(18, 2)") * ibis.literal("0.01").cast("decimal(3, 2)")).cast(DECIMAL)
        return ibis.cases((units == every.units, every.amount), (every.amount < 0, -exact), else_=exact)

    before = (upto - every.part).cast(DECIMAL)
    parted = (mark(upto) - ibis.cases((before > 0, mark(before)), else_=ZERO)).cast(DECIMAL)
    return ibis.cases((every.units == 0, every.amount), else_=parted).cast(DECIMAL)
