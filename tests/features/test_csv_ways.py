"""A CSV file that is plain is read as it lies, any other through a clean copy; both ways give the same rows."""

import csv
import gzip
import io
import random
from pathlib import Path
from typing import Any

import pytest

from features.channels import blocks as blocks_module
from features.channels import csv as csv_module
from features.channels.lines import Records, records_of
from features.channels.plain import Shape
from features.errors import RecipeError, SourceError


def written(tmp_path: Path, content: str | bytes, name: str = "lines.csv") -> Path:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n00123,\n2,x\n",
        "\ufeffa,b\n00123,\n2,x\n",
        "a,b\r\n00123,\r\n2,x",
        'a,b\n"00123",""\n2,"x"\n',
    ],
)
def test_a_plain_file_is_never_copied(desk: Any, tmp_path: Path, content: str) -> None:
    export = desk.open(written(tmp_path, content), numbered=True)
    assert (desk.rows(), export.rows, export.broken) == ([("00123", None, 0), ("2", "x", 1)], 2, ())
    assert desk.copies == []


@pytest.mark.parametrize(
    ("content", "rows", "broken"),
    [
        ("a,b\n1,2\n\n3,4\n", [("1", "2"), ("3", "4")], []),
        ("a,b\n1,2\r\n3,4\n", [("1", "2"), ("3", "4")], []),
        ("a,b\r1,2\r3,4", [("1", "2"), ("3", "4")], []),
        ("a,b\n1,2\n3\n4,5,6\n", [("1", "2")], [3, 4]),
        ('a,b\n1,2\nx"y,2\n"3,4\n5,6\n', [("1", "2"), ("5", "6")], [3, 4]),
        ('a,b\r\n1,"two\r\nlines"\r\n', [("1", "two\nlines")], []),
        ("a\n1\n\n2\n", [("1",), ("2",)], []),
        ("a,b\n1,x\x00y\n", [("1", "x\x00y")], []),
    ],
)
def test_any_other_file_is_cleaned_first(
    desk: Any, tmp_path: Path, content: str, rows: list[tuple[str, ...]], broken: list[int]
) -> None:
    export = desk.open(written(tmp_path, content))
    assert (desk.rows(), [line.line for line in export.broken]) == (rows, broken)


def test_a_header_alone_is_a_file_without_rows(desk: Any, tmp_path: Path) -> None:
    assert desk.open(written(tmp_path, "a,b\n")).columns == ("a", "b")
    assert desk.rows() == []


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "，", "auto"])
def test_fields_are_parted_by_any_character(desk: Any, tmp_path: Path, delimiter: str) -> None:
    sign = ";" if delimiter == "auto" else delimiter
    desk.open(written(tmp_path, f'a{sign}b\n1{sign}"2,3"\n'), delimiter=delimiter)
    assert desk.rows() == [("1", "2,3")]


def test_a_delimiter_of_several_characters_is_refused(desk: Any, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match='is not one character: write such as ";", or "auto"'):
        desk.open(written(tmp_path, "a||b\n"), delimiter="||")


def test_a_wrong_encoding_is_noticed_at_the_end_of_a_long_file(desk: Any, tmp_path: Path) -> None:
    content = b"a,b\n" + b"1,2\n" * 100_000 + "1,牛奶\n".encode("gbk")
    with pytest.raises(SourceError, match='is not written in utf-8: set its encoding in the recipe, such as "gbk"'):
        desk.open(written(tmp_path, content))


def test_a_truncated_gz_file_is_noticed(desk: Any, tmp_path: Path) -> None:
    packed = gzip.compress("".join(f"{number},{random.Random(number).random()}\n" for number in range(50_000)).encode())
    for cut in (len(packed) // 2, len(packed) - 4):
        with pytest.raises(SourceError, match="is truncated or not gzip"):
            desk.open(written(tmp_path, packed[:cut], "lines.csv.gz"))


def test_a_long_line_is_read_and_one_beyond_16_mib_is_broken(desk: Any, tmp_path: Path) -> None:
    long, longer = "x" * 3_000_000, "y" * (16 * 1024 * 1024)
    export = desk.open(written(tmp_path, f"a,b\n1,{long}\n2,{longer}\n3,z\n"))
    assert [len(field) for _, field in desk.rows()] == [3_000_000, 1]
    assert [(line.line, line.reason, len(line.text)) for line in export.broken] == [(3, "is longer than 16 MiB", 1000)]


def test_a_header_without_end_is_refused(desk: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has a header whose quote is not closed"):
        desk.open(written(tmp_path, 'a,"b\n' + "1,2\n" * 200))


PLAIN = ["a", "", '"x"', '"x,y"', '"x""y"', '""', '"""x"', '"l\nm"', "牛奶"]
ANY = [*PLAIN, '"', '""', 'x"y', ",", "\n", "\r\n", "\r", " ", "\x00", "\x0b", '"\n', '\n"']


@pytest.mark.parametrize("seed", range(60))
def test_both_ways_split_as_the_careful_one(
    desk: Any, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against records_of on the whole file and the csv module, in blocks of any size."""
    signs = random.Random(seed)
    width, faults = signs.choice([2, 3, 4]), signs.choice([0, 0, 0.02, 0.3])
    end, pool = signs.choice(["\n", "\r\n"]), signs.choice([PLAIN[:2], PLAIN])
    lines = [
        "".join(signs.choices(ANY, k=signs.randrange(8))) if signs.random() < faults
        else ",".join(signs.choices(pool, k=width)) for _ in range(signs.choice([3, 100, 400]))
    ]  # fmt: skip
    text = end.join([",".join("abcd"[:width]), *lines]) + signs.choice(["", end])
    monkeypatch.setattr(csv_module, "BLOCK", signs.choice([30, 1000, 1 << 24]))
    monkeypatch.setattr(csv_module, "SMALL", signs.choice([10, 1 << 16]))
    monkeypatch.setattr(blocks_module, "BLOCK", signs.choice([7, 500]))
    export = desk.open(written(tmp_path, text))

    physical = [line.rstrip("\r\n") for line in io.StringIO(text, newline="")]
    clean, records = io.BytesIO(), Records()
    records_of(physical[1:], len(physical) - 1, 2, Shape(",", width, b"\n"), clean, records)
    expected = [
        tuple(field or None for field in row) for row in csv.reader(io.StringIO(clean.getvalue().decode(), newline=""))
    ]
    assert desk.rows() == expected
    assert [(line.line, line.text, line.reason) for line in export.broken] == [
        (line.number, line.text, line.reason) for line in records.broken
    ]
