"""The OpenAPI document and docs/api.md say what the server does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.reasons import LANGUAGES
from serving.faults import CODES
from serving.messages import Event, Filters, Item, RecommendationAnswer, RecommendationRequest
from serving.planner_messages import ForecastQuery
from serving.settings import PREFIX, READ_ELSEWHERE, ServingSettings

API = Path("docs/api.md").read_text("utf-8")
ROUTES = {
    ("post", "/v1/recommendations"), ("post", "/v1/events"), ("get", "/v1/forecasts"), ("get", "/v1/order-proposals"),
    ("get", "/v1/models"), ("get", "/healthz"), ("get", "/readyz"), ("get", "/metrics"),
}  # fmt: skip


@pytest.fixture(scope="module")
def document(client) -> dict[str, Any]:
    return client.get("/openapi.json").json()


def test_the_document_has_every_route(document):
    assert document["info"]["title"] == "OneBasket"
    assert {(method, path) for path, methods in document["paths"].items() for method in methods} == ROUTES


def test_every_reference_in_the_document_resolves(document):
    for reference in _values(document, "$ref"):
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_fault_in_the_document_has_the_one_shape(document):
    for methods in document["paths"].values():
        for operation in methods.values():
            assert "500" in operation["responses"]
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    shape = response["content"]["application/json"]["schema"]
                    assert shape == {"$ref": "#/components/schemas/FaultAnswer"}


def test_every_example_of_the_document_runs(client, document):
    examples = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            bodies = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            for name, example in bodies.get("examples", {}).items():
                answer = client.request(method, path, json=example["value"])
                assert answer.status_code == 200, (path, name, answer.text)
                examples += 1
    assert examples >= 7


def test_every_get_route_runs_without_parameters(client):
    for method, path in ROUTES:
        if method == "get":
            assert client.get(path).status_code == 200, path


@pytest.mark.parametrize(("method", "path"), sorted(ROUTES))
def test_every_route_is_in_the_docs(method, path):
    assert f"{method.upper()} {path}" in API


def test_every_setting_is_in_the_docs_with_its_meaning():
    for name, field in ServingSettings.model_fields.items():
        assert f"`{PREFIX}{name.upper()}`" in API, name
        assert (field.description or "") in " ".join(API.split()), name
    assert all(name in API for name in READ_ELSEWHERE)


def test_every_error_code_is_in_the_docs_with_its_status():
    for code, (status, meaning) in CODES.items():
        assert f"| {status} | `{code}` | {meaning} |" in API


def test_every_field_and_parameter_is_in_the_docs():
    for message in (RecommendationRequest, Filters, Event, ForecastQuery):
        for name, field in message.model_fields.items():
            assert f"`{field.alias or name}`" in API, (message.__name__, name)


def test_the_header_that_chooses_the_language_is_documented(document):
    [header] = document["paths"]["/v1/recommendations"]["post"]["parameters"]
    assert (header["in"], header["name"], header["required"]) == ("header", "Accept-Language", False)
    assert "`Accept-Language`" in API


def test_every_language_and_field_of_an_answer_is_in_the_docs(document):
    assert document["components"]["schemas"]["RecommendationAnswer"]["properties"]["language"]["enum"] == [*LANGUAGES]
    assert all(f"`{language}`" in API for language in LANGUAGES)
    for message in (RecommendationAnswer, Item):
        assert all(f"`{name}`" in API for name in message.model_fields), message.__name__


def _values(node: Any, key: str) -> Iterator[str]:
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    if isinstance(node, dict) and isinstance(node.get(key), str):
        yield node[key]
    for child in children:
        yield from _values(child, key)
