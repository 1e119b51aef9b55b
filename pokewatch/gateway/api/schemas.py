"""What callers send and get: the types that requests are checked against and the OpenAPI document is made from."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pokewatch.contract import (
    CARD_ID_PATTERN,
    DECISION,
    DEFAULT_CARDS_LIMIT,
    DEFAULT_MOVERS_LIMIT,
    FAIR_PRICE,
    MAX_BATCH_ROWS,
    MAX_BUY_THRESHOLD,
    MAX_PAGE_SIZE,
    MAX_SELL_THRESHOLD,
    MAX_TEXT_LENGTH,
    MIN_BUY_THRESHOLD,
    MIN_SELL_THRESHOLD,
    MoversPrice,
    Signal,
)
from pokewatch.gateway.http.problems import Problem

POKEWATCH = "pokewatch"  # the V2 model that combines the other two
MODELS = (POKEWATCH, FAIR_PRICE, DECISION)

CardId = Annotated[
    str,
    Meta(
        pattern=rf"\A{CARD_ID_PATTERN}\Z",
        description="Id or slug of a card.",
        examples=["charizard_ex_199"],
    ),
]
Day = Annotated[
    str,
    Meta(
        description="Market day (UTC), ISO 8601.",
        examples=["2026-11-20"],
        extra_json_schema={"format": "date"},
    ),
]
Price = Annotated[
    float,
    Meta(
        ge=0.001,
        le=10_000_000,
        description="A price, in the currency of the data.",
        examples=[90.0],
    ),
]
BuyThreshold = Annotated[
    float,
    Meta(
        gt=MIN_BUY_THRESHOLD,
        le=MAX_BUY_THRESHOLD,
        description="BUY at or below this fraction of the fair price.",
        examples=[-0.1],
    ),
]
SellThreshold = Annotated[
    float,
    Meta(
        ge=MIN_SELL_THRESHOLD,
        le=MAX_SELL_THRESHOLD,
        description="SELL at or above this fraction of the fair price.",
        examples=[0.15],
    ),
]
Text = Annotated[str, Meta(max_length=MAX_TEXT_LENGTH)]
Limit = Annotated[int, Meta(ge=1, le=MAX_PAGE_SIZE)]


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


class FairPriceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A card; the day to value it on (the latest if absent); a price offered, to be judged instead of the market's."""

    card_id: CardId
    date: Day | UnsetType = UNSET
    market_price: Price | UnsetType = UNSET


class FairPrice(msgspec.Struct, frozen=True, gc=False):
    """What a card is worth and what to do about it.

    `deviation_pct` is a fraction of the fair price: market 90, fair 100 gives -0.1. A card without a market price that day has
    its fair price and interval all the same: `market_price`, `deviation_pct` and `confidence` are null, and the signal is HOLD
    with the reason `no_market_price`, unless a price is offered, which is judged. The price at the model's horizon lies between
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


class FairPriceAnswer(FairPrice, frozen=True, gc=False):
    """`stale` tells that this is an earlier answer, given because the model server is down."""

    stale: bool
    request_id: str


class BatchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each card is a FairPriceRequest. One that is not gets a problem of its own, and the others their answers."""

    cards: Annotated[list[msgspec.Raw], Meta(max_length=MAX_BATCH_ROWS)]


class BatchProblem(msgspec.Struct, frozen=True):
    """Why one card of a batch has no answer."""

    problem: Problem


class BatchAnswer(msgspec.Struct, frozen=True):
    """One prediction or problem for each card, in the order asked."""

    predictions: Annotated[
        list[Any],
        Meta(extra_json_schema={"items": {"anyOf": [_ref("FairPrice"), _ref("BatchProblem")]}}),
    ]
    request_id: str


class SignalRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A price to judge against a fair price, by the server's thresholds or the caller's."""

    market_price: Price
    fair_price: Price
    buy_threshold_pct: BuyThreshold | UnsetType = UNSET
    sell_threshold_pct: SellThreshold | UnsetType = UNSET


class SignalAnswer(msgspec.Struct, frozen=True):
    """`confidence` is null: a price with no interval has no probability."""

    signal: Signal
    deviation_pct: float | None
    confidence: float | None
    reason: str


class Card(msgspec.Struct, frozen=True):
    """A card and its latest prices."""

    card_id: str
    slug: str
    name: str
    set_id: str
    set_name: str
    number: str | None
    rarity: str | None
    printing: str | None
    released: str | None
    image_url: str | None
    market_price: float | None
    low_price: float | None
    fair_price: float | None
    lower: float | None
    upper: float | None
    status: str
    date: str


class CardAnswer(Card, frozen=True):
    model_version: str
    data_version: str
    stale: bool = False


class CardPage(msgspec.Struct, frozen=True):
    """`next` is the cursor of the page after, null on the last."""

    cards: list[Card]
    next: str | None
    model_version: str
    data_version: str
    stale: bool = False


class History(msgspec.Struct, frozen=True):
    """One card's days as columns of equal length."""

    card_id: str
    slug: str
    dates: list[str]
    market_price: list[float | None]
    low_price: list[float | None]
    fair_price: list[float | None]
    lower: list[float | None]
    upper: list[float | None]
    status: list[str]
    model_version: str
    data_version: str
    stale: bool = False


class Mover(Card, frozen=True):
    signal: Signal
    deviation_pct: float
    confidence: float | None
    reason: str


class Movers(msgspec.Struct, frozen=True):
    """The strongest signals of the latest day, strongest first. `price` is what was judged: a low ask may be of any condition."""

    date: str
    price: MoversPrice
    buy: list[Mover]
    sell: list[Mover]
    model_version: str
    data_version: str
    stale: bool = False


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class CardsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    q: Annotated[
        Text, Meta(description="Words of the card's name, number or set.", examples=["charizard"])
    ] = ""
    set: Annotated[Text, Meta(description="Id or name of a set.")] | UnsetType = UNSET
    rarity: Text | UnsetType = UNSET
    limit: Annotated[Limit, Meta(description="Maximum number of cards per page.")] = (
        DEFAULT_CARDS_LIMIT
    )
    cursor: (
        Annotated[Text, Meta(description="`next` of the page before, with the same search.")]
        | UnsetType
    ) = UNSET


class HistoryQuery(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    start: Day | UnsetType = UNSET
    end: Day | UnsetType = UNSET


class MoversQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    price: Annotated[
        MoversPrice,
        Meta(description="Which price to judge: the market's, or the lowest ask."),
    ] = "market"
    limit: Annotated[Limit, Meta(description="Maximum number of cards for each signal.")] = (
        DEFAULT_MOVERS_LIMIT
    )
    buy_threshold_pct: BuyThreshold | UnsetType = UNSET
    sell_threshold_pct: SellThreshold | UnsetType = UNSET


class Alive(msgspec.Struct, frozen=True):
    status: Literal["alive"]


class Ready(msgspec.Struct, frozen=True):
    """What is served, and how many days ago its newest market day was.

    `source` tells simulated prices from real ones.

    `keys` is `stale` while the key store cannot be read and the keys last read are used.
    """

    status: Literal["ready"]
    model_version: str
    data_version: str
    run_id: str
    model: str
    horizon: int
    source: str
    currency: str
    cards: int
    first_day: str
    last_day: str
    data_age_days: int
    keys: Literal["current", "stale"]


class TensorMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, Any] | None = None


class ModelMetadata(msgspec.Struct, frozen=True):
    name: str
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    versions: list[str] = []


class ModelReady(msgspec.Struct, frozen=True):
    name: str
    ready: bool


class ServerMetadata(msgspec.Struct, frozen=True):
    name: str
    version: str
    extensions: list[str]


class ServerState(msgspec.Struct, frozen=True, omit_defaults=True):
    live: bool | None = None
    ready: bool | None = None
