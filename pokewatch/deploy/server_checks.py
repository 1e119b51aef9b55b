"""The checks of servers after a deploy: repeated golden requests, and metrics of live traffic.

Live traffic is the difference between a server's counters now and at the start of the checks. A
server whose metrics cannot be read is checked by golden requests only.
"""

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from pokewatch.deploy.golden import GoldenRequests
from pokewatch.errors import DeployError, DeployOutageError
from pokewatch.settings import DeployWatchSettings, ServingSettings

logger = logging.getLogger("pokewatch.monitoring")

_INTERVAL = 0.2  # seconds between two golden requests to the same server
_MIN_GOLDEN = 5  # golden requests before their error rate and latency are judged
_MIN_LIVE = 20  # live requests before theirs are judged
# Seconds to wait for an answer, unless the settings allow more: servers that hang are found
# within a minute.
_TIMEOUT = 2.0
_GONE = (httpx.NetworkError, httpx.RemoteProtocolError)  # of a server that has ended


@dataclass(frozen=True, slots=True)
class Breach:
    """A failed check of a server, with the measured value; `gone` if it did not answer at all."""

    check: str
    address: str
    found: str
    gone: bool = False

    def __str__(self) -> str:
        return f"{self.check} at {self.address}: {self.found}"

    def error(self, version: str) -> DeployError:
        """Return the error that ends the deploy of a version."""
        kind = DeployOutageError if self.gone else DeployError
        return kind(f"version {version} failed the check of {self}")


@dataclass(slots=True)
class _Counters:
    """A server's counters: inference requests, failures, and requests by upper bound in seconds."""

    requests: float = 0.0
    failed: float = 0.0
    within: dict[float, float] = field(default_factory=lambda: defaultdict(float))


class CheckedServer:
    """A server that is checked: the requests sent to it, and its counters at the start."""

    def __init__(
        self, address: str, golden: GoldenRequests, settings: DeployWatchSettings, metrics_port: int
    ) -> None:
        self.address = address
        self._path = f"/v2/models/{golden.model}/infer"
        self._golden, self._settings = golden, settings
        self._metrics = httpx.URL(address).copy_with(port=metrics_port, raw_path=b"/metrics")
        self._timeout = max(_TIMEOUT, 2 * settings.deploy_watch_p95_seconds)
        self._seconds: list[float] = []
        self._failed: list[str] = []
        self._gone = 0  # of the failed requests
        self._initial: _Counters | None = None

    def start(self, client: httpx.Client) -> None:
        self._initial = self._counters(client)
        if self._initial is None:
            logger.warning(
                "the metrics at %s cannot be read: golden requests are its only checks",
                self._metrics,
            )

    def send(self, client: httpx.Client) -> Breach | None:
        """Send one golden request. Return the check that fails by now, if any."""
        started = time.perf_counter()
        mismatch = ""
        try:
            answer = client.post(
                f"{self.address}{self._path}",
                json=self._golden.request(),
                timeout=self._timeout,
            )
            if answer.status_code != httpx.codes.OK:
                self._failed.append(f"HTTP {answer.status_code}")
            else:
                mismatch = self._golden.mismatch(answer.json())
        except (httpx.TransportError, ValueError) as error:
            self._failed.append(f"{type(error).__name__} {error}".strip())
            self._gone += isinstance(error, _GONE)
        self._seconds.append(time.perf_counter() - started)
        return (
            Breach("golden answers", self.address, mismatch) if mismatch else self._golden_breach()
        )

    def live_breach(self, client: httpx.Client) -> Breach | None:
        """Return the check that live traffic fails since `start`, if any."""
        now = self._counters(client) if self._initial else None
        if (
            now is None
            or self._initial is None
            or now.requests - self._initial.requests < _MIN_LIVE
        ):
            return None
        requests, failed = now.requests - self._initial.requests, now.failed - self._initial.failed
        if failed / requests > self._settings.deploy_watch_errors:
            return Breach(
                "live errors",
                self.address,
                f"{failed:.0f} of {requests:.0f} requests failed, "
                f"limit {self._settings.deploy_watch_errors:.1%}",
            )
        limit = self._settings.deploy_watch_p95_seconds
        within = max(
            (now.within[edge] - self._initial.within[edge] for edge in now.within if edge <= limit),
            default=requests,
        )
        if within / requests < 0.95:
            share = f"{within / requests:.1%} of {requests:.0f} requests"
            return Breach("live latency", self.address, f"{share} within {limit:g} s, minimum 95%")
        return None

    def _golden_breach(self) -> Breach | None:
        requests, limits = len(self._seconds), self._settings
        if requests < _MIN_GOLDEN:
            return None
        if len(self._failed) / requests > limits.deploy_watch_errors:
            found = (
                f"{len(self._failed)} of {requests} golden requests failed ({self._failed[-1]}), "
                f"limit {limits.deploy_watch_errors:.1%}"
            )
            return Breach("errors", self.address, found, gone=self._gone == len(self._failed))
        p95 = float(np.quantile(self._seconds, 0.95, method="lower"))
        if p95 > limits.deploy_watch_p95_seconds:
            found = (
                f"p95 of {requests} golden requests is {p95:.3f} s, "
                f"limit {limits.deploy_watch_p95_seconds:g} s"
            )
            return Breach("latency", self.address, found)
        return None

    def _counters(self, client: httpx.Client) -> _Counters | None:
        try:
            answer = client.get(self._metrics, timeout=_TIMEOUT)
            return _parse_counters(answer.raise_for_status().text)
        except (httpx.HTTPError, ValueError):
            return None


def check_servers(
    client: httpx.Client,
    addresses: Sequence[str],
    golden: GoldenRequests,
    settings: DeployWatchSettings,
    is_running: Callable[[str], bool] = lambda _: True,
) -> Breach | None:
    """Check the servers for POKEWATCH_DEPLOY_WATCH_SECONDS. Return the first breach, or None.

    A server that breaks a check and, by `is_running`, was stopped meanwhile is left out.

    `addresses` are REST addresses; metrics are at the same host, at
    POKEWATCH_MLSERVER_METRICS_PORT.
    """
    port = ServingSettings.read().mlserver_metrics_port
    servers = [CheckedServer(address, golden, settings, port) for address in addresses]
    for server in servers:
        server.start(client)
    deadline = time.monotonic() + settings.deploy_watch_seconds
    while time.monotonic() < deadline:
        breaches = (server.send(client) or server.live_breach(client) for server in servers)
        if breach := next(filter(None, breaches), None):
            if is_running(breach.address):
                return breach
            logger.warning("%s was stopped during its checks", breach.address)
            servers = [server for server in servers if server.address != breach.address]
        time.sleep(_INTERVAL)
    return None


def _parse_counters(text: str) -> _Counters:
    """Return the counters of inference requests from the text metrics of MLServer's REST server."""
    counters = _Counters()
    for name, labels, value in _samples(text):
        if name == "rest_server_requests_total":
            counters.requests += value
            counters.failed += value if labels["status_code"].startswith("5") else 0.0
        elif name == "rest_server_request_duration_seconds_bucket" and math.isfinite(
            edge := float(labels["le"])
        ):
            counters.within[edge] += value
    return counters


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("path", "").endswith("/infer"):
                yield sample.name, sample.labels, sample.value
