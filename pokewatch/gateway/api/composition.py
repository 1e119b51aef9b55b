"""Fair price and decision in one: the two models asked one after the other, column by column."""

import logging
import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from pokewatch.gateway.api.schemas import FairPrice, SignalAnswer
from pokewatch.gateway.http.logs import stamp
from pokewatch.gateway.http.problems import UNKNOWN_DATE, UPSTREAM_FAULT, ProblemError, unknown_card
from pokewatch.gateway.upstream import v2_messages
from pokewatch.gateway.upstream.reply_checks import check_decisions, check_prices
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import V2Tensor, Versions

FAIR_PRICE_PATH = "/v2/models/fair-price/infer"
DECISION_PATH = "/v2/models/decision/infer"

PRICES = ("card_id", "date", "market_price", "fair_price", "lower", "upper", "status")
SIGNALS = ("signal", "deviation_pct", "confidence", "reason")
_ANSWERED = (*PRICES, "slug")
_JUDGED = ("market_price", "fair_price", "lower", "upper")
_NOT_JUDGED = "not_judged"
_LEFT: v2_messages.Columns = {
    "signal": ["HOLD"],
    "deviation_pct": [None],
    "confidence": [None],
    "reason": [_NOT_JUDGED],
}
_judged = itemgetter(*_JUDGED)
_answered = itemgetter(*PRICES, *SIGNALS)


logger = logging.getLogger("pokewatch.gateway.api.composition")

Onward = Callable[[], bytes]


class CardQuery(msgspec.Struct, frozen=True):
    """A card to value. `date` is "" for the latest day, `offered` None for the market's own price.

    `onward` gives the caller's header lines for the model server; a shared call takes those of its first row.
    """

    card_id: str
    date: str
    offered: float | None
    onward: Onward = bytes


class SignalQuery(msgspec.Struct, frozen=True):
    """A price to judge. The thresholds are None for the decision model's own."""

    market_price: float
    fair_price: float
    buy: float | None
    sell: float | None
    onward: Onward = bytes


class Composition:
    """`saw` is told the versions of every answer."""

    def __init__(
        self, prices: V2Client, decisions: V2Client, saw: Callable[[Versions], None]
    ) -> None:
        self._prices = prices
        self._decisions = decisions
        self._saw = saw

    async def table(
        self, asks: Sequence[CardQuery], deadline: float
    ) -> tuple[v2_messages.Columns, Versions]:
        """The outputs of both models as one table. Raises ProblemError where all fail alike, RefusedError where they are refused."""
        onward = asks[0].onward()
        prices, versions = await self._priced(asks, onward, deadline)
        inputs = [
            *map(v2_messages.floats, _JUDGED, _judged(prices)),
            v2_messages.strings("status", prices["status"]),
        ]
        signals = await self._judged(inputs, onward, deadline)
        self._saw(versions)
        return {**prices, **signals}, versions

    async def _priced(
        self, asks: Sequence[CardQuery], onward: bytes, deadline: float
    ) -> tuple[v2_messages.Columns, Versions]:
        cards, days, offers = (
            [getattr(ask, name) for ask in asks] for name in ("card_id", "date", "offered")
        )
        request_id = v2_messages.new_id()
        body = v2_messages.request(_price_inputs(cards, days, offers), _ANSWERED, request_id)
        body = await self._prices.send(FAIR_PRICE_PATH, body, onward, deadline)
        try:
            found, versions = v2_messages.versioned(body, _ANSWERED, len(cards), request_id)
            check_prices(found, cards, days, offers)
        except ValueError as error:
            raise self._prices.fault(str(error)) from error
        return found, versions

    async def _judged(
        self, inputs: list[V2Tensor], onward: bytes, deadline: float
    ) -> v2_messages.Columns:
        """The decisions on what `fair-price` said. Of rows that are refused, those that cause it are left without one."""
        try:
            return await self._decided(inputs, onward, deadline)
        except RefusedError as refused:
            if len(inputs[0].data) == 1:
                logger.warning(
                    "decision refused a fair price",
                    extra={"upstream": "decision", "cause": str(refused)},
                )
                return _LEFT
        half = len(inputs[0].data) // 2
        parts = [slice(None, half), slice(half, None)]
        first, second = [
            await self._judged([_part(each, rows) for each in inputs], onward, deadline)
            for rows in parts
        ]
        return {name: [*first[name], *second[name]] for name in SIGNALS}

    async def _decided(
        self, inputs: list[V2Tensor], onward: bytes, deadline: float
    ) -> v2_messages.Columns:
        request_id = v2_messages.new_id()
        body = await self._decisions.send(
            DECISION_PATH, v2_messages.request(inputs, SIGNALS, request_id), onward, deadline
        )
        try:
            found = v2_messages.columns(body, SIGNALS, len(inputs[0].data), request_id)
            check_decisions(found, inputs[-1].data if inputs[-1].name == "status" else None)
        except ValueError as error:
            raise self._decisions.fault(str(error)) from error
        return found

    async def value(
        self, asks: Sequence[CardQuery], deadline: float
    ) -> list[FairPrice | ProblemError]:
        """Each row's answer or its problem. Raises as `table` does."""
        columns, versions = await self.table(asks, deadline)
        ends = stamp(time.time()), versions.model_version, versions.data_version
        return [_answer(row, ends) for row in zip(asks, *_answered(columns), strict=True)]

    async def judge(
        self, rows: Sequence[SignalQuery], deadline: float
    ) -> list[SignalAnswer | ProblemError]:
        """The signal of each price, with no interval and so with no confidence. The rows agree on which thresholds they give."""
        first = rows[0]
        inputs = [
            v2_messages.floats("market_price", [row.market_price for row in rows]),
            v2_messages.floats("fair_price", [row.fair_price for row in rows]),
        ]
        if first.buy is not None:
            inputs.append(v2_messages.floats("buy_threshold_pct", [row.buy for row in rows]))
        if first.sell is not None:
            inputs.append(v2_messages.floats("sell_threshold_pct", [row.sell for row in rows]))
        said = await self._decided(inputs, first.onward(), deadline)
        return [SignalAnswer(*row) for row in zip(*(said[name] for name in SIGNALS), strict=True)]


def _price_inputs(cards: list[str], days: list[str], offers: list[float | None]) -> list[V2Tensor]:
    inputs = [v2_messages.strings("card_id", cards)]
    if any(days):
        inputs.append(v2_messages.strings("date", days))
    if any(offer is not None for offer in offers):
        inputs.append(v2_messages.floats("market_price", offers))
    return inputs


def _part(tensor: V2Tensor, rows: slice) -> V2Tensor:
    data = tensor.data[rows]
    return V2Tensor(tensor.name, [len(data)], tensor.datatype, data)


def _answer(row: tuple[Any, ...], ends: tuple[str, str, str]) -> FairPrice | ProblemError:
    ask, card_id, day, market, fair, lower, upper, status, signal, deviation, confidence, reason = (
        row
    )
    if status == "unknown_card":
        return unknown_card(ask.card_id)
    if status == "unknown_date":
        return ProblemError(UNKNOWN_DATE, f"there is no price of {card_id} on {ask.date}")
    if reason == _NOT_JUDGED:
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
        *ends,
    )
