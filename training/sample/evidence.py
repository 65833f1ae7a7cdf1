"""What the systems know of whose an account is, some of it shared; and what people wish done with their data."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from training.sample.arrow_text import digits, join, letters
from training.sample.people import APP, GROUP, GUEST, LIVE, MINI, OWN, POS, SHOP, People
from training.sample.plan import EVIDENCE, SECONDS, WISHES, Plan

Array = npt.NDArray[Any]
KINDS = ("member_card", "phone", "email", "unionid", "openid", "device")
CARD, PHONE, EMAIL, UNION, OPEN, DEVICE = range(6)
SHARED = ("", "family phone", "family device", "shop card", "shop phone")  # why a value is several people's
OWN_VALUE, FAMILY_PHONE, FAMILY_DEVICE, SHOP_CARD, SHOP_PHONE = range(5)
# how many of a system's accounts show each kind of evidence
SHOWN = {
    POS: {CARD: 1.00, PHONE: 0.85},
    APP: {PHONE: 0.92, DEVICE: 0.95, CARD: 0.40, UNION: 0.30},
    MINI: {OPEN: 1.00, UNION: 0.88, PHONE: 0.50},
    SHOP: {PHONE: 0.70, EMAIL: 0.25},
    GROUP: {PHONE: 0.70, UNION: 0.45},
    LIVE: {PHONE: 0.35},
}
EMAILS = 0.3  # of the app's users gave an address as well
FAMILY_PHONES = 0.03  # of the households of two or more share one phone
FAMILY_DEVICES = 0.01  # of them share one tablet
AT_THE_TILL = 0.04  # of the app's and of the group-buy's accounts were bound to a shop's own card, or its phone
FEWEST_AT_THE_TILL = 30
OPT_OUTS, ERASURES = 0.03, 0.003


@dataclass(frozen=True)
class Evidence:
    """Links by account: kind (index into KINDS), the value's text, and since when (local seconds, -1 for always).

    `shared` is an index into SHARED. `twin_ready` [person] is the first day on which the till's card and the
    platform's account are known to have one phone of one person, or a day after the last.
    """

    account: Array
    kind: Array
    value: Any
    since: Array
    shared: Array
    twin_ready: Array

    def without_links(self) -> "Evidence":
        """What a day's orders need of it: `twin_ready` alone."""
        none = self.account[:0]
        return replace(self, account=none, kind=none, value=self.value[:0].take(pa.array([], pa.int32())), since=none,
                       shared=self.shared[:0])  # fmt: skip


def draw_evidence(plan: Plan, people: People) -> Evidence:
    """Draw who shows what."""
    random = plan.random(EVIDENCE)
    family_phone, family_device = _families(people, random)
    account, kind = _shown(people, family_phone, random)
    person = people.account_person[account]
    holder = person.copy()  # whose value it is: the first of the household where a family shares it
    shares = {PHONE: family_phone[people.household[person]] & (kind == PHONE) & (person >= 0),
              DEVICE: family_device[people.household[person]] & (kind == DEVICE) & (person >= 0)}  # fmt: skip
    for mask in shares.values():
        holder[mask] = np.searchsorted(people.household, people.household[person[mask]])
    value = _values(people, account, kind, holder, random)
    since = _since(plan, people, account, kind, random)
    why = (shares[PHONE] * FAMILY_PHONE + shares[DEVICE] * FAMILY_DEVICE).astype(np.int8)
    ready = _twin_ready(plan, people, account, kind, since, why)
    till = _at_the_till(plan, people, random)
    return Evidence(
        np.concatenate([account, till[0]]), np.concatenate([kind, till[1]]), pa.concat_arrays([value, till[2]]),
        np.concatenate([since, till[3]]), np.concatenate([why, till[4]]), ready,
    )  # fmt: skip


def _families(people: People, random: np.random.Generator) -> tuple[Array, Array]:
    """Households that share a phone, or a tablet. Of the first, two or more have a card."""
    size = np.bincount(people.household, minlength=people.households)
    cards = np.bincount(people.household, people.own[POS] >= 0, minlength=people.households)
    phone = (random.random(people.households) < FAMILY_PHONES) & (size > 1) & (cards > 1)
    device = (random.random(people.households) < FAMILY_DEVICES) & (size > 1) & ~phone
    return phone, device


def _shown(people: People, family_phone: Array, random: np.random.Generator) -> tuple[Array, Array]:
    """(account, kind) of every piece of evidence that is somebody's own or a family's.

    Who shares a phone has given it for the card: that two cards have it tells that it is a family's.
    """
    accounts, kinds = [], []
    own = people.account_kind != GUEST
    for system, usual in SHOWN.items():
        of_system = np.flatnonzero((people.account_system == system) & own & (people.account_person >= 0))
        given = {**usual, EMAIL: EMAILS} if system == APP else usual
        for one, share in given.items():
            chosen = of_system[random.random(len(of_system)) < share]
            if one == CARD and system == APP:
                chosen = chosen[people.own[POS][people.account_person[chosen]] >= 0]
            accounts.append(chosen)
            kinds.append(np.full(len(chosen), one, np.int8))
    guests = np.flatnonzero(people.account_kind == GUEST)
    users = people.own[APP][people.account_person[guests]]
    accounts += [guests, users]  # the device of the guest is the one that the user signs in on
    kinds += [np.full(len(guests), DEVICE, np.int8)] * 2
    cards = np.flatnonzero((people.account_system == POS) & (people.account_person < 0))
    family = np.flatnonzero(family_phone[people.household[np.maximum(people.account_person, 0)]] & own
                            & (people.account_system == POS) & (people.account_person >= 0))  # fmt: skip
    accounts += [cards, family]
    kinds += [np.full(len(cards), CARD, np.int8), np.full(len(family), PHONE, np.int8)]
    account, kind = np.concatenate(accounts), np.concatenate(kinds)
    # a user shows a device once: the guest's
    _, once = np.unique(account.astype(np.int64) * len(KINDS) + kind, return_index=True)
    return account[once], kind[once]


