"""Accounts become customers: what joins them, what must not, and what the log says of it."""

import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.components import is_empty
from features.engine import Engine, engine_in
from features.resolution import Resolution, resolve
from features.sources import Identity
from tests.fixtures.identity_world import World, pair_scores, town

LATER, SETTINGS = date(2024, 12, 31), Identity(account_numbers="per-channel")
Links = list[tuple[Any, ...]]


class Register:
    """Accounts named channel:number, and what is known of them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def table(self, name: str, columns: dict[str, pa.DataType], rows: list[tuple[Any, ...]]) -> Any:
        arrays = {column: pa.array([row[i] for row in rows], kind) for i, (column, kind) in enumerate(columns.items())}
        return self.engine.ibis.create_table(name, pa.table(arrays), overwrite=True)

    def resolve(
        self, accounts: Links, links: Links, decisions: Links = (), as_of: date = LATER, **settings: Any
    ) -> Resolution:
        text, day = pa.string(), pa.date32()
        known = self.table("known", {"account_id": text, "channel": text, "first_day": day}, accounts)
        given = self.table(
            "given", dict.fromkeys(("account_id", "kind", "value_hash"), text) | {"linked_on": day}, links
        )
        made = {"decision": pa.int64(), "action": text, "account_id": text, "decided_on": day}
        decided = self.table("decided", made, list(decisions)) if decisions else None
        return resolve(self.engine, known, given, decided, SETTINGS.model_copy(update=settings), as_of)

    def groups(self, links: str, decisions: Links = (), as_of: date = LATER, **settings: Any) -> list[str]:
        """Customers as 'a1 b1', from lines such as 'a1 phone=7 unionid=2'; the letter is the channel."""
        accounts, rows = [], []
        for line in links.strip().splitlines():
            account, *known = line.split()
            accounts.append((account, account[0], date(2024, 1, 1)))
            rows += [(account, *evidence.split("="), None) for evidence in known]
        found = self.resolve(accounts, rows, decisions, as_of, **settings)
        customers: dict[str, list[str]] = {}
        for account, customer in sorted(customer_of(found).items()):
            customers.setdefault(customer, []).append(account)
        return sorted(" ".join(accounts) for accounts in customers.values())


def customer_of(found: Resolution) -> dict[str, str]:
    rows = found.accounts.to_pyarrow()
    return dict(zip(rows["account_id"].to_pylist(), rows["customer_id"].to_pylist(), strict=True))


def review_of(engine: Engine) -> dict[tuple[str, str], str]:
    rows = engine.ibis.table("resolution_review").to_pyarrow().to_pylist()
    return {(row["kind"], row["value_hash"]): row["reason"] for row in rows}


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    with engine_in(tmp_path) as engine:
        yield Register(engine)


def test_four_accounts_of_one_person_are_one_customer(register):
    found = register.groups("""
        a1 unionid=u phone=p
        m1 unionid=u member_card=c
        p1 member_card=c
        e1 phone=p email=e""")
    assert found == ["a1 e1 m1 p1"]


def test_accounts_without_evidence_stay_themselves(register):
    assert register.groups("a1\nb1 phone=p\nc1 phone=q") == ["a1", "b1", "c1"]


def test_two_accounts_of_a_channel_with_one_unionid_are_one(register):
    assert register.groups("m1 unionid=u\nm2 unionid=u phone=p\np1 phone=p") == ["m1 m2 p1"]


def test_a_family_phone_joins_nobody_and_is_listed(register):
    found = register.groups("""
        m1 unionid=u1 phone=p
        m2 unionid=u2 phone=p
        a1 unionid=u1 phone=p
        e1 phone=p""")
    assert found == ["a1 m1", "e1", "m2"]
    assert review_of(register.engine) == {("phone", "p"): "people with another unionid"}


def test_a_phone_of_two_accounts_of_one_channel_joins_nobody(register):
    assert register.groups("e1 phone=p\ne2 phone=p\na1 phone=p") == ["a1", "e1", "e2"]
    assert review_of(register.engine) == {("phone", "p"): "several customers of one channel"}


def test_the_shops_own_card_melts_nobody(register):
    assert register.groups("\n".join(f"p{n} member_card=shop" for n in range(9))) == [f"p{n}" for n in range(9)]
    assert review_of(register.engine) == {("member_card", "shop"): "more than 8 accounts"}


def test_a_card_that_two_people_of_wechat_use_joins_neither(register):
    assert register.groups("m1 unionid=u1 member_card=c\nm2 unionid=u2 member_card=c") == ["m1", "m2"]


def test_a_clerks_account_with_many_cards_melts_nobody(register):
    clerk = "p9 " + " ".join(f"member_card=c{n}" for n in range(4))
    assert register.groups("\n".join(f"a{n} member_card=c{n}" for n in range(4)) + "\n" + clerk) == [
        "a0", "a1", "a2", "a3", "p9"
    ]  # fmt: skip


def test_who_has_a_lost_and_a_new_card_is_one(register):
    assert register.groups("p1 member_card=old member_card=new\na1 member_card=old\nm1 member_card=new") == ["a1 m1 p1"]


def test_a_chain_of_phones_and_addresses_does_not_melt_two_people(register):
    found = register.groups("""
        m1 unionid=u1 phone=p
        a1 phone=p email=e
        e1 email=e phone=q
        g1 unionid=u2 phone=q""")
    assert found == ["a1 m1", "e1 g1"]
    assert review_of(register.engine)[("email", "e")] == "people with another unionid"


def test_who_orders_to_the_phone_of_another_stays_apart_and_the_others_join(register):
    found = register.groups("""
        p1 member_card=c1 phone=p1
        a1 phone=p1
        p2 member_card=c2 phone=p2
        a2 phone=p2
        e2 phone=p1 phone=p2""")
    assert found == ["a1 p1", "a2 p2", "e2"]
    assert review_of(register.engine)[("phone", "p1")].startswith("in a chain, people with another member_card")


def test_a_guest_is_joined_at_sign_in(register):
    assert register.groups("e1 device=d\na1 phone=p device=d") == ["a1 e1"]


def test_a_shared_tablet_joins_nobody(register):
    assert register.groups("e1 device=d\na1 phone=p device=d\na2 phone=q device=d") == ["a1", "a2", "e1"]
    assert register.groups("e1 device=d\ne2 device=d\ne3 device=d") == ["e1", "e2", "e3"]


def test_a_guest_of_two_devices_does_not_join_their_owners(register):
    found = register.groups("a1 phone=p device=d1\nb1 phone=q device=d2\ne1 device=d1 device=d2")
    assert found == ["a1", "b1", "e1"]


def test_likeness_joins_after_all_that_is_known(register):
    assert register.groups("e1 likeness=x\na1 phone=p likeness=x") == ["a1 e1"]
    assert register.groups("m1 unionid=u1 likeness=x\ng1 unionid=u2 likeness=x") == ["g1", "m1"]


def test_likeness_takes_away_nothing_that_is_known(register):
    known = "e1 device=d {}\na1 phone=p device=d\np1 phone=q {}"
    assert register.groups(known.format("", "")) == ["a1 e1", "p1"]
    assert register.groups(known.format("likeness=x", "likeness=x")) == ["a1 e1 p1"]
    other = "e1 device=d likeness=x\na1 unionid=u device=d\nm1 unionid=v likeness=x"
    assert register.groups(other) == ["a1 e1", "m1"]


def test_what_is_linked_later_counts_later(register):
    accounts = [("a", "app", date(2024, 1, 1)), ("b", "pos", date(2024, 1, 1)), ("c", "live", date(2024, 6, 2))]
    links = [("a", "phone", "p", None), ("b", "phone", "p", date(2024, 6, 1)), ("c", "phone", "p", None)]
    before = register.resolve(accounts, links, as_of=date(2024, 5, 31))
    assert customer_of(before) == {"a": "a", "b": "b"}
    assert customer_of(register.resolve(accounts, links, as_of=date(2024, 6, 1))) == {"a": "a", "b": "a"}
    assert customer_of(register.resolve(accounts, links)) == {"a": "a", "b": "a", "c": "a"}


def test_what_comes_later_changes_nothing_as_of_a_day(register):
    world, day = town(300, seed=6), date(2024, 4, 1)
    links = [row for row in world.links if row[3] is None or row[3] <= day]
    then = customer_of(register.resolve([row for row in world.accounts if row[2] <= day], links))
    assert customer_of(register.resolve(world.accounts, world.links, as_of=day)) == then
    assert len(set(then.values())) < len(then) < len(world.accounts)


def test_the_customer_is_the_earliest_account(register):
    accounts = [("z", "app", date(2024, 1, 1)), ("a", "pos", date(2024, 1, 2)), ("b", "live", date(2024, 1, 2))]
    found = register.resolve(accounts, [(account, "phone", "p", None) for account in "abz"])
    assert set(customer_of(found).values()) == {"z"}


def test_one_account_number_in_several_channels_is_one_account(register):
    accounts = [("7", "app", date(2024, 1, 5)), ("7", "pos", date(2024, 1, 2)), ("8", "pos", date(2024, 1, 1))]
    assert customer_of(register.resolve(accounts, [])) == {"7": "7", "8": "8"}


def test_people_decide_above_all_evidence(register):
    links = "m1 unionid=u1 phone=p\nm2 unionid=u2\na1 phone=p"
    together = [(0, "together", "m1", LATER), (0, "together", "m2", LATER)]
    assert register.groups(links, together) == ["a1 m1 m2"]
    apart = [*together, (1, "apart", "m1", LATER)]
    assert register.groups(links, apart) == ["a1", "m1", "m2"]
    again = [*apart, (2, "together", "m1", LATER), (2, "together", "m2", LATER)]
    assert register.groups(links, again) == ["a1", "m1 m2"]
    assert register.groups(links, together, as_of=date(2024, 12, 30)) == ["a1 m1", "m2"]


def scores(register: Register, world: World) -> tuple[float, float]:
    found = register.resolve(world.accounts, world.links)
    return pair_scores(customer_of(found), world.person_of, world.connected())


@pytest.mark.parametrize("seed", [0, 1])
def test_a_town_of_known_people_is_found(register, seed):
    precision, recall = scores(register, town(2000, seed))
    assert precision >= 0.995
    assert recall >= 0.97


def test_the_order_of_the_rows_changes_nothing(register):
    def rows_of(found: Resolution) -> list[list[str]]:
        return [sorted(map(str, rows.to_pyarrow().to_pylist())) for rows in (found.accounts, found.review, found.log)]

    world = town(300, seed=5)
    expected = rows_of(register.resolve(world.accounts, world.links))
    shuffled = random.Random(1)
    shuffled.shuffle(world.accounts)
    shuffled.shuffle(world.links)
    assert rows_of(register.resolve(world.accounts, world.links * 2)) == expected


def test_replaying_the_log_gives_the_customers(register):
    world = town(400, seed=7)
    found = register.resolve(world.accounts, world.links)
    customers, rows = customer_of(found), found.log.to_pyarrow().to_pylist()
    assert len(rows) == len(customers) - len(set(customers.values()))
    root = {account: account for account in customers}

    def top(account: str) -> str:
        while root[account] != account:
            account = root[account]
        return account

    for row in rows:
        assert row["customer_id_before"] != row["customer_id_after"]
        root[top(row["account_id"])] = top(row["via_account_id"])
    together = {}
    for account, customer in customers.items():
        assert together.setdefault(top(account), customer) == customer
    assert len(together) == len(set(customers.values()))


def test_an_empty_register_has_no_customers(register):
    found = register.resolve([], [])
    assert all(is_empty(table) for table in (found.accounts, found.review, found.log))
