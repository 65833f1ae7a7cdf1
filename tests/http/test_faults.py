"""Whatever is wrong with a request, the answer has the one shape and says where."""

import pytest

from serving.faults import CODES
from serving.messages import Item

REC, EVENTS = "/v1/recommendations", "/v1/events"
JSON = {"Content-Type": "application/json"}
EVENT = '{"event_id": "x", "type": "click", "happened_at": "2024-05-06T09:30:00Z", '

MALFORMED = [
    ("POST", REC, b"", 400, "malformed_json", None),
    ("POST", REC, b"{", 400, "malformed_json", None),
    ("POST", REC, b"\xff\xfe", 400, "malformed_json", None),
    ("POST", REC, b"[" * 5000, 400, "malformed_json", None),
    ("POST", REC, b'{"customer_id": "\\ud800"}', 400, "malformed_json", None),
    ("POST", EVENTS, b'{"events": [' + b"[" * 5000, 400, "malformed_json", None),
    ("POST", REC, b"null", 422, "invalid_request", "body"),
    ("POST", REC, b"[]", 422, "invalid_request", "body"),
    ("POST", REC, b'{"limit": NaN}', 422, "invalid_request", "limit"),
    ("POST", REC, b'{"limit": 1e999}', 422, "invalid_request", "limit"),
    ("POST", REC, b'{"limit": 0}', 422, "invalid_request", "limit"),
    ("POST", REC, b'{"limit": 101}', 422, "invalid_request", "limit"),
    ("POST", REC, b'{"limit": "5"}', 422, "invalid_request", "limit"),
    ("POST", REC, b'{"limit": true}', 422, "invalid_request", "limit"),
    ("POST", REC, b'{"customer_id": 7}', 422, "invalid_request", "customer_id"),
    ("POST", REC, b'{"customer_id": ""}', 422, "invalid_request", "customer_id"),
    ("POST", REC, b'{"customer_id": "a\\u0000"}', 422, "invalid_request", "customer_id"),
    ("POST", REC, b'{"surface": "foryou"}', 422, "invalid_request", "surface"),
    ("POST", REC, b'{"surface": "similar"}', 422, "invalid_request", "body"),
    ("POST", REC, b'{"custmer_id": "1"}', 422, "invalid_request", "custmer_id"),
    ("POST", REC, b'{"account": {"channel": "app"}}', 422, "invalid_request", "account.channel_customer_id"),
    ("POST", REC, b'{"customer_id": "1", "account": {"channel": "a", "channel_customer_id": "1"}}', 422,
     "invalid_request", "body"),
    ("POST", REC, b'{"filters": {"categry": "x"}}', 422, "invalid_request", "filters.categry"),
    ("POST", REC, b'{"basket": ["a", 5]}', 422, "invalid_request", "basket[1]"),
    ("POST", EVENTS, b'{"events": []}', 422, "invalid_request", "events"),
    ("POST", EVENTS, b'{"events": 3}', 422, "invalid_request", "events"),
    ("POST", EVENTS, EVENT.encode() + b'"quantity": NaN}', 422, "invalid_request", "quantity"),
    ("POST", EVENTS, EVENT.encode() + b'"quantity": -1}', 422, "invalid_request", "quantity"),
    ("POST", EVENTS, b'{"events": [' + EVENT.encode() + b'"quantity": NaN}]}', 422, "invalid_request",
     "events[0].quantity"),
    ("POST", REC, b'{"basket": "' + b"x" * 20_000 + b'"}', 413, "body_too_large", None),
    ("GET", "/v1/forecasts?from=yesterday", None, 422, "invalid_request", "from"),
    ("GET", "/v1/forecasts?from=2024-05-09&to=2024-05-08", None, 422, "invalid_request", "to"),
    ("GET", "/v1/forecasts?from=0", None, 422, "invalid_request", "from"),
    ("GET", "/v1/forecasts?to=1715200000", None, 422, "invalid_request", "to"),
    ("GET", "/v1/forecasts?to=2024-05-09T00:00:00", None, 422, "invalid_request", "to"),
    ("GET", "/v1/forecasts?location_id=s0&location_id=s1", None, 422, "invalid_request", "location_id"),
    ("GET", "/v1/order-proposals?limit=1&limit=2&format=csv", None, 422, "invalid_request", "limit"),
    ("POST", REC + "?limit=3", b"{}", 422, "invalid_request", "limit"),
    ("POST", EVENTS, b'{"event_id": "x", "type": "click", "happened_at": "9999-12-31T23:59:59-23:00"}', 422,
     "invalid_request", "happened_at"),
    ("GET", "/v1/forecasts?quantiles=0.42", None, 422, "invalid_request", "quantiles"),
    ("GET", "/v1/forecasts?quantiles=nan", None, 422, "invalid_request", "quantiles"),
    ("GET", "/v1/forecasts?product=p1", None, 422, "invalid_request", "product"),
    ("GET", "/v1/forecasts?limit=0", None, 422, "invalid_request", "limit"),
    ("GET", "/v1/forecasts?format=xml", None, 422, "invalid_request", "format"),
    ("GET", "/v1/forecasts?cursor=%F0%9F", None, 422, "invalid_request", None),
    ("GET", "/v1/forecasts?cursor=!!", None, 422, "invalid_request", None),
    ("GET", "/v1/order-proposals?quantiles=0.5", None, 422, "invalid_request", "quantiles"),
    ("GET", "/v1/order-proposals?limit=x&format=csv", None, 422, "invalid_request", "limit"),
    ("GET", "/v2/recommendations", None, 404, "not_found", None),
    ("GET", "/docs/../../etc/passwd", None, 404, "not_found", None),
    ("GET", "/docs/other.js", None, 404, "not_found", None),
    ("POST", REC + "/", b"{}", 404, "not_found", None),
    ("GET", REC, None, 405, "method_not_allowed", None),
    ("DELETE", "/v1/models", None, 405, "method_not_allowed", None),
]  # fmt: skip


