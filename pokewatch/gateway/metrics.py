"""What the gateway counts. One registry an application; no label holds a card, a key or anything a caller can choose."""

from bisect import bisect_left
from collections import Counter as Counted
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

Own = TypeVar("Own", bound=Collector)

# 0.15 s is the latency objective.
_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0)
_FAILURES = (500, 502, 503, 504)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)


class Series:
    """How often values up to each bound of a histogram were seen, and their sum: counted as cheaply as Python can."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        bounds = [*map(str, map(float, self._bounds)), "+Inf"]
        family.add_metric(
            labels, list(zip(bounds, accumulate(self._counts), strict=True)), self._sum
        )


class Distribution(Collector):
    """A histogram, with a series for each value of its label if it has one."""

    def __init__(
        self, name: str, documentation: str, bounds: Sequence[float], label: str = ""
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = bounds
        self._labels = (label,) if label else ()
        self._series: dict[tuple[str, ...], Series] = {}

    def of(self, *label: str) -> Series:
        return self._series.setdefault(label, Series(self._bounds))

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for label, series in self._series.items():
            series.add_to(family, label)
        yield family


class Requests(Collector):
    """Requests answered and how long they took: this is on every request's way."""

    def __init__(self) -> None:
        self._counts: Counted[tuple[str, str, int]] = Counted()
        self._routes: dict[str, Series] = {}
        self._seconds = Distribution(
            "pokewatch_gateway_request_seconds",
            "Time from a request's headers to its answer, by route.",
            _LATENCY,
            "route",
        )

    def add(self, route: str, method: str, status: int, seconds: float) -> None:
        self._counts[route, method, status] += 1
        (self._routes.get(route) or self._start(route, method)).observe(seconds)

    def _start(self, route: str, method: str) -> Series:
        """A route's first request. Its failures are there at 0 from now on: `rate` does not see the count a series begins with."""
        for status in _FAILURES:
            self._counts[route, method, status] += 0
        return self._routes.setdefault(route, self._seconds.of(route))

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "pokewatch_gateway_requests",
            "Requests answered, by route, method and status.",
            labels=("route", "method", "status"),
        )
        for (route, method, status), count in self._counts.items():
            requests.add_metric((route, method, str(status)), count)
        yield requests
        yield from self._seconds.collect()


class Tally(Collector):
    """A counter with one label whose values are all known, and there at 0 from the start. Counts as cheaply as `Requests`."""

    def __init__(self, name: str, documentation: str, label: str, values: Sequence[str]) -> None:
        self._name = name
        self._documentation = documentation
        self._label = label
        self._counts = dict.fromkeys(values, 0)

    def add(self, value: str) -> None:
        self._counts[value] += 1

    def add_all(self, values: Iterable[str]) -> None:
        for value, count in Counted(values).items():
            self._counts[value] += count

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._documentation, labels=(self._label,))
        for value, count in self._counts.items():
            family.add_metric((value,), count)
        yield family


class ServedVersions(Collector):
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

        self.requests = self._own(Requests())
        self.served = self._own(ServedVersions())
        self.predictions = self._own(
            Tally(
                "pokewatch_gateway_predictions",
                "Cards answered, by signal; kept answers too.",
                "signal",
                ("BUY", "SELL", "HOLD"),
            )
        )
        self.coalesced = self._own(
            Distribution(
                "pokewatch_gateway_coalesced_rows",
                "Rows that shared one call to the model server.",
                _ROWS,
            )
        )
        self.waiting = gauge(
            "pokewatch_gateway_waiting_rows", "Rows queued for, or in, a call to the model server."
        )
        self.cache = self._own(
            Tally(
                "pokewatch_gateway_cache",
                "Answer cache look-ups: hit, miss or stale.",
                "result",
                ("hit", "miss", "stale"),
            )
        )
        self.limited = count(
            "pokewatch_gateway_limited", "Requests refused by key, address or load.", ("by",)
        )
        self.keyless = count(
            "pokewatch_gateway_keyless",
            "Requests without a valid key: answered 401, or 429 where an address sends many.",
        )
        self.limiter_fallbacks = count(
            "pokewatch_gateway_limiter_fallbacks",
            "Limits kept in memory because Redis did not answer.",
        )
        self.upstream_seconds = self._own(
            Distribution(
                "pokewatch_gateway_upstream_seconds",
                "Time of one exchange with the model server.",
                _LATENCY,
                "upstream",
            )
        )
        self.upstream_failures = count(
            "pokewatch_gateway_upstream_failures",
            "Failed exchanges with the model server.",
            ("upstream",),
        )
        self.upstream_state = gauge(
            "pokewatch_gateway_upstream_state",
            "Breaker: 0 closed, 1 half-open, 2 open.",
            ("upstream",),
        )
        self.changes = count(
            "pokewatch_gateway_version_changes",
            "Times that the served model or data version changed.",
        )

    def _own(self, collector: Own) -> Own:
        self.registry.register(collector)
        return collector
