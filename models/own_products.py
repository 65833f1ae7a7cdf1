"""What recommenders of a customer's own products have in common: what they look at, and how they speak of it."""

from features.customers import Owned, owned_of
from features.history import day_number
from models.contracts import Queries, Recommender, Scored
from models.reasons import BoughtBefore, Reason, whole_gap


class OwnProducts(Recommender):
    """Ranks only what the customer has bought before, and says how often and when."""

    @property
    def owned(self) -> Owned:
        return owned_of(self.purchases, self.settings.half_life_days)

    def reasons(self, queries: Queries, scored: Scored) -> list[Reason]:
        owned = self.owned
        entry = owned.find(queries.customer[scored.query], scored.product)
        since = day_number(self.purchases.as_of) - owned.last_day[entry]
        facts = zip(owned.baskets[entry].tolist(), owned.mean_gap(entry).tolist(), since.tolist(), strict=True)
        return [BoughtBefore(times, whole_gap(gap), days) for times, gap, days in facts]

    def sources(self, queries: Queries, scored: Scored) -> list[str]:
        return ["own"] * len(scored.query)
