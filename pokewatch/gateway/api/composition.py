"""Fair price and decision combined: calls the two models in turn, column by column."""

import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from pokewatch.contract import (
    DISTRIBUTION,
    DISTRIBUTION_WIDTH,
    FAIR_PRICE_OUTPUTS,
    FEE_CURRENCIES,
    UNKNOWN_CARD,
)
from pokewatch.contract import UNKNOWN_DATE as UNKNOWN_DATE_STATUS
from pokewatch.gateway.api.decisions import DECISION_COLUMNS, NOT_JUDGED, DecisionCalls
from pokewatch.gateway.api.schemas import FairPrice, SignalAnswer
from pokewatch.gateway.http.logs import stamp
from pokewatch.gateway.http.problems import (
    OTHER_CURRENCY,
    UNKNOWN_DATE,
    UPSTREAM_FAULT,
    ProblemError,
    unknown_card,
)
from pokewatch.gateway.upstream.reply_checks import check_prices
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import (
    Column,
    Columns,
    V2Tensor,
    Versions,
    decode_versioned,
    encode_request,
    float_tensor,
    new_id,
    string_tensor,
)

PRICE_COLUMNS = tuple(tensor.name for tensor in FAIR_PRICE_OUTPUTS if not tensor.on_request)
_REQUESTED_COLUMNS = tuple(tensor.name for tensor in FAIR_PRICE_OUTPUTS)
_DECIDED_ON = ("market_price", "fair_price", "lower", "upper")
_decided_on = itemgetter(*_DECIDED_ON)
_answer_columns = itemgetter(*PRICE_COLUMNS, *DECISION_COLUMNS)

ForwardedHeaders = Callable[[], bytes]


class CardQuery(msgspec.Struct, frozen=True):
    """A card to value. `date` is "" for the latest day; `offered` is None for the market price.

    `condition` is that of the copy offered, "" for near mint; `fees` is "" for the server's.
    `headers` returns the header lines to forward; a shared call forwards those of its first row.
    """

    card_id: str
    date: str
    offered: float | None
    condition: str = ""
    fees: str = ""
    headers: ForwardedHeaders = bytes

    def fees_misfit(self, currency: str) -> str | None:
        """Return why the fees do not apply to prices in `currency`, None if they do."""
        return fees_misfit(self.fees, currency)


def fees_misfit(fees: str, currency: str) -> str | None:
    """Return why fees, "" for none, do not apply to prices in `currency`, None if they do."""
    if not fees or FEE_CURRENCIES[fees] == currency:
        return None
    return (
        f"the fees of {fees} are in {FEE_CURRENCIES[fees]}, "
        f"the prices in {currency or 'an unknown currency'}"
    )


class SignalQuery(msgspec.Struct, frozen=True):
    """A price to judge. None stands for no interval, or the decision model's default threshold."""

    market_price: float
    fair_price: float
    lower: float | None
    upper: float | None
    buy: float | None
    sell: float | None
    fees: str
    headers: ForwardedHeaders = bytes


