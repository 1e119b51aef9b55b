"""Requests and answers about watches."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pokewatch.contract import (
    CURRENCY_PATTERN,
    MAX_WATCH_CHANGE,
    MAX_WATCH_DAYS,
    MAX_WEBHOOK_LENGTH,
    MIN_WATCH_CHANGE,
)
from pokewatch.gateway.api.fields import CardId, MarketOfCard, Price, RequestId
from pokewatch.watches.conditions import Condition

_Signal = Literal["BUY", "SELL"]
_Change = Annotated[
    float,
    Meta(
        ge=MIN_WATCH_CHANGE,
        le=MAX_WATCH_CHANGE,
        description="The least rise or fall, as a fraction: 0.1 is 10%.",
        examples=[0.1],
    ),
]
_Days = Annotated[
    float,  # in JSON 7.0 is an integer too
    Meta(
        ge=1,
        le=MAX_WATCH_DAYS,
        multiple_of=1,
        description="The days between the two prices.",
        examples=[7],
        extra_json_schema={"type": "integer"},
    ),
]
_Time = Annotated[str, Meta(description="A time (UTC) in ISO 8601.")]
_MarketDay = Annotated[str | None, Meta(description="A market day (UTC) as YYYY-MM-DD.")]


class PriceBelow(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="below"
):
    """The market price is at or below `price`."""

    price: Price


class PriceAbove(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="above"
):
    """The market price is at or above `price`."""

    price: Price


class SignalIs(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="signal"
):
    """The signal for the market price is `signal`."""

    signal: _Signal


class PriceMoves(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="moves"
):
    """The market price differs by `change` from that of `days` before.

    If that day has no prices, the last day with prices before it counts.
    """

    change: _Change
    days: _Days


WatchCondition = PriceBelow | PriceAbove | SignalIs | PriceMoves


class WatchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A card, and the condition to be notified of."""

    card_id: CardId
    condition: WatchCondition
    currency: (
        Annotated[
            str,
            Meta(
                pattern=rf"\A{CURRENCY_PATTERN}\Z",
                description="The currency of the price. Default: that of the market; another one "
                "is refused.",
                examples=["USD"],
            ),
        ]
        | UnsetType
    ) = UNSET
    webhook: (
        Annotated[
            str,
            Meta(
                min_length=9,
                max_length=MAX_WEBHOOK_LENGTH,
                description="The public https address to post crossings to. Default: the operator "
                "is notified.",
                examples=["https://example.com/pokewatch"],
            ),
        ]
        | UnsetType
    ) = UNSET
    market: MarketOfCard | UnsetType = UNSET

    def canonical(self) -> bytes:
        """Return the request as text that is the same for all forms of it."""
        return msgspec.json.encode(self, order="sorted")


class WatchFields(msgspec.Struct, frozen=True):
    """A watch."""

    id: str
    card_id: CardId
    card: Annotated[str, Meta(description="The slug of the card.")]
    condition: WatchCondition
    market: Annotated[
        str, Meta(description="The id of its market; empty if it is that of the next deploy.")
    ]
    currency: Annotated[str | None, Meta(description="The currency of the condition's price.")]
    webhook: str | None
    state: Annotated[
        Literal["armed", "fired", "disarmed"],
        Meta(
            description="`fired` while the condition holds, `disarmed` while it cannot be judged."
        ),
    ]
    reason: Annotated[
        Literal["unknown_card", "no_market_price", "no_earlier_price", "other_currency"] | None,
        Meta(description="Why it is disarmed."),
    ]
    crossings: Annotated[int, Meta(description="How often the condition has begun to hold.")]
    crossed_on: Annotated[_MarketDay, Meta(description="The market day of the last crossing.")]
    judged_on: Annotated[_MarketDay, Meta(description="The market day that was judged last.")]
    created_at: _Time


class WatchDelivery(msgspec.Struct, frozen=True):
    """A notification of a crossing."""

    id: Annotated[str, Meta(description="The `webhook-id` of the message, in every attempt.")]
    state: Annotated[
        Literal["pending", "sent", "failed"], Meta(description="`failed` after a day of attempts.")
    ]
    attempts: int
    created_at: _Time
    next_attempt_at: Annotated[str | None, Meta(description="Null unless it is pending.")]
    error: Annotated[str | None, Meta(description="Why the last attempt was not accepted.")]


class WatchList(msgspec.Struct, frozen=True):
    """The watches of the key."""

    watches: list[WatchFields]
    request_id: RequestId


class NewWatchAnswer(WatchFields, frozen=True):
    """A watch that was just created."""

    secret: Annotated[
        str | None,
        Meta(description="The secret that signs its webhooks, not shown again; null without one."),
    ]
    request_id: RequestId


class WatchAnswer(WatchFields, frozen=True):
    """A watch with its newest notifications."""

    deliveries: list[WatchDelivery]
    request_id: RequestId


class RemovedWatch(WatchFields, frozen=True):
    """A watch that was just removed."""

    request_id: RequestId


def condition_of(found: WatchCondition) -> Condition:
    """Return the condition of a request."""
    if isinstance(found, PriceMoves):
        return Condition("moves", change=found.change, days=int(found.days))
    return Condition(**msgspec.to_builtins(found))


def condition_fields(condition: Condition) -> WatchCondition:
    """Return the condition of a watch as an answer has it."""
    if condition.signal is not None:
        return SignalIs(condition.signal)
    if condition.change is not None and condition.days is not None:
        return PriceMoves(condition.change, condition.days)
    kind = PriceBelow if condition.type == "below" else PriceAbove
    return kind(condition.price or 0.0)
