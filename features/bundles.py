"""Bundles: one line of a set becomes a line of each product in it, to the cent."""

from typing import Any

import ibis

from features.errors import TableError

DECIMAL = "decimal(18, 4)"
EXACT = "decimal(36, 8)"  # a product of two amounts; Ibis takes it for DECIMAL, and would leave a cast to that out
PARTS = 1e9  # a share is counted in billionths: whole numbers add up alike on every engine


def exploded(lines: Any, bundles: Any) -> Any:
    """The lines with those of a bundle replaced by one per product: units multiplied, money split by share.

    Shares are `amount_share`, or units where a bundle does not give one for each product. What rounding to cents
    leaves goes to the product with the greatest number. `source_line_id`, and the `returns_line_id` of a bundle that
    comes back, end in +product. A bundle may hold bundles of plain products; TableError where it goes deeper.
    """
    contents = _contents(bundles)
    plain = lines.anti_join(contents, lines.product_id == contents.bundle_product_id)
    held = lines.inner_join(contents, lines.product_id == contents.bundle_product_id)
    replaced = {
        "product_id": held.component,
        "quantity": (held.quantity * held.units).cast(EXACT).cast(DECIMAL),
        "source_line_id": held.source_line_id + "+" + held.component,
        "returns_line_id": held.returns_line_id + "+" + held.component,
        **{name: _part(held[name], held) for name in ("net_amount", "discount_amount")},
    }
    return plain.union(held.select(**{name: replaced.get(name, held[name]) for name in lines.columns}))


def _part(amount: Any, held: Any) -> Any:
    """What of the amount lies between two marks, each rounded to the cent; the last mark is the amount itself."""
    return (_mark(amount, held.upto, held.whole) - _mark(amount, held.upto - held.parts, held.whole)).cast(DECIMAL)


def _mark(amount: Any, parts: Any, whole: Any) -> Any:
    share = parts.cast("float64") / whole.cast("float64")
    cents = (amount.cast("float64").abs() * share * 100 + 0.5).floor().cast("int64")
    rounded = (cents.cast("decimal(18, 2)") * ibis.literal("0.01").cast("decimal(3, 2)")).cast(DECIMAL)
    return ibis.cases((parts == whole, amount), (amount < 0, -rounded), else_=rounded)


def _contents(bundles: Any) -> Any:
    """bundle_product_id, component, units, and its `parts` of the `whole`, `upto` and with it."""
    shared = _shared(bundles)
    inner = shared.select(inner="bundle_product_id", inside="product_id", inside_units="units", inside_share="share")
    joined = shared.left_join(inner, shared.product_id == inner.inner)
    flat = joined.select(
        "bundle_product_id",
        component=joined.inside.coalesce(joined.product_id),
        units=(joined.units * joined.inside_units.coalesce(ibis.literal(1).cast(DECIMAL))).cast(DECIMAL),
        parts=(joined.share * joined.inside_share.coalesce(1.0) * PARTS).round().cast("int64"),
    )
    flat = flat.group_by("bundle_product_id", "component").agg(
        units=flat.units.sum().cast(DECIMAL), parts=flat.parts.sum().cast("int64")
    )
    _check_depth(flat, bundles)
    window = ibis.window(group_by="bundle_product_id")
    upto = ibis.cumulative_window(group_by="bundle_product_id", order_by="component")
    return flat.mutate(
        upto=flat.parts.sum().over(upto).cast("int64"), whole=flat.parts.sum().over(window).cast("int64")
    )


def _shared(bundles: Any) -> Any:
    """Each product's share of its bundle's price, from 0 to 1."""
    window = ibis.window(group_by="bundle_product_id")
    units = bundles.units.coalesce(ibis.literal(1).cast(DECIMAL))
    whole = bundles.amount_share.sum().over(window)
    told = (bundles.amount_share.count().over(window) == bundles.count().over(window)) & (whole > 0)
    by_units = units.cast("float64") / units.sum().over(window).cast("float64")
    return bundles.select(
        "bundle_product_id", "product_id", units=units,
        share=ibis.cases((told, bundles.amount_share / whole), else_=by_units),
    )  # fmt: skip


def _check_depth(flat: Any, bundles: Any) -> None:
    listed = bundles.select(listed="bundle_product_id").distinct()
    deep = flat.inner_join(listed, [("component", "listed")])
    deep = deep.select("bundle_product_id").distinct().order_by("bundle_product_id")
    names = sorted(deep.limit(10).to_pyarrow().to_pydict()["bundle_product_id"])
    if names:
        raise TableError(
            f"bundles hold bundles more than one deep, or themselves ({', '.join(names)}): list the products in them"
        )
