"""What the demo asks its own server, and how it shows the answers."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq

from features.errors import ServerError
from features.history import Purchases
from features.workspace import Workspace
from models.bundle import released_version
from models.surfaces import Surfaces

SHOWN_PRODUCTS = 5
SHOWN_DAYS = 7
SHOWN_ORDERS = 3
FUEL = "GASOLINE"  # as Complete Journey names its product type


class Asker:
    """Asks a server in JSON; whatever is not an answer is a ServerError with what the server said."""

    def __init__(self, address: str) -> None:
        self._address = address

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - our own http address
            self._address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        return self._answer(request)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._answer(urllib.request.Request(f"{self._address}{path}?{urllib.parse.urlencode(query)}"))  # noqa: S310 - our own http address

    def _answer(self, request: urllib.request.Request) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own http address
                content: dict[str, Any] = json.load(answer)
                return content
        except urllib.error.HTTPError as fault:
            said = fault.read().decode("utf-8", "replace")[:500]
            raise ServerError(f"{request.full_url} answered {fault.code}: {said}") from fault
        except (OSError, ValueError) as fault:
            raise ServerError(f"{request.full_url} did not answer: {fault}") from fault


def ask_everything(asker: Asker, workspace: Workspace, bought_after: Callable[[str], set[str]]) -> None:
    """Ask for lists, forecasts and orders, print them, and check that each is an answer."""
    household, basket = _regular(workspace)
    bought = bought_after(household)
    mark = "(+ = bought in the week after)"
    _ask_list(asker, f"household {household}: for you {mark}", {"customer_id": household}, bought)
    _ask_list(asker, f"household {household}: buy again {mark}",
              {"customer_id": household, "surface": "buy-again"}, bought)  # fmt: skip
    _ask_list(asker, "a stranger in the app with one product in the basket",
              {"surface": "with-basket", "basket": [basket], "channel": "app"}, set())  # fmt: skip
    location, products = _most_bought(workspace)
    _ask_forecast(asker, location, products[0])
    _ask_orders(asker, location, products)


def _regular(workspace: Workspace) -> tuple[str, str]:
    """The household with the most purchases, and the product that it bought most often."""
    history = _history(workspace)
    customer = Counter(code for code in history.customer.tolist() if code >= 0).most_common(1)[0][0]
    product = Counter(history.product[history.customer == customer].tolist()).most_common(1)[0][0]
    return history.customers[customer], history.products[product]


def _most_bought(workspace: Workspace) -> tuple[str, list[str]]:
    """The shop and its SHOWN_ORDERS products that most orders hold, among those with a forecast.

    Fuel is left out: it would come first everywhere, and nobody orders it by the shelf.
    """
    version = released_version(workspace.bundles, "forecast")
    table = pq.read_table(workspace.bundles / "forecast" / str(version) / "order_proposals.parquet",
                          columns=["location_id", "product_id"])  # fmt: skip
    forecast = set(zip(table["location_id"].to_pylist(), table["product_id"].to_pylist(), strict=True))
    history = _history(workspace)
    fuel = {product for product, name in zip(history.products, history.catalog.names, strict=True)
            if name.startswith(FUEL)}  # fmt: skip
    pairs = Counter(zip(history.location.tolist(), history.product.tolist(), strict=True))
    named = ((history.locations[place], history.products[product]) for (place, product), _ in pairs.most_common())
    chosen = [pair for pair in named if pair in forecast and pair[1] not in fuel]
    location = chosen[0][0]
    return location, [product for place, product in chosen if place == location][:SHOWN_ORDERS]


def _history(workspace: Workspace) -> Purchases:
    version = released_version(workspace.bundles, "recommend")
    return Surfaces.open(workspace.bundles / "recommend" / str(version) / "surfaces").purchases


def _ask_list(asker: Asker, title: str, question: Mapping[str, Any], bought: set[str]) -> None:
    answer = asker.post("/v1/recommendations", {**question, "limit": SHOWN_PRODUCTS})
    items = answer["items"]
    if len(items) != SHOWN_PRODUCTS or not all(item["reason"] and item["source"] for item in items):
        raise ServerError(f"{title}: {SHOWN_PRODUCTS} products with source and reason were asked for, got {items}")
    print(f"\n{title}")
    for item in items:
        hit = "+" if item["product_id"] in bought else " "
        print(f" {hit} {item['rank']}. {item['name']}  [{item['source']}] {item['reason']}")


def _ask_forecast(asker: Asker, location: str, product: str) -> None:
    rows = asker.get("/v1/forecasts", location_id=location, product_id=product, limit=SHOWN_DAYS)["rows"]
    if len(rows) != SHOWN_DAYS or not all(_in_order(row) for row in rows):
        raise ServerError(f"forecast of {product} at {location}: {SHOWN_DAYS} days with a range, got {rows}")
    print(f"\nforecast for shop {location}, {rows[0]['name']}: units a day, with the range of nine days in ten")
    for row in rows:
        low, high = row["quantiles"]["0.05"], row["quantiles"]["0.95"]
        print(f"   {row['target_date']}  {row['mean_units']:.1f}  ({low:.1f} to {high:.1f})")


def _in_order(row: Mapping[str, Any]) -> bool:
    return bool(0 <= row["quantiles"]["0.05"] <= row["quantiles"]["0.95"] and row["mean_units"] >= 0)


def _ask_orders(asker: Asker, location: str, products: Sequence[str]) -> None:
    print(f"\norder proposals for shop {location}, what most orders there hold (no stock was given, so it counts as 0)")
    for product in products:
        rows = asker.get("/v1/order-proposals", location_id=location, product_id=product)["rows"]
        if len(rows) != 1:
            raise ServerError(f"one order proposal for {product} at shop {location} was asked for, got {rows}")
        row = rows[0]
        print(f"   {row['name']}: order {row['proposed_units']:g}, here on {row['arrives_on']}; "
              f"{row['protection_days']} days to cover, {row['expected_units']:.1f} expected; "
              f"{', '.join(row['reason_codes'])}")  # fmt: skip
