"""GET /health and /ready."""

from collections.abc import Callable

import msgspec

from pokewatch.gateway.api.schemas import Alive, Ready
from pokewatch.gateway.auth.key_cache import KeyCache
from pokewatch.gateway.http.middleware import JSON, Answer, Header, RequestContext
from pokewatch.gateway.http.problems import keys_unreadable, unavailable
from pokewatch.gateway.upstream.version_poller import ServedModel, VersionPoller

_NO_STORE: Header = (b"cache-control", b"no-store")
_FACTS = (
    "model_version",
    "data_version",
    "run_id",
    "model",
    "horizon",
    "source",
    "currency",
    "cards",
    "first_day",
    "last_day",
)
_encode = msgspec.json.Encoder().encode


class Status:
    """`oldest` is the age of the data, in days, beyond which the gateway is not ready; 0 for none."""

    def __init__(
        self, watch: VersionPoller, keyring: KeyCache, oldest: int, draining: Callable[[], bool]
    ) -> None:
        self._watch = watch
        self._keyring = keyring
        self._oldest = oldest
        self._draining = draining

    async def health(self, exchange: RequestContext) -> Answer:
        """Whether the process runs. Does not depend on the model server: restarting us would not mend it."""
        return 200, [JSON, _NO_STORE], _encode(Alive("alive"))

    async def ready(self, exchange: RequestContext) -> Answer:
        """What is served, where requests would be answered."""
        facts = msgspec.structs.asdict(self.require_ready())
        told = Ready(
            status="ready",
            **{name: facts[name] for name in _FACTS},
            data_age_days=self._watch.data_age() or 0,
            keys="current" if self._keyring.current else "stale",
        )
        return 200, [JSON, _NO_STORE], _encode(told)

    def require_ready(self) -> ServedModel:
        """What is served. Raises ProblemError (503) where requests would not be answered, or should go elsewhere."""
        watch = self._watch
        if self._draining():
            raise unavailable("shutting down")
        if self._keyring.outdated():
            raise keys_unreadable()
        if watch.trouble is not None or watch.served is None:
            raise unavailable(
                watch.trouble.detail if watch.trouble else "the model server has not been asked yet"
            )
        age = watch.data_age() or 0
        if self._oldest and age > self._oldest:
            raise unavailable(
                f"the newest prices are of {watch.served.last_day}, {age} days ago; {self._oldest} are allowed",
                3_600,
            )
        return watch.served
