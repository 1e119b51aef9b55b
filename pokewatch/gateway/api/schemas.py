"""Requests and answers of the API: they validate requests and define the OpenAPI schemas."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pokewatch.contract import (
    DECISION,
    FAIR_PRICE,
    MARKET_PATTERN,
    MAX_BATCH_ROWS,
    Signal,
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
    MarketName,
    MarketOfCard,
    ModelVersion,
    Price,
    PriceStatus,
    RequestId,
    SellAbove,
    SellThreshold,
    SignalReason,
    Stale,
    Upper,
    WhyNoAdvice,
)
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
    market: (
        Annotated[
            MarketName,
            Meta(
                description="The id of the market whose currency the prices are in. Default: the "
                "first of `GET /markets`."
            ),
        ]
        | UnsetType
    ) = UNSET


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
