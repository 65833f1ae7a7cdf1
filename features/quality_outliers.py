"""Quantities and prices far from what is usual for their product, products of several units, and sold-out days.

What is usual is taken from the order lines of some days where there are many, the same ones for the same days; what
lies far from it is counted over all of them.
"""

import math

from features.engine import Engine
from features.ledger import Ledger
from features.quality_people import table_of
from features.quality_volume import Figures, batches
from features.workspace import Snapshot

SAMPLE_ROWS = 3_000_000
FEWEST_LINES = 8  # sampled lines of a product below which nothing is usual
NORMAL = 1.4826  # a median absolute deviation times this is a standard deviation, where values are normal
LEAST_SPREAD = {"quantity": 0.5, "price": 0.2}  # on the scale of natural logarithms
VALUE = {"quantity": "net_units", "price": "net_amount / net_units"}
WHERE = "net_units > 0 AND net_amount > 0 AND NOT gift"
SHOWN_OUTLIERS = 20
SHOWN_PRODUCTS = 20
USUAL = "quality_usual"
SCATTERED = "((day - DATE '1970-01-01') * 7919) % 104729 % {every} = 0"  # whole days, without a weekly pattern


def outliers(engine: Engine, snapshot: Snapshot, ledger: Ledger, distance: float) -> Figures:
    """Counts of sale lines, and of quantities and prices more than `distance` robust deviations from usual.

    The distance is |ln(value) - median| / max(1.4826 MAD, LEAST_SPREAD) per product and unit, so that a doubled price
    is never one however steady prices are, and a hundredfold one always is.
    """
    _usual(engine, snapshot, ledger)
    counts = {"lines": 0, "quantity": 0, "price": 0}
    engine.run("CREATE OR REPLACE TEMP TABLE quality_far (what VARCHAR, product_id VARCHAR, unit VARCHAR, day DATE, "
               "order_id VARCHAR, location_id VARCHAR, value DOUBLE, usual DOUBLE, distance DOUBLE)")  # fmt: skip
    for rows in batches(snapshot, ledger, "purchase_history"):
        engine.run(f"CREATE OR REPLACE TEMP VIEW quality_measured AS {_measured(rows)}")
        far = {what: f"{what}_distance > {distance}" for what in VALUE}
        found = engine.rows("SELECT count(*), " + ", ".join(f"count(*) FILTER ({far[what]})" for what in VALUE) +
                            " FROM quality_measured")[0]  # fmt: skip
        counts = {name: counts[name] + count for name, count in zip(counts, found, strict=True)}
        for what in VALUE:
            engine.run(
                f"INSERT INTO quality_far SELECT '{what}', product_id, unit, day, order_id, location_id, {what}, "
                f"exp({what}_median), {what}_distance FROM quality_measured WHERE {far[what]} "
                f"ORDER BY {what}_distance DESC, day, order_id, product_id LIMIT {SHOWN_OUTLIERS}"
            )
    lines = counts["lines"]
    return {
        "lines": lines, "distance": distance,
        **{what: {"lines": counts[what], "share": counts[what] / lines if lines else 0.0,
                  "examples": _examples(engine, what)} for what in VALUE},
    }  # fmt: skip


def _usual(engine: Engine, snapshot: Snapshot, ledger: Ledger) -> None:
    """Make the table USUAL: per product and unit the median and spread of the logarithms of quantity and price."""
    total = sum(ledger.rows.get("purchase_history", {}).values())
    every = max(1, math.ceil(total / SAMPLE_ROWS))
    engine.run("CREATE OR REPLACE TEMP TABLE quality_sample (product_id VARCHAR, unit VARCHAR, quantity DOUBLE, "
               "price DOUBLE)")  # fmt: skip
    values = ", ".join(f"ln(({value})::DOUBLE)" for value in VALUE.values())
    chosen = f" AND {SCATTERED.format(every=every)}" if every > 1 else ""
    for rows in batches(snapshot, ledger, "purchase_history"):
        engine.run(f"INSERT INTO quality_sample SELECT product_id, unit, {values} FROM {rows} WHERE {WHERE}{chosen}")
    medians = ", ".join(f"median({what}) AS {what}_median" for what in VALUE)
    spreads = ", ".join(
        f"greatest(median(abs({what} - {what}_median)) * {NORMAL}, {LEAST_SPREAD[what]}) AS {what}_spread"
        for what in VALUE
    )
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE {USUAL} AS WITH medians AS (SELECT product_id, unit, {medians} FROM "
        f"quality_sample GROUP BY ALL HAVING count(*) >= {FEWEST_LINES}) SELECT product_id, unit, "
        f"{', '.join(f'{what}_median' for what in VALUE)}, {spreads} FROM quality_sample JOIN medians "
        "USING (product_id, unit) GROUP BY ALL"
    )


