"""Fair price and decision combined: calls the two models in turn, column by column."""

import logging
import time
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from pokewatch.contract import (
    DECISION,
    DECISION_OUTPUTS,
    DISTRIBUTION,
    FAIR_PRICE_OUTPUTS,
    FEE_CURRENCIES,
    UNKNOWN_CARD,
)
from pokewatch.contract import UNKNOWN_DATE as UNKNOWN_DATE_STATUS
from pokewatch.gateway.api.request_tensors import distributions, for_all, optional_tensor, texts
from pokewatch.gateway.api.schemas import FairPrice, SignalAnswer
from pokewatch.gateway.http.logs import stamp
from pokewatch.gateway.http.problems import (
    OTHER_CURRENCY,
    UNKNOWN_DATE,
    UPSTREAM_FAULT,
    ProblemError,
    unknown_card,
)
from pokewatch.gateway.upstream.reply_checks import check_decisions, check_prices
from pokewatch.gateway.upstream.shared_headers import HeadersOf, first_headers
from pokewatch.gateway.upstream.transport import Sender
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import (
    Columns,
    V2Tensor,
    Versions,
    decode_columns,
    decode_versioned,
    encode_request,
    float_tensor,
    new_id,
    rows_of,
    string_tensor,
)

DECISION_PATH = f"/v2/models/{DECISION}/infer"

PRICE_COLUMNS = tuple(tensor.name for tensor in FAIR_PRICE_OUTPUTS if not tensor.on_request)
DECISION_COLUMNS = tuple(tensor.name for tensor in DECISION_OUTPUTS)
_REQUESTED_COLUMNS = tuple(tensor.name for tensor in FAIR_PRICE_OUTPUTS)
_DECIDED_ON = ("market_price", "fair_price", "lower", "upper")
_NOT_JUDGED = "not_judged"
_UNDECIDED: Columns = {
    "signal": ["HOLD"],
    "deviation_pct": [None],
    "confidence": [None],
    "reason": [_NOT_JUDGED],
    "buy_below": [None],
    "sell_above": [None],
    "chance_to_earn": [None],
    "advice": [_NOT_JUDGED],
}
_decided_on = itemgetter(*_DECIDED_ON)
_answer_columns = itemgetter(*PRICE_COLUMNS, *DECISION_COLUMNS)

logger = logging.getLogger("pokewatch.gateway.api.composition")

ForwardedHeaders = Callable[[], bytes]


class CardQuery(msgspec.Struct, frozen=True):
    """A card to value. `date` is "" for the latest day; `offered` is None for the market price.

    `condition` is that of the copy offered, "" for near mint; `fees` is "" for the server's.
    `headers` returns the header lines to forward.
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
    """A price to judge. None and "" stand for the decision model's defaults, or no interval."""

    market_price: float
    fair_price: float
    lower: float | None
    upper: float | None
    buy: float | None
    sell: float | None
    fees: str
    currency: str
    headers: ForwardedHeaders = bytes


class Priced(NamedTuple):
    """The reply of `fair-price` for cards of one market."""

    cards: Sequence[CardQuery]
    columns: Columns
    versions: Versions


