"""POST /fair_price, /fair_price/batch and /signal."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta

from pokewatch.contract import MAX_BATCH_ROWS
from pokewatch.gateway.api.card_prices import answer_body
from pokewatch.gateway.api.composition import (
    CardQuery,
    ForwardedHeaders,
    SignalQuery,
    fees_misfit,
)
from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.markets.mixed_prices import MixedPrices
from pokewatch.gateway.api.queries import NoQuery, parse_query, require_day
from pokewatch.gateway.api.schemas import (
    BatchProblem,
    BatchRequest,
    FairPrice,
    FairPriceRequest,
    SignalRequest,
)
from pokewatch.gateway.events.event_log import Arm, EventLog
from pokewatch.gateway.http.bodies import decode
from pokewatch.gateway.http.faults import located
from pokewatch.gateway.http.middleware import JSON, NO_STORE, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import OTHER_CURRENCY, ProblemError, invalid
from pokewatch.gateway.upstream.coalescing import QueueLimit


class _RawBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cards: Annotated[list[Any], Meta(max_length=MAX_BATCH_ROWS)]


class _AnsweredCard(msgspec.Struct, frozen=True):
    """The card of an answer, by its id however it was asked for, and its market."""

    card_id: str
    market: str


_encode = msgspec.json.Encoder().encode
_decode_answered = msgspec.json.Decoder(_AnsweredCard).decode
_decode_fair_price = msgspec.json.Decoder(FairPriceRequest).decode
_decode_batch = msgspec.json.Decoder(BatchRequest).decode
# As with `finite_float`: an infinite number exceeds the largest price and is refused for that.
_decode_raw_batch = msgspec.json.Decoder(_RawBatch, float_hook=float).decode
_decode_card = msgspec.json.Decoder(Any, float_hook=float).decode
_decode_signal = msgspec.json.Decoder(SignalRequest).decode
_HEADERS: list[Header] = [JSON, NO_STORE]


class FairPriceEndpoint:
    """Single cards. With an event log, each answer is an event."""

    def __init__(self, markets: Markets, events: EventLog | None) -> None:
        self._markets = markets
        self._events = events

    async def fair_price(self, context: RequestContext) -> Answer:
        parse_query(NoQuery, context.scope["query_string"])
        request = decode(_decode_fair_price, context.body)
        market = self._markets.of_card(request.card_id, request.market)
        prices = market.for_request(context).prices
        query = _card_query(request, context.forwarded_headers)
        found, stale = await prices.find(query)
        prices.predictions[found.signal] += 1
        if self._events is not None:
            card, version = _decode_answered(found.prefix + b"}"), found.versions.model_version
            arm, offered = self._markets.arm(card.market, context), query.offered
            self._events.add(
                context.key, arm, card.market, card.card_id, offered, found.signal, version
            )
        return 200, _HEADERS, answer_body(found.prefix, stale, context.request_id)


class BatchEndpoint:
    """Many cards in one request, each with its own answer or problem.

    With an event log, each answer is an event.
    """

    def __init__(
        self, markets: Markets, load: QueueLimit, seconds: float, events: EventLog | None
    ) -> None:
        self._markets = markets
        self._mixed = MixedPrices(load)
        self._seconds = seconds
        self._events = events

    async def fair_prices(self, context: RequestContext) -> Answer:
        parse_query(NoQuery, context.scope["query_string"])
        rows = _batch_rows(context.body)
        outcomes = await self._outcomes(rows, context)
        if self._events is not None:
            self._log(self._events, context, rows, outcomes)
        request_id = context.request_id
        predictions = _encode([_prediction(outcome, request_id) for outcome in outcomes])
        body = b'{"predictions":%s,"request_id":"%s"}' % (predictions, request_id.encode())
        return 200, _HEADERS, body

    def _log(
        self,
        events: EventLog,
        context: RequestContext,
        rows: Sequence[FairPriceRequest | ProblemError],
        outcomes: Sequence[FairPrice | ProblemError],
    ) -> None:
        arms: dict[str, Arm] = {}
        for row, answer in zip(rows, outcomes, strict=True):
            if isinstance(row, FairPriceRequest) and isinstance(answer, FairPrice):
                if answer.market not in arms:
                    arms[answer.market] = self._markets.arm(answer.market, context)
                events.add(
                    context.key,
                    arms[answer.market],
                    answer.market,
                    answer.card_id,
                    _offered(row),
                    answer.signal,
                    answer.model_version,
                )

    async def _outcomes(
        self, rows: Sequence[FairPriceRequest | ProblemError], context: RequestContext
    ) -> list[FairPrice | ProblemError]:
        """Return the outcome of each row, in order."""
        outcomes: list[Any] = list(rows)
        only = self._markets.only
        groups: dict[MarketBackend, list[tuple[int, CardQuery]]] = {}
        for number, row in enumerate(rows):
            if isinstance(row, ProblemError):
                continue
            try:
                backend = (
                    only
                    if only is not None and row.market is UNSET
                    else self._markets.of_card(row.card_id, row.market)
                )
                query = _card_query(row, context.forwarded_headers)
            except ProblemError as problem:
                outcomes[number] = problem
            else:
                groups.setdefault(backend, []).append((number, query))
        called = {backend.for_request(context): group for backend, group in groups.items()}
        for group, found in zip(called.values(), await self._call(called), strict=True):
            for (number, _), outcome in zip(group, found, strict=True):
                outcomes[number] = outcome
        return outcomes

    async def _call(
        self, groups: Mapping[MarketBackend, Sequence[tuple[int, CardQuery]]]
    ) -> list[Sequence[FairPrice | ProblemError]]:
        """Return the outcomes of each group. Raise ProblemError if every call fails.

        If one market's call fails, each of its cards has that problem as its outcome.
        """
        deadline = asyncio.get_running_loop().time() + self._seconds
        queries = {backend: [query for _, query in group] for backend, group in groups.items()}
        if len(queries) == 1:
            [(backend, cards)] = queries.items()
            return [await backend.prices.value_all(cards, deadline)]
        found = await self._mixed.value_all(queries, deadline)
        problems = [each for each in found if isinstance(each, ProblemError)]
        if problems and len(problems) == len(found):
            raise problems[0]
        return [
            [each] * len(cards) if isinstance(each, ProblemError) else each
            for each, cards in zip(found, queries.values(), strict=True)
        ]


class SignalEndpoint:
    """Prices judged against the caller's own fair prices, by coalesced calls.

    They are in the currency of the market that is named, else of the first one. The model
    `decision` is the same for all markets: that of one that can be reached is used.
    """

    def __init__(self, markets: Markets) -> None:
        self._markets = markets

    async def signal(self, context: RequestContext) -> Answer:
        parse_query(NoQuery, context.scope["query_string"])
        request = decode(_decode_signal, context.body)
        _check_interval(request)
        currency = self._markets.chosen(request.market).currency
        fees = "" if request.fees is UNSET else request.fees
        misfit = fees_misfit(fees, currency) if currency else None
        if misfit is not None:
            raise ProblemError(OTHER_CURRENCY, misfit)
        query = SignalQuery(
            request.market_price,
            request.fair_price,
            None if request.lower is UNSET else request.lower,
            None if request.upper is UNSET else request.upper,
            None if request.buy_threshold_pct is UNSET else request.buy_threshold_pct,
            None if request.sell_threshold_pct is UNSET else request.sell_threshold_pct,
            fees,
            currency,
            context.forwarded_headers,
        )
        found = await self._markets.reachable().signals.submit(query)
        if isinstance(found, ProblemError):
            try:
                raise found.with_traceback(None)
            finally:
                del found  # breaks the reference cycle of frame and traceback
        return 200, _HEADERS, _encode(found)


def _check_interval(request: SignalRequest) -> None:
    """Raise ProblemError (422) for half an interval, and for one without the fair price."""
    lower, upper, fair = request.lower, request.upper, request.fair_price
    if lower is UNSET or upper is UNSET:
        if lower is not upper:
            missing, given = ("lower", "upper") if lower is UNSET else ("upper", "lower")
            raise invalid(f"/{missing}", f"is required with {given}: an interval has two ends")
    elif lower > fair:
        raise invalid("/lower", f"must be at most the fair price, {fair:.15g}, not {lower:.15g}")
    elif upper < fair:
        raise invalid("/upper", f"must be at least the fair price, {fair:.15g}, not {upper:.15g}")


def _card_query(request: FairPriceRequest, headers: ForwardedHeaders) -> CardQuery:
    day = "" if request.date is UNSET else require_day(request.date, "/date")
    condition = "" if request.condition is UNSET else request.condition
    fees = "" if request.fees is UNSET else request.fees
    return CardQuery(request.card_id, day, _offered(request), condition, fees, headers)


def _offered(request: FairPriceRequest) -> float | None:
    return None if request.market_price is UNSET else request.market_price


def _batch_rows(body: bytes) -> Sequence[FairPriceRequest | ProblemError]:
    """Decode the batch at once; if a row is invalid, row by row, so that the others are valued."""
    try:
        return msgspec.convert(_decode_raw_batch(body).cards, list[FairPriceRequest])
    except (ValueError, RecursionError, ProblemError):
        return [_batch_row(raw) for raw in decode(_decode_batch, body).cards]


def _batch_row(raw: msgspec.Raw) -> FairPriceRequest | ProblemError:
    try:
        card = decode(_decode_card, bytes(raw))
    except ProblemError as problem:
        return problem
    try:
        return msgspec.convert(card, FairPriceRequest)
    except msgspec.ValidationError as error:
        return invalid(*located(str(error), FairPriceRequest, card))


def _prediction(outcome: FairPrice | ProblemError, request_id: str) -> FairPrice | BatchProblem:
    if isinstance(outcome, ProblemError):
        return BatchProblem(outcome.problem(request_id))
    return outcome
