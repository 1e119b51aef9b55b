"""Rate limits in Redis, shared by several gateways: the algorithm of `limits.py` in a Lua script.

While Redis does not respond, each gateway applies the limits in its own memory: no client is locked
out, and a key gets at most its limit from each gateway. Redis is tried again once a second.
"""

import logging
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from pokewatch.gateway.auth.limits import SLOTS, LimitDecision, MemoryLimiter, Rate
from pokewatch.gateway.metrics import Metrics
from pokewatch.gateway.upstream.breaker import Breaker, State

logger = logging.getLogger("pokewatch.gateway.auth.limits")

_PREFIX = "pokewatch:window:"
# The clock is that of Redis, because those of the gateways may differ. A slot is a hash field, with
# its count and the time of its last request as the value.
_HIT = f"""
local count, seconds = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local slot = string.format('%d', math.floor(now * {SLOTS} / seconds))
local total, own, oldest = 0, 0, now
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local requests, last = string.match(fields[i + 1], '(%d+) (.+)')
  requests, last = tonumber(requests), tonumber(last)
  if last + seconds <= now then
    redis.call('HDEL', KEYS[1], fields[i])
  else
    total = total + requests
    if fields[i] == slot then own = requests end
    if last < oldest then oldest = last end
  end
end
local allowed = 0
if total < count then
  allowed = 1
  total = total + 1
  redis.call('HSET', KEYS[1], slot, string.format('%d %.6f', own + 1, now))
  redis.call('EXPIRE', KEYS[1], seconds + 1)
end
return {{allowed, count - total, tostring(math.min(oldest + seconds - now, seconds))}}
"""


class RedisLimiter:
    """Limits in Redis. A request waits at most `seconds` for it, then `fallback` decides."""

    def __init__(
        self, url: str, fallback: MemoryLimiter, metrics: Metrics, seconds: float = 0.25
    ) -> None:
        no_retries = Retry(NoBackoff(), 0)
        self._redis: Any = Redis.from_url(
            url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=no_retries
        )
        self._hit = self._redis.register_script(_HIT)
        self._fallback = fallback
        self._fallbacks = metrics.limiter_fallbacks
        self._breaker = Breaker(failures=1, seconds=1.0, max_seconds=1.0)

    async def hit(self, name: str, rate: Rate) -> LimitDecision:
        if not self._breaker.wait():
            try:
                allowed, remaining, reset = await self._hit(
                    keys=[_PREFIX + name], args=[rate.count, rate.seconds]
                )
            except (RedisError, OSError) as error:
                self._failed(error)
            else:
                self._succeeded()
                return LimitDecision(bool(allowed), max(0, int(remaining)), max(0.0, float(reset)))
        self._fallbacks.inc()
        return await self._fallback.hit(name, rate)

    async def close(self) -> None:
        await self._redis.aclose()

    def _failed(self, error: Exception) -> None:
        if self._breaker.state is State.CLOSED:
            logger.warning(
                "Redis does not respond: rate limits are applied in memory",
                extra={"cause": type(error).__name__},
            )
        self._breaker.failed()

    def _succeeded(self) -> None:
        if self._breaker.state is not State.CLOSED:
            logger.info("Redis responds again: rate limits are shared")
        self._breaker.succeeded()
