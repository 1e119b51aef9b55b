"""What callers send and get: the types that requests are checked against and the OpenAPI document is made from."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

CARD_PATTERN = "[a-z0-9][a-z0-9_-]{0,79}"
MOST_ROWS = 1_000

CardId = Annotated[
    str,
    Meta(
        pattern=rf"\A{CARD_PATTERN}\Z",
        description="Id or slug of a card.",
        examples=["charizard_ex_199"],
        extra_json_schema={"pattern": f"^{CARD_PATTERN}$"},
    ),
]
Day = Annotated[
    str,
    Meta(description="Market day (UTC), ISO 8601.", examples=["2026-11-20"], extra_json_schema={"format": "date"}),
]
Price = Annotated[float, Meta(ge=0.001, le=10_000_000, description="A price, in the currency of the data.", examples=[90.0])]
Signal = Literal["BUY", "SELL", "HOLD"]


class FairPriceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A card; the day to value it on (the latest if absent); a price offered, to be judged instead of the market's."""

    card_id: CardId
    date: Day | UnsetType = UNSET
    market_price: Price | UnsetType = UNSET


class FairPrice(msgspec.Struct, frozen=True):
    """What a card is worth and what to do about it.

    `deviation_pct` is a fraction of the fair price: market 90, fair 100 gives -0.1. The price at the model's horizon lies between
    `lower` and `upper` with 90% probability. `as_of` is when the model server gave this answer.
    """

    card_id: str
    date: str
    market_price: float | None
    fair_price: float | None
    deviation_pct: float | None
    signal: Signal
    lower: float | None
    upper: float | None
    confidence: float | None
    reason: str
    status: str
    as_of: str
    model_version: str
    data_version: str


class FairPriceAnswer(FairPrice, frozen=True):
    """`stale` tells that this is an earlier answer, given because the model server is down."""

    stale: bool
    request_id: str


class SignalAnswer(msgspec.Struct, frozen=True):
    """`confidence` is null: a price with no interval has no probability."""

    signal: Signal
    deviation_pct: float | None
    confidence: float | None
    reason: str


class Alive(msgspec.Struct, frozen=True):
    status: Literal["alive"] = "alive"


class Ready(msgspec.Struct, frozen=True):
    """What is served, and how many days ago its newest market day was."""

    model_version: str
    data_version: str
    run_id: str
    model: str
    cards: int
    first_day: str
    last_day: str
    data_age_days: int
    status: Literal["ready"] = "ready"