def _values(people: People, account: Array, kind: Array, holder: Array, random: np.random.Generator) -> Any:
    """The text of each value: equal for equal holders and kinds."""
    number = random.permutation(people.persons).astype(np.int64)
    tokens = letters(random, people.persons, 20)
    own = people.own[POS][holder]
    card = np.where(people.account_system[account] == POS, account, own)
    looks: dict[int, Any] = {
        CARD: lambda rows: people.account_text.take(pa.array(card[rows])),
        PHONE: lambda rows: join("1", digits(3_000_000_000 + number[holder[rows]] * 7919 % 6_999_999_999, 10)),
        EMAIL: lambda rows: join("kh", digits(number[holder[rows]], 8), "@example.com"),
        UNION: lambda rows: join("unionid-", tokens.take(pa.array(holder[rows]))),
        OPEN: lambda rows: people.account_text.take(pa.array(account[rows])),
        DEVICE: lambda rows: join("device-", digits(number[holder[rows]], 9)),
    }
    rows = [np.flatnonzero(kind == one) for one in looks]
    written = pa.concat_arrays([look(part) for look, part in zip(looks.values(), rows, strict=True)])
    return written.take(pa.array(np.argsort(np.concatenate(rows))))


def _since(plan: Plan, people: People, account: Array, kind: Array, random: np.random.Generator) -> Array:
    """Most was known before the sample begins, some of it nobody knows since when; the rest comes on the way."""
    rows = len(account)
    fate = random.random(rows)
    before = plan.midnight(0) - random.integers(1, 700 * SECONDS, rows)
    within = plan.midnight(0) + (random.random(rows) * plan.days * SECONDS).astype(np.int64)
    since = np.select([fate < 0.15, fate < 0.75], [np.full(rows, -1), before], within)
    person = np.maximum(people.account_person[account], 0)
    joins = (kind == DEVICE) & (people.account_kind[account] == OWN) & (people.guest[person] >= 0)
    since = np.where(joins, plan.midnight(0) + people.signed_in[person] * SECONDS, since)
    own = (people.account_system[account] == POS) & (kind == CARD) | (people.account_kind[account] == GUEST)
    return np.where(own | (kind == OPEN), -1, since)


def _twin_ready(
    plan: Plan, people: People, account: Array, kind: Array, since: Array, why: Array
) -> Array:  # fmt: skip
    """The first day on which both the card and the platform's account show the person's own phone."""
    ready = np.zeros(people.persons, np.int64)
    seen = np.zeros((2, people.persons), bool)
    for place, system in enumerate((POS, SHOP)):
        mask = (people.account_system[account] == system) & (kind == PHONE) & (why == OWN_VALUE)
        mask &= people.account_kind[account] == OWN
        person = people.account_person[account[mask]]
        day = np.where(since[mask] < 0, 0, (since[mask] - plan.midnight(0)) // SECONDS + 1)
        seen[place, person] = True
        ready[person] = np.maximum(ready[person], day)
    return np.where(seen.all(axis=0) & (people.second < 0), ready, plan.days + 1)


def _at_the_till(plan: Plan, people: People, random: np.random.Generator) -> tuple[Any, ...]:
    """Accounts that a cashier bound to the shop's own card or phone: one value, dozens to hundreds of strangers."""
    suited = np.flatnonzero(np.isin(people.account_system, (APP, GROUP)) & (people.account_kind == OWN))
    wanted = max(int(AT_THE_TILL * len(suited)), FEWEST_AT_THE_TILL * 2 * len(people.shop_card))
    chosen = np.sort(random.permutation(suited)[:wanted])
    card = random.integers(0, len(people.shop_card), len(chosen))
    by_card = random.random(len(chosen)) < 0.5
    cards = people.account_text.take(pa.array(people.shop_card[card]))
    phones = join("021", digits(55_500_000 + card, 8))
    value = pa.concat_arrays([cards, phones]).take(pa.array(np.where(by_card, 0, len(card)) + np.arange(len(card))))
    since = plan.midnight(0) - random.integers(1, 700 * SECONDS, len(chosen))
    kind = np.where(by_card, CARD, PHONE).astype(np.int8)
    return chosen, kind, value, since, np.where(by_card, SHOP_CARD, SHOP_PHONE).astype(np.int8)


@dataclass(frozen=True)
class Wishes:
    """What accounts asked for: wish is opt_out, opt_in or erase; `at` in local seconds."""

    account: Array
    wish: Array
    at: Array


def draw_wishes(plan: Plan, people: People) -> Wishes:
    """Draw opt-outs, a fifth of them taken back later, and erasures."""
    random = plan.random(WISHES)
    accounts = np.flatnonzero(people.account_kind == OWN)
    fate = random.random(len(accounts))
    out = accounts[fate < OPT_OUTS]
    erase = accounts[fate > 1 - ERASURES]
    if not len(erase):
        erase = accounts[[int(fate.argmax())]]
    at = plan.midnight(0) + (random.random(len(accounts)) * plan.days * SECONDS).astype(np.int64)
    back = out[random.random(len(out)) < 0.2]
    return Wishes(
        np.concatenate([out, back, erase]),
        np.repeat(["opt_out", "opt_in", "erase"], [len(out), len(back), len(erase)]),
        np.concatenate([at[np.searchsorted(accounts, out)],
                        at[np.searchsorted(accounts, back)] + 3 * SECONDS,
                        at[np.searchsorted(accounts, erase)]]),
    )  # fmt: skip
