"""The fair prices of one market's cards, from the cache or by a coalesced call."""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from pokewatch.gateway.api.composition import CardQuery
from pokewatch.gateway.api.near_cards import NearCards
from pokewatch.gateway.api.schemas import FairPrice, FairPriceAnswer
from pokewatch.gateway.http.problems import ProblemError, is_outage
from pokewatch.gateway.upstream.answer_cache import AnswerCache, CachedAnswer
from pokewatch.gateway.upstream.coalescing import Call, Coalescer, QueueLimit, isolate_refusals
from pokewatch.gateway.upstream.version_poller import VersionPoller

Outcomes = Sequence[FairPrice | ProblemError]
OnAnswers = Callable[[Sequence[CardQuery], Outcomes], None]

_encode = msgspec.json.Encoder().encode
_decode_answer = msgspec.json.Decoder(FairPriceAnswer).decode
_SUFFIX = {True: b',"stale":true,"request_id":"%s"}', False: b',"stale":false,"request_id":"%s"}'}


class CardPrices:
    """Values cards of a market. Cached answers are found by `key` and the request.

    `call` values many cards at once, and `predictions` counts the answers that are sent, by signal.
    `on_answers` is called with the outcomes of cards that are not from the cache.
    """

    def __init__(
        self,
        key: str,
        market: str,
        call: Call[CardQuery, FairPrice],
        coalescer: Coalescer[CardQuery, FairPrice],
        near: NearCards,
        answers: AnswerCache,
        poller: VersionPoller,
        load: QueueLimit,
        predictions: Counter[str],
        on_answers: OnAnswers,
    ) -> None:
        self._key = key
        self._market = market
        self._call = call
        self._coalescer = coalescer
        self._near = near
        self._answers = answers
        self._poller = poller
        self._load = load
        self.predictions = predictions
        self._on_answers = on_answers

    async def value(self, card: CardQuery, request_id: str) -> FairPriceAnswer:
        """Return the answer to a page's request. Raise ProblemError."""
        found, stale = await self.find(card)
        return _decode_answer(answer_body(found.prefix, stale, request_id))

    async def find(self, card: CardQuery) -> tuple[CachedAnswer, bool]:
        """Return the answer up to its `stale` member, and whether it is stale.

        Raise ProblemError.
        """
        settings = self._poller.settings_changes
        query = card.card_id, card.date, card.offered, card.condition, card.fees
        request = self._key, settings, *query
        cached = self._answers.fresh(request, self._poller.current_versions(), self._market)
        if cached is not None:
            return cached, False
        found = await self._coalescer.submit(card)
        if isinstance(found, ProblemError):
            served = self._poller.versions, self._poller.polled_at
            last = self._answers.stale(request, *served, self._market) if is_outage(found) else None
            if last is not None:
                return last, True
            found = await self._near.complete(found, card.card_id, card.headers())
            try:
                raise found.with_traceback(None)
            finally:
                del found  # breaks the reference cycle of frame and traceback
        self._on_answers((card,), (found,))
        prefix = _encode(found)[:-1]
        entry = self._answers.put(
            request, prefix, found.model_version, found.data_version, found.signal
        )
        return entry, False

    async def value_all(self, cards: Sequence[CardQuery], deadline: float) -> Outcomes:
        """Return the outcome of each card, by one call. Raise ProblemError if that fails."""
        self._load.enter(len(cards))
        try:
            found = await isolate_refusals(self._call, cards, deadline)
        finally:
            self._load.leave(len(cards))
        return await self.completed(cards, found)

    async def completed(self, cards: Sequence[CardQuery], found: Outcomes) -> Outcomes:
        """Return the outcomes of cards, counted, and with similar cards for unknown ones."""
        self.predictions.update(each.signal for each in found if isinstance(each, FairPrice))
        self._on_answers(cards, found)
        names = [card.card_id for card in cards]
        return await self._near.complete_all(found, names, cards[0].headers)


def answer_body(prefix: bytes, stale: bool, request_id: str) -> bytes:
    """Return an answer from its members before `stale`."""
    return prefix + _SUFFIX[stale] % request_id.encode()
