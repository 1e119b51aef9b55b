"""GET /health and /ready."""

from collections.abc import Callable

import msgspec

from pokewatch.gateway.api.schemas import Alive, Ready
from pokewatch.gateway.auth.key_cache import KeyCache
from pokewatch.gateway.http.middleware import JSON, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import keys_unreadable, unavailable
from pokewatch.gateway.upstream.version_poller import ServedModel, VersionPoller

_NO_STORE: Header = (b"cache-control", b"no-store")
_SERVED = (
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
_encode = msgspec.json.Encoder().encode


class StatusEndpoints:
    """Liveness and readiness. Data older than `max_data_days` is not ready; 0 allows any age."""

    def __init__(
        self,
        poller: VersionPoller,
        keys: KeyCache,
        max_data_days: int,
        draining: Callable[[], bool],
    ) -> None:
        self._poller = poller
        self._keys = keys
        self._max_data_days = max_data_days
        self._draining = draining

    async def health(self, context: RequestContext) -> Answer:
        """Answer while the process runs, whatever the model server's state."""
        return 200, [JSON, _NO_STORE], _encode(Alive("alive"))

    async def ready(self, context: RequestContext) -> Answer:
        served = msgspec.structs.asdict(self.require_ready())
        body = Ready(
            status="ready",
            **{name: served[name] for name in _SERVED},
            data_age_days=self._poller.data_age() or 0,
            keys="current" if self._keys.current else "stale",
        )
        return 200, [JSON, _NO_STORE], _encode(body)

    def require_ready(self) -> ServedModel:
        """Return what is served. Raise ProblemError (503) if the gateway should get no requests."""
        poller = self._poller
        if self._draining():
            raise unavailable("shutting down")
        if self._keys.outdated():
            raise keys_unreadable()
        if poller.problem is not None:
            raise unavailable(poller.problem.detail)
        if poller.served is None:
            raise unavailable("the model server has not been polled yet")
        age = poller.data_age() or 0
        if self._max_data_days and age > self._max_data_days:
            raise unavailable(
                f"the newest prices, of {poller.served.last_day}, are {age} days old; "
                f"at most {self._max_data_days} are allowed",
                3_600,
            )
        return poller.served
