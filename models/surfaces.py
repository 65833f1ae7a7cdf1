"""The lists that a shop shows, each made by its own model and filled up from named fallbacks.

    for-you      the released recommender; strangers get what is popular here
    buy-again    own products, the most due first
    with-basket  what goes with the basket, nothing that is in it
    similar      what may stand in for a product
    trending     what grows at this location

A list always holds `limit` products if the catalogue has so many that may be named. Unknown customers,
products and locations are answered from what is known without them; each item's `source` says from what.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, cast, get_args

import numpy as np
import pyarrow as pa

from features.arrays import open_json, save_json
from features.bundled_history import open_purchases, save_purchases
from features.customers import customers_of, owned_of
from features.errors import HistoryError
from features.history import UNKNOWN, Int, Purchases
from features.joined_accounts import NOBODY_JOINED, JoinedAccounts
from features.progress import Progress, silent
from models.buy_again import BuyAgain
from models.contracts import Bools, Queries, Query, Recommendation, Recommender, Scored
from models.items import Items, only_anchor
from models.mix import DEPTH, mixed, mixes, strange
from models.popular import Popular
from models.ranker import Ranker
from models.ranking import one_after_another
from models.reasons import Language, Reason
from models.recommenders import RECOMMENDERS, make_recommender
from models.settings import RecommendSettings
from models.substitutes import Substitutes
from models.trending import Trending
from models.with_basket import WithBasket

Surface = Literal["for-you", "buy-again", "with-basket", "similar", "trending"]
SURFACES: tuple[Surface, ...] = get_args(Surface)
CHUNK_CUSTOMERS = 1000
ACCOUNTS = "accounts"  # which account is whose; bundles of before have no such folder
PARTS: dict[str, type[Recommender]] = {
    "popular": Popular, "trending": Trending, "items": Items, "buy-again": BuyAgain,
    "with-basket": WithBasket, "similar": Substitutes,
}  # fmt: skip

Stage = tuple[Recommender, Queries]
BORROWERS = (WithBasket, Substitutes)  # parts that take other parts as they are


@dataclass(frozen=True)
class Answers:
    """Lists of many queries: entry i is a product of query `scored.query[i]`, with its source and reason."""

    scored: Scored
    sources: list[str]
    reasons: list[Reason]


class Surfaces:
    """Everything that answers recommendation queries; a pure function of history and settings.

    `notes` says what was trained otherwise than the settings asked, and why; empty when nothing was.
    """

    purchases: Purchases
    settings: RecommendSettings
    notes: list[str]
    opted_out: frozenset[str]
    joined: JoinedAccounts
    models: dict[str, Recommender]

    @classmethod
    def fit(
        cls, purchases: Purchases, settings: RecommendSettings, opted_out: Iterable[str] = (),
        progress: Progress = silent, joined: JoinedAccounts = NOBODY_JOINED,
    ) -> Self:  # fmt: skip
        """Train every model. Customers in `opted_out` are answered as if they were unknown.

        `joined` says which other numbers a customer may be asked for by.

        Raises HistoryError when there is no purchase at all up to `purchases.as_of`.
        """
        if not len(purchases):
            raise HistoryError(
                f"there is no purchase up to {purchases.as_of}: ingest an earlier history or choose a later --as-of"
            )
        made = cls()
        made.purchases, made.settings, made.notes = purchases, settings, []
        made.opted_out, made.joined = frozenset(opted_out), joined
        made.models = {}
        with progress.step("recommenders", len(PARTS) + 1) as step:
            made.models["main"] = made._fit_main()
            step.advance()
            shared = made._shared()
            for name, kind in PARTS.items():
                made.models[name] = shared[name] if name in shared else made._fit_part(kind)
                step.advance()
        return made

    def _fit_main(self) -> Recommender:
        """The recommender of the settings, or `personal` with a note when the history is too short for it."""
        try:
            main = make_recommender(self.settings.recommender, self.settings).fit(self.purchases)
        except HistoryError as fault:
            self.notes.append(f"for-you is answered by personal instead of {self.settings.recommender}: {fault}")
            return make_recommender("personal", self.settings).fit(self.purchases)
        if isinstance(main, Ranker) and len(main.windows) < self.settings.label_windows:
            self.notes.append(f"the ranker learnt from {len(main.windows)} of {self.settings.label_windows} windows: "
                              "the history before the others is too short or too thin")  # fmt: skip
        return main

    def _fit_part(self, kind: type[Recommender]) -> Recommender:
        part = kind(self.settings)
        return part.fit(self.purchases, self._lent()) if isinstance(part, BORROWERS) else part.fit(self.purchases)

    def answer(
        self, surface: Surface, queries: Sequence[Query], limit: int, allowed: Bools | None = None
    ) -> list[list[Recommendation]]:
        """Ranked products for each query, at most `limit`, best first.

        `allowed` is bool [products] in the codes of `purchases.products`, or None for every product.
        """
        answers = self.rank(surface, self.coded(queries, allowed), limit)
        lists: list[list[Recommendation]] = [[] for _ in queries]
        ids, scored = self.purchases.products, answers.scored
        for query, product, score, source, reason in zip(
            scored.query.tolist(), scored.product.tolist(), scored.score.tolist(), answers.sources, answers.reasons,
            strict=True,
        ):  # fmt: skip
            lists[query].append(Recommendation(ids[product], score, source, reason))
        return lists

    def coded(self, queries: Sequence[Query], allowed: Bools | None = None) -> Queries:
        """Translate external ids; a customer who named no location is asked about at its usual one."""
        history = self.purchases
        asked = [self.customer_of(query.customer_id) for query in queries]
        customer = history.customers.codes([None if name in self.opted_out else name for name in asked])
        usual = customers_of(history, self.settings.half_life_days).home_location
        location = history.locations.codes([query.location_id for query in queries])
        unsaid = np.array([query.location_id is None for query in queries], bool) & (customer >= 0)
        location[unsaid] = usual[customer[unsaid]]
        shown = [(*query.excluded, *query.basket, query.product_id) for query in queries]
        return Queries(
            customer=customer,
            location=location,
            channel=history.channels.codes([query.channel for query in queries]),
            basket=tuple(_known(history.products.codes(query.basket)) for query in queries),
            anchor=history.products.codes([query.product_id for query in queries]),
            excluded=tuple(_known(history.products.codes(products)) for products in shown),
            allowed=allowed,
        )

    def customer_of(self, customer_id: str | None) -> str | None:
        """The unified customer of a customer, an account of one, or a customer that was joined to another."""
        return None if customer_id is None else self.joined.customer_of(customer_id)

    def rank(self, surface: Surface, queries: Queries, limit: int) -> Answers:
        """Ask the surface's models one after another until each list is full."""
        stages = self._stages(surface, queries)
        if surface == "for-you" and mixes(self.settings):
            stages, joined, origin = self._mixed(queries, limit)
        else:
            joined, origin = self._filled(stages, len(queries) * limit, limit)
        sources, reasons = [""] * len(origin), cast("list[Reason]", [None] * len(origin))
        for number in np.unique(origin).tolist():
            model, asked = stages[number]
            where = np.flatnonzero(origin == number)
            part = Scored(joined.query[where], joined.product[where], joined.score[where])
            for index, source, reason in zip(where.tolist(), *model.said(asked, part), strict=True):
                sources[index], reasons[index] = source, reason
        return Answers(joined, sources, reasons)

    def _mixed(self, queries: Queries, limit: int) -> tuple[list[Stage], Scored, Int]:
        """for-you as the settings mix it: its stages, lists, and the stage of each entry.

        What was never bought is asked for by itself: it may stand below everything that was.
        """
        owned = owned_of(self.purchases, self.settings.half_life_days)
        (main, _), *others = self._stages("for-you", queries)
        unbought = strange(queries, owned)
        stages = [(main, queries), (main, unbought), (self.models["popular"], unbought), *others]
        lists = [model.score(asked, limit * DEPTH) for model, asked in stages]
        ranked, origin = one_after_another(lists, len(self.purchases.products), limit * DEPTH * len(stages))
        new = owned.find(queries.customer[ranked.query], ranked.product) < 0
        shown = mixed(ranked, new, self.purchases.catalog.finest[ranked.product], limit, self.settings)
        return stages, Scored(ranked.query[shown], ranked.product[shown], ranked.score[shown]), origin[shown]

    def _filled(self, stages: list[Stage], wanted: int, limit: int) -> tuple[Scored, Int]:
        """The stages' lists one after another, and the stage of each entry; none is asked once all lists are full."""
        lists: list[Scored] = []
        for model, asked in stages:
            lists.append(model.score(asked, limit))
            joined, origin = one_after_another(lists, len(self.purchases.products), limit)
            if len(origin) == wanted:
                break
        return joined, origin

    def _stages(self, surface: Surface, queries: Queries) -> list[Stage]:
        main, popular = (self.models["main"], queries), (self.models["popular"], queries)
        items = self.models["items"]
        with_basket = (self.models["with-basket"], queries)
        if surface == "trending":
            return [(self.models["trending"], queries), popular]
        if surface == "buy-again":
            return [(self.models["buy-again"], queries), main, popular]
        if surface == "with-basket":
            return [with_basket, main, popular]
        if surface == "similar":
            return [(self.models["similar"], queries), (items, only_anchor(queries)), with_basket, popular]
        return [main, with_basket, popular]

    def _shared(self) -> dict[str, Recommender]:
        """Parts that the released recommender holds as its own sources."""
        main = self.models["main"]
        return main.proposers.models if isinstance(main, Ranker) else {}

    def _lent(self) -> dict[str, Recommender]:
        """Models that parts need not hold themselves."""
        return {**self._shared(), **{name: self.models[name] for name in ("popular", "items") if name in self.models}}

    def save(self, folder: Path) -> None:
        """Write everything as plain files into `folder`."""
        save_purchases(self.purchases, folder / "history", self.settings.half_life_days)
        for name in ("main", *PARTS):
            if name not in self._shared():
                self.models[name].save(folder / name)
        content = {"settings": self.settings.model_dump(mode="json"), "main": self.models["main"].name,
                   "notes": self.notes, "opted_out": sorted(self.opted_out)}  # fmt: skip
        save_json(folder, "surfaces", content)
        self.joined.save(folder / ACCOUNTS)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Reopen what `save` wrote, arrays memory-mapped. Raises BundleError when a file is missing or damaged."""
        content = open_json(folder, "surfaces")
        opened = cls()
        opened.purchases = open_purchases(folder / "history")
        opened.settings = RecommendSettings.model_validate(content["settings"])
        opened.notes, opened.opted_out = content["notes"], frozenset(content["opted_out"])
        opened.joined = JoinedAccounts.open(folder / ACCOUNTS)
        main = RECOMMENDERS[content["main"]].open(folder / "main", opened.purchases)
        opened.models = {"main": main}
        for name, kind in PARTS.items():
            shared = opened._shared()
            if name in shared:
                opened.models[name] = shared[name]
            elif issubclass(kind, BORROWERS):
                opened.models[name] = kind.open(folder / name, opened.purchases, opened._lent())
            else:
                opened.models[name] = kind.open(folder / name, opened.purchases)
        return opened


def _known(codes: Int) -> Int:
    return np.asarray(codes[codes != UNKNOWN], np.int32)


def recommendation_table(
    surfaces: Surfaces, surface: Surface, limit: int, progress: Progress = silent, language: Language = "en"
) -> pa.Table:
    """The recommendations table of every known customer: sorted by customer_id, then rank; reasons in `language`.

    Computed in chunks of customers, so that memory holds one chunk's work beside the table itself.
    """
    known = surfaces.purchases.customers.values
    parts = [_recommendations(surfaces, surface, limit, [], language)]
    with progress.step(f"recommendations for {len(known)} customers", len(known)) as step:
        for begin in range(0, len(known), CHUNK_CUSTOMERS):
            chunk = known[begin : begin + CHUNK_CUSTOMERS]
            parts.append(_recommendations(surfaces, surface, limit, chunk, language))
            step.advance(len(chunk))
    return pa.concat_tables(parts)


def _recommendations(
    surfaces: Surfaces, surface: Surface, limit: int, customers: Sequence[str], language: Language
) -> pa.Table:
    queries = surfaces.coded([Query(customer_id=customer) for customer in customers])
    answers = surfaces.rank(surface, queries, limit)
    scored = answers.scored
    rank = np.arange(len(scored.query)) - np.searchsorted(scored.query, scored.query, side="left") + 1
    return pa.table({
        "customer_id": pa.array(customers, pa.string()).take(pa.array(scored.query)),
        "surface": pa.array([surface] * len(rank), pa.string()),
        "rank": pa.array(rank, pa.int64()),
        "product_id": pa.array(surfaces.purchases.products.values, pa.string()).take(pa.array(scored.product)),
        "score": pa.array(scored.score.astype(np.float64)),
        "source": pa.array(answers.sources, pa.string()),
        "reason": pa.array([reason.text(language) for reason in answers.reasons], pa.string()),
    })  # fmt: skip
