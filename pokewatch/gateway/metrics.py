"""What the gateway counts. One registry an application; no label holds a card, a key or anything a caller can choose."""

from bisect import bisect_left
from collections import Counter as Counted
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

# 0.15 s is the latency objective.
_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)
_FAILURES = (500, 502, 503, 504)
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
            buckets = self._start(route, method)
        buckets[bisect_left(_LATENCY, seconds)] += 1
        self._sums[route] += seconds

    def _start(self, route: str, method: str) -> list[int]:
        """A route's first request. Its failures are there at 0 from now on: `rate` does not see the count a series begins with."""
        for status in _FAILURES:
            self._counts[route, method, status] += 0
        self._sums[route] = 0.0
        return self._buckets.setdefault(route, [0] * (len(_LATENCY) + 1))

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "pokewatch_gateway_requests", "Requests answered, by route, method and status.", labels=("route", "method", "status")
        )
        for (route, method, status), count in self._counts.items():
            requests.add_metric((route, method, str(status)), count)
        yield requests
        seconds = HistogramMetricFamily(
            "pokewatch_gateway_request_seconds", "Time from a request's headers to its answer, by route.", labels=("route",)
        )
        for route, buckets in self._buckets.items():
            bounds = [*map(str, _LATENCY), "+Inf"]
            seconds.add_metric((route,), list(zip(bounds, accumulate(buckets), strict=True)), self._sums[route])
        yield seconds


class Tally(Collector):
    """A counter with one label whose values are all known, and there at 0 from the start. Counts as cheaply as `Requests`."""

    def __init__(self, name: str, documentation: str, label: str, values: Sequence[str]) -> None:
        self._name = name
        self._documentation = documentation
        self._label = label
        self._counts = dict.fromkeys(values, 0)

    def add(self, value: str, count: int = 1) -> None:
        self._counts[value] += count

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._documentation, labels=(self._label,))
        for value, count in self._counts.items():
            family.add_metric((value,), count)
        yield family


class Served(Collector):
    """What the model server says it serves: one series at a time, none before it was first heard."""

    def __init__(self) -> None:
        self.versions: tuple[str, str] | None = None
        self.last_day: float | None = None

    def collect(self) -> Iterator[Metric]:
        served = GaugeMetricFamily(
            "pokewatch_gateway_served_info",
            "1 for the model and data version that the newest answer came from, which the labels name.",
            labels=("model_version", "data_version"),
        )
        if self.versions is not None:
            served.add_metric(self.versions, 1)
        yield served
        yield GaugeMetricFamily(
            "pokewatch_gateway_data_last_day_timestamp_seconds",
            "Midnight (UTC) with which the newest market day began of which the gateway has heard.",
            value=self.last_day,
        )


class Metrics:
    """`registry` also has the process's own: memory, CPU, open files, when it started."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        count = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        sizes = partial(Histogram, registry=self.registry, buckets=_ROWS)
        times = partial(Histogram, registry=self.registry, buckets=_LATENCY)

        self.requests = Requests()
        self.registry.register(self.requests)
        self.served = Served()
        self.registry.register(self.served)
        self.predictions = Tally("pokewatch_gateway_predictions", "Cards answered, by signal.", "signal", ("BUY", "SELL", "HOLD"))
        self.registry.register(self.predictions)
        self.coalesced = sizes("pokewatch_gateway_coalesced_rows", "Rows that shared one call to the model server.")
        self.waiting = gauge("pokewatch_gateway_waiting_rows", "Rows queued for, or in, a call to the model server.")
        self.cache = Tally("pokewatch_gateway_cache", "Answer cache look-ups: hit, miss or stale.", "result", ("hit", "miss", "stale"))
        self.registry.register(self.cache)
        self.limited = count("pokewatch_gateway_limited", "Requests refused by key, address or load.", ("by",))
        self.keyless = count("pokewatch_gateway_keyless", "Requests without a valid key: answered 401, or 429 where an address sends many.")
        self.limiter_fallbacks = count("pokewatch_gateway_limiter_fallbacks", "Limits kept in memory because Redis did not answer.")
        self.upstream_seconds = times("pokewatch_gateway_upstream_seconds", "Time of one exchange with the model server.", ("upstream",))
        self.upstream_failures = count("pokewatch_gateway_upstream_failures", "Failed exchanges with the model server.", ("upstream",))
        self.upstream_state = gauge("pokewatch_gateway_upstream_state", "Breaker: 0 closed, 1 half-open, 2 open.", ("upstream",))
        self.changes = count("pokewatch_gateway_version_changes", "Times that the served model or data version changed.")
