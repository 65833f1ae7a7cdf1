"""Nothing that a caller sends makes the server fail."""

import json
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

URL = "/v1/recommendations"
FEW = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(max_size=12) | st.sampled_from(["c01", "p01", "s0", "pos", "food", "for-you", "similar", "trending"])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
FIELDS = ["customer_id", "account", "surface", "product_id", "channel", "location_id", "basket", "filters", "limit",
          "language"]  # fmt: skip
PARAMETERS = ["location_id", "product_id", "category", "from", "to", "quantiles", "limit", "cursor", "format"]
PLAUSIBLE = st.fixed_dictionaries({}, optional={
    "customer_id": TEXT,
    "surface": st.sampled_from(["for-you", "buy-again", "with-basket", "similar", "trending"]),
    "product_id": TEXT,
    "channel": TEXT,
    "location_id": TEXT,
    "basket": st.lists(TEXT, max_size=5),
    "filters": st.fixed_dictionaries({}, optional={"category": TEXT | st.lists(TEXT), "brand": TEXT,
                                                   "exclude": st.lists(TEXT)}),
    "limit": st.integers(-1, 120),
    "language": st.sampled_from(["en", "zh", "zh-CN"]) | TEXT,
})  # fmt: skip


def assert_sound(answer) -> None:
    assert answer.status_code < 500, answer.text
    content = answer.json()
    assert set(content) == {"error", "request_id"} if answer.status_code >= 400 else "items" in content


@FEW
@given(st.binary(max_size=200))
def test_no_bytes_make_the_server_fail(client, body):
    assert_sound(client.post(URL, content=body, headers={"Content-Type": "application/json"}))


@FEW
@given(st.dictionaries(st.sampled_from(FIELDS) | TEXT, ANY, max_size=6))
def test_no_json_makes_the_server_fail(client, request_body):
    body = json.dumps(request_body).encode("utf-8", "surrogatepass")
    assert_sound(client.post(URL, content=body, headers={"Content-Type": "application/json"}))


@FEW
@given(PLAUSIBLE)
def test_a_plausible_request_is_answered_with_at_most_limit_products_none_excluded(client, request_body):
    answer = client.post(URL, content=json.dumps(request_body), headers={"Content-Type": "application/json"})
    assert_sound(answer)
    if answer.status_code == 200:
        products = [item["product_id"] for item in answer.json()["items"]]
        assert len(products) == len(set(products)) <= request_body.get("limit", 10)
        assert not set(products) & {
            *request_body.get("basket", []),
            *request_body.get("filters", {}).get("exclude", []),
        }


@FEW
@given(st.dictionaries(st.sampled_from([*PARAMETERS, "x"]), st.text(max_size=12)))
def test_no_query_makes_the_planners_door_fail(client, query):
    text = "&".join(f"{name}={quote(value, errors='replace')}" for name, value in query.items())
    answer = client.get(f"/v1/forecasts?{text}")
    assert answer.status_code < 500, answer.text
