"""Fair price and decision in one: the two models asked one after the other, column by column."""

import time
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from pokewatch.gateway import v2
from pokewatch.gateway.logs import stamp
from pokewatch.gateway.models import FairPrice, SignalAnswer
from pokewatch.gateway.problems import UNKNOWN_DATE, ProblemError, unknown_card
from pokewatch.gateway.upstream import Upstream
from pokewatch.gateway.v2 import Tensor, Versions

FAIR_PRICE_PATH = "/v2/models/fair-price/infer"
DECISION_PATH = "/v2/models/decision/infer"

PRICES = ("card_id", "date", "market_price", "fair_price", "lower", "upper", "status")
SIGNALS = ("signal", "deviation_pct", "confidence", "reason")
UNKNOWN = ("unknown_card", "unknown_date")
_JUDGED = ("market_price", "fair_price", "lower", "upper")
_judged = itemgetter(*_JUDGED)
_answered = itemgetter(*PRICES, *SIGNALS)


Onward = Callable[[], bytes]


class Ask(msgspec.Struct, frozen=True):
    """A card to value. `date` is "" for the latest day, `offered` None for the market's own price.

    `onward` gives the caller's header lines for the model server; a shared call takes those of its first row.
    """

    card_id: str
    date: str
    offered: float | None
    onward: Onward = bytes


class Judge(msgspec.Struct, frozen=True):
    """A price to judge. The thresholds are None for the decision model's own."""

    market_price: float
    fair_price: float
    buy: float | None
    sell: float | None
    onward: Onward = bytes


class Composition:
    """The rows of one call must agree on which optional values they have. `saw` is told the versions of every answer."""

    def __init__(self, prices: Upstream, decisions: Upstream, saw: Callable[[Versions], None]) -> None:
        self._prices = prices
        self._decisions = decisions
        self._saw = saw

    async def table(self, asks: Sequence[Ask], deadline: float) -> tuple[v2.Columns, Versions]:
        """The outputs of both models as one table. Raises ProblemError where all fail alike, RefusedError where they are refused."""
        onward, rows = asks[0].onward(), len(asks)
        body = await self._prices.send(FAIR_PRICE_PATH, v2.request(_price_inputs(asks)), onward, deadline)
        try:
            prices, versions = v2.versioned(body, PRICES, rows)
        except ValueError as error:
            raise self._prices.fault(str(error)) from error
        self._saw(versions)
        inputs = [*map(v2.floats, _JUDGED, _judged(prices)), v2.strings("status", prices["status"])]
        body = await self._decisions.send(DECISION_PATH, v2.request(inputs), onward, deadline)
        return {**prices, **self._signals(body, rows)}, versions

    async def value(self, asks: Sequence[Ask], deadline: float) -> list[FairPrice | ProblemError]:
        """Each row's answer or its problem. Raises as `table` does."""
        columns, versions = await self.table(asks, deadline)
        ends = stamp(time.time()), versions.model_version, versions.data_version
        return [_answer(row, ends) for row in zip(asks, *_answered(columns), strict=True)]

    async def judge(self, rows: Sequence[Judge], deadline: float) -> list[SignalAnswer | ProblemError]:
        """The signal of each price, with no interval and so with no confidence."""
        first = rows[0]
        inputs = [v2.floats("market_price", [row.market_price for row in rows]), v2.floats("fair_price", [row.fair_price for row in rows])]
        if first.buy is not None:
            inputs.append(v2.floats("buy_threshold_pct", [row.buy for row in rows]))
        if first.sell is not None:
            inputs.append(v2.floats("sell_threshold_pct", [row.sell for row in rows]))
        body = await self._decisions.send(DECISION_PATH, v2.request(inputs), first.onward(), deadline)
        said = self._signals(body, len(rows))
        return [SignalAnswer(*row) for row in zip(*(said[name] for name in SIGNALS), strict=True)]

    def _signals(self, body: bytes, rows: int) -> v2.Columns:
        try:
            return v2.columns(body, SIGNALS, rows)
        except ValueError as error:
            raise self._decisions.fault(str(error)) from error


def _price_inputs(asks: Sequence[Ask]) -> list[Tensor]:
    inputs = [v2.strings("card_id", [ask.card_id for ask in asks])]
    if any(ask.date for ask in asks):
        inputs.append(v2.strings("date", [ask.date for ask in asks]))
    if asks[0].offered is not None:
        inputs.append(v2.floats("market_price", [ask.offered for ask in asks if ask.offered is not None]))
    return inputs


def _answer(row: tuple[Any, ...], ends: tuple[str, str, str]) -> FairPrice | ProblemError:
    ask, card_id, day, market, fair, lower, upper, status, signal, deviation, confidence, reason = row
    if status == "unknown_card":
        return unknown_card(ask.card_id)
    if status == "unknown_date":
        return ProblemError(UNKNOWN_DATE, f"there is no price of {card_id} on {ask.date}")
    return FairPrice(card_id, day, market, fair, deviation, signal, lower, upper, confidence, reason, status, *ends)
