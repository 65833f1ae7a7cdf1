"""Joined accounts are found by their text, however it is written, and nobody else is."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.joined_accounts import NOBODY_JOINED, JoinedAccounts

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


def table(customers: dict[str, str]) -> pa.Table:
    return pa.table({"account_id": pa.array(customers.keys(), pa.string()),
                     "customer_id": pa.array(customers.values(), pa.string())})  # fmt: skip


@given(st.dictionaries(TEXTS, TEXTS, max_size=30), st.lists(TEXTS, max_size=10))
def test_every_account_finds_its_customer_and_a_stranger_itself(customers, strangers):
    joined = JoinedAccounts.of(table(customers))
    for name in [*customers, *strangers]:
        assert joined.customer_of(name) == customers.get(name, name)
    assert len(joined) == sum(name != customer for name, customer in customers.items())


def test_what_is_saved_opens_memory_mapped_with_the_same_answers(tmp_path: Path):
    customers = {"app:1": "pos:9", "app:10": "pos:9", "微信:七": "pos:8", "pos:9": "pos:9", "a": "b"}
    JoinedAccounts.of(table(customers), "per-channel").save(tmp_path)
    opened = JoinedAccounts.open(tmp_path)
    assert opened.account_numbers == "per-channel"
    assert isinstance(opened.accounts.base, np.memmap)
    assert {name: opened.customer_of(name) for name in customers} == customers
    assert {path.suffix for path in tmp_path.iterdir()} == {".npy", ".json"}


def test_the_bytes_do_not_depend_on_the_order_of_the_rows(tmp_path: Path):
    customers = {f"app:{number}": f"pos:{number % 7}" for number in range(50)}
    for name, items in (("one", customers.items()), ("other", reversed(customers.items()))):
        JoinedAccounts.of(table(dict(items))).save(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


def test_where_nothing_was_written_nobody_is_joined(tmp_path: Path):
    assert JoinedAccounts.open(tmp_path / "none") is NOBODY_JOINED
    NOBODY_JOINED.save(tmp_path)
    assert JoinedAccounts.open(tmp_path).customer_of("app:1") == "app:1"


@pytest.mark.parametrize(
    ("numbers", "names"), [("per-channel", ("app:1",)), ("shared", ("1",)), (None, ("app:1", "1"))]
)
def test_an_account_is_named_as_the_recipe_says(numbers, names):
    assert JoinedAccounts.of(table({}), numbers).account_ids("app", "1") == names
