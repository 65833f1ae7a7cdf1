import re

import pytest
from starlette.testclient import TestClient

from models.surfaces import SURFACES
from tests.fixtures import tiny_shop

URL = "/v1/recommendations"


def ask(client: TestClient, **request: object) -> dict:
    answer = client.post(URL, json=request)
    assert answer.status_code == 200, answer.text
    return answer.json()


def products_of(answer: dict) -> list[str]:
    return [item["product_id"] for item in answer["items"]]


def test_a_customer_is_offered_its_own_staples_first_with_a_reason_in_facts(client):
    answer = ask(client, customer_id="c01", limit=2)
    assert set(products_of(answer)) == {f"p{product:02d}" for product in tiny_shop.staples(1)}
    assert answer["customer_known"]
    assert answer["fallback"] is None
    assert answer["model_version"] == "recommend-2024-05-05-aaaaaaaa"
    assert answer["as_of"] == "2024-05-05"
    assert [item["rank"] for item in answer["items"]] == [1, 2]
    assert "bought" in answer["items"][0]["reason"]
    assert answer["items"][0]["name"].startswith("Product ")


def test_each_answer_has_an_id_of_its_own(client):
    ids = {ask(client, customer_id="c01")["recommendation_id"] for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize("surface", SURFACES)
def test_every_surface_fills_the_list_for_a_customer_and_for_a_guest(client, surface):
    for who in ({"customer_id": "c01"}, {"customer_id": "never seen"}, {}):
        answer = ask(client, surface=surface, product_id="p03", basket=["p04"], limit=5, **who)
        assert len(set(products_of(answer))) == 5
        assert answer["surface"] == surface
        assert "p04" not in products_of(answer)


def test_an_unknown_customer_is_told_so_and_gets_what_is_popular_here(client):
    answer = ask(client, customer_id="nobody", location_id="s1", limit=5)
    assert not answer["customer_known"]
    assert answer["notes"] == ["customer 'nobody' is unknown to the model: answered as a guest"]
    assert answer["fallback"] == "popular-here"
    assert answer["items"][0]["source"] == "popular-here"


def test_an_unknown_shop_is_answered_with_what_is_popular_everywhere(client):
    answer = ask(client, location_id="s99", limit=5)
    assert answer["fallback"] == "popular"
    assert "location 's99' is unknown" in answer["notes"][0]


def test_unknown_products_are_noted_and_never_an_error(client):
    answer = ask(client, surface="similar", product_id="x", basket=["y", "p01"])
    assert "product 'x' is unknown to the model" in answer["notes"]
    assert "1 products of the basket are unknown to the model: 'y'" in answer["notes"]
    assert answer["items"]


def test_an_account_is_the_same_customer_as_its_number(client):
    account = {"channel": "app", "channel_customer_id": "c01"}
    by_account = ask(client, account=account, limit=3)
    by_id = ask(client, customer_id="c01", limit=3)
    assert by_account["customer_id"] == "c01"
    assert products_of(by_account) == products_of(by_id)


def test_filters_keep_what_they_name_at_any_level_of_the_category(client):
    for category in ("category 1", "food > category 1"):
        answer = ask(client, filters={"category": category}, limit=50)
        assert set(products_of(answer)) == {f"p{p:02d}" for p in range(24) if p % 4 == 1}
    food = ask(client, filters={"category": ["food"], "exclude": ["p00"]}, limit=50)
    assert set(products_of(food)) == {f"p{p:02d}" for p in range(24) if p % 4 < 2} - {"p00"}


def test_a_category_that_no_product_has_gives_an_empty_list_and_says_why(client):
    answer = ask(client, filters={"category": "foood", "brand": "none"})
    assert answer["items"] == []
    assert "no product is in category 'foood' (did you mean 'food'?)" in answer["notes"]
    assert "no product is of brand 'none'" in answer["notes"]


def test_the_limit_is_ten_unless_said_and_may_go_beyond_the_catalogue(client):
    assert len(ask(client)["items"]) == 10
    assert len(ask(client, limit=100)["items"]) == 24


def test_the_same_question_gets_the_same_answer(client):
    one, other = (ask(client, customer_id="c07", limit=20) for _ in range(2))
    assert one["items"] == other["items"]


def test_a_channel_that_the_model_does_not_know_is_noted(client):
    answer = ask(client, channel="kiosk")
    assert answer["notes"] == ["channel 'kiosk' is unknown to the model: answered for all channels"]


@pytest.mark.parametrize(
    ("asked", "header", "spoken"),
    [
        (None, None, "en"),
        ("zh", None, "zh"),
        ("zh-CN", "en", "zh"),
        ("en", "zh", "en"),
        ("tlh", "zh", "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "fr, zh-Hans;q=0.5", "zh"),
        (None, "zh;q=0.2, *;q=0.7", "en"),
        (None, "en;q=0.3, zh;q=0.300, zh;q=0.31", "zh"),
        (None, "zh;q=0, fr", "en"),
        (None, "zh;q=high,,;, ", "en"),
    ],
)
def test_reasons_come_in_the_language_of_the_request_else_of_its_reader_else_in_english(client, asked, header, spoken):
    headers = {} if header is None else {"Accept-Language": header}
    answer = client.post(URL, json={"customer_id": "c01", "limit": 2, "language": asked}, headers=headers).json()
    assert answer["language"] == spoken
    words = {
        "en": r"bought \d+ times, about every 4 days, last 2 days ago",
        "zh": r"买过\d+次，大约每4天一次，上次是2天前",
    }
    assert all(re.fullmatch(words[spoken], item["reason"]) for item in answer["items"])


def test_the_language_changes_nothing_but_the_sentences(client):
    english, chinese = (ask(client, customer_id="c07", surface="for-you", language=tag) for tag in ("en", "zh"))
    assert [item["reason"] for item in english["items"]] != [item["reason"] for item in chinese["items"]]
    assert [{**item, "reason": ""} for item in english["items"]] == [
        {**item, "reason": ""} for item in chinese["items"]
    ]


@pytest.mark.parametrize("language", ["", "x" * 36, 7])
def test_a_language_that_is_no_tag_is_refused(client, language):
    answer = client.post(URL, json={"language": language})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["where"] == "language"