class Composition:
    """The `model` of a market and `decision` as one.

    `on_versions` is called with the versions of each reply. `headers_of` returns the header lines
    to forward of rows that share a call.
    """

    def __init__(
        self,
        model: str,
        prices: V2Client,
        decisions: V2Client,
        on_versions: Callable[[Versions], None],
        headers_of: HeadersOf = first_headers,
    ) -> None:
        self._path = f"/v2/models/{model}/infer"
        self._prices = prices
        self._decisions = decisions
        self._on_versions = on_versions
        self._headers_of = headers_of

    async def infer(self, cards: Sequence[CardQuery], deadline: float) -> tuple[Columns, Versions]:
        """Return the outputs of both models as one table.

        Raise RefusedError if `fair-price` refuses the request, ProblemError if a call fails.
        """
        priced = await self.price(cards, deadline)
        decisions = await self.decide([priced], deadline)
        return {**priced.columns, **decisions}, priced.versions

    async def fair_prices(
        self, cards: Sequence[CardQuery], deadline: float
    ) -> list[FairPrice | ProblemError]:
        """Return each card's answer or problem. Raise like `infer`."""
        priced = await self.price(cards, deadline)
        return self.answers(priced, await self.decide([priced], deadline))

    async def decide(self, priced: Sequence[Priced], deadline: float) -> Columns:
        """Return the decisions on the cards of one or several markets, by one call.

        Raise ProblemError if it fails.
        """
        columns = {
            name: list(chain.from_iterable(each.columns[name] for each in priced))
            for name in (*_DECIDED_ON, DISTRIBUTION, "status")
        }
        fees = [_applicable_fees(each.cards, each.versions.currency) for each in priced]
        currencies = [[each.versions.currency] * len(each.cards) for each in priced]
        inputs = [
            *map(float_tensor, _DECIDED_ON, _decided_on(columns)),
            *distributions(columns[DISTRIBUTION]),
            *texts("fees", list(chain.from_iterable(fees))),
            for_all("currency", list(chain.from_iterable(currencies))),
            string_tensor("status", columns["status"]),
        ]
        rows = chain.from_iterable(each.cards for each in priced)
        return await self._decide(inputs, self._headers_of(rows), deadline)

    def answers(self, priced: Priced, decisions: Columns) -> list[FairPrice | ProblemError]:
        """Return the answer or problem of each card that was priced and decided on."""
        cards, columns, versions = priced
        common = (
            versions.market,
            versions.currency,
            stamp(time.time()),
            versions.model_version,
            versions.data_version,
        )
        rows = zip(cards, *_answer_columns({**columns, **decisions}), strict=True)
        return [_fair_price(row, common) for row in rows]

    async def signals(
        self, queries: Sequence[SignalQuery], deadline: float
    ) -> list[SignalAnswer | ProblemError]:
        """Return the signal of each price. Raise like `infer`."""
        inputs = [
            float_tensor("market_price", [query.market_price for query in queries]),
            float_tensor("fair_price", [query.fair_price for query in queries]),
            *optional_tensor("lower", [query.lower for query in queries]),
            *optional_tensor("upper", [query.upper for query in queries]),
            *optional_tensor("buy_threshold_pct", [query.buy for query in queries]),
            *optional_tensor("sell_threshold_pct", [query.sell for query in queries]),
            *texts("fees", [query.fees for query in queries]),
            for_all("currency", [query.currency for query in queries]),
        ]
        try:
            found, currency = await self._call_decision(inputs, self._headers_of(queries), deadline)
        except RefusedError as refused:
            if len(queries) == 1 and queries[0].fees:  # all else has been checked
                raise ProblemError(OTHER_CURRENCY, str(refused)) from None
            raise
        currencies = [query.currency or currency for query in queries]
        columns = [*(found[name] for name in DECISION_COLUMNS), currencies]
        return [SignalAnswer(*row) for row in zip(*columns, strict=True)]

    async def price(
        self, cards: Sequence[CardQuery], deadline: float, sender: Sender | None = None
    ) -> Priced:
        """Return the fair prices of cards. `sender` may send the request. Raise like `infer`."""
        names = [card.card_id for card in cards]
        days = [card.date for card in cards]
        offers = [card.offered for card in cards]
        inputs = [
            string_tensor("card_id", names),
            *texts("date", days),
            *optional_tensor("market_price", offers),
            *texts("condition", [card.condition for card in cards]),
        ]
        request_id = new_id()
        body = await self._prices.send(
            self._path,
            encode_request(inputs, _REQUESTED_COLUMNS, request_id),
            self._headers_of(cards),
            deadline,
            sender,
        )
        try:
            columns, versions = decode_versioned(body, _REQUESTED_COLUMNS, len(cards), request_id)
            check_prices(columns, names, days, offers)
        except ValueError as error:
            raise self._prices.bad_reply(str(error)) from error
        self._on_versions(versions)
        return Priced(cards, columns, versions)

    async def _decide(self, inputs: list[V2Tensor], headers: bytes, deadline: float) -> Columns:
        """Return the decisions on fair prices. Rows that `decision` refuses stay undecided."""
        try:
            return (await self._call_decision(inputs, headers, deadline))[0]
        except RefusedError as refused:
            if len(inputs[0].data) == 1:
                logger.warning(
                    "decision refused a fair price",
                    extra={"upstream": DECISION, "cause": str(refused)},
                )
                return _UNDECIDED
        half = len(inputs[0].data) // 2
        first, second = [
            await self._decide([rows_of(tensor, rows) for tensor in inputs], headers, deadline)
            for rows in (slice(None, half), slice(half, None))
        ]
        return {name: [*first[name], *second[name]] for name in DECISION_COLUMNS}

    async def _call_decision(
        self, inputs: list[V2Tensor], headers: bytes, deadline: float
    ) -> tuple[Columns, str]:
        """Return the decisions, and the currency of the advice."""
        request_id = new_id()
        request = encode_request(inputs, DECISION_COLUMNS, request_id)
        body = await self._decisions.send(DECISION_PATH, request, headers, deadline)
        try:
            found = decode_columns(body, DECISION_COLUMNS, len(inputs[0].data), request_id)
            status = next((tensor.data for tensor in inputs if tensor.name == "status"), None)
            check_decisions(found[0], status)
        except ValueError as error:
            raise self._decisions.bad_reply(str(error)) from error
        return found


def _applicable_fees(cards: Sequence[CardQuery], currency: str) -> list[str]:
    """Return the fees of each row, "" for those in another currency than the prices."""
    return ["" if card.fees_misfit(currency) else card.fees for card in cards]


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
    if reason == _NOT_JUDGED:
        return ProblemError(UPSTREAM_FAULT, f"the fair price of {card_id} could not be judged")
    judged = (deviation, signal, lower, upper, confidence, reason, status, *advice)
    return FairPrice(card_id, day, market, fair, *judged, *common)
