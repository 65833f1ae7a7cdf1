"""A retailer that DuckDB took in is unified again on Spark, into the same tables; and a table of Spark is an export."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from features.ingest import ingest
from features.workspace import Workspace
from tests.fixtures.chain_lines import chain_lines
from tests.fixtures.two_engines import TwoEngines, needs_java, sorted_rows, two_engines, types_of
from training.recipe import load_recipe

pytestmark = pytest.mark.filterwarnings("ignore")
MAPPED = (
    "source_line_id", "channel", "channel_customer_id", "order_id", "product_id", "location_id", "quantity",
    "net_amount", "discount_amount", "ordered_at", "fulfilled_at", "fulfilment_location_id", "status", "gift",
    "external_order_id", "returns_order_id", "returns_line_id",
)  # fmt: skip
RECIPE = """
[retailer]
name = "chain"
time_zone = "Europe/Berlin"
{sources}
[sources.links]
table = "identity_links"
path = "links.csv"
columns = {{ channel = "channel", channel_customer_id = "account", kind = "kind", value = "value", linked_at = "told" }}
[sources.wishes]
table = "consents"
path = "wishes.csv"
columns = {{ channel = "channel", channel_customer_id = "account", wish = "wish", wished_at = "told" }}
[sources.sets]
table = "bundles"
path = "sets.csv"
columns = {{ bundle_product_id = "bundle", product_id = "product", units = "units", amount_share = "share" }}
[sources.shelf]
table = "stock"
path = "stock.csv"
columns = {{ product_id = "product", location_id = "shop", day = "day", available_share = "share" }}
[sources.leaflet]
table = "plans"
path = "plans.csv"
columns = {{ product_id = "product", starts_on = "first", ends_on = "last", known_on = "known" }}
"""
FILES = {
    "links.csv": "channel,account,kind,value,told\npos,ann,phone,13812345678,2024-03-01 10:00:00\n"
                 "app,ann,phone,13812345678,2024-03-29 10:00:00\npos,bob,member_card,7,\napp,bob,member_card,7,\n"
                 "app,cid,phone,13812345678,2024-04-02 23:30:00\n",
    "wishes.csv": "channel,account,wish,told\npos,dörte,erase,2024-04-01 10:00:00\n"
                  "app,ann,opt_out,2024-04-01 10:00:00\n",
    "sets.csv": "bundle,product,units,share\nbreakfast,milk,1,0.4\nbreakfast,tea,2,0.6\n",
    "stock.csv": "product,shop,day,share\nmilk,s1,2024-04-01,0.5\nmilk,s1,2024-04-02,1\ntea,s2,2024-04-03,0\n",
    "plans.csv": "product,first,last,known\nmilk,2024-03-30,2024-04-05,2024-03-01\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoEngines]:
    needs_java()
    with two_engines(tmp_path_factory.mktemp("two")) as engines:
        yield engines


def write_chain(folder: Path) -> Path:
    """The exports of two systems, lines that were corrected among them, and a recipe."""
    sources, lines = "", chain_lines()
    for source in ("till", "app"):
        own = [one for one in lines if one["source"] == source]
        for name, chosen in ((f"{source}-1.csv", own), (f"{source}-2.csv", own[::9])):
            with (folder / name).open("w", encoding="utf-8", newline="") as stream:
                writer = csv.DictWriter(stream, MAPPED, extrasaction="ignore")
                writer.writeheader()
                writer.writerows({**one, "order_id": one["order_number"], "channel_customer_id": one["account_id"],
                                  "channel": "pos" if source == "till" else "app"}
                                 for one in chosen)  # fmt: skip
        columns = ", ".join(f'{name} = "{name}"' for name in MAPPED)
        sources += f'[sources.{source}]\ntable = "order_lines"\npath = "{source}-*.csv"\ncolumns = {{ {columns} }}\n'
    for name, content in FILES.items():
        (folder / name).write_text(content, "utf-8")
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(sources=sources), "utf-8")
    return recipe


def test_a_whole_retailer_is_unified_into_the_same_tables(
    two: TwoEngines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.spark_unify import unify_on_spark

    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a key for the tests only")
    workspace = Workspace(tmp_path / "workspace")
    snapshot = ingest(load_recipe(str(write_chain(tmp_path))), workspace)
    written = unify_on_spark(two.spark.engine, workspace, tmp_path / "spark")
    assert set(written) == {"purchase_history", "demand_history", "returns", "order_twins", "accounts", "customers"}
    for name in written:
        right, found = (
            pq.read_table(folder / name, partitioning=None) for folder in (snapshot.folder, tmp_path / "spark")
        )
        found = found.select(right.column_names)
        other = [pair for pair in zip(sorted_rows(found), sorted_rows(right), strict=False) if pair[0] != pair[1]]
        assert not other, (name, other[:2])
        assert len(found) == len(right) > 1, name
        assert types_of(found) == types_of(right), name


SHOP = """
[retailer]
name = "corner"
time_zone = "Asia/Shanghai"
[sources.till]
table = "order_lines"
{source}
[sources.till.columns]
source_line_id = "line"
order_id = '"order"'
channel_customer_id = "account"
product_id = "product"
quantity = "units"
net_amount = "paid"
ordered_at = "sold_at"
"""


def shop_recipe(folder: Path, source: str) -> Path:
    folder.mkdir()
    recipe = folder / "recipe.toml"
    recipe.write_text(SHOP.format(source=source), "utf-8")
    return recipe


@pytest.mark.parametrize("kind", ["timestamp_ntz", "timestamp"])
def test_a_table_of_spark_is_taken_in_as_the_same_rows_of_a_file_are(
    two: TwoEngines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    session = two.spark.engine.session
    session.sql(
        f"SELECT line, `order`, account, product, units, paid, CAST(sold_at AS {kind}) AS sold_at FROM VALUES "
        "(1, 'o1', 'ann', '牛奶', 2.5bd, 4.00bd, '2024-03-01 20:00:00'), "
        "(2, 'o2', NULL, 'tea', 1bd, NULL, '2024-03-02 10:00:00.5') "
        "AS t(line, `order`, account, product, units, paid, sold_at)"
    ).createOrReplaceTempView("till_lines")
    session.table("till_lines").coalesce(1).write.parquet(str(tmp_path / "lines"))
    file = next((tmp_path / "lines").glob("*.parquet"))
    monkeypatch.setenv("CHAIN", "pyspark://")
    recipes: dict[str, Any] = {
        "spark": shop_recipe(tmp_path / "a", 'path = "env:CHAIN"\nformat = "ibis"\nrelation = "till_lines"'),
        "file": shop_recipe(tmp_path / "b", f'path = "{file}"'),
    }
    taken = {name: ingest(load_recipe(str(recipe)), Workspace(tmp_path / f"{name}-workspace"))
             for name, recipe in recipes.items()}  # fmt: skip
    files = {
        name: {path.relative_to(snapshot.folder): path.read_bytes()
               for path in snapshot.folder.glob("[!l]*/**/*.parquet")}
        for name, snapshot in taken.items()
    }  # fmt: skip
    assert files["spark"] == files["file"]
    assert len(files["spark"]) >= 4
    assert session.sql("SELECT 1").collect(), "the session that was there stays open"
