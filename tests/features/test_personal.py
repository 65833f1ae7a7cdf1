"""Telephone numbers and addresses are recognised where nobody said that they are there."""

import duckdb
import pytest

from features.personal import hidden, hidden_sql, is_phone

TEXTS = [
    ("CN", "call 13812345678 or ann@example.com", "call *** or ***"),
    ("CN", "138-1234-5678 tel_13812345678,13912345678", "*** tel_***,***"),
    ("DE", "+49 170 1234567; 0170 1234567; 0049 170 1234567", "***; ***; ***"),
    ("DE", "2024-01-02 10:00:00 01.02.2024 4012345678901", "2024-01-02 10:00:00 01.02.2024 4012345678901"),
    ("CN", "order 1523456789012345678", "order 1523456789012345678"),
]


@pytest.mark.parametrize(("country", "text", "shown"), TEXTS)
def test_numbers_and_addresses_in_a_text_are_masked(country: str, text: str, shown: str) -> None:
    assert hidden(text, country) == shown
    found = duckdb.execute(f"SELECT {hidden_sql('v', country)} FROM (SELECT ? AS v)", [text]).fetchone()
    assert found == (shown,)


@pytest.mark.parametrize(
    ("country", "account", "is_one"),
    [
        *(("CN", one, True) for one in (" 13812345678", "138-1234-5678", "0086 13812345678", "（+86）13812345678",
                                         "13812345678.0", "１３８１２３４５６７８")),
        *(("CN", other, False) for other in ("600123456789", "M12345678", "152345678901234")),
        *(("DE", one, True) for one in ("+49 170 1234567", "0170 1234567")),
        *(("DE", other, False) for other in ("01701234567", "6001234567", "2024 001 002")),
    ],
)  # fmt: skip
def test_an_account_that_is_written_as_a_telephone_number_is_one(country: str, account: str, is_one: bool) -> None:
    found = duckdb.execute(f"SELECT {is_phone('v', country)} FROM (SELECT ? AS v)", [account]).fetchone()
    assert found == (is_one,)
