"""GET /health, /ready and /markets."""

from collections.abc import Callable

import msgspec

from pokewatch.gateway.api.markets.backend import MarketBackend
from pokewatch.gateway.api.markets.directory import Markets
from pokewatch.gateway.api.queries import NoQuery, parse_query
from pokewatch.gateway.api.status_schemas import (
    Alive,
    MarketFacts,
    MarketList,
    MarketState,
    Ready,
)
from pokewatch.gateway.auth.key_cache import KeyCache
from pokewatch.gateway.http.middleware import JSON, NO_STORE, Answer, RequestContext
from pokewatch.gateway.http.problems import ProblemError, keys_unreadable, unavailable
from pokewatch.wording import counted

_SERVED = (
    "market",
    "model_version",
    "data_version",
    "run_id",
    "model",
    "horizon",
    "source",
    "currency",
    "skill",
    "cards",
    "first_day",
    "last_day",
    "not_evaluated",
)
_FACTS = (
    "source",
    "currency",
    "cards",
    "first_day",
    "last_day",
    "model",
    "horizon",
    "model_version",
    "data_version",
    "skill",
    "not_evaluated",
)
_encode = msgspec.json.Encoder().encode


class StatusEndpoints:
    """Liveness, readiness and the markets.

    A market whose data is older than `max_data_days` is not ready; 0 allows any age.
    """

    def __init__(
        self,
        markets: Markets,
        keys: KeyCache,
        max_data_days: int,
        draining: Callable[[], bool],
    ) -> None:
        self._markets = markets
        self._keys = keys
        self._max_data_days = max_data_days
        self._draining = draining

    async def health(self, context: RequestContext) -> Answer:
        """Answer while the process runs, whatever the model server's state."""
        return 200, [JSON, NO_STORE], _encode(Alive("alive"))

    async def ready(self, context: RequestContext) -> Answer:
        market = self.require_ready()
        served = msgspec.structs.asdict(market.poller.served)  # type: ignore[arg-type]  # it is ready
        body = Ready(
            status="ready",
            **{name: served[name] for name in _SERVED},
            data_age_days=market.poller.data_age() or 0,
            markets=[self._state(each) for each in self._markets.backends],
            keys="current" if self._keys.current else "stale",
        )
        return 200, [JSON, NO_STORE], _encode(body)

    async def markets(self, context: RequestContext) -> Answer:
        parse_query(NoQuery, context.scope["query_string"])
        found = MarketList([self._facts(each) for each in self._markets.backends])
        return 200, [JSON, NO_STORE], _encode(found)

    def require_ready(self) -> MarketBackend:
        """Return the first market that is ready.

        Raise ProblemError (503) if the gateway should get no requests: that of the first market
        where none is ready.
        """
        if self._draining():
            raise unavailable("shutting down")
        if self._keys.outdated():
            raise keys_unreadable()
        problems = []
        for market in self._markets.backends:
            problem = self._problem(market)
            if problem is None:
                return market
            problems.append(problem)
        raise problems[0]

    def _problem(self, market: MarketBackend) -> ProblemError | None:
        """Return why a market is not ready, None if it is."""
        poller = market.poller
        if poller.problem is not None:
            return unavailable(poller.problem.detail)
        if poller.served is None:
            return unavailable("the model server has not been polled yet")
        age = poller.data_age() or 0
        if self._max_data_days and age > self._max_data_days:
            return unavailable(
                f"the newest prices, of {poller.served.last_day}, are {counted(age, 'day')} old; "
                f"at most {self._max_data_days} are allowed",
                3_600,
            )
        return None

    def _state(self, market: MarketBackend) -> MarketState:
        problem, served = self._problem(market), market.poller.served
        return MarketState(
            market.id,
            problem is None,
            problem.detail if problem else None,
            served.model_version if served else None,
            served.data_version if served else None,
            served.last_day if served else None,
            market.poller.data_age(),
            market.canary.state() if market.canary else None,
        )

    def _facts(self, market: MarketBackend) -> MarketFacts:
        problem, served = self._problem(market), market.poller.served
        return MarketFacts(
            id=market.id,
            games=served.games if served else [],
            **{name: getattr(served, name, None) for name in _FACTS},
            ready=problem is None,
            reason=problem.detail if problem else None,
        )
