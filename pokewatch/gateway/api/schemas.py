"""Requests and answers of the API: they validate requests and define the OpenAPI schemas."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pokewatch.contract import (
    DECISION,
    FAIR_PRICE,
    MARKET_PATTERN,
    MAX_BATCH_ROWS,
    MoversPrice,
    Signal,
    Status,
)
from pokewatch.gateway.api.fields import (
    BuyBelow,
    BuyThreshold,
    CardId,
    ChanceToEarn,
    Confidence,
    CopyCondition,
    Currency,
    DataVersion,
    Day,
    Deviation,
    Fair,
    FeeName,
    Lower,
    Market,
    MarketOfCard,
    ModelVersion,
    Price,
    PriceStatus,
    RequestId,
    SellAbove,
    SellThreshold,
    SignalReason,
    Stale,
    Unavailable,
    Upper,
    WhyNoAdvice,
)
from pokewatch.gateway.api.forecast import Forecast
from pokewatch.gateway.http.problems import Problem

POKEWATCH = "pokewatch"  # the V2 model that combines that of a market and `decision`
MODEL_PATTERN = f"^({POKEWATCH}|{DECISION}|{FAIR_PRICE}(-{MARKET_PATTERN})?)$"


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


class FairPriceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A card to value, on the latest day unless `date` is given.

    `market_price` is an offer to judge instead of the market price, for a copy in `condition`.
    """

    card_id: CardId
    date: Annotated[Day, Meta(description="The market day (UTC).")] | UnsetType = UNSET
    market_price: (
        Annotated[Price, Meta(description="A price offered to you, to be judged.")] | UnsetType
    ) = UNSET
    condition: CopyCondition | UnsetType = UNSET
    fees: FeeName | UnsetType = UNSET
    market: MarketOfCard | UnsetType = UNSET


class FairPrice(msgspec.Struct, frozen=True, gc=False):
    """The fair price of a card with its 90% interval, and the signal for its market price.

    A card without a market price that day still has a fair price and an interval, but
    `market_price`, `deviation_pct`, `confidence` and the advice in money are null and the signal is
    HOLD with the reason `no_market_price`, unless the request offers a price.
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
    reason: SignalReason
    status: PriceStatus
    buy_below: BuyBelow
    sell_above: SellAbove
    chance_to_earn: ChanceToEarn
    advice: WhyNoAdvice
    market: Market
    currency: Currency
    as_of: Annotated[str, Meta(description="When the model server computed the answer (UTC).")]
    model_version: ModelVersion
    data_version: DataVersion


class FairPriceAnswer(FairPrice, frozen=True, gc=False):
    """The fair price of one card."""

    stale: Stale
    request_id: RequestId


class BatchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cards to value, each a FairPriceRequest. An invalid one does not affect the others."""

    cards: Annotated[
        list[Annotated[msgspec.Raw, Meta(extra_json_schema=_ref("FairPriceRequest"))]],
        Meta(max_length=MAX_BATCH_ROWS),
    ]


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
    lower: (
        Annotated[Price, Meta(description="The lower end of the 90% interval, with `upper`.")]
        | UnsetType
    ) = UNSET
    upper: (
        Annotated[Price, Meta(description="The upper end of the 90% interval, with `lower`.")]
        | UnsetType
    ) = UNSET
    buy_threshold_pct: BuyThreshold | UnsetType = UNSET
    sell_threshold_pct: SellThreshold | UnsetType = UNSET
    fees: FeeName | UnsetType = UNSET


class SignalAnswer(msgspec.Struct, frozen=True):
    """The signal of a price. Without an interval `confidence` and the advice are null."""

    signal: Signal
    deviation_pct: Deviation
    confidence: Confidence
    reason: SignalReason
    buy_below: BuyBelow
    sell_above: SellAbove
    chance_to_earn: ChanceToEarn
    advice: WhyNoAdvice
    currency: Currency


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
    game: str | None
    kind: Literal["single", "sealed", "other"] | None
    language: str | None
    set_code: Annotated[str | None, Meta(description="The abbreviation of the set.")]
    market_price: Annotated[float | None, Meta(description="The market price of the day.")]
    low_price: Annotated[float | None, Meta(description="The lowest ask, in any condition.")]
    fair_price: Fair
    lower: Lower
    upper: Upper
    status: PriceStatus
    date: Annotated[str, Meta(description="The market day of the prices.")]


class CardAnswer(Card, frozen=True):
    """A card, its latest prices and its forecasts, with the versions they come from."""

    forecasts: Annotated[
        list[Forecast],
        Meta(description="The forecasts by ascending horizon; one is that of `fair_price`."),
    ]
    market: Market
    model_version: ModelVersion
    data_version: DataVersion
    currency: Currency
    stale: Stale = False


class CardPage(msgspec.Struct, frozen=True):
    """A page of a card search."""

    cards: list[Card]
    next: Annotated[
        str | None, Meta(description="The `cursor` of the next page; null on the last page.")
    ]
    market: Market
    model_version: ModelVersion
    data_version: DataVersion
    currency: Currency
    unavailable: Unavailable = []
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
    status: list[Status]
    market: Market
    model_version: ModelVersion
    data_version: DataVersion
    currency: Currency
    stale: Stale = False


class Mover(Card, frozen=True):
    """A card, its latest prices, and the signal and advice for the price judged."""

    signal: Signal
    deviation_pct: Annotated[
        float,
        Meta(
            description="A fraction, not a percentage: (price - fair_price) / fair_price, for the "
            "price that `price` names."
        ),
    ]
    confidence: Confidence
    reason: SignalReason
    buy_below: BuyBelow
    sell_above: SellAbove
    chance_to_earn: ChanceToEarn
    advice: WhyNoAdvice
    market: Market = ""
    currency: Currency = ""


class MoversOfMarket(msgspec.Struct, frozen=True):
    """A market whose cards were compared, and the versions that its rows come from."""

    market: Market
    currency: Currency
    date: str
    model_version: ModelVersion
    data_version: DataVersion


class Movers(msgspec.Struct, frozen=True):
    """The strongest signals of the latest day, strongest first.

    Where rows are of several markets, those members that are of one are null: each row has its own.
    """

    date: Annotated[str, Meta(description="The market day of the prices, the newest of several.")]
    price: Annotated[
        MoversPrice,
        Meta(description="The price judged. A lowest ask (`low`) may be for any condition."),
    ]
    buy: list[Mover]
    sell: list[Mover]
    market: Market | None
    model_version: ModelVersion | None
    data_version: DataVersion | None
    currency: Currency | None
    markets: list[MoversOfMarket] = []
    unavailable: Unavailable = []
    stale: Stale = False


class Alive(msgspec.Struct, frozen=True):
    """The process is running."""

    status: Literal["alive"]
