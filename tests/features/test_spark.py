"""What DuckDB computes of a retailer, Spark computes of a chain: the same expressions, the same rows."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from features import bundles, orders, people, resolution, returns, twin_decisions, twins, unify
from features.engine import engine_in
from features.sources import Identity, Orders
from tests.fixtures.chain_lines import chain_lines
from tests.fixtures.hand_lines import SCHEMA
from tests.fixtures.identity_world import town
from tests.fixtures.two_engines import TwoEngines, needs_java

pytestmark = pytest.mark.filterwarnings("ignore")
SETTINGS, IDENTITY = Orders(), Identity(account_numbers="per-channel")
TEXTS = ("kind", "value_hash")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoEngines]:
    needs_java()
    from features.spark import local_spark

    folder: Path = tmp_path_factory.mktemp("two")
    scratch = folder / "scratch"
    scratch.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with engine_in(scratch) as duck, local_spark() as spark:
            engines = TwoEngines(duck, spark, folder)
            engines.give("lines", SCHEMA, chain_lines())
            yield engines


def placed(side: Any) -> Any:
    return orders.demand_place(side.lines.filter(side.lines.status == "completed"), "Europe/Berlin")


def headers(side: Any) -> Any:
    return side.engine.keep("headers", orders.order_headers(side.lines))


def test_order_headers_are_the_same(two: TwoEngines) -> None:
    found = two.same(headers, among=60)
    assert any(row["cancelled"] for row in found)


def test_lines_become_the_same_history(two: TwoEngines) -> None:
    two.same(placed, among=100)
    two.same(lambda side: unify.purchase_history(placed(side)), among=100)
    two.same(lambda side: unify.single_lines(placed(side)), among=100)


def test_the_history_becomes_the_same_demand(two: TwoEngines) -> None:
    two.give("stock", {"product_id": "string", "location_id": "string", "day": "date", "available_share": "float64"},
             [("milk", "s1", date(2024, 4, day), day / 30) for day in range(1, 20)])  # fmt: skip
    plans = {"product_id": "string", "location_id": "string", "starts_on": "date", "ends_on": "date", "known_on": "date"}
    two.give("plans", plans, [("milk", "all", date(2024, 3, 30), date(2024, 4, 2), date(2024, 3, 1)),
                              ("tea", "s1", date(2024, 4, 5), date(2024, 6, 7), date(2024, 4, 6))])  # fmt: skip

    def cells(side: Any) -> Any:
        return unify.summed_cells(unify.purchase_history(placed(side)))

    two.same(cells, among=50)
    two.same(lambda side: unify.single_cells(unify.purchase_history(placed(side))), among=50)
    found = two.same(lambda side: unify.demand_history(cells(side), side.plans, side.stock), among=50)
    assert {row["promotion"] for row in found} == {True, False}
    assert any(row["available_share"] for row in found)
    two.same(lambda side: unify.demand_history(cells(side), None, None), among=50)


def test_the_same_orders_are_twins(two: TwoEngines) -> None:
    two.give("links", {"account_id": "string", "value_hash": "string", "linked_on": "date"},
             [("ann", "v1", None), ("bob", "v1", date(2024, 4, 3)), ("cid", "v2", date(2024, 4, 1))])  # fmt: skip

    def candidates(side: Any) -> Any:
        evidence = twins.shared_evidence(side.links, IDENTITY)
        return side.engine.keep("candidates", twins.twin_candidates(headers(side), SETTINGS, evidence))

    def decided(side: Any) -> Any:
        return side.engine.keep("order_twins", twin_decisions.twins(side.engine, candidates(side)))

    two.same(lambda side: twins.shared_evidence(side.links, IDENTITY), among=3)
    two.same(candidates, among=10)
    found = two.same(decided, among=10)
    assert {row["evidence"] for row in found} == {"basket", "order-number"}
    later = two.same(lambda side: twin_decisions.twins(side.engine, candidates(side), side.engine.ibis.table("order_twins"),
                                                       date(2024, 4, 8)), among=2)  # fmt: skip
    assert [row for row in found if row["day"] >= date(2024, 4, 8)] == later
    two.same(lambda side: twin_decisions.receipt_links(decided(side), headers(side)), among=2)


def test_returns_are_laid_to_the_same_sales(two: TwoEngines) -> None:
    def matched(side: Any) -> Any:
        lines, dropped = side.lines, side.engine.ibis.table("order_twins")
        back = returns.is_return(lines)
        return returns.matched_returns(side.engine, lines.filter(back), lines.filter(~back), SETTINGS, dropped)

    for side in (two.duck, two.spark):
        side.engine.keep("order_twins", twin_decisions.twins(side.engine, twins.twin_candidates(headers(side), SETTINGS)))
    found = two.same(matched, among=15)
    assert {row["matched_by"] for row in found} >= {"line number", "order and product", "unmatched"}


def test_bundles_are_taken_apart_into_the_same_lines(two: TwoEngines) -> None:
    schema = {"bundle_product_id": "string", "product_id": "string", "units": "decimal(18, 4)", "amount_share": "float64"}
    two.give("bundles", schema, [("breakfast", "milk", Decimal(1), 0.37), ("breakfast", "pair", Decimal(2), 0.63),
                                 ("pair", "tea", Decimal(1), None), ("pair", "bread", Decimal(3), 0.2)])  # fmt: skip
    found = two.same(lambda side: bundles.exploded(side.lines, side.bundles), among=150)
    assert {"pair", "breakfast"}.isdisjoint(row["product_id"] for row in found)


def test_accounts_are_the_same_customers(two: TwoEngines) -> None:
    world = town(60, 3)
    two.give("accounts", {"account_id": "string", "channel": "string", "first_day": "date"}, world.accounts)
    two.give("evidence", {"account_id": "string", "kind": "string", "value_hash": "string", "linked_on": "date"},
             world.links)  # fmt: skip
    some = sorted({account for account, *_ in world.accounts})
    decisions = {"decision": "int64", "action": "string", "account_id": "string", "decided_on": "date"}
    two.give("decisions", decisions, [(0, "together", some[0], date(2024, 3, 1)), (0, "together", some[7], date(2024, 3, 1)),
                                      (1, "apart", some[9], date(2024, 4, 1))])  # fmt: skip
    two.give("consents", {"account_id": "string", "wish": "string", "wished_at": "timestamp(6)", "wished_on": "date"}, [])

    kept: dict[str, Any] = {}

    def resolved(side: Any) -> Any:
        found = resolution.resolve(side.engine, side.accounts, side.evidence, side.decisions, IDENTITY, date(2024, 6, 1))
        kept[type(side.engine).__name__] = found
        return found.accounts

    two.same(resolved, among=60)
    two.same(lambda side: kept[type(side.engine).__name__].log, among=20)
    two.same(lambda side: kept[type(side.engine).__name__].review)


__all__ = ["people", "replace", "TEXTS"]
