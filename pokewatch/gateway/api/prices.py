"""POST /fair_price, /fair_price/batch and /signal."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from pokewatch.contract import MAX_BATCH_ROWS
from pokewatch.gateway.api.composition import (
    CardQuery,
    Composition,
    ForwardedHeaders,
    SignalQuery,
)
from pokewatch.gateway.api.near_cards import NearCards
from pokewatch.gateway.api.queries import require_day
from pokewatch.gateway.api.schemas import (
    BatchProblem,
    BatchRequest,
    FairPrice,
    FairPriceAnswer,
    FairPriceRequest,
    SignalAnswer,
    SignalRequest,
)
from pokewatch.gateway.http.bodies import decode
from pokewatch.gateway.http.faults import located
from pokewatch.gateway.http.middleware import JSON, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import ProblemError, invalid, is_outage
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.answer_cache import AnswerCache, CachedAnswer
from pokewatch.gateway.upstream.coalescing import Coalescer, QueueLimit, isolate_refusals
from pokewatch.gateway.upstream.version_poller import VersionPoller


class _RawBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cards: Annotated[list[Any], Meta(max_length=MAX_BATCH_ROWS)]


_encode = msgspec.json.Encoder().encode
_decode_fair_price = msgspec.json.Decoder(FairPriceRequest).decode
_decode_answer = msgspec.json.Decoder(FairPriceAnswer).decode
_decode_batch = msgspec.json.Decoder(BatchRequest).decode
# As with `finite_float`: an infinite number exceeds the largest price and is refused for that.
_decode_raw_batch = msgspec.json.Decoder(_RawBatch, float_hook=float).decode
_decode_card = msgspec.json.Decoder(Any, float_hook=float).decode
_decode_signal = msgspec.json.Decoder(SignalRequest).decode
_HEADERS: list[Header] = [JSON, (b"cache-control", b"no-store")]
_SUFFIX = {True: b',"stale":true,"request_id":"%s"}', False: b',"stale":false,"request_id":"%s"}'}


class FairPriceEndpoint:
    """Single cards: answered from the cache, or by a coalesced call."""

    def __init__(
        self,
        coalescer: Coalescer[CardQuery, FairPrice],
        near: NearCards,
        answers: AnswerCache,
        poller: VersionPoller,
        metrics: Metrics,
    ) -> None:
        self._coalescer = coalescer
        self._near = near
        self._answers = answers
        self._poller = poller
        self._predictions = metrics.predictions

    async def fair_price(self, context: RequestContext) -> Answer:
        card = _card_query(decode(_decode_fair_price, context.body), context.forwarded_headers)
        found, stale = await self.find(card)
        self._predictions.add(found.signal)
        return _answer(found.prefix, stale, context)

    async def value(self, card: CardQuery, request_id: str) -> FairPriceAnswer:
        """Return the answer to a page's request. Raise ProblemError."""
        found, stale = await self.find(card)
        return _decode_answer(_body(found.prefix, stale, request_id))

    async def find(self, card: CardQuery) -> tuple[CachedAnswer, bool]:
        """Return the answer up to its `stale` member, and whether it is stale.

        Raise ProblemError.
        """
        request = card.card_id, card.date, card.offered, card.condition, card.fees
        cached = self._answers.fresh(request, self._poller.current_versions())
        if cached is not None:
            return cached, False
        found = await self._coalescer.submit(card)
        if isinstance(found, ProblemError):
            last = self._answers.stale(request) if is_outage(found) else None
            if last is not None:
                return last, True
            found = await self._near.complete(found, card.card_id, card.headers())
            try:
                raise found.with_traceback(None)
            finally:
                del found  # breaks the reference cycle of frame and traceback
        prefix = _encode(found)[:-1]
        entry = self._answers.put(
            request, prefix, found.model_version, found.data_version, found.signal
        )
        return entry, False


def _answer(prefix: bytes, stale: bool, context: RequestContext) -> Answer:
    return 200, _HEADERS, _body(prefix, stale, context.request_id)


def _body(prefix: bytes, stale: bool, request_id: str) -> bytes:
    return prefix + _SUFFIX[stale] % request_id.encode()


