"""Who shops on a day, where and when: the baskets without their contents."""

from typing import Any

import numpy as np
import numpy.typing as npt

from training.sample.people import APP, GROUP, LIVE, MINI, POS, SHOP
from training.sample.plan import BASKETS, SECONDS
from training.sample.records import Baskets
from training.sample.world import World

Array = npt.NDArray[Any]
LIKING = (0.38, 0.19, 0.17, 0.14, 0.10, 0.06)  # for each system, among those where the person has an account
SPLIT = 0.12  # of what a household needs goes into a second basket, often elsewhere
SHOWS_CARD = 0.9  # of the baskets of people with a card
SHOP_CARD = 0.015  # of the other baskets at the till the cashier uses the shop's own
CANCELLED = (0.0, 0.02, 0.03, 0.04, 0.02, 0.02)
CROSS_BORDER = 0.04  # of the platform's orders are in USD
FROM_STORE = 0.6  # of the platform's other orders leave from a store
DELIVERED = 0.5  # of the app's and the mini-program's orders; the others are fetched in the store
HOME = 0.88  # of the baskets are bought in the household's own store
PICKUP_DAYS = 3  # at most between a group-buy's order and its pickup
OPENS, CLOSES = 8 * 3600, 22 * 3600


def draw_baskets(world: World, day: int, household: Array, category: Array) -> tuple[Baskets, Array]:
    """The day's baskets, and for each (household, category) due the number of its basket."""
    random = world.plan.random(BASKETS, day)
    key = household * 2 + (random.random(len(household)) < SPLIT)
    key, basket = np.unique(key, return_inverse=True)
    house = (key // 2).astype(np.int64)
    person = _members(world, house, random)
    system = _systems(world, person, random)
    account = _accounts(world, day, person, system, random)
    at = world.plan.midnight(day) + _seconds(system, random)
    usd = (system == SHOP) & (random.random(len(key)) < CROSS_BORDER)
    delivery = _delivered(system, random)
    location = _locations(world, day, house, system, usd | (random.random(len(key)) > FROM_STORE), delivery, random)
    picked_up_at, picked_up_in = _pickups(world, day, house, system, random)
    cancelled = random.random(len(key)) < np.array(CANCELLED)[system]
    return Baskets(house, person, system, account, location, at, cancelled, usd, delivery, picked_up_at,
                   picked_up_in), basket  # fmt: skip


def _members(world: World, house: Array, random: np.random.Generator) -> Array:
    people = world.people
    first = np.searchsorted(people.household, house)
    size = np.searchsorted(people.household, house, side="right") - first
    return first + (random.random(len(house)) * size).astype(np.int64)


def _systems(world: World, person: Array, random: np.random.Generator) -> Array:
    """A system in which the person has an account, or the till."""
    weight = (world.people.own[:, person] >= 0) * np.array(LIKING)[:, None]
    weight[POS] = LIKING[POS]
    reached = np.cumsum(weight, axis=0)
    chosen: Array = (random.random(len(person)) * reached[-1] >= reached).sum(axis=0)
    return chosen


def _accounts(world: World, day: int, person: Array, system: Array, random: np.random.Generator) -> Array:
    people = world.people
    account = people.own[system, person].astype(np.int64)
    till = system == POS
    second = till & (people.second[person] >= 0) & (day >= people.second_from[person])
    account = np.where(second, people.second[person], account)
    guest = (system == APP) & (people.guest[person] >= 0) & (day < people.signed_in[person])
    account = np.where(guest, people.guest[person], account)
    account = np.where(till & (random.random(len(person)) > SHOWS_CARD), -1, account)
    borrowed = till & (account < 0) & (random.random(len(person)) < SHOP_CARD)
    card = people.shop_card[random.integers(0, len(people.shop_card), len(person))]
    return np.where(borrowed, card, account)


def _seconds(system: Array, random: np.random.Generator) -> Array:
    """Tills ring from eight to ten, with most of it in the evening; the rest goes on till midnight."""
    inside = OPENS + random.beta(2.0, 1.6, len(system)) * (CLOSES - OPENS - 60)
    online = 6 * 3600 + random.beta(2.2, 1.3, len(system)) * (18 * 3600 - 60)
    return np.where(system == POS, inside, online).astype(np.int64)


def _delivered(system: Array, random: np.random.Generator) -> Array:
    fetched = np.isin(system, (APP, MINI)) & (random.random(len(system)) > DELIVERED)
    return ~fetched & ~np.isin(system, (POS, GROUP))


def stores_of(world: World, day: int, house: Array, random: np.random.Generator) -> Array:
    """The store in which a household buys: its own, or one that was always open."""
    people = world.people
    home = people.home[house]
    own = (random.random(len(house)) < HOME) & (world.places.opens[home] <= day)
    return np.where(own, home, people.near[house])


def _locations(world: World, day: int, house: Array, system: Array, far: Array, delivery: Array,
               random: np.random.Generator) -> Array:  # fmt: skip
    """Where the units leave from: `far` of the platform's orders, group-buy and live from the warehouse."""
    store = stores_of(world, day, house, random)
    dark = world.places.dark_store(world.places.region[store])
    location = np.where((system == APP) & delivery, dark, store)
    warehouse = np.isin(system, (GROUP, LIVE)) | ((system == SHOP) & far)
    return np.where(warehouse, world.places.warehouse, location)


def _pickups(world: World, day: int, house: Array, system: Array, random: np.random.Generator) -> tuple[Array, Array]:
    """Group-buy is fetched one to three days later in the evening, in the household's store."""
    later = random.integers(1, PICKUP_DAYS + 1, len(house))
    at = world.plan.midnight(day) + later * SECONDS + 16 * 3600 + random.integers(0, 4 * 3600, len(house))
    store = stores_of(world, day, house, random)
    group = system == GROUP
    return np.where(group, at, -1), np.where(group, store, -1)
