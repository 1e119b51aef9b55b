"""The gateway's metrics. No label has a card, a key or any other value that clients can choose.

The label `market` is empty for a market that has no name. Requests and limits have no such label: a
request may concern several markets, and a limit belongs to a key or to the whole gateway.
"""

from bisect import bisect_left, bisect_right
from collections import Counter as Counted
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from pokewatch.contract import SIGNALS
from pokewatch.gateway.canary_metrics import CanaryMetrics
from pokewatch.gateway.market_counts import CountsByMarket

CollectorType = TypeVar("CollectorType", bound=Collector)

OBJECTIVE = 0.15  # seconds that a request may take
_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, OBJECTIVE, 0.25, 0.5, 1.0, 2.5, 5.0)
_FAILURES = (500, 502, 503, 504)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)


class HistogramSeries:
    """A histogram's buckets and sum, cheaper to update than prometheus_client's `Histogram`."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def above(self, value: float) -> int:
        """Return how many values were above a bound of a bucket, or above 0."""
        return sum(self._counts[bisect_right(self._bounds, value) :])

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        bounds = [*map(str, map(float, self._bounds)), "+Inf"]
        family.add_metric(
            labels, list(zip(bounds, accumulate(self._counts), strict=True)), self._sum
        )


class FastHistogram(Collector):
    """A histogram, whose series are looked up once."""

    def __init__(
        self, name: str, documentation: str, bounds: Sequence[float], labels: Sequence[str]
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = bounds
        self._labels = labels
        self._series: dict[tuple[str, ...], HistogramSeries] = {}

    def of(self, *labels: str) -> HistogramSeries:
        return self._series.setdefault(labels, HistogramSeries(self._bounds))

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, series in self._series.items():
            series.add_to(family, labels)
        yield family


class RequestMetrics(Collector):
    """Number and duration of requests. Every request is added, so `add` must be fast."""

    def __init__(self) -> None:
        self._counts: Counted[tuple[str, str, int]] = Counted()
        self._routes: dict[str, HistogramSeries] = {}
        self._seconds = FastHistogram(
            "pokewatch_gateway_request_seconds",
            "Time from a request's headers to its response, by route.",
            _LATENCY,
            ("route",),
        )

    def add(self, route: str, method: str, status: int, seconds: float) -> None:
        self._counts[route, method, status] += 1
        (self._routes.get(route) or self._start(route, method)).observe(seconds)

    def _start(self, route: str, method: str) -> HistogramSeries:
        """Add a route's series; failures start at 0, as `rate` ignores a series' first value."""
        for status in _FAILURES:
            self._counts[route, method, status] += 0
        return self._routes.setdefault(route, self._seconds.of(route))

    def totals(self, counted: Callable[[str], bool]) -> tuple[int, int, int, int]:
        """Return how many requests of the counted routes were valid, failed, timed and slow.

        Those answered with 4xx are not valid; the slow ones missed the latency objective.
        """
        answers = [
            (status, count)
            for (route, _, status), count in self._counts.items()
            if counted(route) and not 400 <= status < 500
        ]
        times = [series for route, series in self._routes.items() if counted(route)]
        return (
            sum(count for _, count in answers),
            sum(count for status, count in answers if status >= 500),
            sum(series.above(0.0) for series in times),
            sum(series.above(OBJECTIVE) for series in times),
        )

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "pokewatch_gateway_requests",
            "Requests by route, method and status.",
            labels=("route", "method", "status"),
        )
        for (route, method, status), count in self._counts.items():
            requests.add_metric((route, method, str(status)), count)
        yield requests
        yield from self._seconds.collect()


class ServedMarket:
    """The last report of the model server on a market. The members are None before the first."""

    def __init__(self) -> None:
        self.versions: tuple[str, str] | None = None
        self.last_day: float | None = None


class ServedVersions(Collector):
    """The model and data version of each market; `market` is empty for one that has no name."""

    def __init__(self) -> None:
        self._markets: dict[str, ServedMarket] = {}

    def of(self, market: str) -> ServedMarket:
        return self._markets.setdefault(market, ServedMarket())

    def remove(self, market: str) -> None:
        self._markets.pop(market, None)

    def collect(self) -> Iterator[Metric]:
        served = GaugeMetricFamily(
            "pokewatch_gateway_served_info",
            "Always 1; the labels are the model and data version of the latest response.",
            labels=("model_version", "data_version", "market"),
        )
        last_days = GaugeMetricFamily(
            "pokewatch_gateway_data_last_day_timestamp_seconds",
            "Midnight UTC at the start of the latest market day that is served.",
            labels=("market",),
        )
        for market, found in self._markets.items():
            if found.versions is not None:
                served.add_metric((*found.versions, market), 1)
            if found.last_day is not None:
                last_days.add_metric((market,), found.last_day)
        yield served
        yield last_days


class Metrics:
    """All metrics of one gateway. `registry` includes those of its process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._add_request_metrics()
        self._add_limit_metrics()
        self._add_upstream_metrics()
        self.canary = CanaryMetrics(self.registry)

    def _add_request_metrics(self) -> None:
        self.requests = self._registered(RequestMetrics())
        self.served = self._registered(ServedVersions())
        self.predictions = self._registered(
            CountsByMarket(
                "pokewatch_gateway_predictions",
                "Predictions by signal and market, including cached ones.",
                "signal",
                SIGNALS,
            )
        )
        self.coalesced = self._registered(
            FastHistogram(
                "pokewatch_gateway_coalesced_rows",
                "Rows per call to the model server.",
                _ROWS,
                ("market",),
            )
        )
        self.waiting = Gauge(
            "pokewatch_gateway_waiting_rows",
            "Rows in a call to the model server, or queued for one.",
            registry=self.registry,
        )
        self.cache = self._registered(
            CountsByMarket(
                "pokewatch_gateway_cache",
                "Answer cache look-ups by result and market.",
                "result",
                ("hit", "miss", "stale"),
            )
        )

    def _add_limit_metrics(self) -> None:
        count = partial(Counter, registry=self.registry)
        self.limited = count(
            "pokewatch_gateway_limited",
            "Requests rejected by the limit of a key, of an address, or by load.",
            ("by",),
        )
        self.events = count(
            "pokewatch_gateway_events",
            "Events of the event log by result: written, or dropped for their rate, for the log's "
            "size, or by a failed write.",
            ("result",),
        )
        self.keyless = count(
            "pokewatch_gateway_keyless",
            "Requests without a valid key, whether rejected with 401 or 429.",
        )
        self.limiter_fallbacks = count(
            "pokewatch_gateway_limiter_fallbacks",
            "Rate limit checks made in memory because Redis did not respond.",
        )

    def _add_upstream_metrics(self) -> None:
        count = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        self.upstream_seconds = self._registered(
            FastHistogram(
                "pokewatch_gateway_upstream_seconds",
                "Duration of calls to the model server.",
                _LATENCY,
                ("upstream", "market"),
            )
        )
        self.upstream_failures = count(
            "pokewatch_gateway_upstream_failures",
            "Failed calls to the model server.",
            ("upstream", "market"),
        )
        self.upstream_state = gauge(
            "pokewatch_gateway_upstream_state",
            "State of the circuit breaker: 0 closed, 1 half-open, 2 open.",
            ("upstream", "market"),
        )
        self.changes = count(
            "pokewatch_gateway_version_changes",
            "Changes of the served model or data version.",
            ("market",),
        )

    def _registered(self, collector: CollectorType) -> CollectorType:
        self.registry.register(collector)
        return collector
