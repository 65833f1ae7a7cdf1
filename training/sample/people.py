"""Who buys: households, their members, and the accounts that these have in six systems."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from training.sample.arrow_text import digits, join, letters
from training.sample.places import Places
from training.sample.plan import PEOPLE, Plan

Array = npt.NDArray[Any]
SYSTEMS = ("pos", "app", "mini_program", "ecommerce", "group_buy", "live")
POS, APP, MINI, SHOP, GROUP, LIVE = range(6)
HAS_ACCOUNT = (0.50, 0.35, 0.33, 0.30, 0.18, 0.12)  # share of people with an account in each
MOST_ACCOUNTS = 4
SIZES = (0.28, 0.32, 0.24, 0.16)  # households of one to four
SECOND_CARDS = 0.005  # of those with a card lost it and got another
GUESTS = 0.12  # of the app's users bought as a guest before they signed in
PEOPLE_PER_SHOP_CARD = 5000
KINDS = ("own", "second card", "guest", "shop card")
OWN, SECOND, GUEST, SHARED = range(4)


@dataclass(frozen=True)
class People:
    """Persons and their accounts, by index.

    household  of each person
    home       store index of each household; `near` is another that was open from the start
    own        [system, person] account index, -1 for none
    second     [person] account of a second card, from the day `second_from` on
    guest      [person] app account as a guest, until the day `signed_in`
    shop_card  account indices of the shops' own cards
    account_*  of each account: its text, system, person (-1 for a shop's) and kind (index into KINDS)
    """

    household: Array
    home: Array
    near: Array
    own: Array
    second: Array
    second_from: Array
    guest: Array
    signed_in: Array
    shop_card: Array
    account_text: Any
    account_system: Array
    account_person: Array
    account_kind: Array

    @property
    def households(self) -> int:
        return len(self.home)

    @property
    def persons(self) -> int:
        return len(self.household)


def draw_people(plan: Plan, places: Places) -> People:
    """Draw the people; their number is the plan's."""
    random = plan.random(PEOPLE)
    household = _households(plan.customers, random)
    homes = int(household[-1]) + 1
    home = random.integers(0, places.stores, homes)
    # a store of the same region that was open from the start
    steady = places.stores - max(1, int((places.opens > 0).sum()))
    near = random.integers(0, steady, homes)
    near = np.where(places.region[near] == places.region[home], near, home % max(1, min(4, steady)))
    has = _has_accounts(plan.customers, random)
    second = (random.random(plan.customers) < SECOND_CARDS) & has[POS]
    guest = (random.random(plan.customers) < GUESTS) & has[APP]
    shops = max(1, plan.customers // PEOPLE_PER_SHOP_CARD)
    system, person = np.nonzero(has)
    systems = np.concatenate([system, [POS] * second.sum(), [APP] * guest.sum(), [POS] * shops]).astype(np.int8)
    persons = np.concatenate([person, *map(np.flatnonzero, (second, guest)), [-1] * shops]).astype(np.int32)
    kinds = np.repeat(np.arange(4), [len(system), second.sum(), guest.sum(), shops]).astype(np.int8)
    ends = np.cumsum([len(system), second.sum(), guest.sum(), shops])
    own = np.full(has.shape, -1, np.int32)
    own[has] = np.arange(len(system))
    return People(
        household=household, home=home, near=near, own=own,
        second=_placed(second, ends[0]), second_from=random.integers(1, max(2, plan.days), plan.customers),
        guest=_placed(guest, ends[1]), signed_in=random.integers(1, max(2, plan.days), plan.customers),
        shop_card=np.arange(ends[2], ends[3]), account_text=_texts(systems, kinds, random),
        account_system=systems, account_person=persons, account_kind=kinds,
    )  # fmt: skip


def _households(persons: int, random: np.random.Generator) -> Array:
    sizes = random.choice([1, 2, 3, 4], persons, p=SIZES)
    return np.repeat(np.arange(persons), sizes)[:persons].astype(np.int32)


def _has_accounts(persons: int, random: np.random.Generator) -> Array:
    """[system, person]; those who would have more than MOST_ACCOUNTS leave out the ones they like least."""
    wish = random.random((len(SYSTEMS), persons)) / np.array(HAS_ACCOUNT)[:, None]
    within = np.argsort(np.argsort(wish, axis=0), axis=0) < MOST_ACCOUNTS
    has: Array = (wish < 1) & within
    return has


def _placed(chosen: Array, first: int) -> Array:
    places = np.full(len(chosen), -1, np.int32)
    places[chosen] = first + np.arange(chosen.sum())
    return places


def _texts(systems: Array, kinds: Array, random: np.random.Generator) -> Any:
    """Account numbers as each system writes them; unique within a system."""
    numbers = random.permutation(len(systems)).astype(np.int64) + 1
    looks: dict[int, Any] = {
        POS: lambda part: join("8", digits(part, 9)),
        APP: lambda part: join("u", digits(part, 8)),
        MINI: lambda part: join("o", letters(random, len(part), 19), digits(part, 8)),
        SHOP: lambda part: join("tb", digits(part, 9)),
        GROUP: lambda part: join("g", digits(part, 8)),
        LIVE: lambda part: join("v", digits(part, 9)),
    }
    pieces = []
    for system, kind in sorted(set(zip(systems.tolist(), kinds.tolist(), strict=True)), key=lambda pair: pair[::-1]):
        part = numbers[(systems == system) & (kinds == kind)]
        pieces.append(join("dev-", digits(part, 9)) if kind == GUEST else looks[system](part))
    return pa.concat_arrays(pieces)
