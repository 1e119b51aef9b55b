"""The tools: read-only questions about cards, answered by the API."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from inspect import cleandoc
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, InputRequiredResult, ToolAnnotations
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pokewatch.contract import MAX_COLLECTION_LINES, MAX_COST, NEAR_MINT, Condition, Fees
from pokewatch.gateway.mcp.api import Api, ApiError, Json
from pokewatch.gateway.mcp.arguments import (
    described_faults,
    in_arguments,
    reject_boolean,
    unknown_arguments,
)
from pokewatch.gateway.mcp.caveats import caveats, context_of_answer

_INSTRUCTIONS = (
    "PokeWatch estimates what trading cards are worth. Find a card with search_cards, then use its "
    "card_id. State the currency and the date of the prices, and the caveats that an answer has."
)
_READ_ONLY = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_CARD_FIELDS = (
    "card_id",
    "slug",
    "name",
    "set_name",
    "number",
    "rarity",
    "printing",
    "market_price",
    "low_price",
    "fair_price",
    "lower",
    "upper",
    "status",
    "signal",
    "deviation_pct",
    "confidence",
    "reason",
    "market",
    "currency",
)

Card = Annotated[str, Field(description="The card_id or slug of a card, from search_cards.")]
Market = Annotated[
    str | None,
    Field(description="The id of a market, from list_markets. Default: that of the card, or all."),
]
OneMarket = Annotated[
    str | None,
    Field(description="The id of a market, from list_markets. Default: the first of them only."),
]
_Number = BeforeValidator(reject_boolean)
Limit = Annotated[int, _Number, Field(ge=1, le=50, description="The maximum number of cards.")]


class CopiesOfCard(BaseModel):
    """The copies of one card. Name it by card_id or product_id, or by name, set and number."""

    model_config = ConfigDict(extra="forbid")

    name: str = ""
    set: str = ""
    number: str = ""
    printing: str = ""
    language: str = ""
    condition: str = ""
    grade: str = ""
    product_id: str = ""
    card_id: str = ""
    quantity: Annotated[int, _Number, Field(ge=0, le=1_000_000)] = 1
    cost: Annotated[
        Annotated[float, _Number, Field(ge=0, le=MAX_COST, allow_inf_nan=False)] | None,
        Field(description="Paid for each copy, in the currency of the market."),
    ] = None


Lines = Annotated[list[CopiesOfCard], Field(min_length=1, max_length=MAX_COLLECTION_LINES)]


class Tools:
    """The tools of a server, each a method. Their docstrings are what a model reads."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def list_markets(self) -> Json:
        """List the markets: games, source, currency, and the newest day of prices.

        A card may be in several markets, with its prices in the currency of each.
        """
        return await self._call("GET", "/markets")

    async def search_cards(
        self,
        query: Annotated[str, Field(description="Words of the name, set or number of a card.")],
        limit: Limit = 10,
        market: Market = None,
    ) -> Json:
        """Find cards by name, set or number, with their latest market and fair prices.

        They are of the first market that has any, unless one is named. Without a card that has all
        the words, those with similar names are returned.
        """
        named = _named(market)
        found = await self._call("GET", "/cards", {"q": query, "limit": limit} | named)
        exact = bool(found["cards"])
        if not exact:
            similar = {"q": query, "limit": min(limit, 20)} | named
            found = await self._call("GET", "/suggestions", similar)
        cards = [_card(card) for card in found["cards"]]
        return await self._answer(found, {"exact": exact, "cards": cards})

    async def fair_price(
        self,
        card: Card,
        date: Annotated[
            str | None, Field(description="An earlier day as YYYY-MM-DD. Default: the latest.")
        ] = None,
        market: Market = None,
    ) -> Json:
        """Estimate what a card is worth: fair price, 90% interval, and BUY, SELL or HOLD."""
        body = {"card_id": card} | ({"date": date} if date else {}) | _named(market)
        found = await self._call("POST", "/fair_price", body=body)
        return await self._answer(found, _without(found, "request_id"))

    async def judge_listing(
        self,
        card: Card,
        price: Annotated[
            float,
            _Number,
            Field(gt=0, allow_inf_nan=False, description="The price asked, in the currency."),
        ],
        condition: Condition = NEAR_MINT,
        fees: Annotated[
            Fees | None, Field(description="The marketplace where it would be sold later.")
        ] = None,
        market: Market = None,
    ) -> Json:
        """Judge whether a listing at `price` is a bargain.

        The answer has the signal for that price, the highest price at which buying earns after
        fees (buy_below), and the chance to earn.
        """
        body: Json = {"card_id": card, "market_price": price, "condition": condition}
        body |= ({"fees": fees} if fees else {}) | _named(market)
        found = await self._call("POST", "/fair_price", body=body)
        given = {"price_judged": price, "condition": condition}
        notes = ["Fees and postage are those of the settings, an assumption."]
        return await self._answer(found | given, _without(found, "request_id") | given, notes)

    async def value_collection(
        self, lines: Lines, fees: Fees | None = None, market: OneMarket = None
    ) -> Json:
        """Value a collection: its worth in all and by line, and which cards to sell.

        A line that fits several cards or none is listed with its candidates, and not valued.
        """
        body: Json = {"lines": [line.model_dump(exclude_none=True) for line in lines]}
        body |= {"fees": fees} if fees else {}
        found = await self._call("POST", "/collections/value", _named(market), body)
        notes = [
            "Prices of conditions are fractions of a near mint copy's, an assumption.",
            "The totals have only the lines whose why_unvalued is null: not graded copies.",
        ]
        return await self._answer(found, _without(found, "request_id"), notes)

    async def movers(
        self,
        price: Annotated[
            Literal["market", "low"],
            Field(description="Judge the market price, or the lowest ask of each card."),
        ] = "market",
        min_price: Annotated[
            float, _Number, Field(ge=0, allow_inf_nan=False, description="Leave out cheaper cards.")
        ] = 1.0,
        limit: Limit = 10,
        market: Market = None,
    ) -> Json:
        """List the strongest BUY and SELL signals of the latest day."""
        query = {"price": price, "min_price": min_price, "limit": limit} | _named(market)
        found = await self._call("GET", "/movers", query)
        cards = {side: [_card(card) for card in found[side]] for side in ("buy", "sell")}
        notes = ["The lowest ask may be of a copy in any condition."] if price == "low" else []
        return await self._answer(found, {"price": price, **cards}, notes)

    async def track_record(self, market: OneMarket = None) -> Json:
        """Tell how good the fair prices have been: past forecasts against the prices that followed.

        Before the first forecast has its outcome, the evaluation of the model being served.
        """
        found = await self._call("GET", "/track-record", _named(market))
        return await self._answer(found, _without(found, "files"))

    async def _call(
        self, method: str, path: str, query: Json | None = None, body: Json | None = None
    ) -> Json:
        try:
            return await self._api.call(method, path, query or {}, body)
        except ApiError as error:
            raise ToolError(in_arguments(str(error))) from None

    async def _answer(self, found: Json, result: Json, notes: list[str] | None = None) -> Json:
        """Return the result with its market, date, currency, versions and caveats."""
        listed = (await self._call("GET", "/markets"))["markets"]
        about = {each["market"] for each in found.get("markets", (found,))}
        markets = [each for each in listed if each["id"] in about]
        if not markets:
            raise ToolError("the model server does not answer at the moment: try again")
        texts = [text for each in markets for text in caveats(each, found)]
        context = context_of_answer(markets[0], found)
        return {**context, **result, "caveats": [*dict.fromkeys(texts), *(notes or [])]}


