"""Orders of a web shop, each one object with its items in a list, from the draft of their recipe to the history."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from features.engine import engine_in
from features.ingest import ingest
from features.trace import trace
from features.workspace import Workspace
from training.cli import app
from training.recipe import load_recipe

MILK, TEA = {"sku": "milk", "quantity": 2, "total": 7.0}, {"sku": "tea", "quantity": 1, "total": 4.0}


def order(number: str, day: str, customer: dict[str, str] | None, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"order_id": number, "created_at": f"{day}T10:00:00+08:00", "customer": customer, "store": "s1",
            "items": items, "status": "paid"}  # fmt: skip


DAYS = {
    "2024-03-01": [
        order("o1", "2024-03-01", {"id": "c1"}, [MILK, TEA, TEA]),
        order("o2", "2024-03-01", None, [MILK, {"quantity": 1, "total": 1.0}]),
    ],
    "2024-03-02": [order("o3", "2024-03-02", {"id": "c1"}, [])],
    "2024-03-03": [order("o4", "2024-03-03", {"id": "c2"}, [TEA])],
}


def test_the_items_of_an_order_are_its_lines(tmp_path: Path) -> None:
    for day, orders in DAYS.items():
        lines = "".join(json.dumps(one) + "\n" for one in orders)
        (tmp_path / f"orders-{day}.jsonl").write_text(lines, "utf-8")
    recipe = tmp_path / "recipe.toml"
    files = [str(path) for path in sorted(tmp_path.glob("*.jsonl"))]
    done = CliRunner().invoke(app, ["recipe", "new", "--out", str(recipe), "--from", *files])
    assert done.exit_code == 0, done.output
    drafted = recipe.read_text("utf-8")
    assert 'explode = "items"' in drafted
    assert drafted.count("[sources.") == 3  # one source with its columns and values: its files are alike

    workspace = Workspace(tmp_path / "workspace")
    snapshot = ingest(load_recipe(str(recipe)), workspace)
    facts = snapshot.facts["sources"]["orders"]
    assert (facts["read"], facts["kept"], facts["quarantined"]) == (7, 5, 2)
    assert facts["reasons"] == {"product_id is missing": 2}  # an item without a product, and an order without items
    history = {(row["order_id"], row["product_id"]): (float(row["net_units"]), float(row["net_amount"]))
               for row in snapshot.read("purchase_history").to_pylist()}  # fmt: skip
    assert history == {
        ("o1", "milk"): (2.0, 7.0), ("o1", "tea"): (2.0, 8.0), ("o2", "milk"): (2.0, 7.0), ("o4", "tea"): (1.0, 4.0),
    }  # fmt: skip
    (tmp_path / "scratch").mkdir()
    with engine_in(tmp_path / "scratch") as engine:
        (found,) = trace(engine, workspace, snapshot, "o1")
    assert len(found.versions) == 3
    refused = (workspace.quarantine / snapshot.version / "orders.csv").read_text("utf-8")
    assert '""order_id"":""o3""' in refused.replace(" ", "")


def test_a_list_beside_the_product_makes_no_line_twice(tmp_path: Path) -> None:
    line = {"order_id": "o1", "created_at": "2024-03-01T10:00:00+08:00", "sku": "milk", "quantity": 1, "total": 3.5,
            "promotions": [{"code": "A", "quantity": 1}, {"code": "B", "quantity": 1}]}  # fmt: skip
    (tmp_path / "lines.jsonl").write_text(json.dumps(line) + "\n", "utf-8")
    recipe = tmp_path / "recipe.toml"
    done = CliRunner().invoke(app, ["recipe", "new", "--out", str(recipe), "--from", str(tmp_path / "lines.jsonl")])
    assert done.exit_code == 0, done.output
    assert "explode" not in recipe.read_text("utf-8")
    assert ingest(load_recipe(str(recipe)), Workspace(tmp_path / "workspace")).facts["sources"]["lines"]["kept"] == 1
