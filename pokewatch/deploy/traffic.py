"""The canary of a deploy in traffic: gateways send more and more callers to the new version.

The version is loaded beside the champion, as the challenger. The plan of each step is a state of
the registry, which the MLServers read when they load the challenger and publish to the gateways. A
gateway whose checks fail stops by itself and reports it to an MLServer, where it is found here.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex

import httpx

from pokewatch.contract import challenger_model, fair_price_model
from pokewatch.deploy.addresses import names_no_replica
from pokewatch.deploy.golden import GoldenRequests
from pokewatch.deploy.publication import Publication, Replicas, published_canary
from pokewatch.deploy.server_checks import Breach, CheckedServer
from pokewatch.registry import Registry
from pokewatch.serving.canaries import CanaryPlan
from pokewatch.settings import CanarySettings, DeployWatchSettings, ServingSettings

logger = logging.getLogger("pokewatch.monitoring")

_INTERVAL = 0.2  # seconds between two looks at the servers
_TIMEOUT = 2.0
# Seconds that a step may take beyond its length, for loading: then the MLServers end it themselves.
_GRACE = 120.0


class TrafficShift:
    """The steps of a canary of `version`. `replicas` looks up the addresses of the MLServers.

    `check_lock` raises LockLostError when another deploy has taken over.
    """

    def __init__(
        self,
        registry: Registry,
        client: httpx.Client,
        version: str,
        golden: GoldenRequests,
        replicas: Replicas,
        check_lock: Callable[[], None],
    ) -> None:
        self._publication = Publication(registry, client, version, replicas, check_lock)
        self._client = client
        self._version = version
        self._market = registry.market
        self._golden = replace(golden, model=challenger_model(registry.market))
        self._replicas = replicas
        self._settings = CanarySettings.read()
        self._limits = DeployWatchSettings.read()
        self._port = ServingSettings.read().mlserver_metrics_port
        self._id = f"deploy-{token_hex(6)}"
        self._since = datetime.now(UTC).isoformat(timespec="seconds")
        self._servers: dict[str, CheckedServer] = {}

    def run(self) -> None:
        """Take all steps. Raise DeployError if a check fails."""
        self._publish(0.0, 0)
        for number, share in enumerate(self._settings.canary_steps, start=1):
            self._publish(share, number)
            logger.info("version %s answers %.0f%% of the callers", self._version, 100 * share)
            self._watch(time.monotonic() + self._settings.canary_step_seconds)

    def _publish(self, share: float, revision: int) -> None:
        """Have every MLServer load the version with the plan of a step."""
        seconds = self._settings.canary_step_seconds + _GRACE
        plan = CanaryPlan(self._id, share, revision, seconds, since=self._since)
        for address in self._publication.publish(plan):
            self._add(address)

    def _watch(self, end: float) -> None:
        while time.monotonic() < end:
            for address in self._replicas():
                breach = self._breach(address)
                if breach is not None and address in self._replicas():
                    raise breach.error(self._version)
            time.sleep(_INTERVAL)

    def _breach(self, address: str) -> Breach | None:
        """Return the check that a server fails. One that has just started is given the version."""
        found = published_canary(self._client, address, self._market)
        if not found or found["id"] != self._id:
            if self._publication.load(address):
                self._add(address)
            return None
        if found["ended"] is not None:
            return Breach("live traffic", address, str(found["ended"]))
        server = self._servers.get(address)
        return server.send(self._client) if server else None

    def _add(self, address: str) -> None:
        if address not in self._servers:
            self._servers[address] = CheckedServer(address, self._golden, self._limits, self._port)


def uses_traffic(client: httpx.Client, replicas: Replicas, market: str) -> bool:
    """Return whether enough MLServers serve a market for a deploy to take traffic in steps."""
    least = CanarySettings.read().canary_replicas
    if least == 0 or DeployWatchSettings.read().deploy_watch_seconds == 0:
        return False
    return ready_servers(client, replicas, market) >= least


def ready_servers(client: httpx.Client, replicas: Replicas, market: str) -> int:
    """Return how many MLServers serve a market."""
    path = f"/v2/models/{fair_price_model(market)}/ready"
    return sum(_is_ready(client, f"{address}{path}") for address in replicas())


def _is_ready(client: httpx.Client, url: str) -> bool:
    if names_no_replica(url):
        return False
    try:
        return client.get(url, timeout=_TIMEOUT).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