def _measured(rows: str) -> str:
    distances = ", ".join(
        f"({value})::DOUBLE AS {what}, {what}_median, "
        f"abs(ln(({value})::DOUBLE) - {what}_median) / {what}_spread AS {what}_distance"
        for what, value in VALUE.items()
    )
    return (
        f"SELECT lines.product_id, lines.unit, day, order_id, location_id, {distances} FROM (SELECT * FROM {rows} "
        f"WHERE {WHERE}) AS lines LEFT JOIN {USUAL} AS usual ON usual.product_id = lines.product_id AND "
        "usual.unit = lines.unit"
    )


def _examples(engine: Engine, what: str) -> list[Figures]:
    rows = engine.rows(
        "SELECT product_id, unit, day, order_id, location_id, value, usual, distance FROM quality_far WHERE "
        f"what = '{what}' ORDER BY distance DESC, day, order_id, product_id LIMIT {SHOWN_OUTLIERS}"
    )
    return [
        {"product_id": product, "unit": unit, "day": str(day), "order_id": order, "location_id": place,
         "value": value, "usual": usual, "distance": far}
        for product, unit, day, order, place, value, usual, far in rows
    ]  # fmt: skip


def mixed_units(engine: Engine, snapshot: Snapshot, ledger: Ledger) -> Figures:
    """Products that are sold in several units: their quantities cannot be added up."""
    engine.run("CREATE OR REPLACE TEMP TABLE quality_units (product_id VARCHAR, unit VARCHAR, lines BIGINT)")
    for rows in batches(snapshot, ledger, "purchase_history"):
        engine.run(f"INSERT INTO quality_units SELECT product_id, unit, count(*) FROM {rows} GROUP BY ALL")
    products, several = engine.rows(
        "SELECT count(*), count(*) FILTER (units > 1) FROM (SELECT product_id, count(DISTINCT unit) AS units "
        "FROM quality_units GROUP BY 1)"
    )[0]
    examples = engine.rows(
        "SELECT product_id, list(unit || ' ' || lines ORDER BY lines DESC, unit) FROM (SELECT product_id, unit, "
        "sum(lines)::BIGINT AS lines FROM quality_units GROUP BY ALL) GROUP BY 1 HAVING count(*) > 1 "
        f"ORDER BY sum(lines) DESC, product_id LIMIT {SHOWN_PRODUCTS}"
    )
    return {
        "products": products, "in_several_units": several, "share": several / products if products else 0.0,
        "examples": [{"product_id": product, "lines_by_unit": list(units)} for product, units in examples],
    }  # fmt: skip


def sold_out(engine: Engine, snapshot: Snapshot, ledger: Ledger) -> Figures:
    """Of the days of a product in a location that stock is known of, how many were sold out for a while.

    By `available_share` below 1; where that is not given, by a shelf that is empty at closing time.
    """
    if not ledger.rows.get("stock"):
        return {}
    rows = engine.rows(
        "SELECT day, count(*), count(*) FILTER (out), avg(1 - share) FROM (SELECT day, available_share AS share, "
        f"coalesce(available_share < 1, closing_units <= 0) AS out FROM {table_of(snapshot, 'stock')}) "
        "WHERE out IS NOT NULL GROUP BY day ORDER BY day"
    )
    cells, out = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return {
        "product_days": cells, "sold_out": out, "share": out / cells if cells else 0.0,
        "days": [{"day": str(day), "product_days": count, "sold_out": gone, "lost_hours_share": lost}
                 for day, count, gone, lost in rows],
    }  # fmt: skip
