import base64
import csv
import io

from starlette.testclient import TestClient

from features.tables import ORDER_PROPOSALS, QUANTILE_COLUMNS
from serving.planner_messages import ProposalRow
from tests.fixtures.tiny_bundles import FORMULA_PRODUCT, HORIZON_DAYS


def get(client: TestClient, url: str, **parameters: object) -> dict:
    answer = client.get(url, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_forecast_of_one_series_has_a_row_per_day_with_the_quantiles_asked_for(client):
    page = get(client, "/v1/forecasts", location_id="s0", product_id="p00", quantiles="0.5,0.95")
    assert len(page["rows"]) == page["total_rows"] == HORIZON_DAYS
    first = page["rows"][0]
    assert (first["made_on"], first["target_date"], first["name"]) == ("2024-05-05", "2024-05-06", "Product 0")
    assert list(first["quantiles"]) == ["0.5", "0.95"]
    assert first["quantiles"]["0.5"] <= first["quantiles"]["0.95"]
    assert page["model_version"].startswith("forecast-")


def test_from_and_to_bound_the_days(client):
    days = {"from": "2024-05-08", "to": "2024-05-09"}
    page = get(client, "/v1/forecasts", location_id="s0", product_id="p00", **days)
    assert [row["target_date"] for row in page["rows"]] == ["2024-05-08", "2024-05-09"]


def test_a_category_selects_its_products_only(client):
    page = get(client, "/v1/forecasts", category="food > category 1", to="2024-05-06")
    assert {int(row["product_id"][1:]) % 4 for row in page["rows"]} == {1}
    assert page["rows"]


def test_pages_together_hold_every_row_once(client):
    whole = get(client, "/v1/forecasts", location_id="s1", limit=10000)["rows"]
    seen, cursor = [], None
    while True:
        page = get(client, "/v1/forecasts", location_id="s1", limit=37, **({"cursor": cursor} if cursor else {}))
        seen += page["rows"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == whole
    assert len(whole) > 37


def test_an_unknown_product_gives_no_rows_and_says_so(client):
    page = get(client, "/v1/forecasts", product_id="p99")
    assert page["rows"] == []
    assert page["notes"][0].startswith("product 'p99' is not in this release")


def test_csv_holds_all_rows_with_the_columns_of_the_table(client):
    by_format = client.get("/v1/forecasts", params={"format": "csv", "quantiles": "0.05,0.99"})
    by_header = client.get("/v1/forecasts", params={"quantiles": "0.05,0.99"}, headers={"Accept": "text/csv"})
    assert by_format.text == by_header.text
    assert by_format.headers["content-type"] == "text/csv; charset=utf-8"
    rows = table(by_format.text)
    assert len(rows) == get(client, "/v1/forecasts", limit=1)["total_rows"] > 500
    assert {"q05", "q99", "mean_units", "name"} < set(rows[0])
    assert {"q05", "q99"} == set(rows[0]) & set(QUANTILE_COLUMNS)


def test_csv_and_json_say_the_same(client):
    asked = {"location_id": "s0", "product_id": "p00", "quantiles": "0.5"}
    rows = table(client.get("/v1/forecasts", params=asked | {"format": "csv"}).text)
    for line, row in zip(rows, get(client, "/v1/forecasts", **asked)["rows"], strict=True):
        assert float(line["mean_units"]) == row["mean_units"]
        assert float(line["q50"]) == row["quantiles"]["0.5"]


def test_a_name_that_begins_like_a_formula_is_harmless_in_csv_and_itself_in_json(client):
    for url in ("/v1/forecasts", "/v1/order-proposals"):
        asked = {"product_id": FORMULA_PRODUCT, "limit": 1}
        [line] = table(client.get(url, params=asked | {"format": "csv"}).text)
        assert line["name"] == '\'=HYPERLINK("x")'
        assert get(client, url, **asked)["rows"][0]["name"] == '=HYPERLINK("x")'


def test_an_order_proposal_says_every_column_of_its_table_and_adds_up(client):
    page = get(client, "/v1/order-proposals", location_id="s0", product_id="p00")
    [row] = page["rows"]
    assert set(ProposalRow.model_fields) - {"name"} == set(ORDER_PROPOSALS.column_names) - {"model_version"}
    assert set(row) == set(ProposalRow.model_fields)
    steps = [float(code.partition("=")[2]) for code in row["reason_codes"]]
    assert abs(sum(steps) - row["proposed_units"]) < 1e-6
    assert row["proposed_units"] > 0


def test_order_proposals_as_csv_have_a_line_per_series(client):
    rows = table(client.get("/v1/order-proposals", params={"format": "csv"}).text)
    assert len(rows) == get(client, "/v1/order-proposals")["total_rows"]
    assert set(rows[0]) == {*ORDER_PROPOSALS.column_names, "name"}


def test_a_cursor_of_an_earlier_release_is_refused(client):
    old = base64.urlsafe_b64encode(b"3:forecast-2023-01-01-bbbbbbbb").decode()
    answer = client.get("/v1/forecasts", params={"cursor": old})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "stale_cursor")
