"""Answers about whole markets: sets, the index and price changes."""

from typing import Annotated

import msgspec
from msgspec import Meta

from pokewatch.contract import ChangeDays, ChangesSort
from pokewatch.gateway.api.card_schemas import Card
from pokewatch.gateway.api.fields import Currency, DataVersion, Market, ModelVersion, Stale


class CardList(msgspec.Struct, frozen=True):
    """Cards and their latest prices."""

    cards: list[Card]
    market: Market
    currency: Currency
    model_version: ModelVersion
    data_version: DataVersion
    stale: Stale = False


class CardSet(msgspec.Struct, frozen=True):
    """A set and the total of its cards' market prices."""

    set_id: str
    set_name: str
    released: Annotated[str | None, Meta(description="The day the set was released.")]
    cards: Annotated[int, Meta(description="The number of cards, each printing counted.")]
    priced: Annotated[int, Meta(description="The cards with a market price on the latest day.")]
    total: Annotated[
        float | None, Meta(description="The sum of these prices: the cost of one copy of each.")
    ]


class CardSets(msgspec.Struct, frozen=True):
    """All sets, the newest first."""

    date: Annotated[str, Meta(description="The market day of the prices.")]
    sets: list[CardSet]
    market: Market
    currency: Currency
    model_version: ModelVersion
    data_version: DataVersion
    stale: Stale = False


Index = Annotated[
    list[float],
    Meta(
        description="The price index by day, 100 on the first: the mean return of the cards, "
        "weighted by their price, from each day with prices to the next, with the returns of "
        "single cards limited to 20%."
    ),
]


class CardSetAnswer(CardSet, frozen=True):
    """A set with its index and its most expensive cards."""

    date: Annotated[str, Meta(description="The market day of the prices.")]
    dates: list[str]
    index: Index
    top: Annotated[list[Card], Meta(description="Up to 50 cards, the most expensive first.")]
    market: Market
    currency: Currency
    model_version: ModelVersion
    data_version: DataVersion
    stale: Stale = False


class MarketIndex(msgspec.Struct, frozen=True):
    """The price index of all cards by day."""

    source: Annotated[str, Meta(description="The price source; `simulated` is not a real market.")]
    cards: int
    dates: list[str]
    index: Index
    market: Market
    currency: Currency
    model_version: ModelVersion
    data_version: DataVersion
    stale: Stale = False


class ChangedCard(Card, frozen=True):
    """A card whose market price changed."""

    price_before: Annotated[float, Meta(description="The market price on the earlier day.")]
    change_pct: Annotated[
        float, Meta(description="The change as a fraction: 0.1 is a rise by a tenth.")
    ]
    alone: Annotated[
        bool,
        Meta(description="Other printings of the card are quoted, and none moved by over 5%."),
    ]


class PriceChanges(msgspec.Struct, frozen=True):
    """The cards whose market price rose and fell most, in the order of `sort`."""

    date: str
    since: Annotated[
        str | None,
        Meta(description="The last day with prices, `days` or more earlier; null without one."),
    ]
    days: ChangeDays
    min_price: Annotated[
        float, Meta(description="Cards cheaper than this on both days are left out.")
    ]
    sort: ChangesSort
    up: list[ChangedCard]
    down: list[ChangedCard]
    market: Market
    currency: Currency
    model_version: ModelVersion
    data_version: DataVersion
    stale: Stale = False
