"""What the gateway counts. One registry an application; no label holds a card, a key or anything a caller can choose."""

from bisect import bisect_left
from collections import Counter as Counted
from collections.abc import Iterator
from functools import partial
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)


class Requests(Collector):
    """Requests answered and how long they took, counted as cheaply as Python can: this is on every request's way."""

    def __init__(self) -> None:
        self._counts: Counted[tuple[str, str, int]] = Counted()
        self._buckets: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def add(self, route: str, method: str, status: int, seconds: float) -> None:
        self._counts[route, method, status] += 1
        buckets = self._buckets.get(route)
        if buckets is None:
            buckets = self._buckets[route] = [0] * (len(_LATENCY) + 1)
            self._sums[route] = 0.0
        buckets[bisect_left(_LATENCY, seconds)] += 1
        self._sums[route] += seconds

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("pokewatch_gateway_requests", "Requests answered.", labels=("route", "method", "status"))
        for (route, method, status), count in self._counts.items():
            requests.add_metric((route, method, str(status)), count)
        yield requests
        seconds = HistogramMetricFamily(
            "pokewatch_gateway_request_seconds", "Time from a request's headers to its answer.", labels=("route",)
        )
        for route, buckets in self._buckets.items():
            bounds = [*map(str, _LATENCY), "+Inf"]
            seconds.add_metric((route,), list(zip(bounds, accumulate(buckets), strict=True)), self._sums[route])
        yield seconds


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        count = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        sizes = partial(Histogram, registry=self.registry, buckets=_ROWS)
        times = partial(Histogram, registry=self.registry, buckets=_LATENCY)

        self.requests = Requests()
        self.registry.register(self.requests)
        self.predictions = count("pokewatch_gateway_predictions", "Cards answered, by signal.", ("signal",))
        self.coalesced = sizes("pokewatch_gateway_coalesced_rows", "Rows that shared one call to the model server.")
        self.waiting = gauge("pokewatch_gateway_waiting_rows", "Rows queued for, or in, a call to the model server.")
        self.cache = count("pokewatch_gateway_cache", "Answer cache look-ups: hit, miss or stale.", ("result",))
        self.limited = count("pokewatch_gateway_limited", "Requests refused by key, address or load.", ("by",))
        self.limiter_fallbacks = count("pokewatch_gateway_limiter_fallbacks", "Limits kept in memory because Redis did not answer.")
        self.upstream_seconds = times("pokewatch_gateway_upstream_seconds", "Time of one exchange with the model server.", ("upstream",))
        self.upstream_failures = count("pokewatch_gateway_upstream_failures", "Failed exchanges with the model server.", ("upstream",))
        self.upstream_state = gauge("pokewatch_gateway_upstream_state", "Breaker: 0 closed, 1 half-open, 2 open.", ("upstream",))
        self.data_age = gauge("pokewatch_gateway_data_age_days", "Days since the newest market day of the price book.")
        self.changes = count("pokewatch_gateway_version_changes", "Times that the served model or data version changed.")
