"""A drafted recipe loads, ingests, and says what to check."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.errors import RecipeError
from features.ingest import ingest
from features.workspace import Workspace
from training.cli import app
from training.recipe import load_recipe
from training.recipe_check import check_recipe
from training.recipe_draft import drafted

CHINESE = "订单号,商品编码,商品名称,门店,渠道,数量,单位,实付金额,下单时间,会员号,手机号\n" + "".join(
    f"D{i // 2},{10000 + i % 7},大米{i % 7},{100 + i % 3}店,{'小程序' if i % 3 else '门店'},{1 + i % 4},"
    f"{'斤' if i % 2 else '件'},{i % 9 + 1}.5,2024/3/{1 + i % 28} 1{i % 10}:05,M{i % 9},138{10000000 + i}\n"
    for i in range(60)
)
GERMAN = "Bonnummer;Artikelnummer;Bezeichnung;Filiale;Menge;Betrag (€);Verkaufsdatum;Kundennummer\n" + "".join(
    f"B{i // 3};{4000 + i % 5};Käse {i % 5};F{i % 2};{'-1' if i % 20 == 7 else '2'};"
    f"{'-' if i % 20 == 7 else ''}1.0{i:02d},50;"
    f"{1 + i % 28:02d}.03.2024 08:15;K{i % 4}\n"
    for i in range(60)
)


def draft(folder: Path, **files: bytes) -> Path:
    paths = []
    for name, content in files.items():
        paths.append(folder / f"{name}.csv")
        paths[-1].write_bytes(content)
    (folder / "recipe.toml").write_text(drafted(paths, folder), "utf-8")
    return folder / "recipe.toml"


def test_a_chinese_export_in_gbk_is_drafted_and_ingested(tmp_path: Path) -> None:
    path = draft(tmp_path, orders=CHINESE.encode("gbk"))
    text, recipe = path.read_text("utf-8"), load_recipe(str(path))
    assert "13810000000" not in text
    assert recipe.sources["orders"].values == {"channel": {"小程序": "mini_program", "门店": "pos"}}
    assert recipe.retailer.time_zone == "Asia/Shanghai"
    history = ingest(recipe, Workspace(tmp_path / "workspace")).read("purchase_history").to_pylist()
    assert {row["unit"] for row in history} == {"each", "kg"}
    assert {row["channel"] for row in history} == {"mini_program", "pos"}


def test_a_german_export_with_decimal_commas_is_drafted_and_ingested(tmp_path: Path) -> None:
    path = draft(tmp_path, verkauf=GERMAN.encode("cp1252"))
    recipe = load_recipe(str(path))
    assert (recipe.retailer.time_zone, recipe.sources["verkauf"].delimiter) == ("Europe/Berlin", ";")
    snapshot = ingest(recipe, Workspace(tmp_path / "workspace"))
    assert snapshot.facts["sources"]["verkauf"]["quarantined"] == 0
    amounts = sum(row["net_amount"] for row in snapshot.read("purchase_history").to_pylist())
    assert amounts == sum((-1 if i % 20 == 7 else 1) * (1000 + i + 0.5) for i in range(60))


def test_headers_in_a_file_of_their_own_are_joined(tmp_path: Path) -> None:
    path = draft(
        tmp_path,
        items=b"order_id,sku,qty,price\n" + b"".join(b"o%d,a%d,2,1.50\n" % (i // 2, i % 3) for i in range(20)),
        orders=b"order_id,order_date,customer_id,status\n"
        + b"".join(b"o%d,2024-03-%02d 10:00:00,c%d,done\n" % (i, i + 1, i % 3) for i in range(10)),
        products=b"sku,name,category\n" + b"".join(b"a%d,Milk %d,dairy\n" % (i, i) for i in range(3)),
    )
    recipe = load_recipe(str(path))
    assert [join.path for join in recipe.sources["items"].join] == ["orders.csv"]
    assert recipe.sources["products"].table == "catalog"
    history = ingest(recipe, Workspace(tmp_path / "workspace")).read("purchase_history").to_pylist()
    assert {row["net_amount"] for row in history} == {3}
    assert {row["account_id"] for row in history} == {"c0", "c1", "c2"}


def test_files_without_order_lines_are_told_with_what_was_seen(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("colour,size\nred,1\n")
    with pytest.raises(RecipeError, match=r"none of the files looks like order lines.*colour, size"):
        drafted([tmp_path / "x.csv"], tmp_path)


def test_check_tells_unknown_values_and_units_and_what_is_odd(tmp_path: Path) -> None:
    path = draft(tmp_path, orders=(CHINESE + "D99,1,x,1店,抖音,1,箱,9.5,2024/3/9 10:05,M1,\n").encode("gbk"))
    text = path.read_text("utf-8").replace('"小程序" = "mini_program"\n', "").replace('"抖音" = "pos"\n', "")
    path.write_text(text, "utf-8")
    found = {finding.place: finding for finding in check_recipe(load_recipe(str(path))).findings}
    assert found["sources.orders"].level == "broken"
    assert "channel is not among the recipe's values for it" in found["sources.orders"].text
    assert "'小程序' (40), '抖音' (1): add them" in found["sources.orders.values.channel"].text
    assert "how do returns appear" in found["sources.orders.columns.quantity"].text
    assert found["stock"].level == "better"


def test_the_command_drafts_and_checks_and_exits_with_two_when_broken(tmp_path: Path) -> None:
    (tmp_path / "till.csv").write_bytes(GERMAN.encode("cp1252"))
    run, out = CliRunner(), tmp_path / "shop.toml"
    made = run.invoke(app, ["recipe", "new", "--from", str(tmp_path / "till.csv"), "--out", str(out)])
    assert made.exit_code == 0, made.output
    checked = run.invoke(app, ["recipe", "check", "--recipe", str(out), "--json"])
    assert checked.exit_code == 0
    assert json.loads(checked.output)["sources"]["till"]["rows"] == 60
    (tmp_path / "till.csv").unlink()
    assert run.invoke(app, ["recipe", "check", "--recipe", str(out)]).exit_code == 2
    assert run.invoke(app, ["recipe", "new", "--from", str(out), "--out", str(out)]).exit_code == 2


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [("[unit.x]\nunit = 'kg'\ntimes = 2", "units"), ("[units.x]\nunti = 'kg'\ntimes = 2", "unit"),
     ("[order]\ntwin_minutes = 3", "orders"), ("[identity]\nmost_acounts = 3", "most_accounts")],
)  # fmt: skip
def test_a_misspelt_key_gets_a_suggestion(tmp_path: Path, wrong: str, hint: str) -> None:
    path = draft(tmp_path, verkauf=GERMAN.encode("cp1252"))
    text = path.read_text("utf-8").replace('[identity]\naccount_numbers = "shared"', "# ")
    path.write_text(f"{text}\n{wrong}\n", "utf-8")
    with pytest.raises(RecipeError, match=rf"unknown key \(did you mean '{hint}'\?\)"):
        load_recipe(str(path))


LINES = "order_id,line_id,item_id,quantity,price,order_date,customer_id\n" + "".join(
    f"{1000 + i // 2},{1 + i % 2},sku{i % 5},2,3.50,2024-03-{1 + i % 28:02d},c{i % 7}\n" for i in range(40)
)


def test_line_numbers_that_begin_anew_in_every_order_are_laid_beside_its_number(tmp_path: Path) -> None:
    recipe = load_recipe(str(draft(tmp_path, sales=LINES.encode())))
    assert recipe.sources["sales"].columns["source_line_id"] == "order_id || '-' || line_id"
    assert recipe.sources["sales"].columns["product_id"] == "item_id"
    assert ingest(recipe, Workspace(tmp_path / "workspace")).facts["sources"]["sales"]["kept"] == 40


def test_line_numbers_that_come_again_are_told_by_the_check(tmp_path: Path) -> None:
    path = draft(tmp_path, sales=LINES.encode())
    path.write_text(path.read_text("utf-8").replace("order_id || '-' || line_id", "line_id"), "utf-8")
    (found,) = [one for one in check_recipe(load_recipe(str(path))).findings if one.place.endswith("source_line_id")]
    assert (found.level, found.text[:14]) == ("broken", "38 of 40 lines")


def test_files_of_every_day_are_one_source(tmp_path: Path) -> None:
    days = {f"sales-2024-03-{day:02d}": LINES.encode() for day in (1, 2, 3)}
    recipe = load_recipe(str(draft(tmp_path, **days)))
    assert [(source.table, source.path) for source in recipe.sources.values()] == [("order_lines", "sales-*.csv")]


def test_objects_within_json_are_looked_into_and_never_taken_whole(tmp_path: Path) -> None:
    rows = [
        {"orderId": 5000 + i, "sku": f"s{i % 4}", "qty": 1, "total": 2.5, "placed": f"2024-03-{1 + i:02d}T10:00:00Z",
         "customer": {"id": f"w{i % 9}", "phone": f"+49 170 {1000000 + i}"}}
        for i in range(20)
    ]  # fmt: skip
    (tmp_path / "web.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    text = drafted([tmp_path / "web.jsonl"], tmp_path)
    assert "170 100" not in text
    (tmp_path / "recipe.toml").write_text(text, "utf-8")
    recipe = load_recipe(str(tmp_path / "recipe.toml"))
    assert recipe.sources["web"].columns["channel_customer_id"] == "customer.id"
    accounts = ingest(recipe, Workspace(tmp_path / "workspace")).read("accounts")["account_id"].to_pylist()
    assert sorted(accounts) == [f"w{i}" for i in range(9)]


def test_a_file_of_a_kind_that_cannot_be_looked_at_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"SQLite format 3")
    (tmp_path / "sales.csv").write_bytes(LINES.encode())
    text = drafted([tmp_path / "shop.db", tmp_path / "sales.csv"], tmp_path)
    assert "[sources.sales]" in text
    assert "shop.db: no kind of export ends so" in text
