"""Every claim that a list makes is counted again in the raw history, in every language it can be made in."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.history import purchases_from
from models import reasons
from models.contracts import Query
from models.reasons import (
    LANGUAGES,
    BoughtBefore,
    BoughtBy,
    BoughtInOrders,
    BoughtTogether,
    Due,
    Growing,
    NewInRange,
    OnPromotion,
    PopularInCategory,
    Reason,
    SameCategory,
)
from models.recommenders import RECOMMENDERS, make_recommender
from models.settings import RecommendSettings
from models.surfaces import SURFACES, Surface, Surfaces
from tests.fixtures import random_shop, tiny_models, tiny_shop
from tests.fixtures.claims import CHECKS, Claim, RawShop, check_words

AS_OF = date(2024, 5, 5)
SETTINGS = RecommendSettings(label_windows=2, candidates=40)
QUERIES = (
    Query("c01"),
    Query("c02", location_id="s2", basket=("p03", "no such product")),
    Query("nobody", location_id="s1"),
    Query(location_id="no such shop", channel="no such channel"),
    Query("c03", product_id="p05"),
    Query(product_id="no such product", basket=("p07", "p02")),
    Query("c04", excluded=("p04", "p07", "no such product")),
)
WINDOWS = ("days", "here", "seed")  # a wider window, another place or another origin may happen to hold as well
EXAMPLES: tuple[Reason, ...] = (
    BoughtBefore(6, 12, 11), Due(12, 14), BoughtBy(14, 0, True, 28),
    PopularInCategory("Coffee", 6, BoughtBy(14, 0, True, 28)), BoughtTogether("p1", "Coffee", 31, "basket"),
    SameCategory("Apples", 120), Growing(14, 5, 14, True), OnPromotion(date(2017, 12, 3)),
    NewInRange(date(2017, 12, 3)), BoughtInOrders(9, True, 84),
)  # fmt: skip


@pytest.fixture(scope="module")
def tiny() -> RawShop:
    catalog, plans = tiny_shop.catalog().to_dict("records"), tiny_shop.promotions().to_dict("records")
    dates = {"first": "starts_on", "last": "ends_on", "known": "known_on"}
    shop = RawShop(
        AS_OF,
        {row["product"]: row["name"] for row in catalog},
        {row["product"]: [row["department"], row["category"]] for row in catalog},
        [{"product_id": plan["product"], "location_id": plan["shop"]}
         | {dates[name]: date.fromisoformat(plan[name]) for name in dates} for plan in plans],
    )  # fmt: skip
    return shop.tell(tiny_models.history_table().to_pylist())


@pytest.fixture(scope="module")
def tiny_lists() -> Surfaces:
    return Surfaces.fit(tiny_models.purchases(AS_OF), SETTINGS)


@pytest.fixture(scope="module")
def many() -> RawShop:
    catalog = random_shop.catalog()
    names, paths = ({row["product_id"]: row[column] for row in catalog} for column in ("name", "category"))
    return RawShop(random_shop.AS_OF, names, paths, random_shop.plans()).tell(random_shop.rows())


@pytest.fixture(scope="module")
def many_lists() -> Surfaces:
    purchases = purchases_from(random_shop.history_table(), random_shop.AS_OF, random_shop.catalog_table())
    return Surfaces.fit(purchases, SETTINGS)


def crowd(size: int = 120) -> list[Query]:
    """Customers, some unknown and some nobody, who name a shop, a basket and a product now and then."""
    draw = np.random.default_rng(5)
    products = [f"q{product:03d}" for product in draw.integers(0, random_shop.PRODUCTS, 3 * size)]
    return [
        Query(
            customer_id=None if number % 7 == 0 else f"c{number * 5 % 310:03d}",
            location_id=["s0", "s1", "s2", "no such shop"][number % 4],
            basket=tuple(products[3 * number : 3 * number + number % 3]),
            product_id=products[3 * number + 2] if number % 2 else None,
        )
        for number in range(size)
    ]


def claims(lists: Surfaces, surface: Surface, queries: Sequence[Query], limit: int) -> list[Claim]:
    answers = zip(queries, lists.answer(surface, queries, limit), strict=True)
    return [Claim(query, item.product_id, item.reason) for query, items in answers for item in items]


def kinds(made: Sequence[Claim]) -> set[type]:
    return {type(claim.reason) for claim in made}


@pytest.mark.parametrize("surface", SURFACES)
def test_every_claim_of_the_tiny_shop_is_found_in_its_rows(surface: Surface, tiny: RawShop, tiny_lists: Surfaces):
    made = claims(tiny_lists, surface, QUERIES, 24)
    assert len(made) > 100
    for claim in made:
        claim.check(tiny)


@pytest.mark.parametrize("surface", SURFACES)
def test_every_claim_of_a_random_history_is_found_in_its_rows(surface: Surface, many: RawShop, many_lists: Surfaces):
    made = claims(many_lists, surface, crowd(), 12)
    assert len(made) == 120 * 12
    for claim in made:
        claim.check(many)


@pytest.mark.parametrize("name", sorted(RECOMMENDERS))
def test_every_recommender_of_the_roster_claims_what_is_true(name: str, many: RawShop, many_lists: Surfaces):
    queries = [replace(query, product_id=None) for query in crowd(60)]
    model = make_recommender(name, SETTINGS).fit(many_lists.purchases)
    coded = many_lists.coded(queries)
    scored = model.score(coded, 10)
    assert len(scored.query) > 300
    for query, product, reason in zip(scored.query, scored.product, model.reasons(coded, scored), strict=True):
        Claim(queries[query], many_lists.purchases.products[product], reason).check(many)


@pytest.mark.parametrize("surface", SURFACES)
def test_a_shop_that_is_unknown_is_never_spoken_of_as_this_shop(surface: Surface, many_lists: Surfaces):
    queries = [Query(f"c{number:03d}", location_id="no such shop", product_id="q003") for number in range(40)]
    made = claims(many_lists, surface, queries, 30)
    assert any(isinstance(claim.reason, BoughtBy | Growing | SameCategory) for claim in made)
    assert not any(getattr(claim.reason, "here", False) for claim in made)


def test_what_is_said_to_trend_has_more_buyers_than_before(many_lists: Surfaces):
    made = claims(many_lists, "trending", crowd(), 5)
    assert all(claim.reason.recent > claim.reason.earlier for claim in made)


def test_a_mutated_fact_is_found_out(many: RawShop, many_lists: Surfaces):
    made = [claim for surface in SURFACES for claim in claims(many_lists, surface, crowd(40), 8)]
    assert kinds(made) == {BoughtBefore, BoughtBy, BoughtTogether, SameCategory, Growing}
    found_out = mutated_and_checked(made, many)
    assert all(any(failed) for failed in found_out.values()), found_out


def mutated_and_checked(made: Sequence[Claim], shop: RawShop) -> dict[tuple[type, str], list[bool]]:
    """Per kind and fact whether each mutation failed; they all must, but for WINDOWS."""
    found_out: dict[tuple[type, str], list[bool]] = {}
    for claim in made:
        for name, mutated in mutations(claim.reason):
            failed = fails(replace(claim, reason=mutated).check, shop)
            assert failed or name in WINDOWS, (claim, mutated)
            found_out.setdefault((type(claim.reason), name), []).append(failed)
    return found_out


def mutations(reason: Any) -> Iterator[tuple[str, Any]]:
    """The reason with each of its facts changed, one at a time."""
    for one in fields(reason):
        value = getattr(reason, one.name)
        if isinstance(value, Reason):
            yield from ((name, replace(reason, **{one.name: mutated})) for name, mutated in mutations(value))
        elif value is not None:
            yield one.name, replace(reason, **{one.name: other(value)})


def other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, date):
        return value + timedelta(days=1)
    if isinstance(value, str):
        return {"basket": "own", "own": "basket", "product": "own"}.get(value, value[::-1])
    return value + 1


def fails(check: Callable[..., None], *given: Any) -> bool:
    try:
        check(*given)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", EXAMPLES, ids=lambda reason: type(reason).__name__)
def test_a_sentence_that_says_another_fact_is_found_out(reason: Any, language: reasons.Language):
    check_words(reason, language, reason.text(language))
    for name, mutated in mutations(reason):
        if name not in ("product_id", "seed"):
            assert fails(check_words, reason, language, mutated.text(language)), name


def test_every_kind_has_a_check_and_an_example_in_the_docs():
    known = {kind for _, kind in inspect.getmembers(reasons, inspect.isclass)
             if issubclass(kind, Reason) and kind is not Reason}  # fmt: skip
    assert set(CHECKS) == {type(reason) for reason in EXAMPLES} == known
    api = Path("docs/api.md").read_text("utf-8")
    for reason in EXAMPLES:
        assert f"| {reason.text('en')} | {reason.text('zh')} |" in api


def test_kinds_that_only_some_recommenders_use_are_held_to_the_rows_too(tiny: RawShop, tiny_lists: Surfaces):
    """Customer 1 buys p01 and p10 every 4 days, the last time on 3 May; week 18's product is promoted in s0."""
    [popular] = tiny_lists.answer("for-you", [Query(location_id="s1", excluded=("p01", "p10"))], 1)[0]
    assert isinstance(popular.reason, BoughtBy)
    path = tiny.paths[popular.product_id]
    customer = next(name for name in sorted(tiny.of_customer) if tiny.shop_of(Query(name)) == "s1"
                    and path == tiny.paths[f"p{tiny_shop.staples(int(name[1:]))[0]:02d}"])  # fmt: skip
    times = {row["order_id"] for row in tiny.of_customer[customer] if tiny.paths[row["product_id"]] == path}
    made = [
        Claim(Query("c01"), "p01", Due(4, 2)),
        Claim(Query("c01"), "p05", Due(4, 2, "category 1")),
        Claim(Query(customer), popular.product_id, PopularInCategory(path[-1], len(times), popular.reason)),
        Claim(Query(location_id="s0"), "p18", OnPromotion(AS_OF + timedelta(days=7))),
        Claim(Query(location_id="s0"), "p00", NewInRange(tiny_shop.START, here=True)),
    ]
    for claim in made:
        claim.check(tiny)
    assert {kind for kind, _ in mutated_and_checked(made, tiny)} == kinds(made)
    assert fails(Claim(Query(location_id="s1"), "p18", OnPromotion(AS_OF + timedelta(days=7))).check, tiny)
    assert fails(Claim(Query(location_id="s0"), "p17", OnPromotion(AS_OF)).check, tiny), "it ends today"
    assert fails(Claim(Query(), "p00", NewInRange(tiny_shop.START + timedelta(days=1))).check, tiny)
