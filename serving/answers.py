"""From a released recommend bundle and a request to an answer; pure, and no table work on the way."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from features.errors import did_you_mean
from features.history import PATH_SEPARATOR, Catalog
from models.bundle import Bundle
from models.contracts import Bools, Query
from models.reasons import Language
from models.surfaces import SURFACES, Surfaces
from serving.messages import Filters, Item, RecommendationAnswer, RecommendationRequest

FALLBACKS = ("popular-here", "popular")
FILTERS_KEPT = 256


class Recommending:
    """An open recommend bundle that answers requests."""

    def __init__(self, bundle: Bundle, surfaces: Surfaces) -> None:
        self.bundle = bundle
        self.surfaces = surfaces
        self._allowed = lru_cache(FILTERS_KEPT)(self._find_allowed)

    @classmethod
    def open(cls, bundle: Bundle) -> "Recommending":
        """Open the bundle's surfaces and ask each once, so that the first caller does not wait."""
        opened = cls(bundle, Surfaces.open(bundle.folder / "surfaces"))
        purchases = opened.surfaces.purchases
        customer = purchases.customers[0] if len(purchases.customers) else None
        product = purchases.products[0] if len(purchases.products) else "none"
        for surface in SURFACES:
            request = RecommendationRequest(customer_id=customer, surface=surface, product_id=product)
            opened.answer(request, "warm-up")
        return opened

    def answer(
        self, request: RecommendationRequest, recommendation_id: str, language: Language = "en"
    ) -> RecommendationAnswer:
        """Rank products for a request; what is unknown in it is left out and noted, never an error."""
        customer_id = self.customer_of(request)
        query = Query(
            customer_id=customer_id,
            location_id=request.location_id,
            channel=_channel_of(request),
            basket=tuple(request.basket),
            product_id=request.product_id,
            excluded=tuple(request.filters.exclude),
        )
        allowed = self._allowed(tuple(request.filters.category), tuple(request.filters.brand))
        [found] = self.surfaces.answer(request.surface, [query], request.limit, allowed)
        products, names = self.surfaces.purchases.products, self.surfaces.purchases.catalog.names
        items = [
            Item(rank=rank, product_id=line.product_id, name=names[products.code(line.product_id)],
                 score=round(float(line.score), 6), source=line.source, reason=line.reason.text(language))
            for rank, line in enumerate(found, start=1)
        ]  # fmt: skip
        return RecommendationAnswer(
            recommendation_id=recommendation_id,
            model_version=self.bundle.version,
            as_of=self.bundle.as_of,
            surface=request.surface,
            language=language,
            customer_id=customer_id,
            customer_known=self._knows(customer_id),
            fallback=next((item.source for item in items if item.source in FALLBACKS), None),
            items=items,
            notes=list(self._notes(request, customer_id)),
        )

    def customer_of(self, request: RecommendationRequest) -> str | None:
        """The unified customer that a request names, by any of its accounts or former numbers.

        Where the bundle does not say how accounts are named, an account is looked up as `channel:account`, then as
        the bare number, and counts as that where it is unknown.
        """
        if request.account is None:
            return self.surfaces.customer_of(request.customer_id)
        account = request.account
        names = self.surfaces.joined.account_ids(account.channel, account.channel_customer_id)
        customers = [self.surfaces.customer_of(name) for name in names]
        return next(filter(self._holds, customers), customers[-1])

    def _holds(self, customer_id: str | None) -> bool:
        return self.surfaces.purchases.customers.code(customer_id) >= 0

    def _knows(self, customer_id: str | None) -> bool:
        return self._holds(customer_id) and customer_id not in self.surfaces.opted_out

    def _notes(self, request: RecommendationRequest, customer_id: str | None) -> Iterable[str]:
        purchases = self.surfaces.purchases
        if customer_id is not None and not self._knows(customer_id):
            yield f"customer {customer_id!r} is unknown to the model: answered as a guest"
        if request.location_id is not None and purchases.locations.code(request.location_id) < 0:
            yield f"location {request.location_id!r} is unknown to the model: answered for all locations"
        channel = _channel_of(request)
        if channel is not None and purchases.channels.code(channel) < 0:
            yield f"channel {channel!r} is unknown to the model: answered for all channels"
        if request.product_id is not None and purchases.products.code(request.product_id) < 0:
            yield f"product {request.product_id!r} is unknown to the model"
        strangers = [product for product in request.basket if purchases.products.code(product) < 0]
        if strangers:
            yield f"{len(strangers)} products of the basket are unknown to the model: {_few(strangers)}"
        yield from unknown_filters(purchases.catalog, request.filters)

    def _find_allowed(self, categories: tuple[str, ...], brands: tuple[str, ...]) -> Bools | None:
        return allowed_products(self.surfaces.purchases.catalog, categories, brands)


def _channel_of(request: RecommendationRequest) -> str | None:
    return request.channel or (request.account.channel if request.account else None)


def allowed_products(catalog: Catalog, categories: Sequence[str], brands: Sequence[str]) -> Bools | None:
    """Products in any of the categories and of any of the brands, bool [products]; None where all are allowed."""
    if not categories and not brands:
        return None
    allowed = np.ones(len(catalog.names), bool)
    if categories:
        allowed &= _in_categories(catalog, frozenset(categories))
    if brands:
        wanted = [code for code, brand in enumerate(catalog.brands) if brand in brands]
        allowed &= np.isin(catalog.brand, wanted)
    return allowed


def _in_categories(catalog: Catalog, wanted: frozenset[str]) -> Bools:
    found = np.zeros(len(catalog.names), bool)
    for level, paths in enumerate(catalog.category_names):
        codes = [code for code, path in enumerate(paths) if path in wanted or _last(path) in wanted]
        found |= np.isin(catalog.category[:, level], codes)
    return found


def unknown_filters(catalog: Catalog, filters: Filters) -> Iterable[str]:
    """A note for each category and brand that no product has."""
    if filters.category:
        known = {text for paths in catalog.category_names for path in paths for text in (path, _last(path))}
        for category in filters.category:
            if category not in known:
                yield f"no product is in category {category!r}{did_you_mean(category, known)}"
    for brand in filters.brand:
        if brand not in catalog.brands.values:
            yield f"no product is of brand {brand!r}{did_you_mean(brand, catalog.brands)}"


def _last(path: str) -> str:
    return path.rpartition(PATH_SEPARATOR)[2]


def _few(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:3]) + (" …" if len(names) > 3 else "")
