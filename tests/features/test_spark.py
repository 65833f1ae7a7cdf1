"""What DuckDB computes of a retailer, Spark computes of a chain: the same expressions, the same rows."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from features import bundles, orders, people, resolution, returns, twin_decisions, twins, unify
from features.sources import Identity, Orders
from tests.fixtures.chain_lines import chain_lines
from tests.fixtures.hand_lines import SCHEMA
from tests.fixtures.identity_world import town
from tests.fixtures.two_engines import TwoEngines, needs_java, two_engines

pytestmark = pytest.mark.filterwarnings("ignore")
SETTINGS, IDENTITY = Orders(), Identity(account_numbers="per-channel")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoEngines]:
    needs_java()
    folder: Path = tmp_path_factory.mktemp("two")
    with two_engines(folder) as engines:
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
    plans = {
        "product_id": "string",
        "location_id": "string",
        "starts_on": "date",
        "ends_on": "date",
        "known_on": "date",
    }
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


def kept(name: str) -> Any:
    return lambda side: side.engine.ibis.table(name)


def test_the_same_orders_are_twins_and_returns_are_laid_to_the_same_sales(two: TwoEngines) -> None:
    two.give("links", {"account_id": "string", "value_hash": "string", "linked_on": "date"},
             [("ann", "v1", None), ("bob", "v1", date(2024, 4, 3)), ("cid", "v2", date(2024, 4, 1))])  # fmt: skip

    def candidates(side: Any) -> Any:
        headers(side)
        side.engine.keep("shared", twins.shared_evidence(side.links, IDENTITY))
        return twins.twin_candidates(kept("headers")(side), SETTINGS, kept("shared")(side))

    def decided(side: Any) -> Any:
        return twin_decisions.twins(side.engine, kept("candidates")(side))

    def decided_later(side: Any) -> Any:
        before = kept("order_twins")(side)
        return twin_decisions.twins(side.engine, kept("candidates")(side), before, date(2024, 4, 8))

    def matched(side: Any) -> Any:
        back = returns.is_return(side.lines)
        sales = side.lines.filter(~back)
        return returns.matched_returns(side.engine, side.lines.filter(back), sales, SETTINGS, kept("order_twins")(side))

    two.same(candidates, among=10, name="candidates")
    two.same(kept("shared"), among=3)
    found = two.same(decided, among=10, name="order_twins")
    assert {row["evidence"] for row in found} == {"basket", "order-number"}
    assert two.same(decided_later, among=2) == [row for row in found if row["day"] >= date(2024, 4, 8)]
    two.same(lambda side: twin_decisions.receipt_links(kept("order_twins")(side), kept("headers")(side)), among=2)
    laid = two.same(matched, among=15)
    assert {row["matched_by"] for row in laid} >= {"line number", "order and product", "unmatched"}


def test_bundles_are_taken_apart_into_the_same_lines(two: TwoEngines) -> None:
    schema = {
        "bundle_product_id": "string",
        "product_id": "string",
        "units": "decimal(18, 4)",
        "amount_share": "float64",
    }
    two.give("bundles", schema, [("breakfast", "milk", Decimal(1), 0.37), ("breakfast", "pair", Decimal(2), 0.63),
                                 ("pair", "tea", Decimal(1), None), ("pair", "bread", Decimal(3), 0.2)])  # fmt: skip
    found = two.same(lambda side: bundles.exploded(side.lines, side.bundles), among=150)
    assert {"pair", "breakfast"}.isdisjoint(row["product_id"] for row in found)


ACCOUNTS = {"account_id": "string", "channel": "string", "first_day": "date"}
EVIDENCE = {"account_id": "string", "kind": "string", "value_hash": "string", "linked_on": "date"}
DECISIONS = {"decision": "int64", "action": "string", "account_id": "string", "decided_on": "date"}
CONSENTS = {"account_id": "string", "wish": "string", "wished_at": "timestamp(6)", "wished_on": "date"}
MARCH = date(2024, 3, 1)


def give_people(two: TwoEngines) -> None:
    """A town that phones, WeChat and decisions join, with families, shared numbers and people who want to be gone."""
    world = town(40, 3)
    names = sorted({account for account, *_ in world.accounts})
    told = [row for row in world.links if row[1] in {"unionid", "phone"}]
    told += [(name, "phone", "the shop's", None) for name in names[10:30]]
    two.give("accounts", ACCOUNTS, world.accounts)
    two.give("evidence", EVIDENCE, told)
    two.give("decisions", DECISIONS, [(0, "together", names[0], MARCH), (0, "together", names[7], MARCH),
                                      (1, "apart", names[9], date(2024, 4, 1))])  # fmt: skip
    two.give("consents", CONSENTS, [
        (name, wish, datetime(2024, 3, 1 + place, 9), date(2024, 3, 1 + place))
        for place, (name, wish) in enumerate(zip(names[:6], ("erase", "opt_out", "opt_in") * 2, strict=True))
    ])  # fmt: skip
    two.give("account_days", {"account_id": "string", "first_purchase_on": "date", "last_purchase_on": "date"},
             [(name, MARCH, date(2024, 3, 1 + place % 28)) for place, name in enumerate(names)])  # fmt: skip


def test_accounts_are_the_same_customers(two: TwoEngines) -> None:
    give_people(two)
    day = date(2024, 6, 1)

    def resolved(side: Any) -> Any:
        return resolution.resolve(side.engine, side.accounts, side.evidence, side.decisions, IDENTITY, day).accounts

    def customers(side: Any) -> Any:
        whose = side.engine.ibis.table("resolution_accounts")
        return people.customers_of_accounts(whose, side.accounts, side.account_days, side.consents, IDENTITY, day)

    found = two.same(resolved, among=40)
    assert len({row["customer_id"] for row in found}) < len(found)
    two.same(kept("resolution_log"), among=5)
    two.same(kept("resolution_review"))
    assert any(row["opted_out"] for row in two.same(customers, among=20))
