"""Metrics of canaries. The label `market` is empty for a market that has no name."""

from collections import Counter as Counted
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

VARIANTS = ("champion", "challenger")


class VariantRequests(Collector):
    """Requests by variant and market. Those of a market start at 0 with its first canary."""

    def __init__(self) -> None:
        self._markets: dict[str, Counted[str]] = {}

    def of(self, market: str) -> Counted[str]:
        """Return the counts by variant of a market."""
        return self._markets.setdefault(market, Counted(dict.fromkeys(VARIANTS, 0)))

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "pokewatch_gateway_variant_requests",
            "Requests during canaries, by variant.",
            labels=("variant", "market"),
        )
        for market, counts in self._markets.items():
            for variant, count in counts.items():
                family.add_metric((variant, market), count)
        yield family


class CanaryMetrics:
    """Share, requests, comparisons and stops of canaries."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = VariantRequests()
        registry.register(self.requests)
        self.share = Gauge(
            "pokewatch_gateway_canary_share",
            "Share of callers that the challenger answers; 0 without a canary.",
            ("market",),
            registry=registry,
        )
        self.compared = Counter(
            "pokewatch_gateway_canary_compared",
            "Answers compared with the other variant's: the signal is the same or different, the "
            "other variant failed, or the queue was full and the answer is not compared.",
            ("result", "market"),
            registry=registry,
        )
        self.stops = Counter(
            "pokewatch_gateway_canary_stops",
            "Canaries stopped by this gateway, by the check that failed.",
            ("check", "market"),
            registry=registry,
        )