class BatchEndpoint:
    """Many cards in one request and one call, each with its own answer or problem."""

    def __init__(
        self,
        composition: Composition,
        near: NearCards,
        load: QueueLimit,
        seconds: float,
        metrics: Metrics,
    ) -> None:
        self._composition = composition
        self._near = near
        self._load = load
        self._seconds = seconds
        self._predictions = metrics.predictions

    async def fair_prices(self, context: RequestContext) -> Answer:
        rows = _batch_rows(context.body, context.forwarded_headers)
        outcomes = await self._outcomes(rows)
        self._predictions.add_all(
            outcome.signal for outcome in outcomes if isinstance(outcome, FairPrice)
        )
        request_id = context.request_id
        predictions = _encode([_prediction(outcome, request_id) for outcome in outcomes])
        body = b'{"predictions":%s,"request_id":"%s"}' % (predictions, request_id.encode())
        return 200, _HEADERS, body

    async def _outcomes(
        self, rows: Sequence[CardQuery | ProblemError]
    ) -> list[FairPrice | ProblemError]:
        """Return the outcome of each row, in order."""
        cards = [row for row in rows if isinstance(row, CardQuery)]
        found = iter(await self._call(cards) if cards else ())
        return [next(found) if isinstance(row, CardQuery) else row for row in rows]

    async def _call(self, cards: Sequence[CardQuery]) -> Sequence[FairPrice | ProblemError]:
        self._load.enter(len(cards))
        try:
            deadline = asyncio.get_running_loop().time() + self._seconds
            found = await isolate_refusals(self._composition.fair_prices, cards, deadline)
        finally:
            self._load.leave(len(cards))
        names = [card.card_id for card in cards]
        return await self._near.complete_all(found, names, cards[0].headers)


class SignalEndpoint:
    """Prices judged against the caller's own fair prices, by coalesced calls."""

    def __init__(self, coalescer: Coalescer[SignalQuery, SignalAnswer]) -> None:
        self._coalescer = coalescer

    async def signal(self, context: RequestContext) -> Answer:
        request = decode(_decode_signal, context.body)
        query = SignalQuery(
            request.market_price,
            request.fair_price,
            None if request.lower is UNSET else request.lower,
            None if request.upper is UNSET else request.upper,
            None if request.buy_threshold_pct is UNSET else request.buy_threshold_pct,
            None if request.sell_threshold_pct is UNSET else request.sell_threshold_pct,
            "" if request.fees is UNSET else request.fees,
            context.forwarded_headers,
        )
        found = await self._coalescer.submit(query)
        if isinstance(found, ProblemError):
            try:
                raise found.with_traceback(None)
            finally:
                del found  # breaks the reference cycle of frame and traceback
        return 200, _HEADERS, _encode(found)


def _card_query(request: FairPriceRequest, headers: ForwardedHeaders) -> CardQuery:
    day = "" if request.date is UNSET else require_day(request.date, "/date")
    offered = None if request.market_price is UNSET else request.market_price
    condition = "" if request.condition is UNSET else request.condition
    fees = "" if request.fees is UNSET else request.fees
    return CardQuery(request.card_id, day, offered, condition, fees, headers)


def _batch_rows(body: bytes, headers: ForwardedHeaders) -> list[CardQuery | ProblemError]:
    """Decode the batch at once; if a row is invalid, row by row, so that the others are valued."""
    try:
        requests = msgspec.convert(_decode_raw_batch(body).cards, list[FairPriceRequest])
        return [_card_query(request, headers) for request in requests]
    except (ValueError, RecursionError, ProblemError):
        return [_batch_row(raw, headers) for raw in decode(_decode_batch, body).cards]


def _batch_row(raw: msgspec.Raw, headers: ForwardedHeaders) -> CardQuery | ProblemError:
    try:
        request = msgspec.convert(decode(_decode_card, bytes(raw)), FairPriceRequest)
        return _card_query(request, headers)
    except msgspec.ValidationError as error:
        return invalid(*located(str(error), FairPriceRequest))
    except ProblemError as problem:
        return problem


def _prediction(outcome: FairPrice | ProblemError, request_id: str) -> FairPrice | BatchProblem:
    if isinstance(outcome, ProblemError):
        return BatchProblem(outcome.problem(request_id))
    return outcome
