"""Watching servers after a deploy: golden requests again and again, and the live figures of each server's own metrics.

The live figures are those of all its traffic while it is watched: what `/metrics` says at the end less what it said at the
start. A server whose metrics cannot be reached is watched by golden requests alone.
"""

import logging
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from pokewatch.deploy.golden import GoldenRequests
from pokewatch.settings import ServingSettings, WatchSettings

logger = logging.getLogger("pokewatch.monitoring")

_PAUSE = 0.2  # seconds between two golden requests to the same server
_LEAST_REQUESTS = 5  # before a share of them is judged
_LEAST_LIVE = 20
_TIMEOUT = 2.0  # seconds that a server may stay silent, unless more are allowed; several that hang are found out within a minute


@dataclass(frozen=True, slots=True)
class Breach:
    """A check that failed on a server, with its figures."""

    check: str
    address: str
    found: str

    def __str__(self) -> str:
        return f"{self.check} at {self.address}: {self.found}"


@dataclass(slots=True)
class _Live:
    """What a server has counted since it was started: requests, those it failed, and how many took at most so many seconds."""

    requests: float = 0.0
    failed: float = 0.0
    within: dict[float, float] = field(default_factory=lambda: defaultdict(float))


class CanaryServer:
    """One server, and what was seen of it."""

    def __init__(
        self, address: str, golden: GoldenRequests, settings: WatchSettings, metrics_port: int
    ) -> None:
        self.address = address
        self._golden, self._settings = golden, settings
        url = urlsplit(address)
        self._metrics = (
            f"{url.scheme}://{url.netloc.rpartition(':')[0] or url.netloc}:{metrics_port}/metrics"
        )
        self._timeout = max(_TIMEOUT, 2 * settings.deploy_watch_p95_seconds)
        self._seconds: list[float] = []
        self._failed: list[str] = []
        self._start: _Live | None = None

    def begin(self, client: httpx.Client) -> None:
        self._start = self._live(client)
        if self._start is None:
            logger.warning(
                "the metrics at %s cannot be read: the new model is watched by golden requests alone",
                self._metrics,
            )

    def ask(self, client: httpx.Client) -> Breach | None:
        """One golden request; what is breached by now."""
        started = time.perf_counter()
        fault = ""
        try:
            answer = client.post(
                f"{self.address}/v2/models/fair-price/infer",
                json=self._golden.request(),
                timeout=self._timeout,
            )
            if answer.status_code != httpx.codes.OK:
                self._failed.append(f"HTTP {answer.status_code}")
            else:
                fault = self._golden.fault(answer.json())
        except (httpx.TransportError, ValueError) as error:
            self._failed.append(f"{type(error).__name__} {error}".strip())
        self._seconds.append(time.perf_counter() - started)
        return Breach("golden answers", self.address, fault) if fault else self._golden_breach()

    def live_breach(self, client: httpx.Client) -> Breach | None:
        """What is breached by the live figures since `begin`."""
        now = self._live(client) if self._start else None
        if now is None or self._start is None or now.requests - self._start.requests < _LEAST_LIVE:
            return None
        requests, failed = now.requests - self._start.requests, now.failed - self._start.failed
        if failed / requests > self._settings.deploy_watch_errors:
            return Breach(
                "live errors",
                self.address,
                f"{failed:.0f} of {requests:.0f} requests failed, wanted <= {self._settings.deploy_watch_errors:.1%}",
            )
        limit = self._settings.deploy_watch_p95_seconds
        within = max(
            (now.within[edge] - self._start.within[edge] for edge in now.within if edge <= limit),
            default=requests,
        )
        if within / requests < 0.95:
            return Breach(
                "live latency",
                self.address,
                f"{within / requests:.1%} of {requests:.0f} requests within {limit:g} s, wanted 95%",
            )
        return None

    def _golden_breach(self) -> Breach | None:
        requests, limits = len(self._seconds), self._settings
        if requests < _LEAST_REQUESTS:
            return None
        if len(self._failed) / requests > limits.deploy_watch_errors:
            found = f"{len(self._failed)} of {requests} golden requests failed ({self._failed[-1]}), wanted <= {limits.deploy_watch_errors:.1%}"
            return Breach("errors", self.address, found)
        p95 = float(np.quantile(self._seconds, 0.95, method="lower"))
        if p95 > limits.deploy_watch_p95_seconds:
            found = f"p95 of {requests} golden requests is {p95:.3f} s, wanted <= {limits.deploy_watch_p95_seconds:g} s"
            return Breach("latency", self.address, found)
        return None

    def _live(self, client: httpx.Client) -> _Live | None:
        try:
            answer = client.get(self._metrics, timeout=_TIMEOUT)
            return _counted(answer.raise_for_status().text)
        except (httpx.HTTPError, ValueError):
            return None


def watch(
    client: httpx.Client,
    addresses: Sequence[str],
    golden: GoldenRequests,
    settings: WatchSettings | None = None,
) -> Breach | None:
    """Watch the servers for the time that the settings say; the first breach, at once, or None.

    `addresses` are REST addresses; their metrics are at the same host, on POKEWATCH_MLSERVER_METRICS_PORT.
    """
    settings = settings or WatchSettings.read()
    port = ServingSettings.read().mlserver_metrics_port
    servers = [CanaryServer(address, golden, settings, port) for address in addresses]
    for server in servers:
        server.begin(client)
    deadline = time.monotonic() + settings.deploy_watch_seconds
    while time.monotonic() < deadline:
        breaches = (server.ask(client) or server.live_breach(client) for server in servers)
        if breach := next(filter(None, breaches), None):
            return breach
        time.sleep(_PAUSE)
    return None


def _counted(text: str) -> _Live:
    """The inference requests of MLServer's REST server, from its metrics in text."""
    live = _Live()
    for name, labels, value in _samples(text):
        if name == "rest_server_requests_total":
            live.requests += value
            live.failed += value if labels["status_code"].startswith("5") else 0.0
        elif name == "rest_server_request_duration_seconds_bucket" and math.isfinite(
            edge := float(labels["le"])
        ):
            live.within[edge] += value
    return live


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("path", "").endswith("/infer"):
                yield sample.name, sample.labels, sample.value
