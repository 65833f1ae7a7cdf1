"""The truth that does not depend on a day: who is who, what households are used to, and what moves demand."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from training.sample.arrow_text import exact, join, named, utc
from training.sample.assortment import CATEGORIES
from training.sample.cycles import SHAPE, VISIT
from training.sample.evidence import KINDS as EVIDENCE_KINDS
from training.sample.evidence import SHARED, SHOP_CARD, SHOP_PHONE, draw_wishes
from training.sample.people import GUEST, KINDS, SYSTEMS
from training.sample.shelves import Demand
from training.sample.truth_rows import households, persons
from training.sample.world import DISPLAYED, Setting, World

Array = npt.NDArray[Any]


def write_truth_tables(world: World, folder: Path) -> None:
    """Write people, households, links, cycles, response and products."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "people": _people(world), "households": _households(world), "links": _links(world), "cycles": _cycles(world),
        "response": _response(), "visits": pa.table({"weekday": np.arange(7), "chance": VISIT}),
        "products": _products(world), "locations": _locations(world),
    }  # fmt: skip
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="snappy")


def _account_ids(world: World, account: Array) -> Any:
    people = world.people
    system = named(people.account_system[account], SYSTEMS).cast(pa.string())
    return join(system, ":", people.account_text.take(pa.array(account)))


def _or_null(column: Any, known: Array) -> Any:
    return pc.if_else(pa.array(known), column, pa.scalar(None, column.type))


def _people(world: World) -> Any:
    people, evidence = world.people, world.evidence
    accounts = np.arange(len(people.account_person))
    person = people.account_person
    known = person >= 0
    seen = np.zeros(len(accounts), bool)
    seen[evidence.account] = True
    component = _components(world)
    size = np.bincount(component, minlength=len(accounts))[component]
    wishes = draw_wishes(world.plan, people)
    erased = np.full(len(accounts), -1)
    erased[wishes.account[wishes.wish == "erase"]] = wishes.at[wishes.wish == "erase"]
    refused = np.zeros(len(accounts), bool)
    refused[wishes.account[wishes.wish == "opt_out"]] = True
    refused[wishes.account[wishes.wish == "opt_in"]] = False
    guest = people.account_kind == GUEST
    joins = world.plan.midnight(0) + people.signed_in[np.maximum(person, 0)] * 86_400
    return pa.table({
        "account_id": _account_ids(world, accounts), "source": named(people.account_system, SYSTEMS).cast(pa.string()),
        "person_id": _or_null(persons(person), known),
        "household_id": _or_null(households(people.household[np.maximum(person, 0)]), known),
        "kind": named(people.account_kind, KINDS).cast(pa.string()), "has_evidence": pa.array(seen),
        "linkable": pa.array(known & (size > 1)), "component": pa.array(component.astype(np.int64)),
        "signed_in_at": utc(np.where(guest, joins, -1)), "opted_out": pa.array(refused), "erased_at": utc(erased),
    })  # fmt: skip


def _components(world: World) -> Array:
    """A number for each account: equal where evidence of their own or of the family connects accounts of one person."""
    people, evidence = world.people, world.evidence
    accounts = len(people.account_person)
    own = ~np.isin(evidence.shared, (SHOP_CARD, SHOP_PHONE)) & (people.account_person[evidence.account] >= 0)
    account = evidence.account[own]
    value = evidence.value.filter(pa.array(own)).dictionary_encode().indices.to_numpy()
    pair = value.astype(np.int64) * people.persons + people.account_person[account]
    _, node = np.unique(pair, return_inverse=True)
    nodes = accounts + int(node.max(initial=-1)) + 1
    graph = coo_matrix((np.ones(len(account), bool), (account, accounts + node)), (nodes, nodes))
    return np.asarray(connected_components(graph, directed=False)[1][:accounts])


def _households(world: World) -> Any:
    people = world.people
    number = people.household
    return pa.table({
        "household_id": households(number), "person_id": persons(np.arange(people.persons)),
        "home_location_id": named(people.home[number], world.places.codes).cast(pa.string()),
    })  # fmt: skip


def _links(world: World) -> Any:
    """Why each piece of evidence is shared, without the value."""
    evidence = world.evidence
    return pa.table({
        "account_id": _account_ids(world, evidence.account),
        "kind": named(evidence.kind, EVIDENCE_KINDS).cast(pa.string()),
        "value": evidence.value, "linked_at": utc(evidence.since),
        "shared": named(evidence.shared, SHARED).cast(pa.string()),
    })  # fmt: skip


def _cycles(world: World) -> Any:
    habits, goods = world.habits, world.goods
    household, category = np.nonzero(habits.cycle_days)
    return pa.table({
        "household_id": households(household),
        "category": named(category, [category.name for category in CATEGORIES]).cast(pa.string()),
        "cycle_days": habits.cycle_days[household, category].astype(float),
        "shape": np.full(len(household), SHAPE),
        "favourite": named(habits.favourite[household, category], goods.codes).cast(pa.string()),
    })  # fmt: skip


def _response() -> Any:
    return pa.table({
        "category": [category.name for category in CATEGORIES],
        **{name: [float(getattr(category, name)) for category in CATEGORIES]
           for name in ("cycle_days", "mean_units", "season", "peak_day", "warmth", "holiday", "elasticity")},
        "display": [DISPLAYED] * len(CATEGORIES),
    })  # fmt: skip


def _products(world: World) -> Any:
    goods = world.goods
    return pa.table({
        "product_id": goods.codes[: goods.plain],
        "category": [CATEGORIES[category].name for category in goods.category],
        "elasticity": goods.elasticity, "share": goods.share,
        "first_price": exact(goods.shelf_fen[0, : goods.plain], 2),
        "launched_on": [world.plan.date(int(day)) for day in goods.launched],
        "ended_on": [world.plan.date(int(day) - 1) if day < world.plan.days else None for day in goods.ended],
    })  # fmt: skip


def _locations(world: World) -> Any:
    places = world.places
    return pa.table({
        "location_id": places.codes, "kind": list(places.kinds),
        "opened_on": [world.plan.date(int(day)) if day > 0 else None for day in places.opens],
    })  # fmt: skip


def write_demand(world: Setting, day: int, demand: Demand | None, due: Array, share: Array, folder: Path) -> None:
    """Write a day's demand: its own, and `due`, what was ordered before for this day ([location, product])."""
    wanted, sold = (due, due) if demand is None else (demand.wanted + due, demand.sold + due)
    location, product = np.nonzero(wanted)
    table = pa.table({
        "product_id": named(product, world.goods.codes).cast(pa.string()),
        "location_id": named(location, world.places.codes).cast(pa.string()),
        "day": pa.array([world.plan.date(day)] * len(product), pa.date32()),
        "demanded_units": exact(wanted[location, product] * 10, 4),
        "sold_units": exact(sold[location, product] * 10, 4),
        "available_share": share[location, product], "censored": share[location, product] < 1,
    })  # fmt: skip
    path = folder / "demand" / f"demand-{world.plan.date(day):%Y%m%d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="snappy")
