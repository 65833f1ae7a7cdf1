from pathlib import Path

from starlette.testclient import TestClient

from serving.app import Server, create_app
from serving.settings import ServingSettings
from tests.fixtures import tiny_bundles


def test_the_server_says_what_it_answers_from(client):
    models = client.get("/v1/models").json()
    assert [model["kind"] for model in models["models"]] == ["recommend", "forecast"]
    assert models["models"][0]["version"] == "recommend-2024-05-05-aaaaaaaa"
    assert models["models"][0]["as_of"] == "2024-05-05"
    assert models["models"][0]["metrics"] == {"ndcg@10": 0.3}
    assert models["models"][0]["since"].endswith("+00:00")
    assert models["problems"] == []


def test_it_is_alive_and_ready(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"ready": True, "problems": []}


def test_before_the_first_release_it_is_alive_but_not_ready_and_says_what_to_do(tmp_path):
    with TestClient(create_app(Server.of(ServingSettings(workspace=tmp_path)))) as empty:
        assert empty.get("/healthz").status_code == 200
        for answer in (empty.get("/readyz"), empty.post("/v1/recommendations", json={}), empty.get("/v1/forecasts")):
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "not_ready"
            assert "train and release one" in answer.json()["error"]["message"]
        assert empty.get("/v1/models").json()["models"] == []


def test_a_server_of_one_kind_is_ready_without_the_other(tmp_path):
    bundle = tiny_bundles.write_recommend(tmp_path)
    tiny_bundles.release_version(tmp_path / "bundles", "recommend", bundle.version)
    server = Server.of(ServingSettings(workspace=tmp_path, kinds=("recommend",)))
    server.released.look()
    with TestClient(create_app(server)) as shop:
        assert shop.get("/readyz").status_code == 200
        assert "does not answer forecast questions" in shop.get("/v1/forecasts").json()["error"]["message"]


def test_events_that_cannot_be_stored_are_not_acknowledged(tmp_path):
    Path(tmp_path / "live").write_text("a file where a folder must be")
    with TestClient(create_app(Server.of(ServingSettings(workspace=tmp_path)))) as broken:
        for _ in range(2):
            sent = {"event_id": "e", "type": "view", "happened_at": "2024-05-06T09:30:00Z"}
            answer = broken.post("/v1/events", json=sent)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_unavailable")
            assert answer.headers["Retry-After"] == "5"


def test_metrics_count_by_route_and_never_hold_an_id(client):
    client.post("/v1/recommendations", json={"customer_id": "private-7"})
    client.get("/v1/private-7")
    text = client.get("/metrics").text
    assert 'onebasket_http_requests_total{method="POST",route="/v1/recommendations",status="200"}' in text
    assert 'route="unmatched",status="404"' in text
    assert 'onebasket_recommendation_lists_total{fallback="popular",surface="for-you"}' in text
    assert 'onebasket_bundle_as_of_timestamp_seconds{kind="recommend"}' in text
    assert "private-7" not in text


def test_the_docs_page_loads_nothing_from_elsewhere(client):
    page = client.get("/docs").text
    assert "//" not in page
    for part in ("docs/swagger-ui-bundle.js", "docs/swagger-ui.css"):
        assert part in page
        assert client.get("/" + part).status_code == 200
    assert client.get("/").headers["location"] == "docs"


def test_probes_may_ask_for_the_head_alone(client):
    for probe in ("/healthz", "/readyz"):
        assert client.head(probe).status_code == 200
