"""Who is asked about in a backtest of recommenders, as known the day before, and what they then bought."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from features.customers import Customers, Owned, customers_of, owned_of
from features.errors import HistoryError
from features.history import Int, Purchases, day_number
from models.contracts import Bools, Queries
from models.popular import Popular
from models.ranking import pairs
from models.settings import RecommendSettings


@dataclass(frozen=True)
class Question:
    """Who is asked about at one cut-off, and what they then bought.

    `households` are the ids behind `queries`. `truth_query`, `truth_product` are pairs of products known before the
    cut-off; `truth_count` counts all.
    """

    cutoff: date
    history: Purchases
    households: list[str]
    queries: Queries
    truth_query: Int
    truth_product: Int
    truth_count: Int
    popular: Popular
    customers: Customers
    owned: Owned

    @classmethod
    def of_nobody(cls, cutoff: date, history: Purchases, settings: RecommendSettings) -> "Question":
        """What is known before the cut-off, with nobody asked about."""
        nothing = np.empty(0, np.int32)
        return cls(
            cutoff, history, [], Queries.of_customers(nothing), nothing, nothing, nothing,
            Popular(settings).fit(history), customers_of(history, settings.half_life_days),
            owned_of(history, settings.half_life_days),
        )  # fmt: skip

    def about(self, later: Purchases, rows: Bools) -> "Question":
        """Ask about every customer with one of these rows of a later history; what they hold is the truth.

        Nothing else of `later` is read: not where a customer was, nor when.
        """
        rows = rows & (later.customer >= 0)
        bought = np.unique(pairs(later.customer[rows], later.product[rows], len(later.products)))
        active, query = np.unique(bought // max(len(later.products), 1), return_inverse=True)
        product = self.history.products.codes(later.products.values)[bought % max(len(later.products), 1)]
        households = [later.customers[code] for code in active.tolist()]
        customer = self.history.customers.codes(households)
        home = np.full(len(customer), -1, np.int32)
        home[customer >= 0] = self.customers.home_location[customer[customer >= 0]]
        known = product >= 0
        return replace(
            self,
            households=households,
            queries=Queries.of_customers(customer, home),
            truth_query=query[known].astype(np.int32),
            truth_product=product[known],
            truth_count=np.bincount(query, minlength=len(active)).astype(np.int32),
        )

    @property
    def products(self) -> int:
        return len(self.history.products)

    def __len__(self) -> int:
        return len(self.queries)

    def repeats(self) -> Bools:
        """Which pairs of the truth the customer had bought before, bool [truth]."""
        return self.owned.find(self.queries.customer[self.truth_query], self.truth_product) >= 0

    def customer_groups(self) -> dict[str, Bools]:
        """Cold (no order before), light and heavy (below, or at and above, the median orders), each bool [queries]."""
        customer = self.queries.customer
        baskets = np.zeros(len(customer), np.int32)
        baskets[customer >= 0] = self.customers.baskets[customer[customer >= 0]]
        known = baskets > 0
        middle = np.median(baskets[known]) if known.any() else 0
        return {"cold": ~known, "light": known & (baskets < middle), "heavy": known & (baskets >= middle)}

    def shop_groups(self) -> dict[str, Bools]:
        """By the size of the usual shop: thirds of those asked about, by the orders of their shop in the history.

        Nothing where their shops are of fewer than three sizes.
        """
        location = self.queries.location
        orders = np.unique(np.stack([self.history.location, self.history.order]), axis=1)[0]
        size = np.bincount(orders[orders >= 0], minlength=len(self.history.locations))
        placed = location >= 0
        if len(np.unique(size[location[placed]])) < 3:
            return {}
        of_customer = np.where(placed, size[np.maximum(location, 0)], -1)
        low, high = np.quantile(of_customer[placed], [1 / 3, 2 / 3])
        return {"small shop": placed & (of_customer <= low), "middle shop": (of_customer > low) & (of_customer <= high),
                "large shop": of_customer > high}  # fmt: skip


def ask(load: Callable[[date], Purchases], cutoff: date, settings: RecommendSettings) -> Question:
    """Everyone active in the target window, as known the day before it begins."""
    history = load(cutoff - timedelta(days=1))
    window = load(cutoff + timedelta(days=settings.target_days - 1))
    rows = (window.day >= day_number(cutoff)) & (window.customer >= 0)
    if not rows.any() or not len(history.customers):
        raise HistoryError(
            f"no known customer bought in the {settings.target_days} days from {cutoff}, or none before: choose an "
            "earlier --cutoffs, or map the customers' accounts (channel_customer_id) in the recipe"
        )
    return Question.of_nobody(cutoff, history, settings).about(window, rows)
