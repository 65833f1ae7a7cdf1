"""Every line of a CSV file becomes a row or is listed as broken; none is lost."""

import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

LINE = "9,o9,ann,milk,s1,2024-03-04 10:00:00,1,1.00"


def till(snapshot: Any) -> dict[str, Any]:
    found: dict[str, Any] = snapshot.facts["sources"]["till"]
    assert found["read"] == found["kept"] + found["quarantined"] + found["duplicates"]
    return found


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('9,o9,"ann,milk,s1,2024-03-04 10:00:00,1,1.00', "a quote is not closed or stands inside a field"),
        ('9,o9,an"n,mi"lk,s1,2024-03-04 10:00:00,1,1.00', "a quote is not closed or stands inside a field"),
        ('9,o9,"ann"x,milk,s1,2024-03-04 10:00:00,1,1.00', "a quote is not closed or stands inside a field"),
        ("9,o9,ann,milk,s1,2024-03-04 10:00:00,1,1.00,more", "has more fields than the header"),
        ("9,o9,ann,milk", "has fewer fields than the header"),
    ],
)
def test_a_broken_line_costs_nothing_but_itself(shop: Any, line: str, reason: str) -> None:
    shop.add(line, LINE.replace("9,o9", "10,o10"))
    found = till(shop.ingest())
    assert (found["read"], found["kept"], found["reasons"]) == (6, 5, {reason: 1})
    assert shop.refused() == [(reason, line)]


def test_a_quote_left_open_on_many_lines_costs_each_of_them_only(shop: Any) -> None:
    broken = ['9,o9,"ann,milk,s1,2024-03-04 10:00:00,1,1.00'] * 3
    fine = [LINE.replace("9,o9", f"{number},o{number}") for number in range(10, 300)]
    shop.add(broken[0], *fine[:100], broken[1], *fine[100:], broken[2])
    found = till(shop.ingest())
    assert (found["read"], found["kept"], found["quarantined"]) == (4 + 290 + 3, 4 + 290, 3)


def test_quoted_fields_hold_delimiters_quotes_and_line_ends(shop: Any) -> None:
    shop.add('9,o9,ann,"mi,lk ""fresh""\nlow fat",s1,2024-03-04 10:00:00,1,1.00')
    snapshot = shop.ingest()
    assert till(snapshot)["kept"] == 5
    assert 'mi,lk "fresh"\nlow fat' in snapshot.read("purchase_history")["product_id"].to_pylist()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_an_export_is_read_in_its_encoding(shop: Any, encoding: str) -> None:
    shop.add(LINE.replace("milk", "牛奶"))
    shop.write("lines.csv", (shop.folder / "lines.csv").read_text("utf-8").encode(encoding))
    shop.source += f'\nencoding = "{encoding}"'
    assert "牛奶" in shop.ingest().read("purchase_history")["product_id"].to_pylist()


def test_latin_1_is_read(shop: Any) -> None:
    shop.add(LINE.replace("milk", "café"))
    shop.write("lines.csv", (shop.folder / "lines.csv").read_text("utf-8").encode("latin-1"))
    shop.source += '\nencoding = "latin-1"'
    assert "café" in shop.ingest().read("purchase_history")["product_id"].to_pylist()


def test_gz_files_tabs_and_several_files_are_read(shop: Any) -> None:
    text = (shop.folder / "lines.csv").read_text("utf-8").replace(",", "\t")
    shop.write("till-1.csv.gz", gzip.compress(text.encode()))
    shop.write("till-2.csv.gz", gzip.compress((text.splitlines()[0] + "\n" + LINE.replace(",", "\t") + "\n").encode()))
    shop.source = 'path = "till-*.csv.gz"\ndelimiter = "\\t"'
    assert till(shop.ingest())["kept"] == 5


def test_columns_in_another_order_or_missing_in_one_file_are_put_right(shop: Any) -> None:
    shop.write(
        "lines-2.csv", "order,line,product,shop,sold_at,quantity,paid\no9,9,milk,s1,2024-03-04 10:00:00,1,1.00\n"
    )
    shop.source = 'path = "lines*.csv"'
    rows = shop.ingest().read("purchase_history").to_pylist()
    assert [row["account_id"] for row in rows if row["order_id"] == "o9"] == [None]


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_any_kind_of_line_end_is_read(shop: Any, end: str) -> None:
    text = (shop.folder / "lines.csv").read_text("utf-8")
    shop.write("lines.csv", text.replace("\n", end).encode())
    assert till(shop.ingest())["kept"] == 4


FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=8)


@given(st.lists(st.lists(FIELD, min_size=3, max_size=3), min_size=1, max_size=20))
def test_what_a_csv_writer_writes_is_never_broken(rows: list[list[str]]) -> None:
    import csv
    import io

    from features.channels.lines import Records, records_of
    from features.channels.plain import Shape

    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    target, records = io.BytesIO(), Records()
    lines = written.getvalue().split("\n")
    records_of(lines, len(lines), 1, Shape(",", 3, b"\n"), target, records)
    assert (records.good, records.broken) == (len(rows), [])
    assert list(csv.reader(io.StringIO(target.getvalue().decode(), newline=""))) == rows
