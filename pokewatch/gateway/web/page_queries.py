"""Query strings of the pages. Parameters that a page does not have are ignored, as links add them.

A field of a form that was left blank is an empty text.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta

from pokewatch.contract import Condition, Fees
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.http.problems import invalid

Range = Literal["1m", "3m", "1y", "all"]
Sort = Literal["change", "amount", "price"]

LARGEST_PRICE = 1_000_000
MAX_PAGE = 40  # of 25 cards: the API lists up to 1,000

_Name = Annotated[str, Meta(max_length=200)]


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

    q: _Name = ""
    set: _Name = ""
    cursor: _Name = ""


class MoversPageQuery(PageQuery, frozen=True):
    """The days to compare over, the cards to compare, and their order."""

    days: Literal["1", "7", "30"] = "7"
    set: _Name = ""
    rarity: _Name = ""
    min_price: Annotated[str, Meta(max_length=20)] = ""
    sort: Sort = "change"
    page: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 1


def market_of(markets: Markets, query: PageQuery, card_id: str | None) -> MarketBackend:
    """Return the market of a page, which may be about a card. Raise ProblemError."""
    named = query.market or UNSET
    return markets.chosen(named) if card_id is None else markets.of_card(card_id, named)


def price_of(text: str, name: str = "price", *, zero: bool = False) -> float | None:
    """Return a price as people type it (`$3.50`, `3,50 €`), None for a blank field.

    Raise ProblemError (422).
    """
    plain = text.strip().strip("$€£ ").replace(" ", "")
    if not plain:
        return None
    decimal_comma = "," in plain and "." not in plain and len(plain.rpartition(",")[2]) <= 2
    plain = plain.replace(",", "." if decimal_comma else "")
    try:
        price = float(plain) if plain.isascii() else float("nan")
    except ValueError:
        price = float("nan")
    if not (0 < price <= LARGEST_PRICE or (zero and price == 0)):
        raise invalid(f"?{name}", f"{text[:40]!r} is not a price like 12.50")
    return price
