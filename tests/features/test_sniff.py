"""What a file is and what its columns hold is seen from the file alone."""

import gzip
import json
from pathlib import Path

import pytest

from features.errors import SourceError
from features.profile import profiled
from features.sniff import sniff


@pytest.mark.parametrize(
    ("text", "encoding", "seen", "delimiter"),
    [
        ("商品编码,数量\nA1,3\n", "utf-8", "utf-8", ","), ("商品编码|数量\n大米|3\n", "gbk", "gb18030", "|"),
        ("Käse;Größe\nMöhre;3\n", "latin-1", "latin-1", ";"), ("Käse;Betrag (€)\nMöhre;3,5\n", "cp1252", "cp1252", ";"),
        ("商品\t数量\nA1\t3\n", "utf-16", "utf-16", "\t"), ("a,b\n1,2\n", "utf-8-sig", "utf-8", ","),
        ('name;note\n"a, b";"c, d"\n', "utf-8", "utf-8", ";"),
    ],
)  # fmt: skip
def test_a_csv_says_its_encoding_and_delimiter(
    tmp_path: Path, text: str, encoding: str, seen: str, delimiter: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(encoding))
    found = sniff(path)
    assert (found.encoding, found.delimiter) == (seen, delimiter)
    assert found.columns == tuple(text.partition("\n")[0].split(delimiter))


def test_json_lines_may_be_packed(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(json.dumps({"id": n, "qty": 1}).encode() for n in range(3))))
    found = sniff(path)
    assert (found.format, found.columns, len(found.rows)) == ("jsonl", ("id", "qty"), 3)


def test_a_file_of_no_kind_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.doc").write_text("a")
    with pytest.raises(SourceError, match="no kind of export ends so"):
        sniff(tmp_path / "x.doc")


@pytest.mark.parametrize(
    ("values", "look", "form"),
    [
        (["2024-03-01", "2024/3/2"], "day", None), (["2024-03-01T10:00:00Z"], "instant", None),
        (["01.03.2024 08:15", "02.03.2024"], "instant", "%d.%m.%Y %H:%M"),
        (["3/31/2024", "1/2/2024"], "day", "%m/%d/%Y"),
        (["2024年3月1日"], "day", "%Y年%m月%d日"), (["20240301"], "day", "%Y%m%d"), (["1,50", "-2,00"], "number", None),
        (["13812345678"], "phone", None), ([13812345678], "phone", None), (["ann@example.com"], "email", None),
        (["A1", "12"], "text", None), ([1.5, 2], "number", None),
    ],
)  # fmt: skip
def test_values_say_what_they_are(values: list[object], look: str, form: str | None) -> None:
    found = profiled(values, len(values))
    assert (found.look, found.form) == (look, form)


def test_personal_values_are_never_shown() -> None:
    assert profiled(["13812345678", "ann@example.com", "M1"], 3).examples == ("***", "***", "M1")