class Composition:
    """The `model` of a market and `decision` as one.

    `on_versions` is called with the versions of each reply. A composition that `joins` has its rows
    decided in the calls of another one with the same `decisions`.
    """

    def __init__(
        self,
        model: str,
        prices: V2Client,
        decisions: DecisionCalls,
        on_versions: Callable[[Versions], None],
        *,
        joins: bool = False,
    ) -> None:
        self._path = f"/v2/models/{model}/infer"
        self._prices = prices
        self._decisions = decisions
        self._on_versions = on_versions
        self._joins = joins

    async def infer(self, cards: Sequence[CardQuery], deadline: float) -> tuple[Columns, Versions]:
        """Return the outputs of both models as one table.

        Raise RefusedError if `fair-price` refuses the request, ProblemError if a call fails.
        """
        headers = cards[0].headers()
        decisions = self._decisions
        decisions.expected += not self._joins
        try:
            prices, versions = await self._call_fair_price(cards, headers, deadline)
        finally:
            decisions.expected -= not self._joins
        inputs = [
            *map(float_tensor, _DECIDED_ON, _decided_on(prices)),
            *_distributions(prices[DISTRIBUTION]),
            *_texts("fees", _applicable_fees(cards, versions.currency)),
            string_tensor("currency", [versions.currency]),
            string_tensor("status", prices["status"]),
        ]
        decide = decisions.join if self._joins else decisions.decide
        decided = await decide(inputs, headers, deadline)
        self._on_versions(versions)
        return {**prices, **decided}, versions

    async def fair_prices(
        self, cards: Sequence[CardQuery], deadline: float
    ) -> list[FairPrice | ProblemError]:
        """Return each card's answer or problem. Raise like `infer`."""
        columns, versions = await self.infer(cards, deadline)
        common = (
            versions.market,
            versions.currency,
            stamp(time.time()),
            versions.model_version,
            versions.data_version,
        )
        rows = zip(cards, *_answer_columns(columns), strict=True)
        return [_fair_price(row, common) for row in rows]

    async def signals(
        self, queries: Sequence[SignalQuery], deadline: float
    ) -> list[SignalAnswer | ProblemError]:
        """Return the signal of each price. Raise like `infer`."""
        inputs = [
            float_tensor("market_price", [query.market_price for query in queries]),
            float_tensor("fair_price", [query.fair_price for query in queries]),
            *_optional_tensor("lower", [query.lower for query in queries]),
            *_optional_tensor("upper", [query.upper for query in queries]),
            *_optional_tensor("buy_threshold_pct", [query.buy for query in queries]),
            *_optional_tensor("sell_threshold_pct", [query.sell for query in queries]),
            *_texts("fees", [query.fees for query in queries]),
        ]
        try:
            found, currency = await self._decisions.call(inputs, queries[0].headers(), deadline)
        except RefusedError as refused:
            if len(queries) == 1 and queries[0].fees:  # all else has been checked
                raise ProblemError(OTHER_CURRENCY, str(refused)) from None
            raise
        columns = [*(found[name] for name in DECISION_COLUMNS), [currency] * len(queries)]
        return [SignalAnswer(*row) for row in zip(*columns, strict=True)]

    async def _call_fair_price(
        self, cards: Sequence[CardQuery], headers: bytes, deadline: float
    ) -> tuple[Columns, Versions]:
        names = [card.card_id for card in cards]
        days = [card.date for card in cards]
        offers = [card.offered for card in cards]
        inputs = [
            string_tensor("card_id", names),
            *_texts("date", days),
            *_optional_tensor("market_price", offers),
            *_texts("condition", [card.condition for card in cards]),
        ]
        request_id = new_id()
        body = await self._prices.send(
            self._path,
            encode_request(inputs, _REQUESTED_COLUMNS, request_id),
            headers,
            deadline,
        )
        try:
            found = decode_versioned(body, _REQUESTED_COLUMNS, len(cards), request_id)
            check_prices(found[0], names, days, offers)
        except ValueError as error:
            raise self._prices.bad_reply(str(error)) from error
        return found


def _optional_tensor(name: str, values: Column) -> list[V2Tensor]:
    """Return no tensor if no row gives a value; else null stands for a row without one."""
    return [] if values.count(None) == len(values) else [float_tensor(name, values)]


def _texts(name: str, values: Sequence[str]) -> list[V2Tensor]:
    """Return no tensor if every row has the default, ""."""
    return [string_tensor(name, values)] if any(values) else []


def _applicable_fees(cards: Sequence[CardQuery], currency: str) -> list[str]:
    """Return the fees of each row, "" for those in another currency than the prices."""
    return ["" if card.fees_misfit(currency) else card.fees for card in cards]


def _distributions(values: Column) -> list[V2Tensor]:
    """Return no tensor if no row has a distribution: `decision` then uses the intervals alone."""
    given = values.count(None) < len(values)
    return [float_tensor(DISTRIBUTION, values, DISTRIBUTION_WIDTH)] if given else []


def _fair_price(row: tuple[Any, ...], common: tuple[str, ...]) -> FairPrice | ProblemError:
    card, card_id, day, market, fair, lower, upper, status, *decision = row
    signal, deviation, confidence, reason, *advice = decision
    if status == UNKNOWN_CARD:
        return unknown_card(card.card_id)
    if status == UNKNOWN_DATE_STATUS:
        return ProblemError(UNKNOWN_DATE, f"there is no price of {card_id} on {card.date}")
    misfit = card.fees_misfit(common[1]) if card.fees else None
    if misfit is not None:
        return ProblemError(OTHER_CURRENCY, misfit)
    if reason == NOT_JUDGED:
        return ProblemError(UPSTREAM_FAULT, f"the fair price of {card_id} could not be judged")
    return FairPrice(
        card_id,
        day,
        market,
        fair,
        deviation,
        signal,
        lower,
        upper,
        confidence,
        reason,
        status,
        *advice,
        *common,
    )
