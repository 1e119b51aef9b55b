"""Query strings, parsed into typed models."""

from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pokewatch.contract import (
    DEFAULT_CARDS_LIMIT,
    DEFAULT_MIN_PRICE,
    DEFAULT_MOVERS_LIMIT,
    DEFAULT_SUGGESTIONS,
    HISTORY_PATTERN,
    MAX_MIN_PRICE,
    MAX_NAME_LENGTH,
    MAX_PAGE_SIZE,
    MAX_SUGGESTIONS,
    MAX_TEXT_LENGTH,
    MONTH_PATTERN,
    ChangeDays,
    ChangesSort,
    Fees,
    MoversPrice,
    parse_iso_day,
)
from pokewatch.gateway.api.examples import EXAMPLE, MISSPELT
from pokewatch.gateway.api.fields import (
    BuyThreshold,
    Day,
    MarketOfCard,
    MarketOrAll,
    MarketOrFirst,
    SellThreshold,
)
from pokewatch.gateway.http.faults import located
from pokewatch.gateway.http.problems import ProblemError, invalid

Query = TypeVar("Query")

MAX_FIELDS = 20
Month = Annotated[
    str,
    Meta(
        pattern=rf"\A{MONTH_PATTERN}\Z",
        description="The month in which the forecasts were issued, as YYYY-MM.",
        examples=["2026-11"],
    ),
]
_Limit = Meta(ge=1, le=MAX_PAGE_SIZE)
_MinPrice = Meta(ge=0, le=MAX_MIN_PRICE)
_Text = Meta(max_length=MAX_TEXT_LENGTH)
_Name = Meta(max_length=MAX_NAME_LENGTH)
_SetName = Annotated[
    str, _Name, Meta(description="The id or name of a set.", examples=[EXAMPLE.set_id])
]
_Rarity = Annotated[str, _Name, Meta(description="A rarity.", examples=[EXAMPLE.rarity])]


class NoQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operation without query parameters."""


class CardMarketQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The market of a card."""

    market: MarketOfCard | UnsetType = UNSET


class MarketQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A market."""

    market: MarketOrFirst | UnsetType = UNSET


class CardsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A card search."""

    q: Annotated[
        str,
        _Text,
        Meta(description="Words of the card's name, number or set.", examples=[EXAMPLE.name]),
    ] = ""
    set: _SetName | UnsetType = UNSET
    rarity: _Rarity | UnsetType = UNSET
    limit: Annotated[int, _Limit, Meta(description="The maximum number of cards per page.")] = (
        DEFAULT_CARDS_LIMIT
    )
    cursor: (
        Annotated[
            str, _Text, Meta(description="`next` of the previous page, with the same search.")
        ]
        | UnsetType
    ) = UNSET
    market: MarketOrAll | UnsetType = UNSET


class HistoryQuery(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}
):
    """The first and last day of a history, both inclusive."""

    start: Annotated[Day, Meta(description="The first market day (UTC).")] | UnsetType = UNSET
    end: Annotated[Day, Meta(description="The last market day (UTC).")] | UnsetType = UNSET
    market: MarketOfCard | UnsetType = UNSET


class MoversQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The price to judge, and the thresholds to judge it by."""

    price: Annotated[
        MoversPrice,
        Meta(
            description="The price to judge: the market price (`market`) or the lowest ask (`low`)."
        ),
    ] = "market"
    min_price: Annotated[
        float,
        _MinPrice,
        Meta(description="Cards are left out if their price and fair price are lower than this."),
    ] = 0.0
    limit: Annotated[int, _Limit, Meta(description="The maximum number of cards per signal.")] = (
        DEFAULT_MOVERS_LIMIT
    )
    buy_threshold_pct: BuyThreshold | UnsetType = UNSET
    sell_threshold_pct: SellThreshold | UnsetType = UNSET
    market: MarketOrAll | UnsetType = UNSET


class ExportQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The days of an export."""

    history: (
        Annotated[
            str,
            Meta(
                pattern=rf"\A{HISTORY_PATTERN}\Z",
                description="The first and the last day, as FROM..TO; a side left out is open. "
                "Default: the latest day.",
                examples=["2026-01-01..2026-01-31"],
            ),
        ]
        | UnsetType
    ) = UNSET
    market: MarketOrFirst | UnsetType = UNSET


class FeesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fees that apply."""

    fees: Annotated[Fees, Meta(description="The marketplace whose fees apply.")] | UnsetType = UNSET
    market: MarketOrFirst | UnsetType = UNSET


class SuggestionsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The text that a user has typed so far, or a pasted address of a listing."""

    q: Annotated[
        str,
        _Text,
        Meta(
            description="Words of a name, set or number, a product id, or a listing's address.",
            examples=[MISSPELT],
        ),
    ]
    limit: Annotated[
        int, Meta(ge=1, le=MAX_SUGGESTIONS, description="The maximum number of cards.")
    ] = DEFAULT_SUGGESTIONS
    market: MarketOrFirst | UnsetType = UNSET


class ChangesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The number of days to compare over, and the cards to compare."""

    days: Annotated[
        ChangeDays,
        Meta(
            description="The number of days between the two prices; more where the earlier day "
            "has no prices."
        ),
    ] = 7
    set: _SetName | UnsetType = UNSET
    rarity: _Rarity | UnsetType = UNSET
    min_price: Annotated[
        float,
        _MinPrice,
        Meta(description="Cards cheaper than this on both days are left out."),
    ] = DEFAULT_MIN_PRICE
    sort: Annotated[
        ChangesSort,
        Meta(
            description="What the cards are sorted by, the largest first: the change as a "
            "fraction (`change`) or in money (`amount`), or the latest price (`price`)."
        ),
    ] = "change"
    limit: Annotated[int, _Limit, Meta(description="The maximum number of cards each way.")] = (
        DEFAULT_MOVERS_LIMIT
    )
    format: (
        Annotated[
            Literal["json", "csv"],
            Meta(description="The format of the answer; by default that of the `Accept` header."),
        ]
        | UnsetType
    ) = UNSET
    market: MarketOrFirst | UnsetType = UNSET


class MonthQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The month whose forecasts are wanted; all months without it."""

    month: Month | UnsetType = UNSET
    market: MarketOrFirst | UnsetType = UNSET


class RequiredMonthQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The month whose forecasts are wanted."""

    month: Month
    market: MarketOrFirst | UnsetType = UNSET


def parse_query(model: type[Query], text: bytes) -> Query:
    """Return the query string as a model. Raise ProblemError (422) with the pointer `?name`."""
    values: dict[str, str] = {}
    try:
        fields = parse_qsl(
            text.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise _unreadable(text) from None
    for name, value in fields:
        if name in values:
            raise invalid(f"?{name[:80]}", "repeated parameter, expected it once")
        values[name] = value
    try:
        found = msgspec.convert(values, model, strict=False)
    except msgspec.ValidationError as error:
        raise _fault(str(error), model, values) from None
    for name, given in values.items():  # msgspec reads 1e3 and 7.0 as integers, but not as choices
        number = getattr(found, name, None)
        if isinstance(number, int) and str(number) != given:
            raise invalid(f"?{name}", f"must be an integer in digits, not {given[:40]!r}")
    return found


def _unreadable(text: bytes) -> ProblemError:
    """Return the problem of a query that has too many parameters, or is not UTF-8."""
    fields = text.split(b"&")
    if len(fields) > MAX_FIELDS:
        return invalid("?", f"must be at most {MAX_FIELDS} parameters, not {len(fields)}")
    for field in fields:
        try:
            unquote_to_bytes(field.decode("ascii")).decode()
        except UnicodeDecodeError:
            given = field.decode(errors="backslashreplace")
            name = given.partition("=")[0]
            return invalid(f"?{name[:80]}", f"must be percent-encoded UTF-8, not {given[:40]!r}")
    return invalid("?", "must be percent-encoded UTF-8")


def _fault(message: str, model: type[Any], values: dict[str, str]) -> ProblemError:
    pointer, detail = located(message, model, values)
    if detail.endswith("not a string"):
        detail = f"{detail.removesuffix('a string')}{values.get(pointer[1:], '')[:40]!r}"
    elif detail == "is not a known field":
        detail = "is not a known parameter"
    return invalid(f"?{pointer[1:]}"[:80], detail)


def require_day(text: str, pointer: str) -> str:
    """Return `text` if it is a day as YYYY-MM-DD. Raise ProblemError (422) otherwise."""
    try:
        parse_iso_day(text)
    except ValueError:
        raise invalid(pointer, f"{text[:40]!r} is not a day like 2026-11-20") from None
    return text
