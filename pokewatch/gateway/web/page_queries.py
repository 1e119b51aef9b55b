"""Query strings of the pages. Parameters that a page does not have are ignored, as links add them.

A field of a form that was left blank is an empty text.
"""

from typing import Annotated, Literal
from urllib.parse import parse_qs

import msgspec
from msgspec import UNSET, Meta

from pokewatch.contract import (
    MAX_NAME_LENGTH,
    MAX_PRICE,
    MAX_TEXT_LENGTH,
    MIN_PRICE,
    ChangesSort,
    Condition,
    Fees,
)
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.queries import MAX_FIELDS
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import invalid
from pokewatch.money import Price, typed_price

Range = Literal["1m", "3m", "1y", "all"]

MAX_PAGE = 40  # of 25 cards: the API lists up to 1,000

_Text = Annotated[str, Meta(max_length=MAX_TEXT_LENGTH)]
_Name = Annotated[str, Meta(max_length=MAX_NAME_LENGTH)]


class PageQuery(msgspec.Struct, frozen=True):
    """A page of a market; "" is that of its card, or the first one."""

    market: Annotated[str, Meta(max_length=60)] = ""


class CardPageQuery(PageQuery, frozen=True):
    """The range of the chart, and a price to judge as the visitor typed it."""

    range: Range = "3m"
    price: Annotated[str, Meta(max_length=40)] = ""
    condition: Literal[Condition, ""] = ""
    fees: Literal[Fees, ""] = ""


class SearchPageQuery(PageQuery, frozen=True):
    """The words searched for, and the page."""

    q: _Text = ""
    set: _Name = ""
    cursor: _Text = ""


class MoversPageQuery(PageQuery, frozen=True):
    """The days to compare over, the cards to compare, and their order."""

    days: Literal[1, 7, 30] = 7
    set: _Name = ""
    rarity: _Name = ""
    min_price: Annotated[str, Meta(max_length=20)] = ""
    sort: ChangesSort = "change"
    page: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 1


def given_parameters(context: RequestContext) -> dict[str, list[str]]:
    """Return the parameters of a request, whatever page it is of; none if there are too many."""
    text = context.scope["query_string"].decode("latin-1")
    try:
        return parse_qs(text, max_num_fields=MAX_FIELDS)
    except ValueError:  # no page has as many
        return {}


def market_of(markets: Markets, query: PageQuery, card_id: str | None) -> MarketBackend:
    """Return the market of a page, which may be about a card. Raise ProblemError."""
    named = query.market or UNSET
    return markets.chosen(named) if card_id is None else markets.of_card(card_id, named)


def price_of(
    text: str,
    pointer: str,
    *,
    currency: str,
    least: float = MIN_PRICE,
    most: float = MAX_PRICE,
) -> float | None:
    """Return a price as people type it (`$3.50`, `3,50 €`), None for a blank field.

    It may name the `currency` of the market, and no other. Raise ProblemError (422).
    """
    if not text.strip():
        return None
    price = price_typed(text, pointer, least, most)
    if currency and price.currency not in (None, currency):
        detail = f"{text[:40]!r} is in {price.currency}, the prices are in {currency}"
        raise invalid(pointer, detail)
    return float(price)


def price_typed(
    text: str, pointer: str, least: float = MIN_PRICE, most: float = MAX_PRICE
) -> Price:
    """Return a price, and the currency that it names. Raise ProblemError (422)."""
    try:
        return typed_price(text, least, most)
    except ValueError as error:
        raise invalid(pointer, str(error)) from None
