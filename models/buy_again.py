"""What a customer will need again: own products by how often they were bought and how due they are.

Timing alone orders worse than plain decayed frequency, so it only weighs it: a product bought a moment ago
counts little until its usual gap has passed, and one overdue for several gaps counts less and less.
"""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from features.history import Purchases, day_number
from models.contracts import Queries, Scored, ranked
from models.own_products import OwnProducts
from models.ranking import admitted
from models.saved_settings import open_settings, save_settings
from models.typical_gaps import TypicalGaps

JUST_BOUGHT = 0.3  # weight of a product on the day it was bought
PATIENCE_GAPS = 3.0  # overdue for so many gaps, a product begins to count less


class BuyAgain(OwnProducts):
    """Decayed orders × how due the product is."""

    name: ClassVar[str] = "buy-again"
    repurchase: TypicalGaps

    def fit(self, purchases: Purchases) -> Self:
        self.purchases = purchases
        self.repurchase = TypicalGaps.fit(purchases)
        return self

    def score(self, queries: Queries, limit: int) -> Scored:
        """The score is the decayed number of orders, weighted by days since the last ÷ the expected gap."""
        owned = self.owned
        query, entry = owned.entries(queries.customer)
        keep = admitted(queries, query, owned.product[entry], owned.products)
        query, entry = query[keep], entry[keep]
        since = day_number(self.purchases.as_of) - owned.last_day[entry]
        gaps = since / self.repurchase.gap_days(owned, entry)
        timing = JUST_BOUGHT + (1 - JUST_BOUGHT) * np.minimum(gaps, 1)
        timing *= np.exp2(-np.maximum(gaps - PATIENCE_GAPS, 0) / PATIENCE_GAPS)
        return ranked(query, owned.product[entry], owned.decayed[entry] * timing).top(limit)

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        self.repurchase.save(folder / "repurchase")

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases = purchases
        opened.repurchase = TypicalGaps.open(folder / "repurchase")
        return opened
