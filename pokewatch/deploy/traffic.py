"""The canary of a deploy in traffic: gateways send more and more callers to the new version.

The version is loaded beside the champion, as the challenger. The plan of each step is a state of
the registry, which the MLServers read when they load the challenger and publish to the gateways. A
gateway whose checks fail stops by itself and reports it to an MLServer, where it is found here.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from secrets import token_hex

import httpx

from pokewatch.contract import catalog_path, challenger_model, fair_price_model
from pokewatch.deploy.addresses import names_no_replica
from pokewatch.deploy.canary import Breach, CanaryServer
from pokewatch.deploy.golden import GoldenRequests
from pokewatch.deploy.reload import reload_server
from pokewatch.errors import DeployError, RegistryError
from pokewatch.registry import CANARY, Registry
from pokewatch.serving.canaries import CanaryPlan
from pokewatch.settings import CanarySettings, ServingSettings, WatchSettings

logger = logging.getLogger("pokewatch.monitoring")

_INTERVAL = 0.2  # seconds between two looks at the servers
_TIMEOUT = 2.0
# Seconds that a step may take beyond its length, for loading: then the MLServers end it themselves.
_GRACE = 120.0

Replicas = Callable[[], Sequence[str]]


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
        self._registry = registry
        self._client = client
        self._version = version
        self._challenger = challenger_model(registry.market)
        self._golden = replace(golden, model=self._challenger)
        self._replicas = replicas
        self._check_lock = check_lock
        self._settings = CanarySettings.read()
        self._limits = WatchSettings.read()
        self._port = ServingSettings.read().mlserver_metrics_port
        self._status = f"{catalog_path(fair_price_model(registry.market))}/status"
        self._id = f"deploy-{token_hex(6)}"
        self._servers: dict[str, CanaryServer] = {}

    def run(self) -> None:
        """Take all steps. Raise DeployError if a check fails."""
        self._publish(0.0, 0)
        for number, share in enumerate(self._settings.canary_steps, start=1):
            self._publish(share, number)
            logger.info("version %s answers %.0f%% of the callers", self._version, 100 * share)
            self._watch(time.monotonic() + self._settings.canary_step_seconds)

    def _publish(self, share: float, revision: int) -> None:
        """Have every MLServer load the version with the plan of a step."""
        self._check_lock()
        seconds = self._settings.canary_step_seconds + _GRACE
        plan = CanaryPlan(self._id, share, revision, seconds)
        self._registry.set_state(CANARY, plan.to_state())
        if revision == 0:  # after the state, by which `end_canary` knows that there is something
            self._registry.set_alias(CANARY, self._version)
        for address in self._replicas():
            self._load(address)

    def _watch(self, end: float) -> None:
        while time.monotonic() < end:
            for address in self._replicas():
                breach = self._breach(address)
                if breach is not None and address in self._replicas():
                    raise DeployError(f"version {self._version} failed the check of {breach}")
            time.sleep(_INTERVAL)

    def _breach(self, address: str) -> Breach | None:
        """Return the check that a server fails. One that has just started is given the version."""
        found = self._published(address)
        if found is None or found["id"] != self._id:
            self._load(address)
            return None
        if found["ended"] is not None:
            return Breach("live traffic", address, str(found["ended"]))
        server = self._servers.get(address)
        return server.send(self._client) if server else None

    def _published(self, address: str) -> dict[str, object] | None:
        """Return the canary that a server publishes, None if it does not answer."""
        try:
            answer = self._client.post(f"{address}{self._status}", json={}, timeout=_TIMEOUT)
            found: dict[str, object] | None = answer.raise_for_status().json()["canary"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None
        return found

    def _load(self, address: str) -> None:
        try:
            outcome = reload_server(self._client, address, self._version, self._challenger)
        except DeployError:
            if address in self._replicas():
                raise
            return
        if outcome.state == "serving" and address not in self._servers:
            self._servers[address] = CanaryServer(address, self._golden, self._limits, self._port)


def uses_traffic(client: httpx.Client, replicas: Replicas, market: str) -> bool:
    """Return whether enough MLServers serve a market for a deploy to take traffic in steps."""
    least = CanarySettings.read().canary_replicas
    if least == 0 or WatchSettings.read().deploy_watch_seconds == 0:
        return False
    path = f"/v2/models/{fair_price_model(market)}/ready"
    return sum(_is_ready(client, f"{address}{path}") for address in replicas()) >= least


def end_canary(registry: Registry, client: httpx.Client, replicas: Replicas, reason: str) -> None:
    """End the canary in the registry and at every MLServer, if there is one. May be repeated.

    A server that cannot be reached ends it by itself when its plan expires.
    """
    text = registry.get_state(CANARY)
    if not text:
        return
    try:
        canary = CanaryPlan.from_state(text).id
    except RegistryError as error:
        logger.warning("%s", error)
    else:
        path = f"{catalog_path(challenger_model(registry.market))}/canary/end"
        body = {"id": canary, "reason": reason[:500]}
        for address in _found(replicas):
            _post(client, f"{address}{path}", body)
    if registry.find(CANARY) is not None:
        registry.delete_alias(CANARY)
    registry.set_state(CANARY, "")


def _found(replicas: Replicas) -> Sequence[str]:
    """Return the addresses, none if they cannot be looked up."""
    try:
        return replicas()
    except DeployError as error:
        logger.warning("%s", error)
        return ()


def _is_ready(client: httpx.Client, url: str) -> bool:
    if names_no_replica(url):
        return False
    try:
        return client.get(url, timeout=_TIMEOUT).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _post(client: httpx.Client, url: str, body: dict[str, str]) -> None:
    if names_no_replica(url):
        return
    try:
        client.post(url, json=body, timeout=_TIMEOUT)
    except httpx.TransportError as error:
        logger.warning("%s did not answer: %s", url, error)
