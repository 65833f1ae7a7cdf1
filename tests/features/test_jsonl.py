"""JSON lines: one object a line, with all that nests in it."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from features.errors import SourceError
from features.expressions import scalar

LINES = """{"id": 1, "customer": {"id": "00123"}, "paid": 12.10, "tags": ["new", "vip"]}
{"id": 2, "customer": null, "paid": 4, "lines": [{"product": "milk", "units": 2}]}
"""


def test_objects_are_structs_and_arrays_are_lists(desk: Any, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text(LINES)
    export = desk.open(file)
    assert sorted(export.columns) == ["customer", "id", "lines", "paid", "tags"]
    parts = [scalar(text, export.columns, "here").sql for text in ("customer.id", "tags[1]", "lines[1].product")]
    rows = desk.engine.rows(f"SELECT id, {', '.join(parts)} FROM export_till")
    assert rows == [(1, "00123", "new", None), (2, None, None, "milk")]
    assert desk.copies == []


def test_a_broken_line_costs_nothing_but_itself(desk: Any, tmp_path: Path) -> None:
    file = tmp_path / "orders.ndjson"
    file.write_text('{"id": 1}\n\n{"id": 2\n[3]\n{"id": 4} {"id": 5}\n{"id": 6, "x": "\x01"}\n{"id": 7}')
    export = desk.open(file, numbered=True)
    assert desk.rows() == [(1, 0), (7, 1)]
    assert [(broken.line, broken.reason) for broken in export.broken] == [
        (3, "is no JSON"), (4, "is JSON, but no object"), (5, "is no JSON"), (6, "is no JSON"),
    ]  # fmt: skip
    assert export.broken[0].text == '{"id": 2'


def test_numbers_keep_their_digits(desk: Any, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text(
        '{"id": 123456789012345678901234567890, "n": 9223372036854775808, "paid": 0.1}\n'
        '{"id": 5, "n": 1, "paid": 2.5}\n'
    )
    desk.open(file)
    assert desk.rows() == [("123456789012345678901234567890", 9223372036854775808, 0.1), ("5", 1, 2.5)]


def test_a_key_of_several_kinds_is_text(desk: Any, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text('{"id": "007", "x": null}\n{"id": 7, "x": null}\n{"id": true}\n')
    desk.open(file)
    assert desk.rows() == [("007", None), ("7", None), ("true", None)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_packed_files_and_other_encodings_are_read(desk: Any, tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "orders.jsonl.gz"
    file.write_bytes(gzip.compress('{"商品": "牛奶"}\r\n{"商品": "面包"}\r\n'.encode(encoding)))
    assert desk.open(file, encoding=encoding).columns == ("商品",)
    assert desk.rows() == [("牛奶",), ("面包",)]


def test_lines_of_many_shapes_are_put_together(desk: Any, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    parts = [
        '{"n": 1, "of": {"a": -1}}',
        '{"n": 0.5, "of": {"b": [1]}}',
        '{"n": null, "of": {"b": []}}',
        '{"of": null}',
    ]
    file.write_text("\n".join(parts * 2) + "\n")
    desk.open(file)
    rows = desk.engine.rows('SELECT n, "of".a, "of".b FROM export_till')
    assert rows == [(1.0, -1, None), (0.5, None, [1]), (None, None, []), (None, None, None)] * 2


def test_keys_that_differ_in_case_only_are_refused(desk: Any, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text('{"id": 1, "ID": 2}\n')
    with pytest.raises(SourceError, match=r"cannot tell apart in \$ \(ID, id\): rename"):
        desk.open(file)


def test_a_file_that_is_one_array_is_refused(desk: Any, tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    file.write_text('[{"id": 1}, {"id": 2}]')
    with pytest.raises(SourceError, match="holds no JSON object with keys: write one object per line"):
        desk.open(file)


@pytest.mark.parametrize("text", ['{"a": 1}\r\n{"a": 2}', '{"a": 1}\r\n{"a": 2}\n', '{"a": 1}\n{"a":\r2}\n'])
def test_any_kind_of_line_end_is_read(desk: Any, tmp_path: Path, text: str) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_bytes(text.encode())
    desk.open(file)
    assert desk.rows() == [(1,), (2,)]


ORDERS = """{"id": "o1", "items": [{"sku": "milk", "n": 2}, {"sku": "tea", "n": 1}], "tags": ["new"], "note": "x"}
{"id": "o2", "items": [], "note": "y"}
{"id": "o3", "note": "z"}
{"id": "o4", "items": [{"sku": "milk", "n": 1}]}
"""


@pytest.mark.parametrize("numbered", [False, True])
def test_every_part_of_a_list_is_a_row(desk: Any, tmp_path: Path, numbered: bool) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text(ORDERS)
    export = desk.open(file, numbered=numbered, explode="items")
    assert sorted(export.columns) == ["id", "items", "note", "tags"]
    place = ", onebasket_row" if numbered else ""
    rows = desk.engine.rows(f"SELECT id, items.sku, items.n, note{place} FROM export_till")
    expected = [("o1", "milk", 2, "x"), ("o1", "tea", 1, "x"), ("o2", None, None, "y"), ("o3", None, None, "z"),
                ("o4", "milk", 1, None)]  # fmt: skip
    assert rows == [(*row, number) if numbered else row for number, row in enumerate(expected)]


@pytest.mark.parametrize(
    ("column", "what"),
    [("item", "is no column (did you mean 'items'?)"), ("note", "is no list"), ("id", "lists there are items, tags")],
)
def test_what_is_no_list_cannot_be_taken_apart(desk: Any, tmp_path: Path, column: str, what: str) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text(ORDERS)
    with pytest.raises(SourceError) as fault:
        desk.open(file, explode=column)
    assert what in str(fault.value)
