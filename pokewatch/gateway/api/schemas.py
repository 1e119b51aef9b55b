"""Requests and answers of the API: they validate requests and define the OpenAPI schemas."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pokewatch.contract import (
    CARD_ID_PATTERN,
    DECISION,
    FAIR_PRICE,
    MAX_BATCH_ROWS,
    MAX_BUY_THRESHOLD,
    MAX_SELL_THRESHOLD,
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
        description="The id or slug of a card.",
        examples=["charizard_ex_199"],
    ),
]
Day = Annotated[
    str,
    Meta(
        description="A market day (UTC) as YYYY-MM-DD.",
        examples=["2026-11-20"],
        extra_json_schema={"format": "date"},
    ),
]
Price = Annotated[
    float,
    Meta(
        ge=0.001,
        le=10_000_000,
        description="A price in the currency of the data (see `/ready`).",
        examples=[90.0],
    ),
]
BuyThreshold = Annotated[
    float,
    Meta(
        gt=MIN_BUY_THRESHOLD,
        le=MAX_BUY_THRESHOLD,
        description="BUY at or below this deviation, as a fraction of the fair price.",
        examples=[-0.1],
    ),
]
SellThreshold = Annotated[
    float,
    Meta(
        ge=MIN_SELL_THRESHOLD,
        le=MAX_SELL_THRESHOLD,
        description="SELL at or above this deviation, as a fraction of the fair price.",
        examples=[0.15],
    ),
]

Fair = Annotated[
    float | None,
    Meta(description="The median of the price at the model's horizon; null if unknown."),
]
Lower = Annotated[float | None, Meta(description="The lower bound of the 90% interval.")]
Upper = Annotated[float | None, Meta(description="The upper bound of the 90% interval.")]
Deviation = Annotated[
    float | None,
    Meta(description="(market_price - fair_price) / fair_price: -0.1 is 10% below the fair price."),
]
Confidence = Annotated[
    float | None,
    Meta(description="The probability, from the interval, that the signal is right."),
]
Reason = Annotated[str, Meta(description="The rule, missing value or status behind the signal.")]
Status = Annotated[
    str,
    Meta(description="`ok`, or why not to rely on the fair price, such as `stale_price`."),
]
ModelVersion = Annotated[str, Meta(description="The version of the registered model.")]
DataVersion = Annotated[str, Meta(description="The hash of the data behind the answer.")]
Stale = Annotated[
    bool,
    Meta(description="True for an earlier answer, sent because the model server is down."),
]
RequestId = Annotated[
    str, Meta(description="The id of the request: your `X-Request-Id`, or a generated one.")
]


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


class FairPriceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A card to value, on the latest day unless `date` is given.

    `market_price` is an offer to judge instead of the market price.
    """

    card_id: CardId
    date: Annotated[Day, Meta(description="The market day (UTC).")] | UnsetType = UNSET
    market_price: (
        Annotated[Price, Meta(description="A price offered to you, to be judged.")] | UnsetType
    ) = UNSET


class FairPrice(msgspec.Struct, frozen=True, gc=False):
    """The fair price of a card with its 90% interval, and the signal for its market price.

    A card without a market price that day still has a fair price and an interval, but
    `market_price`, `deviation_pct` and `confidence` are null and the signal is HOLD with the
    reason `no_market_price`, unless the request offers a price.
    """

    card_id: Annotated[str, Meta(description="The id of the card.")]
    date: Annotated[str, Meta(description="The market day of the prices.")]
    market_price: Annotated[
        float | None, Meta(description="The price judged: the offer, or the market price.")
    ]
    fair_price: Fair
    deviation_pct: Deviation
    signal: Signal
    lower: Lower
    upper: Upper
    confidence: Confidence
    reason: Reason
    status: Status
    as_of: Annotated[str, Meta(description="When the model server computed the answer (UTC).")]
    model_version: ModelVersion
    data_version: DataVersion


class FairPriceAnswer(FairPrice, frozen=True, gc=False):
    """The fair price of one card."""

    stale: Stale
    request_id: RequestId


class BatchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cards to value, each a FairPriceRequest. An invalid one does not affect the others."""

    cards: Annotated[list[msgspec.Raw], Meta(max_length=MAX_BATCH_ROWS)]


class BatchProblem(msgspec.Struct, frozen=True):
    """The reason why one card of a batch has no fair price."""

    problem: Problem


class BatchAnswer(msgspec.Struct, frozen=True):
    """A fair price or a problem for each card, in the order of the request."""

    predictions: Annotated[
        list[Any],
        Meta(extra_json_schema={"items": {"anyOf": [_ref("FairPrice"), _ref("BatchProblem")]}}),
    ]
    request_id: RequestId


class SignalRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A price to judge against a fair price. Thresholds default to the server's."""

    market_price: Annotated[Price, Meta(description="The price to judge.")]
    fair_price: Annotated[Price, Meta(description="The fair price to judge it against.")]
    buy_threshold_pct: BuyThreshold | UnsetType = UNSET
    sell_threshold_pct: SellThreshold | UnsetType = UNSET


class SignalAnswer(msgspec.Struct, frozen=True):
    """The signal of a price. `confidence` is null, since there is no interval."""

    signal: Signal
    deviation_pct: Deviation
    confidence: Confidence
    reason: Reason


class Card(msgspec.Struct, frozen=True):
    """A card and its latest prices."""

    card_id: str
    slug: Annotated[str, Meta(description="A readable name, accepted wherever an id is.")]
    name: str
    set_id: str
    set_name: str
    number: str | None
    rarity: str | None
    printing: str | None
    released: Annotated[str | None, Meta(description="The day the card's set was released.")]
    image_url: str | None
    market_price: Annotated[float | None, Meta(description="The market price of the day.")]
    low_price: Annotated[float | None, Meta(description="The lowest ask, in any condition.")]
    fair_price: Fair
    lower: Lower
    upper: Upper
    status: Status
    date: Annotated[str, Meta(description="The market day of the prices.")]


class CardAnswer(Card, frozen=True):
    """A card and its latest prices, with the versions they come from."""

    model_version: ModelVersion
    data_version: DataVersion
    stale: Stale = False


class CardPage(msgspec.Struct, frozen=True):
    """A page of a card search."""

    cards: list[Card]
    next: Annotated[
        str | None, Meta(description="The `cursor` of the next page; null on the last page.")
    ]
    model_version: ModelVersion
    data_version: DataVersion
    stale: Stale = False


class History(msgspec.Struct, frozen=True):
    """The daily prices of a card, as columns of equal length."""

    card_id: str
    slug: str
    dates: list[str]
    market_price: list[float | None]
    low_price: list[float | None]
    fair_price: list[float | None]
    lower: list[float | None]
    upper: list[float | None]
    status: list[str]
    model_version: ModelVersion
    data_version: DataVersion
    stale: Stale = False


class Mover(Card, frozen=True):
    """A card, its latest prices and its signal."""

    signal: Signal
    deviation_pct: Annotated[float, Meta(description="(price - fair_price) / fair_price.")]
    confidence: Confidence
    reason: Reason


class Movers(msgspec.Struct, frozen=True):
    """The strongest signals of the latest day, strongest first."""

    date: str
    price: Annotated[
        MoversPrice,
        Meta(description="The price judged. A lowest ask (`low`) may be for any condition."),
    ]
    buy: list[Mover]
    sell: list[Mover]
    model_version: ModelVersion
    data_version: DataVersion
    stale: Stale = False


class Alive(msgspec.Struct, frozen=True):
    """The process is running."""

    status: Literal["alive"]


class Ready(msgspec.Struct, frozen=True):
    """The model and data being served."""

    status: Literal["ready"]
    model_version: ModelVersion
    data_version: DataVersion
    run_id: Annotated[str, Meta(description="The MLflow run that trained the model.")]
    model: str
    horizon: Annotated[int, Meta(description="The forecast horizon in days.")]
    source: Annotated[str, Meta(description="The price source; `simulated` is not a real market.")]
    currency: str
    cards: Annotated[int, Meta(description="The number of cards.")]
    first_day: str
    last_day: str
    not_evaluated: Annotated[
        str | None, Meta(description="Why the model was not evaluated; null if it was.")
    ]
    data_age_days: Annotated[int, Meta(description="The days since `last_day`.")]
    keys: Annotated[
        Literal["current", "stale"],
        Meta(description="`stale` while the key store is unreadable and cached keys are used."),
    ]
