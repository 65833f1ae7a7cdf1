"""A day on which nothing happened is a file without rows, and no fault."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook

from features.errors import SourceError
from features.tables import SOURCE_TABLES

HEADER = ["line", "order", "account", "product", "shop", "sold_at", "quantity", "paid"]
ROW = ["1", "o1", "ann", "milk", "s1", "2024-03-01 10:00:00", 2, 4.0]
KEYED = "{" + ", ".join(f'"{name}": "{value}"' for name, value in zip(HEADER, ROW, strict=True)) + "}"


def sheet(file: Path, rows: list[list[Any]]) -> None:
    book = Workbook()
    for row in [HEADER, *rows]:
        book.active.append(row)
    book.save(file)


def table(file: Path, rows: list[list[Any]]) -> None:
    columns = list(zip(*rows, strict=True)) or [[]] * len(HEADER)
    kinds = [None] * 6 + [pa.int64(), pa.float64()] if rows else [pa.null()] * 8
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    pq.write_table(pa.table(dict(zip(HEADER, arrays, strict=True))), file)


def csv(rows: list[list[Any]]) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in [HEADER, *rows]).encode()


WAYS: dict[str, Any] = {
    "csv-with-a-header": ("csv", lambda file, rows: file.write_bytes(csv(rows))),
    "csv-of-0-bytes": ("csv", lambda file, rows: file.write_bytes(csv(rows) if rows else b"")),
    "csv-of-a-mark": ("csv", lambda file, rows: file.write_bytes(csv(rows) if rows else b"\xef\xbb\xbf\r\n")),
    "gz-with-a-header": ("csv.gz", lambda file, rows: file.write_bytes(gzip.compress(csv(rows)))),
    "gz-of-0-bytes": ("csv.gz", lambda file, rows: file.write_bytes(gzip.compress(csv(rows) if rows else b""))),
    "jsonl": ("jsonl", lambda file, rows: file.write_bytes(KEYED.encode() if rows else b"")),
    "jsonl-of-a-blank-line": ("jsonl", lambda file, rows: file.write_bytes(KEYED.encode() if rows else b"\n")),
    "jsonl.gz": ("jsonl.gz", lambda file, rows: file.write_bytes(gzip.compress(KEYED.encode() if rows else b""))),
    "excel": ("xlsx", sheet),
    "parquet": ("parquet", table),
}  # fmt: skip
JOIN = '[[sources.till.join]]\npath = "orders.csv"\non = { order = "number" }'


def days(shop: Any, way: str, rows_of: list[list[list[Any]]]) -> None:
    ending, write = WAYS[way]
    for number, rows in enumerate(rows_of, 1):
        write(shop.folder / f"day-{number}.{ending}", rows)
    shop.source = f'path = "day-*.{ending}"'
    if ending in {"xlsx", "parquet"}:
        shop.columns["net_amount"] = "paid * 1"  # which a column without a type has not


@pytest.mark.parametrize("extra", ["", JOIN], ids=["alone", "joined"])
@pytest.mark.parametrize("way", WAYS)
def test_a_file_without_rows_is_a_day_without_sales(shop: Any, way: str, extra: str) -> None:
    shop.write("orders.csv", "number,way\no1,app\n")
    shop.extra = extra
    days(shop, way, [[], [ROW], []])
    snapshot = shop.ingest()
    till = snapshot.facts["sources"]["till"]
    assert (till["read"], till["kept"], till["quarantined"]) == (1, 1, 0)
    assert [row["net_amount"] for row in snapshot.read("purchase_history").to_pylist()] == [4]
    assert shop.ingest().version == snapshot.version


@pytest.mark.parametrize("way", WAYS)
def test_files_without_any_rows_are_an_error_that_says_so(shop: Any, way: str) -> None:
    days(shop, way, [[], []])
    with pytest.raises(SourceError, match=r"sources.till: no purchase can be used of 0 rows read: it has no rows"):
        shop.ingest()


@pytest.mark.parametrize("name", [name for name in SOURCE_TABLES if name != "exchange_rates"])
def test_a_source_may_have_no_rows_at_all(shop: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEBASKET_IDENTITY_KEY", "a secret of the tests, long enough")
    shop.write("none.csv", b"")
    required = [column.name for column in SOURCE_TABLES[name].columns if column.required and column.name != "source"]
    columns = "\n".join(f"{column} = {column!r}" for column in required)
    shop.extra = f'[sources.other]\ntable = "{name}"\npath = "none.csv"\n[sources.other.columns]\n{columns}'
    snapshot = shop.ingest()
    assert snapshot.facts["sources"]["other"]["read"] == 0
    assert len(snapshot.read("purchase_history")) == 4
    shop.add("9,o9,ann,milk,s1,2024-05-04 10:00:00,1,1.00")
    assert len(shop.ingest().read("purchase_history")) == 5


def test_zero_bytes_do_not_take_back_what_a_file_said(shop: Any) -> None:
    before = shop.ingest()
    shop.write("lines.csv", b"")
    with pytest.raises(SourceError, match=r"lines.csv is empty \(0 bytes\) and had 4 rows before: export it again"):
        shop.ingest()
    assert shop.workspace.snapshot().version == before.version


def test_a_header_alone_takes_back_what_a_file_said(shop: Any) -> None:
    shop.source = 'path = "*.csv"'
    shop.write("more.csv", csv([["9", "o9", "ann", "milk", "s1", "2024-03-04 10:00:00", 1, 1.0]]))
    assert len(shop.ingest().read("purchase_history")) == 5
    shop.write("more.csv", csv([]))
    assert len(shop.ingest().read("purchase_history")) == 4


def test_a_joined_file_may_be_empty_where_another_is_not(shop: Any) -> None:
    shop.write("orders-1.csv", b"")
    shop.write("orders-2.csv", "number,way\no1,app\n")
    shop.columns["channel"] = "way"
    shop.extra = JOIN.replace("orders.csv", "orders-*.csv")
    history = shop.ingest().read("purchase_history").to_pylist()
    assert {row["order_id"]: row["channel"] for row in history} == {"o1": "app", "o2": "pos", "o3": "pos"}
