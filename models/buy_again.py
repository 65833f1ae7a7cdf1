"""What a customer will need again: own products by the chance of buying them within the target days.

The chance is that of the purchase cycle model, which knows how often and when the product was bought. A little of the
decayed number of orders is left in the score: it tells apart what the model holds for equally likely.
"""

from pathlib import Path
from typing import ClassVar, Self

from features.history import Purchases
from models.contracts import Queries, Scored, ranked
from models.outlooks import Outlooks
from models.own_products import OwnProducts
from models.ranking import admitted
from models.repurchase import Repurchase
from models.saved_settings import open_settings, save_settings

FREQUENCY = 0.25  # power of the decayed orders


class BuyAgain(OwnProducts):
    """Chance of a purchase within `target_days` × decayed orders to the power FREQUENCY.

    `repurchase` is the model and `outlooks` what it foresees as of the history's last day.
    """

    name: ClassVar[str] = "buy-again"
    repurchase: Repurchase
    outlooks: Outlooks

    def fit(self, purchases: Purchases) -> Self:
        self.purchases = purchases
        self.repurchase = Repurchase.fit(purchases, self.settings.seed)
        self.outlooks = self.repurchase.as_of(purchases)
        return self

    def score(self, queries: Queries, limit: int) -> Scored:
        owned = self.owned
        query, entry = owned.entries(queries.customer)
        keep = admitted(queries, query, owned.product[entry], owned.products)
        query, entry = query[keep], entry[keep]
        chance = self.outlooks.products.within(self.settings.target_days, entry)
        return ranked(query, owned.product[entry], chance * owned.decayed[entry] ** FREQUENCY).top(limit)

    def save(self, folder: Path) -> None:
        save_settings(folder, self.settings)
        self.repurchase.save(folder / "repurchase")
        self.outlooks.save(folder / "outlooks")

    @classmethod
    def open(cls, folder: Path, purchases: Purchases) -> Self:
        opened = cls(open_settings(folder))
        opened.purchases = purchases
        opened.repurchase = Repurchase.open(folder / "repurchase")
        opened.outlooks = Outlooks.open(folder / "outlooks", purchases)
        return opened
