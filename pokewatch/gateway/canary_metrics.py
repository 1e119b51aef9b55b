"""Metrics of canaries. The label `market` is empty for a market that has no name."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from pokewatch.contract import CHALLENGER_ARM, CHAMPION_ARM
from pokewatch.gateway.market_counts import CountsByMarket

VARIANTS = (CHAMPION_ARM, CHALLENGER_ARM)


class CanaryMetrics:
    """Share, requests, comparisons and stops of canaries."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = CountsByMarket(
            "pokewatch_gateway_variant_requests",
            "Requests during canaries, by variant.",
            "variant",
            VARIANTS,
        )
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
