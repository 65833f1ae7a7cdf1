"""What every recommender of the roster must do (and a new one is held to by adding its line there)."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.errors import BundleError, HistoryError, RecipeError
from features.history import Purchases, purchases_from
from models.contracts import Queries, Recommender, Scored, ranked
from models.evidence import EvidenceRecommender
from models.recommenders import RECOMMENDERS, make_recommender
from models.settings import RecommendSettings
from tests.fixtures import tiny_models, tiny_shop

AS_OF = date(2024, 5, 5)
SETTINGS = RecommendSettings(label_windows=2, candidates=20)
NAMES = sorted(RECOMMENDERS)
SUMS = [name for name in NAMES if issubclass(RECOMMENDERS[name], EvidenceRecommender)]
KNOWS_CUSTOMERS = sorted({"als", "items", "personal", "ranker", *SUMS})


@pytest.fixture(scope="module")
def history() -> Purchases:
    return tiny_models.purchases(AS_OF)


@pytest.fixture(scope="module")
def fitted(history: Purchases) -> dict[str, Recommender]:
    return {name: make_recommender(name, SETTINGS).fit(history) for name in NAMES}


def everyone(history: Purchases) -> Queries:
    customers = np.append(np.arange(len(history.customers)), -1).astype(np.int32)
    locations = np.append(np.zeros(len(history.customers)), -1).astype(np.int32)
    return Queries.of_customers(customers, locations)


def same(one: Scored, other: Scored) -> bool:
    return (
        np.array_equal(one.query, other.query)
        and np.array_equal(one.product, other.product)
        and one.score.tobytes() == other.score.tobytes()
    )


@pytest.mark.parametrize("name", NAMES)
def test_fitting_again_changes_nothing(name: str, history: Purchases, fitted: dict[str, Recommender]) -> None:
    first = fitted[name].score(everyone(history), 10)
    again = make_recommender(name, SETTINGS).fit(tiny_models.purchases(date(2024, 4, 1))).fit(history)
    assert same(first, again.score(everyone(history), 10))


@pytest.mark.parametrize("name", NAMES)
def test_rows_after_as_of_are_never_read(name: str, fitted: dict[str, Recommender], history: Purchases) -> None:
    early = date(2024, 3, 31)
    table = tiny_models.history_table(days=140)
    longer = tiny_models.purchases(early)
    cut = table.filter(pc.less_equal(table["day"], pa.scalar(early, pa.date32())))
    shorter = replace(purchases_from(cut, early, tiny_models.catalog_table()), offers=longer.offers)
    narrowed = history.until(early)
    lists = [make_recommender(name, SETTINGS).fit(part).score(everyone(part), 10)
             for part in (longer, shorter, narrowed)]  # fmt: skip
    assert len(lists[0].query) > 0
    assert same(lists[0], lists[1])
    assert same(lists[0], lists[2])


@pytest.mark.parametrize("name", NAMES)
def test_saving_and_opening_keeps_every_answer_to_the_bit(
    name: str, history: Purchases, fitted: dict[str, Recommender], tmp_path: Path
) -> None:
    fitted[name].save(tmp_path)
    opened = RECOMMENDERS[name].open(tmp_path, history)
    queries = everyone(history)
    before, after = fitted[name].score(queries, 10), opened.score(queries, 10)
    assert same(before, after)
    assert fitted[name].reasons(queries, before) == opened.reasons(queries, after)
    assert fitted[name].sources(queries, before) == opened.sources(queries, after)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(name: str, history: Purchases, fitted: dict[str, Recommender], tmp_path: Path) -> None:
    fitted[name].save(tmp_path)
    victim = sorted(path for path in tmp_path.rglob("*") if path.is_file())[-1]
    victim.unlink()
    with pytest.raises(BundleError, match=f"{victim.name} is missing or damaged"):
        RECOMMENDERS[name].open(tmp_path, history)


@pytest.mark.parametrize("name", NAMES)
def test_scores_fall_and_no_product_comes_twice(name: str, history: Purchases, fitted: dict[str, Recommender]) -> None:
    scored = fitted[name].score(everyone(history), 10)
    assert (np.diff(scored.query) >= 0).all()
    within = np.diff(scored.query) == 0
    assert (np.diff(scored.score)[within] <= 0).all()
    pairs = np.stack([scored.query, scored.product])
    assert np.unique(pairs, axis=1).shape == pairs.shape
    assert np.isfinite(scored.score).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_beyond_the_catalogue_gives_what_there_is(
    name: str, history: Purchases, fitted: dict[str, Recommender]
) -> None:
    scored = fitted[name].score(everyone(history), 1000)
    assert np.bincount(scored.query).max() <= len(history.products)
    shorter = fitted[name].score(everyone(history), 3)
    assert np.bincount(shorter.query).max() == 3


@pytest.mark.parametrize("name", NAMES)
def test_excluded_and_forbidden_products_are_never_named(
    name: str, history: Purchases, fitted: dict[str, Recommender]
) -> None:
    free = fitted[name].score(everyone(history), 3)
    first = free.product[np.searchsorted(free.query, np.arange(len(history.customers)))]
    allowed = np.ones(len(history.products), bool)
    allowed[5] = False
    queries = everyone(history)
    asked = Queries(queries.customer, queries.location, queries.channel, queries.basket, queries.anchor,
                    (*(first[i : i + 1] for i in range(len(first))), np.array([0], np.int32)), allowed)  # fmt: skip
    scored = fitted[name].score(asked, 24)
    assert len(scored.query) > 0
    assert not (scored.product == 5).any()
    excluded = np.array([codes[0] for codes in asked.excluded])
    assert not (scored.product == excluded[scored.query]).any()


@pytest.mark.parametrize("name", KNOWS_CUSTOMERS)
def test_a_stranger_gets_no_made_up_evidence(name: str, history: Purchases, fitted: dict[str, Recommender]) -> None:
    stranger = Queries.of_customers(np.array([-1], np.int32))
    scored = fitted[name].score(stranger, 10)
    assert len(scored.query) == 0
    assert fitted[name].reasons(stranger, scored) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_has_a_source_and_a_reason(name: str, history: Purchases, fitted: dict[str, Recommender]) -> None:
    queries = everyone(history)
    scored = fitted[name].score(queries, 10)
    reasons, sources = fitted[name].reasons(queries, scored), fitted[name].sources(queries, scored)
    assert len(reasons) == len(sources) == len(scored.query)
    assert all(reasons)
    assert all(sources)


@pytest.mark.parametrize("name", ["personal", "ranker", "tifu_knn", "ease", "up_cf"])
def test_the_staples_that_a_customer_lives_on_come_first(
    name: str, history: Purchases, fitted: dict[str, Recommender]
) -> None:
    scored = fitted[name].score(everyone(history), 2)
    right = 0
    for customer in range(tiny_shop.CUSTOMERS):
        code = history.customers.code(f"c{customer:02d}")
        named = {history.products[int(p)] for p in scored.product[scored.query == code]}
        right += named == {f"p{product:02d}" for product in tiny_shop.staples(customer)}
    assert right >= {"ranker": 40}.get(name, 46)


@pytest.mark.parametrize("name", SUMS)
def test_the_best_of_the_evidence_is_the_answer(name: str, history: Purchases, fitted: dict[str, Recommender]) -> None:
    made, queries = fitted[name], everyone(history)
    assert isinstance(made, EvidenceRecommender)
    evidence = made.evidence(queries.customer)
    assert evidence.shape == (len(queries), len(history.products))
    assert evidence.dtype == np.float32
    assert evidence.has_sorted_indices
    assert (evidence.data > 0).all()
    assert evidence[-1].nnz == 0
    scored = made.score(queries, 7)
    row = np.repeat(np.arange(len(queries)), np.diff(evidence.indptr))
    assert same(scored, ranked(row, evidence.indices, evidence.data).top(7))


@pytest.mark.parametrize("name", SUMS)
def test_a_row_of_evidence_is_the_same_whoever_else_is_asked_about(
    name: str, history: Purchases, fitted: dict[str, Recommender]
) -> None:
    made = fitted[name]
    assert isinstance(made, EvidenceRecommender)
    customers = everyone(history).customer
    together = made.evidence(customers)
    for place in (0, 5, len(customers) - 1):
        alone = made.evidence(customers[place : place + 1])
        assert np.array_equal(alone.indices, together[place].indices)
        assert alone.data.tobytes() == together[place].data.tobytes()


@pytest.mark.parametrize("name", SUMS)
def test_evidence_speaks_of_own_products(name: str, history: Purchases, fitted: dict[str, Recommender]) -> None:
    made = fitted[name]
    assert isinstance(made, EvidenceRecommender)
    customers = np.arange(len(history.customers), dtype=np.int32)
    evidence = made.evidence(customers)
    for customer in customers.tolist():
        own = np.unique(history.product[history.customer == customer])
        assert np.isin(own, evidence[customer].indices).all()


def test_an_unknown_name_gets_the_roster_and_a_hint() -> None:
    with pytest.raises(RecipeError, match=r"no recommender 'rankr' \(did you mean 'ranker'\?\): choose one of popular"):
        make_recommender("rankr", SETTINGS)


@pytest.mark.parametrize("name", ["als", "ranker"])
def test_one_day_of_history_is_said_to_be_too_little(name: str) -> None:
    one_day = tiny_models.purchases(tiny_shop.START)
    with pytest.raises(HistoryError, match=r"choose popular|more history"):
        make_recommender(name, SETTINGS).fit(one_day)
