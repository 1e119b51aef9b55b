"""Answers of a challenger, with the champion's where the challenger has none."""

from collections.abc import Callable, Sequence
from typing import Any

from pokewatch.gateway.api.catalog_reader import CatalogCall, CatalogReader, FoundAnswer
from pokewatch.gateway.api.composition import CardQuery, Composition, Priced
from pokewatch.gateway.http.problems import ProblemError, is_outage
from pokewatch.gateway.upstream.answer_cache import AnswerCache
from pokewatch.gateway.upstream.coalescing import QueueLimit
from pokewatch.gateway.upstream.shared_headers import HeadersOf
from pokewatch.gateway.upstream.transport import Sender
from pokewatch.gateway.upstream.v2_client import RefusedError, V2Client
from pokewatch.gateway.upstream.v2_messages import Versions
from pokewatch.gateway.upstream.version_poller import VersionPoller

# Called after each call of the challenger, with whether it failed and the champion answered, and
# for how many answers it was.
OnCall = Callable[[bool, int], None]


class FallbackComposition(Composition):
    """The composition of a challenger. A call that fails is made to the champion's.

    Its own calls are sent alone, as their timeout is shorter than the champion's.
    """

    def __init__(
        self,
        model: str,
        prices: V2Client,
        decisions: V2Client,
        on_versions: Callable[[Versions], None],
        headers_of: HeadersOf,
        champion: Composition,
        on_call: OnCall,
    ) -> None:
        super().__init__(model, prices, decisions, on_versions, headers_of)
        self._champion = champion
        self._on_call = on_call

    async def price(
        self, cards: Sequence[CardQuery], deadline: float, sender: Sender | None = None
    ) -> Priced:
        try:
            found = await super().price(cards, deadline)
        except RefusedError:
            pass
        except ProblemError as problem:
            if not is_outage(problem):
                raise
        else:
            self._on_call(False, len(cards))
            return found
        found = await self._champion.price(cards, deadline, sender)
        self._on_call(True, len(cards))
        return found


class FallbackReader(CatalogReader):
    """The catalogue of a challenger. What cannot be read there is read from the champion's.

    `canary` keeps its cached answers apart from those of other canaries.
    """

    def __init__(
        self,
        model: str,
        upstream: V2Client,
        poller: VersionPoller,
        answers: AnswerCache,
        load: QueueLimit,
        canary: str,
        champion: CatalogReader,
        on_call: OnCall,
    ) -> None:
        super().__init__(model, upstream, poller, answers, load)
        self._cached_under = f"{model}/{canary}"
        self._champion = champion
        self._on_call = on_call

    async def _find_all(
        self, calls: Sequence[CatalogCall], headers: bytes, deadline: float
    ) -> list[FoundAnswer]:
        """Return the answers, all of the champion if one has to be."""
        try:
            found = await super()._find_all(calls, headers, deadline)
            if not any(each.stale for each in found):
                return found
        except ProblemError as problem:
            if not is_outage(problem):
                raise
        found = await self._champion._find_all(calls, headers, deadline)
        if not any(each.stale for each in found):
            self._on_call(True, 1)
        return found

    async def _call(self, call: CatalogCall, headers: bytes, deadline: float) -> Any:
        found = await super()._call(call, headers, deadline)
        self._on_call(False, 1)
        return found

    async def _batch(
        self, calls: Sequence[CatalogCall], headers: bytes, deadline: float
    ) -> list[Any]:
        found = await super()._batch(calls, headers, deadline)
        if not any(isinstance(each, ProblemError) and is_outage(each) for each in found):
            self._on_call(False, 1)
        return found
