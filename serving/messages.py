"""What a recommendation request and an event say, and what is answered. Unknown fields are refused."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from models.reasons import Language
from models.surfaces import Surface

Id = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Request(BaseModel):
    """A message from outside: nothing is converted or ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=400)]],
    Field(max_length=50, json_schema_extra={"description": "one text, or a list of texts of which any may match"}),
    BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
]


class Account(Request):
    """A customer as one channel knows it."""

    channel: Id = Field(description="pos, app, mini_program …", examples=["app"])
    channel_customer_id: Id = Field(description="the account's number in that channel", examples=["1"])


class Filters(Request):
    """Which products the list may hold."""

    category: Names = Field(
        default=[], description="only products of this category: its name at any level, or its path 'A > B'"
    )
    brand: Names = Field(default=[], description="only products of this brand")
    exclude: list[Id] = Field(default=[], max_length=1000, description="product_ids that the list must not hold")


EXAMPLE_REQUESTS: dict[str, dict[str, Any]] = {
    "for-you": {"summary": "A known customer", "value": {"customer_id": "1", "limit": 5}},
    "buy-again": {
        "summary": "What is due again, by channel account",
        "value": {"account": {"channel": "pos", "channel_customer_id": "1"}, "surface": "buy-again"},
    },
    "with-basket": {
        "summary": "Next to what is in the basket",
        "value": {"surface": "with-basket", "basket": ["1029743", "995242"], "location_id": "367", "channel": "app"},
    },
    "similar": {
        "summary": "Like one product, with reasons in Chinese",
        "value": {"surface": "similar", "product_id": "1029743", "language": "zh"},
    },
    "trending": {
        "summary": "What sells now at a place, to nobody in particular",
        "value": {
            "surface": "trending",
            "location_id": "367",
            "filters": {"category": ["GROCERY"], "exclude": ["1029743"]},
            "limit": 3,
        },
    },
}


class RecommendationRequest(Request):
    """Who asks, where, and what for. With neither customer_id nor account the list is for nobody in particular."""

    customer_id: Id | None = Field(
        default=None, description="the customer, or an account of it as in the table accounts; may be unknown"
    )
    account: Account | None = Field(
        default=None, description="instead of customer_id: any channel account of the customer"
    )
    surface: Surface = Field(default="for-you", description="what the list is for")
    product_id: Id | None = Field(default=None, description="the product that others shall be similar to")
    channel: Id | None = Field(default=None, description="where the list is shown")
    location_id: Id | None = Field(default=None, description="shop that the customer is in or orders from")
    basket: list[Id] = Field(default=[], max_length=500, description="product_ids in the basket; never recommended")
    filters: Filters = Field(default=Filters(), description="which products the list may hold")
    limit: int = Field(default=10, ge=1, le=100, description="longest list wanted")
    language: Annotated[str, Field(min_length=1, max_length=35)] | None = Field(
        default=None,
        description="of the reasons: en or zh, also as in zh-CN; any other is answered in en. Without it the "
        "Accept-Language header decides, and then en",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.customer_id is not None and self.account is not None:
            raise ValueError("customer_id and account say the same thing twice: send one of them")
        if self.surface == "similar" and self.product_id is None:
            raise ValueError("surface 'similar' needs a product_id: the product that others shall be similar to")
        return self


class Item(BaseModel):
    """One recommended product."""

    rank: int = Field(description="1 is best")
    product_id: str
    name: str = Field(description="as a customer would read it; the product_id where the catalog has no name")
    score: float = Field(description="higher is better; comparable within one list only")
    source: str = Field(description="what proposed it; 'popular-here' and 'popular' are fallbacks")
    reason: str = Field(description="why, in facts from the history, as a sentence in the answer's language")


class RecommendationAnswer(BaseModel):
    """A ranked list."""

    recommendation_id: str = Field(description="send it back with the events that this list leads to")
    model_version: str = Field(description="the bundle that answered")
    as_of: date = Field(description="last day whose purchases the model has read")
    surface: Surface
    language: Language = Field(description="the language of the reasons: that asked for, or en where it is not spoken")
    customer_id: str | None = Field(description="the unified customer that the list is for; null for nobody known")
    customer_known: bool = Field(description="whether the model has seen a purchase of this customer")
    fallback: str | None = Field(description="the first fallback source in the list, null where there is none")
    items: list[Item]
    notes: list[str] = Field(description="what in the request is unknown to the model, so was answered without it")


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{moment.isoformat()} lies outside the years 1 to 9999 in UTC") from None


EventType = Literal["view", "search", "click", "add_to_cart", "purchase", "return", "impression", "dismiss"]


class Event(Request):
    """What a customer did, perhaps with an answer."""

    event_id: Id = Field(description="chosen by the sender; sent twice, it is stored once", examples=["e-1"])
    type: EventType = Field(description="what happened")
    customer_id: Id | None = Field(default=None, description="the unified customer, or any account of it")
    channel: Id | None = Field(default=None, description="where it happened")
    channel_customer_id: Id | None = Field(default=None, description="the account in that channel")
    anonymous_id: Id | None = Field(default=None, description="device or cookie of a guest")
    session_id: Id | None = Field(default=None, description="visit")
    product_id: Id | None = Field(default=None, description="the product, where the event has one")
    recommendation_id: Id | None = Field(default=None, description="the list that it answers to")
    position: int | None = Field(default=None, ge=1, le=1000, description="rank of the product in that list")
    quantity: float | None = Field(
        default=None, gt=0, le=1e9, allow_inf_nan=False, description="units, for add_to_cart, purchase and return"
    )
    location_id: Id | None = Field(default=None, description="shop")
    happened_at: Annotated[AwareDatetime, AfterValidator(_utc)] = Field(
        description="when, with its offset from UTC", examples=["2024-05-06T09:30:00Z"]
    )


EXAMPLE_EVENTS: dict[str, dict[str, Any]] = {
    "one": {
        "summary": "One event",
        "value": {
            "event_id": "e-1",
            "type": "click",
            "customer_id": "1",
            "product_id": "1029743",
            "recommendation_id": "0c8f",
            "position": 1,
            "happened_at": "2024-05-06T09:30:00Z",
        },
    },
    "batch": {
        "summary": "Several events",
        "value": {
            "events": [
                {"event_id": "e-2", "type": "view", "product_id": "995242", "happened_at": "2024-05-06T09:31:00Z"},
                {
                    "event_id": "e-3",
                    "type": "add_to_cart",
                    "anonymous_id": "device-9",
                    "product_id": "995242",
                    "quantity": 2,
                    "happened_at": "2024-05-06T11:31:30+02:00",
                },
            ]
        },
    },
}


class EventsFault(BaseModel):
    """One event of a batch that was not stored."""

    index: int = Field(description="its place in the batch, from 0")
    event_id: str | None = Field(description="as sent, where it can be read")
    where: str = Field(description="the field that is wrong")
    what: str = Field(description="what is wrong with it")


class EventsAnswer(BaseModel):
    """What was stored. What is counted as accepted is on disk."""

    accepted: int = Field(description="stored now")
    duplicates: int = Field(description="stored before, or earlier in this request: nothing to do")
    rejected: int = Field(description="not stored; see faults")
    faults: list[EventsFault]
