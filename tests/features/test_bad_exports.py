"""An export that cannot be read is a clear error, and the workspace stays as it was."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import NotIngested, OneBasketError, RecipeError, SourceError


def refuses(shop: Any, error: type[OneBasketError], *words: str) -> None:
    """The ingest fails with `error` saying `words`, after a good one whose snapshot stays the current one."""
    with pytest.raises(error) as raised:
        shop.ingest()
    for word in words:
        assert word in str(raised.value), str(raised.value)
    assert not list(shop.workspace.folder.glob("*/.unfinished-*"))
    with pytest.raises(NotIngested):
        shop.workspace.snapshot()


def as_parquet(shop: Any) -> Path:
    path: Path = shop.folder / "lines.parquet"
    names = ["line", "order", "account", "product", "shop", "sold_at", "quantity", "paid"]
    values = ["1", "o1", "ann", "milk", "s1", "2024-03-01 10:00:00", "2", "4.00"]
    pq.write_table(pa.table({name: [value] * 5000 for name, value in zip(names, values, strict=True)}), path)
    shop.source = 'path = "lines.parquet"'
    return path


def test_a_missing_file_is_named_with_the_remedy(shop: Any) -> None:
    shop.source = 'path = "lins.csv"'
    refuses(shop, SourceError, "sources.till", "lins.csv", "--data FOLDER")


def test_a_package_that_is_not_installed_is_named(shop: Any) -> None:
    shop.source = 'path = "package:no_such_data/x.parquet"'
    refuses(shop, SourceError, "no_such_data", "pip install no-such-data")


def test_an_empty_file_is_refused_where_nothing_else_has_purchases(shop: Any) -> None:
    shop.write("lines.csv", b"")
    refuses(shop, SourceError, "sources.till: no purchase can be used of 0 rows read", "it has no rows")


def test_a_file_with_nothing_but_its_header_is_refused(shop: Any) -> None:
    shop.write("lines.csv", "line,order,account,product,shop,sold_at,quantity,paid\n")
    refuses(shop, SourceError, "no purchase can be used of 0 rows read", "it has no rows")


def test_a_parquet_file_without_its_end_is_truncated(shop: Any) -> None:
    path = as_parquet(shop)
    path.write_bytes(path.read_bytes()[:-100])
    refuses(shop, SourceError, "lines.parquet is truncated")


def test_a_parquet_file_with_a_hole_in_it_is_refused(shop: Any) -> None:
    path = as_parquet(shop)
    content = path.read_bytes()
    path.write_bytes(content[:4] + content[200:])
    refuses(shop, SourceError, "lines.parquet")


def test_a_parquet_file_that_is_none_is_refused(shop: Any) -> None:
    as_parquet(shop).write_text("line,order\n1,2\n")
    refuses(shop, SourceError, "is not a parquet file")


def test_another_encoding_is_refused_with_examples(shop: Any) -> None:
    shop.add("9,o9,ann,牛奶,s1,2024-03-04 10:00:00,1,1.00")
    text = (shop.folder / "lines.csv").read_text("utf-8")
    shop.write("lines.csv", text.encode("gbk"))
    refuses(shop, SourceError, "is not written in utf-8", "gbk")


def test_an_unknown_encoding_is_a_fault_of_the_recipe(shop: Any) -> None:
    shop.source += '\nencoding = "utf-9"'
    refuses(shop, RecipeError, "unknown encoding 'utf-9'")


def test_a_column_that_the_export_lacks_gets_a_suggestion(shop: Any) -> None:
    shop.columns["product_id"] = "prodct"
    refuses(shop, RecipeError, "sources.till.columns.product_id", "did you mean 'product'?")


def test_text_reckoned_with_is_a_fault_of_the_recipe(shop: Any) -> None:
    shop.columns["net_amount"] = "quantity * paid"
    refuses(shop, RecipeError, "an expression does not fit the export")


def test_columns_named_twice_are_refused(shop: Any) -> None:
    shop.write("lines.csv", "line,order,order\n1,2,3\n")
    refuses(shop, SourceError, "names columns twice (order)")


def test_a_gz_file_that_ends_early_is_refused(shop: Any) -> None:
    packed = gzip.compress((shop.folder / "lines.csv").read_bytes() * 50)
    shop.write("lines.csv.gz", packed[: len(packed) // 2])
    shop.source = 'path = "lines.csv.gz"'
    refuses(shop, SourceError, "lines.csv.gz is truncated")


def test_the_wrong_delimiter_is_noticed(shop: Any) -> None:
    shop.source += '\ndelimiter = ";"'
    refuses(shop, RecipeError, "the export has no column")


def test_a_fault_in_a_later_export_leaves_the_older_snapshot(shop: Any) -> None:
    before = shop.ingest()
    shop.write("lines.csv", b"")
    with pytest.raises(SourceError):
        shop.ingest()
    assert shop.workspace.snapshot().version == before.version
    assert len(shop.workspace.snapshot().read("purchase_history")) == 4
