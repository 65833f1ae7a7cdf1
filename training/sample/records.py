"""Arrays of equal length that are taken, kept and put together as one."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass
class Records:
    """A base for records: every field is an array, a row of all of them is one record."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def take(self, rows: Array | slice, **changes: Array) -> Self:
        """The rows named, by number or mask; `changes` replace whole columns of the result."""
        taken = {field.name: getattr(self, field.name)[rows] for field in fields(self) if field.name not in changes}
        return type(self)(**taken, **changes)

    def followed_by(self, *others: Self) -> Self:
        """These records and then the others'."""
        parts = (self, *others)
        return type(self)(**{field.name: np.concatenate([getattr(part, field.name) for part in parts])
                             for field in fields(self)})  # fmt: skip


@dataclass
class Baskets(Records):
    """Orders before they have a number.

    household, person  who really bought
    system, account    where, and with which account (-1 for none)
    location           where the units leave from
    at                 local seconds
    cancelled, usd, delivery   flags
    picked_up_at, picked_up_in local seconds and location, -1 for handed over at once
    """

    household: Array
    person: Array
    system: Array
    account: Array
    location: Array
    at: Array
    cancelled: Array
    usd: Array
    delivery: Array
    picked_up_at: Array
    picked_up_in: Array


@dataclass
class Lines(Records):
    """Lines of baskets: `milli` thousandths of the base unit, `unit` index into UNITS, `fen` paid (cents in USD)."""

    basket: Array
    product: Array
    milli: Array
    unit: Array
    fen: Array
    discount: Array
    gift: Array


UNITS = ("each", "kg", "斤", "case", "dozen")
EACH, KG, JIN, CASE, DOZEN = range(5)


@dataclass
class Exported(Records):
    """Order lines as a system exports them; the texts are made when they are written.

    number, form     of the order: the number as digits; form says what is put before it (see OWN_ORDER …)
    line             within the order
    of_number, of_line  the order and line that it gives back from, -1 for none
    external         number of the platform's order that a till's receipt names, -1 for none
    stamp            local seconds at which it was last changed
    kind             index into ROW_KINDS
    silent           whether the export keeps to itself what a line gives back from
    """

    number: Array
    form: Array
    line: Array
    household: Array
    person: Array
    account: Array
    product: Array
    location: Array
    at: Array
    milli: Array
    unit: Array
    fen: Array
    discount: Array
    cancelled: Array
    gift: Array
    usd: Array
    delivery: Array
    picked_up_at: Array
    picked_up_in: Array
    of_number: Array
    of_line: Array
    external: Array
    stamp: Array
    kind: Array
    silent: Array


OWN_ORDER, BACK_ORDER, SAME_ORDER = range(3)  # its own number; one made for what comes back; the number of the sale
ROW_KINDS = ("sale", "return", "refund", "exchange")
SALE, RETURN, REFUND, EXCHANGE = range(4)