@contextmanager
def _unchanged_logging() -> Iterator[None]:
    """Undo what the SDK does to the logging of the whole process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


class ToolServer(MCPServer[Any]):
    """A server whose errors say which argument is wrong, and that refuses unknown ones.

    The SDK returns Pydantic's wording, and ignores arguments that a tool does not have: a price
    asked for with a `condition` that is ignored is not the answer to the question.
    """

    async def call_tool(
        self, name: str, arguments: Json, context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        tools = {tool.name: tool.input_schema["properties"] for tool in await self.list_tools()}
        if fault := unknown_arguments(name, arguments, tools.get(name, arguments)):
            raise ToolError(fault)
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if isinstance(error.__cause__, ValidationError):
                raise ToolError(described_faults(error.__cause__.errors())) from None
            raise


def make_server(api: Api) -> MCPServer[Any]:
    """Return a server whose tools call `api`."""
    with _unchanged_logging():
        server = ToolServer(
            "pokewatch",
            title="PokeWatch",
            instructions=_INSTRUCTIONS,
            version=version("pokewatch"),
            log_level="WARNING",
            subscriptions=False,
        )
    tools = Tools(api)
    for tool in (
        tools.list_markets,
        tools.search_cards,
        tools.fair_price,
        tools.judge_listing,
        tools.value_collection,
        tools.movers,
        tools.track_record,
    ):
        server.add_tool(tool, description=cleandoc(tool.__doc__ or ""), annotations=_READ_ONLY)
    return server


def _card(card: Json) -> Json:
    return {name: card[name] for name in _CARD_FIELDS if name in card}


def _named(market: str | None) -> Json:
    return {"market": market} if market else {}


def _without(found: Json, *names: str) -> Json:
    return {name: value for name, value in found.items() if name not in names}
