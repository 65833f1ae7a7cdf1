"""Numbers and addresses are stored as keyed hashes only."""

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from features.engine import Engine, engine_in
from features.errors import RecipeError
from features.keyed_hash import KEY, hashed, hashed_value, key_fingerprint, normalised, unlock

SECRET = "correct horse battery staple"


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv(KEY, SECRET)
    with engine_in(tmp_path) as engine:
        unlock(engine)
        yield engine


def of(engine: Engine, value: str, kind: str) -> str | None:
    found = engine.ibis.con.execute(f"SELECT {hashed('v', 'k')} FROM (SELECT ? AS v, ? AS k)", [value, kind])
    return found.fetchone()[0]


def plain(engine: Engine, value: str, kind: str) -> str | None:
    found = engine.ibis.con.execute(f"SELECT {normalised('v', 'k')} FROM (SELECT ? AS v, ? AS k)", [value, kind])
    return found.fetchone()[0]


@pytest.mark.parametrize("key", [SECRET, "x" * 64, "x" * 65, "a key of one hundred characters " * 4, "密钥" * 20])
def test_the_hash_is_pythons_hmac(tmp_path, monkeypatch, key):
    monkeypatch.setenv(KEY, key)
    with engine_in(tmp_path) as engine:
        unlock(engine)
        expected = hmac.new(key.encode(), "email:wáng@example.com".encode(), hashlib.sha256).hexdigest()
        assert of(engine, " Wáng@Example.com ", "email") == expected


@pytest.mark.parametrize(
    "written",
    [
        "13800138000",
        "+86 138-0013-8000",
        "0086 13800138000",
        "8613800138000",
        "１３８００１３８０００",
        "138 0013 8000\t",
    ],
)
def test_a_mobile_number_is_the_same_however_it_is_written(engine, written):
    assert plain(engine, written, "phone") == "13800138000"
    assert of(engine, written, "phone") == of(engine, "13800138000", "phone") == hashed_value(written, "phone")


@pytest.mark.parametrize(
    ("country", "written"),
    [
        ("DE", ["+49 170 1234567", "0170 1234567", "0049 170 1234567", "+49 (0)170 1234567", "0170/123 45 67"]),
        ("US", ["+1 (415) 555-2671", "415-555-2671", "14155552671"]),
        ("GB", ["+44 7911 123456", "07911 123456"]),
        ("DK", ["+45 45 12 34 56", "45 12 34 56", "4545123456"]),
        ("CN", ["0 138 0013 8000", "13800138000", "+86 13800138000"]),
    ],
)
def test_a_number_is_the_same_with_and_without_its_country_code(engine, country, written):
    hashes = {hashed_value(value, "phone", country) for value in written}
    assert len(hashes) == 1
    for value in written:
        sql = f"SELECT {hashed('v', 'k', country)} FROM (SELECT ? AS v, 'phone' AS k)"
        assert engine.ibis.con.execute(sql, [value]).fetchone()[0] in hashes


def test_a_number_abroad_keeps_its_country_code(engine):
    assert plain(engine, "+49 (0)30 1234567", "phone") == "49301234567"


def test_an_address_is_the_same_in_capitals(engine):
    assert plain(engine, " Li@Example.COM\u3000", "email") == "li@example.com"


def test_a_card_number_keeps_its_zeros_and_capitals(engine):
    assert plain(engine, " 00AbC ", "member_card") == "00AbC"


@pytest.mark.parametrize(
    ("value", "kind"), [("138****8000", "phone"), ("110", "phone"), ("none", "phone"), ("l***@example.com", "email"),
                        ("none", "email"), ("  ", "member_card"), ("", "device")]
)  # fmt: skip
def test_what_many_people_share_has_no_hash(engine, value, kind):
    assert of(engine, value, kind) is None
    assert hashed_value(value, kind) is None


def test_a_text_of_two_kinds_is_two_values(engine):
    assert of(engine, "13800138000", "phone") != of(engine, "13800138000", "member_card")


def test_another_key_gives_another_hash(engine, monkeypatch):
    before, fingerprint = hashed_value("13800138000", "phone"), key_fingerprint()
    monkeypatch.setenv(KEY, SECRET + "!")
    assert hashed_value("13800138000", "phone") != before
    assert key_fingerprint() != fingerprint


def test_a_missing_key_names_the_remedy(monkeypatch):
    monkeypatch.delenv(KEY, raising=False)
    with pytest.raises(RecipeError, match=f"set {KEY} .* openssl rand -hex 32"):
        key_fingerprint()


def test_a_short_key_is_refused_and_not_shown(monkeypatch):
    monkeypatch.setenv(KEY, "tiny-secret")
    with pytest.raises(RecipeError, match="has 11 characters, which can be guessed: at least 16") as raised:
        key_fingerprint()
    assert "tiny-secret" not in str(raised.value)


def test_an_engine_that_is_locked_says_so(tmp_path):
    with engine_in(tmp_path) as engine, pytest.raises(duckdb.Error, match="was not unlocked"):
        of(engine, "13800138000", "phone")


def test_the_key_stands_neither_in_a_view_nor_on_the_disk(engine):
    given = engine.ibis.sql("SELECT '13800138000' AS v, 'phone' AS k")
    rows = given.alias("given").sql(f"SELECT {hashed('v', 'k')} AS value_hash FROM given", dialect="duckdb")
    assert engine.view("seen", rows).to_pyarrow()["value_hash"].to_pylist() == [hashed_value("13800138000", "phone")]
    engine.keep("kept", rows)
    engine.run("CHECKPOINT")
    assert SECRET not in str(engine.rows("SELECT sql FROM duckdb_views()"))
    assert all(SECRET.encode() not in path.read_bytes() for path in engine.scratch.rglob("*") if path.is_file())
