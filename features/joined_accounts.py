"""Which accounts are another customer's than their own number says: sorted texts in arrays that open at once.

Most accounts are a customer of their own and are not in it. Arrays are memory-mapped, so that all processes of a host
share one copy and a look-up reads only the few pages that it compares.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import open_record, save_record

AccountNumbers = Literal["shared", "per-channel"]
Bytes = npt.NDArray[np.uint8]
Starts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class JoinedAccounts:
    """Accounts whose customer_id is not their account_id, in the order of their UTF-8 bytes.

    Account i is `accounts[account_starts[i]:account_starts[i + 1]]`, and its customer the text number `customer[i]` of
    `customers`, laid out alike. `account_numbers` says how a channel's account is named (see features/sources.py);
    None where that is not known.
    """

    accounts: Bytes
    account_starts: Starts
    customer: npt.NDArray[np.int32]
    customers: Bytes
    customer_starts: Starts
    account_numbers: AccountNumbers | None = None

    @classmethod
    def of(cls, accounts: pa.Table, account_numbers: AccountNumbers | None = None) -> Self:
        """The joined accounts of a table (account_id, customer_id) of every account."""
        joined = accounts.filter(pc.not_equal(accounts["account_id"], accounts["customer_id"]))
        joined = joined.select(["account_id", "customer_id"]).cast(
            pa.schema({"account_id": pa.large_binary(), "customer_id": pa.large_binary()})
        )
        joined = joined.sort_by("account_id")
        customers = pc.unique(joined["customer_id"])
        customers = customers.take(pc.array_sort_indices(customers))
        customer = pc.index_in(joined["customer_id"], value_set=customers)
        return cls(
            *_laid_out(joined["account_id"].combine_chunks()), customer.to_numpy().astype(np.int32),
            *_laid_out(customers), account_numbers,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.customer)

    def customer_of(self, account_id: str) -> str:
        """The customer that an account, or a number that was a customer's before it was joined, belongs to.

        Whoever is not joined, known or not, is a customer of its own.
        """
        wanted = account_id.encode("utf-8", "surrogatepass")
        place = bisect_left(range(len(self)), wanted, key=lambda at: _text(self.accounts, self.account_starts, at))
        if place == len(self) or _text(self.accounts, self.account_starts, place) != wanted:
            return account_id
        return _text(self.customers, self.customer_starts, int(self.customer[place])).decode("utf-8", "surrogatepass")

    def account_ids(self, channel: str, channel_customer_id: str) -> Sequence[str]:
        """The account_id of a channel's account; both that it may have where nothing says how accounts are named.

        >>> NOBODY_JOINED.account_ids("app", "1")
        ('app:1', '1')
        """
        names = {"per-channel": f"{channel}:{channel_customer_id}", "shared": channel_customer_id}
        return tuple(names.values()) if self.account_numbers is None else (names[self.account_numbers],)

    def save(self, folder: Path) -> None:
        """Write plain arrays into `folder`."""
        save_record(folder, self)

    @classmethod
    def open(cls, folder: Path) -> "JoinedAccounts":
        """Reopen what `save` wrote, memory-mapped. Bundles from before it was written have none: nobody is joined."""
        return open_record(folder, JoinedAccounts) if folder.is_dir() else NOBODY_JOINED


def _text(texts: Bytes, starts: Starts, place: int) -> bytes:
    return texts[starts[place] : starts[place + 1]].tobytes()


def _laid_out(texts: Any) -> tuple[Bytes, Starts]:
    """The bytes of a large_binary array without nulls, one text after another, and where each starts."""
    _, offsets, content = texts.buffers()
    if not len(texts):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    starts = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(content, np.uint8)[starts[0] : starts[-1]], starts - starts[0]


NOBODY_JOINED = JoinedAccounts.of(pa.table({"account_id": pa.array([], pa.string()),
                                            "customer_id": pa.array([], pa.string())}))  # fmt: skip
