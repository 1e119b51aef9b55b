"""Requests and answers about collections."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pokewatch.contract import (
    MAX_COLLECTION_CELL,
    MAX_COLLECTION_LINES,
    MAX_COST,
    Condition,
    Fees,
    Signal,
    Status,
)
from pokewatch.gateway.api.fields import Currency, DataVersion, Market, ModelVersion, RequestId

_Text = Annotated[str, Meta(max_length=MAX_COLLECTION_CELL)]
_Amount = float | None
_DECIMALS = {"quantity": 0, "cost": 9}  # three digits could be thousands, by the mark before them


class LineRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The copies of one card. Name it by `card_id`, by `product_id`, or by name and number."""

    name: _Text = ""
    set: _Text = ""
    number: _Text = ""
    printing: _Text = ""
    language: _Text = ""
    condition: Annotated[_Text, Meta(description="As any app writes it; near mint if empty.")] = ""
    grade: _Text = ""
    product_id: _Text = ""
    card_id: _Text = ""
    quantity: Annotated[
        float,  # in JSON 7.0 is an integer too
        Meta(ge=0, le=1_000_000, multiple_of=1, extra_json_schema={"type": "integer"}),
    ] = 1
    cost: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=MAX_COST,
                description="Paid for each copy, in the currency of the market. 0 is not a cost.",
            ),
        ]
        | UnsetType
    ) = UNSET


class CollectionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The lines of a collection."""

    lines: Annotated[list[LineRequest], Meta(max_length=MAX_COLLECTION_LINES)]
    fees: Annotated[Fees, Meta(description="The marketplace whose fees apply.")] | UnsetType = UNSET


class CardLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A card to find. Name it by `card_id`, by `product_id`, or by name and number."""

    name: _Text = ""
    set: _Text = ""
    number: _Text = ""
    printing: _Text = ""
    language: _Text = ""
    product_id: _Text = ""
    card_id: _Text = ""


class ResolveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cards to find."""

    cards: Annotated[list[CardLine], Meta(max_length=MAX_COLLECTION_LINES)]


class ResolvedCard(msgspec.Struct, frozen=True):
    """The card that was meant, or those that it may be."""

    outcome: Literal["matched", "ambiguous", "unmatched"]
    reason: Annotated[str, Meta(description="How it was matched, or why it was not.")]
    card_id: Annotated[str | None, Meta(description="The id of the card; null unless matched.")]
    card: Annotated[str | None, Meta(description="The slug of the card.")]
    candidates: Annotated[
        list[str], Meta(description="The cards that it may be, or the nearest ones.")
    ]


class ResolvedCards(msgspec.Struct, frozen=True):
    """The cards found, in the order of the request."""

    cards: list[ResolvedCard]
    market: Market
    currency: Currency
    model_version: ModelVersion
    data_version: DataVersion


class ResolveAnswer(ResolvedCards, frozen=True):
    """The cards found, as an answer to a request."""

    request_id: RequestId


class LineWorth(msgspec.Struct, frozen=True):
    """A line, the card it is matched to, and its worth. Prices are per copy in its condition."""

    line: Annotated[int, Meta(description="The line in the file, or the number of the line.")]
    name: str
    quantity: int
    condition: Condition | None
    grade: str | None
    cost: Annotated[_Amount, Meta(description="Paid for each copy; null if it is not known.")]
    cost_currency: Annotated[
        str | None,
        Meta(description="That of `cost`, `?` if it is unknown; null if the file does not say it."),
    ]
    outcome: Literal["matched", "ambiguous", "unmatched"]
    reason: Annotated[str, Meta(description="How it was matched, or why it was not.")]
    card_id: Annotated[str | None, Meta(description="The id of the card; null unless matched.")]
    card: Annotated[str | None, Meta(description="The slug of the card.")]
    card_name: Annotated[str | None, Meta(description="The name of the card in the catalogue.")]
    set_name: str | None
    number: str | None
    printing: str | None
    candidates: Annotated[list[str], Meta(description="The cards that it may be.")]
    market_price: _Amount
    fair_price: _Amount
    lower: _Amount
    upper: _Amount
    status: Status | None
    signal: Signal | None
    market_total: Annotated[_Amount, Meta(description="All copies at the market price.")]
    fair_total: _Amount
    proceeds_now: Annotated[_Amount, Meta(description="After fees, sold at the market price.")]
    gain_of_selling: Annotated[
        _Amount, Meta(description="Proceeds now less those expected at the horizon.")
    ]
    chance_of_fall: Annotated[
        _Amount, Meta(description="The probability of a price at the horizon below today's.")
    ]
    sell_above: _Amount
    cost_total: Annotated[
        _Amount,
        Meta(description="Paid for all copies; null if it is not known or in another currency."),
    ]
    profit: Annotated[_Amount, Meta(description="`proceeds_now` less `cost_total`.")]
    advice: Annotated[
        Literal["sell", "keep", "unsure"] | None,
        Meta(description="`sell` where the market price is at or above `sell_above`."),
    ]
    why_unvalued: Annotated[
        str | None, Meta(description="Why the line is not in the totals; null if it is.")
    ]


class OutcomeCount(msgspec.Struct, frozen=True):
    """The number of lines with an outcome, and of their copies."""

    lines: int
    copies: int


class CollectionTotals(msgspec.Struct, frozen=True):
    """Sums over the valued lines."""

    copies: int
    market: float
    fair: float
    lower: Annotated[
        float | None,
        Meta(
            description="The lower edge of the 90% interval of the total at the horizon, from the "
            "past errors of this very collection; null if the book has too few days."
        ),
    ]
    upper: float | None
    proceeds_now: float
    proceeds_at_horizon: float
    copies_with_cost: Annotated[int, Meta(description="The valued copies whose cost is known.")]
    cost: Annotated[_Amount, Meta(description="Paid for these copies; null if there are none.")]
    profit: Annotated[_Amount, Meta(description="The proceeds now of these copies less `cost`.")]


class RefusedLineAnswer(msgspec.Struct, frozen=True):
    """A line that could not be read."""

    line: int
    text: str
    reason: str


class CollectionWorth(msgspec.Struct, frozen=True):
    """The worth of a collection, by line and in all."""

    app: Annotated[str | None, Meta(description="The app that wrote the file, if it is known.")]
    date: str
    market: Market
    currency: Currency
    source: str
    horizon: int
    fees: str
    condition_factors: Annotated[
        dict[str, float],
        Meta(description="Assumed prices of conditions as fractions of a near mint copy's."),
    ]
    counts: dict[str, OutcomeCount]
    totals: CollectionTotals
    lines: list[LineWorth]
    refused: list[RefusedLineAnswer]
    notes: Annotated[
        list[str],
        Meta(description="How the columns of a file were read: those not used, or no copies."),
    ]
    model_version: ModelVersion
    data_version: DataVersion


class CollectionAnswer(CollectionWorth, frozen=True):
    """The worth of a collection, as an answer to a request."""

    request_id: RequestId


def field_texts(line: LineRequest | CardLine) -> dict[str, str]:
    """Return a line's fields as the model server takes them: texts, without empty ones."""
    fields: dict[str, Any] = msgspec.structs.asdict(line)
    return {
        name: value if isinstance(value, str) else f"{value:.{_DECIMALS[name]}f}"
        for name, value in fields.items()
        if value != "" and value is not UNSET
    }