@pytest.mark.parametrize(("method", "url", "body", "status", "code", "where"), MALFORMED)
def test_a_malformed_request_gets_the_one_shape(client, method, url, body, status, code, where):
    answer = client.request(method, url, content=body, headers=JSON)
    assert_fault(answer, status, code)
    if where is not None:
        assert answer.json()["error"]["details"][0]["where"] == where


def assert_fault(answer, status, code):
    assert answer.status_code == status, answer.text
    content = answer.json()
    assert set(content) == {"error", "request_id"}
    assert set(content["error"]) == {"code", "message", "details"}
    assert content["error"]["code"] == code
    assert CODES[code][0] == status
    assert content["error"]["message"]
    assert content["request_id"] == answer.headers["X-Request-ID"]
    assert all(set(detail) == {"where", "what"} for detail in content["error"]["details"])


@pytest.mark.parametrize("headers", [
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": ""},
    {"Content-Type": "application/json", "Content-Encoding": "gzip"},
])  # fmt: skip
def test_another_media_type_or_encoding_is_refused(client, headers):
    assert_fault(client.post(REC, content=b"{}", headers=headers), 415, "unsupported_media_type")


def test_a_refused_method_says_which_is_taken(client):
    answer = client.get(REC)
    assert answer.headers["Allow"] == "POST"
    assert "use POST" in answer.json()["error"]["message"]


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(client):
    parts = (b" " * 1000 for _ in range(100))
    assert_fault(client.post(REC, content=parts, headers=JSON), 413, "body_too_large")


def test_the_callers_request_id_is_kept_when_it_is_sane(client):
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    odd = client.get("/healthz", headers={"X-Request-ID": "a b\tc<script>"}).headers["X-Request-ID"]
    assert odd.isalnum()


def test_a_fault_of_our_own_is_a_500_even_when_pydantic_raises_it(client, server, monkeypatch, caplog):
    def broken(*_: object) -> None:
        Item.model_validate({})

    monkeypatch.setattr(server.released.recommending(), "answer", broken)
    answer = client.post(REC, json={"customer_id": "secret-customer"})
    assert_fault(answer, 500, "internal_error")
    assert "Item" not in answer.text
    assert answer.json()["request_id"] in caplog.text
    assert "secret-customer" not in caplog.text
