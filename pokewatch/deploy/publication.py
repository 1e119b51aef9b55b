"""Plans of a canary in the registry and at the MLServers, which publish them to the gateways."""

import logging
import time
from collections.abc import Callable, Sequence

import httpx

from pokewatch.contract import catalog_path, challenger_model, fair_price_model
from pokewatch.deploy.addresses import names_no_replica
from pokewatch.deploy.reload import reload_server
from pokewatch.errors import DeployError, RegistryError
from pokewatch.registry import CANARY, Registry
from pokewatch.serving.canaries import CanaryPlan
from pokewatch.settings import GatewaySettings

logger = logging.getLogger("pokewatch.monitoring")

_TIMEOUT = 2.0
_POLLS = 2  # of a gateway: the first of them may have begun before the change
# Why a plan ends although no check has failed: another one replaces it, or it goes on later.
REPLACED = "another plan takes its place"

Replicas = Callable[[], Sequence[str]]


class Publication:
    """The plans of the canary of `version`, one after another.

    `check_lock` raises LockLostError when another deploy has taken over.
    """

    def __init__(
        self,
        registry: Registry,
        client: httpx.Client,
        version: str,
        replicas: Replicas,
        check_lock: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._client = client
        self._version = version
        self._replicas = replicas
        self._check_lock = check_lock
        self._challenger = challenger_model(registry.market)

    def publish(self, plan: CanaryPlan) -> list[str]:
        """Have every MLServer load the version with a plan. Return the addresses of those that do.

        Raise DeployError if one cannot; one that has been stopped is left out.
        """
        self._check_lock()
        self._registry.set_state(CANARY, plan.to_state())
        if plan.revision == 0:  # after the state, by which `end_canary` knows that there is one
            self._registry.set_alias(CANARY, self._version)
        return [address for address in self._replicas() if self.load(address)]

    def load(self, address: str) -> bool:
        """Have an MLServer load the version. Return whether it serves it. Raise DeployError."""
        try:
            outcome = reload_server(self._client, address, self._version, self._challenger)
        except DeployError:
            if address in self._replicas():
                raise
            return False
        return outcome.state == "serving"


def published_canary(client: httpx.Client, address: str, market: str) -> dict[str, object] | None:
    """Return the canary that a server publishes, empty for none; None if it does not answer."""
    if names_no_replica(address):
        return None
    path = f"{catalog_path(fair_price_model(market))}/status"
    try:
        answer = client.post(f"{address}{path}", json={}, timeout=_TIMEOUT)
        return dict(answer.raise_for_status().json()["canary"] or {})
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None


def current_plan(registry: Registry) -> CanaryPlan | None:
    """Return the plan in the registry, None for none or one that cannot be read: logged."""
    text = registry.get_state(CANARY)
    try:
        return CanaryPlan.from_state(text) if text else None
    except RegistryError as error:
        logger.warning("%s", error)
        return None


def end_canary(registry: Registry, client: httpx.Client, replicas: Replicas, reason: str) -> str:
    """End the canary in the registry and at every MLServer, if there is one. May be repeated.

    Return why it had ended at an MLServer before, as by a check; "" if it had not. A server that
    cannot be reached ends it by itself when its plan expires.
    """
    if not registry.get_state(CANARY):
        return ""
    plan, found = current_plan(registry), ""
    if plan is not None:
        path = f"{catalog_path(challenger_model(registry.market))}/canary/end"
        body = {"id": plan.id, "reason": reason[:500]}
        reasons = [_end_at(client, f"{address}{path}", body) for address in _found(replicas)]
        found = next((each for each in reasons if each not in ("", REPLACED, reason[:500])), "")
    if registry.find(CANARY) is not None:
        registry.delete_alias(CANARY)
    registry.set_state(CANARY, "")
    return found


def await_gateways() -> None:
    """Wait until gateways have read what the MLServers publish."""
    time.sleep(_POLLS * GatewaySettings.read().watch_seconds)


def _found(replicas: Replicas) -> Sequence[str]:
    """Return the addresses, none if they cannot be looked up."""
    try:
        return replicas()
    except DeployError as error:
        logger.warning("%s", error)
        return ()


def _end_at(client: httpx.Client, url: str, body: dict[str, str]) -> str:
    """End a canary at a server. Return the reason for which it has ended, "" if unknown."""
    if names_no_replica(url):
        return ""
    try:
        answer = client.post(url, json=body, timeout=_TIMEOUT)
        return str(answer.raise_for_status().json()["ended"] or "")
    except httpx.TransportError as error:
        logger.warning("%s did not answer: %s", url, error)
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        pass  # it has no canary of this id
    return ""
