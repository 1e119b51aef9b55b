"""POST /fair_price, /fair_price/batch and /signal."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from pokewatch.contract import MAX_BATCH_ROWS
from pokewatch.gateway.api.composition import CardQuery, Composition, Onward, SignalQuery
from pokewatch.gateway.api.queries import checked_day
from pokewatch.gateway.api.schemas import (
    BatchProblem,
    BatchRequest,
    FairPrice,
    FairPriceRequest,
    SignalAnswer,
    SignalRequest,
)
from pokewatch.gateway.http.bodies import decode, fault
from pokewatch.gateway.http.middleware import JSON, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import ProblemError, is_outage
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.answer_cache import AnswerCache, CachedAnswer
from pokewatch.gateway.upstream.coalescing import Coalescer, QueueLimit, pinned
from pokewatch.gateway.upstream.version_poller import VersionPoller


class _Cards(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cards: Annotated[list[Any], Meta(max_length=MAX_BATCH_ROWS)]


_encode = msgspec.json.Encoder().encode
_fair_price = msgspec.json.Decoder(FairPriceRequest).decode
_batch = msgspec.json.Decoder(BatchRequest).decode
# As in `finite_float`; what is infinite is above the largest price.
_cards = msgspec.json.Decoder(_Cards, float_hook=float).decode
_card = msgspec.json.Decoder(Any, float_hook=float).decode
_signal = msgspec.json.Decoder(SignalRequest).decode
_PRIVATE: list[Header] = [JSON, (b"cache-control", b"no-store")]
_STALE = {True: b',"stale":true,"request_id":"%s"}', False: b',"stale":false,"request_id":"%s"}'}


def asked(request: FairPriceRequest, onward: Onward) -> CardQuery:
    day = "" if request.date is UNSET else checked_day(request.date, "/date")
    return CardQuery(
        request.card_id,
        day,
        None if request.market_price is UNSET else request.market_price,
        onward,
    )


class Prices:
    """Single cards share calls; a batch is a call already."""

    def __init__(
        self,
        coalescer: "Coalescer[CardQuery, FairPrice]",
        answers: AnswerCache,
        watch: VersionPoller,
        metrics: Metrics,
    ) -> None:
        self._coalescer = coalescer
        self._answers = answers
        self._watch = watch
        self._predictions = metrics.predictions

    async def fair_price(self, exchange: RequestContext) -> Answer:
        ask = asked(decode(_fair_price, exchange.body), exchange.onward)
        request = ask.card_id, ask.date, ask.offered
        kept = self._answers.fresh(request, self._watch.current())
        if kept is not None:
            return self._again(kept, False, exchange)
        found = await self._coalescer.submit(ask)
        if isinstance(found, ProblemError):
            last = self._answers.stale(request) if is_outage(found) else None
            if last is not None:
                return self._again(last, True, exchange)
            try:
                raise found.with_traceback(None)
            finally:
                del found  # else this frame and the problem's traceback would hold each other
        self._predictions.add(found.signal)
        prefix = _encode(found)[:-1]
        self._answers.keep(request, prefix, found.model_version, found.data_version, found.signal)
        return _answer(prefix, False, exchange)

    def _again(self, kept: CachedAnswer, stale: bool, exchange: RequestContext) -> Answer:
        self._predictions.add(kept.signal)
        return _answer(kept.prefix, stale, exchange)


def _answer(prefix: bytes, stale: bool, exchange: RequestContext) -> Answer:
    return 200, _PRIVATE, prefix + _STALE[stale] % exchange.request_id.encode()


class Batches:
    """Many cards in one request: each its own answer or its own problem."""

    def __init__(
        self, composition: Composition, load: QueueLimit, seconds: float, metrics: Metrics
    ) -> None:
        self._composition = composition
        self._load = load
        self._seconds = seconds
        self._predictions = metrics.predictions

    async def fair_prices(self, exchange: RequestContext) -> Answer:
        rows = _rows(exchange.body, exchange.onward)
        outcomes = await self._valued(rows)
        predictions = [_prediction(outcome, exchange.request_id) for outcome in outcomes]
        self._predictions.add_all(
            outcome.signal for outcome in outcomes if isinstance(outcome, FairPrice)
        )
        return (
            200,
            _PRIVATE,
            b'{"predictions":%s,"request_id":"%s"}'
            % (_encode(predictions), exchange.request_id.encode()),
        )

    async def _valued(
        self, rows: "list[CardQuery | ProblemError]"
    ) -> "list[FairPrice | ProblemError]":
        """Each row's outcome, in order, all from one call."""
        asks = [row for row in rows if isinstance(row, CardQuery)]
        found = iter(await self._call(asks) if asks else ())
        return [next(found) if isinstance(row, CardQuery) else row for row in rows]

    async def _call(self, asks: Sequence[CardQuery]) -> "Sequence[FairPrice | ProblemError]":
        self._load.enter(len(asks))
        try:
            return await pinned(
                self._composition.value, asks, asyncio.get_running_loop().time() + self._seconds
            )
        finally:
            self._load.leave(len(asks))


def _rows(body: bytes, onward: Onward) -> list[CardQuery | ProblemError]:
    """All at once where all are well; else one by one, so that each fault is its own row's."""
    try:
        requests = msgspec.convert(_cards(body).cards, list[FairPriceRequest])
        return [asked(request, onward) for request in requests]
    except (ValueError, RecursionError, ProblemError):
        return [_row(raw, onward) for raw in decode(_batch, body).cards]


def _row(raw: msgspec.Raw, onward: Onward) -> CardQuery | ProblemError:
    try:
        return asked(msgspec.convert(decode(_card, bytes(raw)), FairPriceRequest), onward)
    except msgspec.ValidationError as error:
        return fault(error)
    except ProblemError as problem:
        return problem


def _prediction(outcome: FairPrice | ProblemError, request_id: str) -> FairPrice | BatchProblem:
    return (
        BatchProblem(outcome.problem(request_id)) if isinstance(outcome, ProblemError) else outcome
    )


class Signals:
    """POST /signal. Requests share a call where they agree on which thresholds they give."""

    def __init__(
        self, coalescers: "dict[tuple[bool, bool], Coalescer[SignalQuery, SignalAnswer]]"
    ) -> None:
        self._coalescers = coalescers

    async def signal(self, exchange: RequestContext) -> Answer:
        request = decode(_signal, exchange.body)
        buy = None if request.buy_threshold_pct is UNSET else request.buy_threshold_pct
        sell = None if request.sell_threshold_pct is UNSET else request.sell_threshold_pct
        judge = SignalQuery(request.market_price, request.fair_price, buy, sell, exchange.onward)
        found = await self._coalescers[buy is not None, sell is not None].submit(judge)
        if isinstance(found, ProblemError):
            try:
                raise found.with_traceback(None)
            finally:
                del found
        return 200, _PRIVATE, _encode(found)
