"""Answers about cards: their latest prices, searches, histories and signals."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pokewatch.contract import MoversPrice, Signal, Status
from pokewatch.gateway.api.fields import (
    BuyBelow,
    ChanceToEarn,
    Confidence,
    Currency,
    DataVersion,
    Fair,
    Lower,
    Market,
    ModelVersion,
    PriceStatus,
    SellAbove,
    SignalReason,
    Stale,
    Unavailable,
    Upper,
    WhyNoAdvice,
)
from pokewatch.gateway.api.forecast import Forecast


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


class CardElsewhere(msgspec.Struct, frozen=True):
    """A card of the same product in another market."""

    market: Market
    currency: Currency
    card_id: str
    slug: str
    printing: str | None
    market_price: float | None
    fair_price: Fair
    date: Annotated[str, Meta(description="The market day of the prices.")]


class CardAnswer(Card, frozen=True):
    """A card, its latest prices and its forecasts, with the versions they come from."""

    product_id: Annotated[
        str | None, Meta(description="The id of the product at TCGplayer; null if it is unknown.")
    ]
    forecasts: Annotated[
        list[Forecast],
        Meta(description="The forecasts by ascending horizon; one is that of `fair_price`."),
    ]
    market: Market
    model_version: ModelVersion
    data_version: DataVersion
    currency: Currency
    other_markets: Annotated[
        list[CardElsewhere], Meta(description="The cards of the same product in other markets.")
    ] = []
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
