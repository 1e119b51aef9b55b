"""Who may pass: the key and its scope, its rate, and how often an address may fail."""

from pokewatch.gateway.auth import limits
from pokewatch.gateway.auth.key_cache import KeyCache
from pokewatch.gateway.auth.keys import Key
from pokewatch.gateway.auth.limits import Limiter, Rate
from pokewatch.gateway.http.middleware import RequestContext
from pokewatch.gateway.http.problems import (
    FORBIDDEN,
    RATE_LIMITED,
    UNAUTHORIZED,
    ProblemError,
    keys_unreadable,
)
from pokewatch.gateway.metrics import Metrics

_CHALLENGE = ((b"www-authenticate", b'Bearer realm="pokewatch"'),)


class Authenticator:
    """Decides; shared by all endpoints. Failed authentication counts against the address, a good key does not, unless it is so new that the
    store had to be asked for it."""

    def __init__(
        self, keyring: KeyCache, limiter: Limiter, failures: Rate | None, metrics: Metrics
    ) -> None:
        self._keyring = keyring
        self._limiter = limiter
        self._failures = failures
        self._by_key = metrics.limited.labels("key")
        self._by_address = metrics.limited.labels("address")
        self._keyless = metrics.keyless

    async def admit(self, exchange: RequestContext, scope: str) -> None:
        """Sets the exchange's key and limit fields. Raises ProblemError 401, 403, 429 or 503."""
        presented = _presented(exchange.headers)
        key = self._keyring.find(presented)
        if self._keyring.blind():
            raise keys_unreadable()
        if key is None:
            key = await self._found_anew(presented, exchange)
        exchange.key = key
        if key.rate is not None:
            verdict = await self._limiter.hit(f"key:{key.id}", key.rate)
            exchange.added = limits.fields(verdict, key.rate)
            if not verdict.allowed:
                self._by_key.inc()
                raise ProblemError(
                    RATE_LIMITED,
                    f"the key's limit of {key.rate} is used up",
                    retry_after=verdict.wait,
                )
        if not key.allows(scope):
            raise ProblemError(FORBIDDEN, f"this needs a key with the scope {scope!r}")

    async def _found_anew(self, presented: str, exchange: RequestContext) -> Key:
        if self._failures is not None:
            verdict = await self._limiter.hit(f"address:{exchange.address}", self._failures)
            if not verdict.allowed:
                self._by_address.inc()
                self._keyless.inc()
                raise ProblemError(
                    RATE_LIMITED, "too many requests without a valid key", retry_after=verdict.wait
                )
        key = await self._keyring.find_anew(presented)
        if key is not None:
            return key
        if not self._keyring.current:  # it may have been made since the store could be read
            raise keys_unreadable()
        self._keyless.inc()
        raise ProblemError(
            UNAUTHORIZED,
            "send a valid API key in X-API-Key, or as Authorization: Bearer",
            headers=_CHALLENGE,
        )


def _presented(headers: dict[bytes, bytes]) -> str:
    key = headers.get(b"x-api-key")
    if key is None:
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        key = key if scheme.lower() == b"bearer" else b""
    return key.strip().decode("latin-1")
