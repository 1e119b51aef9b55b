"""Authentication of requests by API key, with the rate limits of keys and addresses."""

from ipaddress import IPv6Address, IPv6Network, ip_address

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
    """Checks the key, scope and rate of requests. Shared by all endpoints.

    Failed authentication counts towards the limit of the client's address. So does a valid key that
    is so new that it is not in the cache yet.
    """

    def __init__(
        self, key_cache: KeyCache, limiter: Limiter, failures: Rate | None, metrics: Metrics
    ) -> None:
        self._key_cache = key_cache
        self._limiter = limiter
        self._failures = failures
        self._by_key = metrics.limited.labels("key")
        self._by_address = metrics.limited.labels("address")
        self._keyless = metrics.keyless

    async def authenticate(self, context: RequestContext, scope: str) -> None:
        """Set the key and the rate limit headers of the context.

        Raise ProblemError with 401, 403, 429 or 503.
        """
        key = await self.identify(presented_key(context.headers), context)
        await self.admit(key, context, scope)

    async def identify(self, presented: str, context: RequestContext) -> Key:
        """Return the live key that was presented. Raise ProblemError with 401, 429 or 503."""
        key = self._key_cache.find(presented)
        if self._key_cache.outdated():
            raise keys_unreadable()
        return await self._find_uncached(presented, context) if key is None else key

    async def admit(self, key: Key, context: RequestContext, scope: str) -> None:
        """Count a request of `key`, and check its scope. Raise ProblemError with 403 or 429."""
        context.key = key
        if key.rate is not None:
            decision = await self._limiter.hit(f"key:{key.id}", key.rate)
            context.response_headers = limits.headers(decision, key.rate)
            if not decision.allowed:
                self._by_key.inc()
                raise ProblemError(
                    RATE_LIMITED,
                    f"the key exceeds its limit of {key.rate}: wait {decision.wait} s",
                    retry_after=decision.wait,
                )
        if not key.allows(scope):
            raise ProblemError(FORBIDDEN, f"the key does not have the scope {scope!r}")

    async def _find_uncached(self, presented: str, context: RequestContext) -> Key:
        if self._failures is not None:
            name = f"address:{limited_address(context.address)}"
            decision = await self._limiter.hit(name, self._failures)
            if not decision.allowed:
                self._by_address.inc()
                self._keyless.inc()
                detail = f"too many requests without a valid API key: wait {decision.wait} s"
                raise ProblemError(RATE_LIMITED, detail, retry_after=decision.wait)
        key = await self._key_cache.refresh_and_find(presented)
        if key is not None:
            return key
        if not self._key_cache.current:  # the key may be newer than the cache
            raise keys_unreadable()
        self._keyless.inc()
        raise unauthorized(
            "send a valid API key in the header X-API-Key, or as Authorization: Bearer"
        )


def unauthorized(detail: str) -> ProblemError:
    """Return a 401, which names how to authenticate (RFC 9110, 15.5.2)."""
    return ProblemError(UNAUTHORIZED, detail, headers=_CHALLENGE)


def presented_key(headers: dict[bytes, bytes]) -> str:
    """Return the key in a request's headers, "" if there is none."""
    key = headers.get(b"x-api-key")
    if key is None:
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        key = key if scheme.lower() == b"bearer" else b""
    return key.strip().decode("latin-1")


def limited_address(address: str) -> str:
    """Return what the limit of an address is counted by: of IPv6 the /64 network.

    A client that has one IPv6 address usually has all of its network, 2^64 of them.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:  # that of a socket of this machine
        return address
    if not isinstance(found, IPv6Address) or found.ipv4_mapped is not None:
        return address
    return str(IPv6Network((found, 64), strict=False))
