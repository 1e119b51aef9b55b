"""Reloading an MLServer, and verifying which version it serves."""

import errno
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import httpx

from pokewatch.contract import FAIR_PRICE, fair_price_model
from pokewatch.deploy.addresses import names_no_replica
from pokewatch.deploy.versions import is_registered
from pokewatch.errors import DeployError, DeployOutageError
from pokewatch.registry import Registry
from pokewatch.settings import ServingSettings

logger = logging.getLogger("pokewatch.serving")

_PROBE = {
    "inputs": [{"name": "card_id", "shape": [1], "datatype": "BYTES", "data": ["probe"]}],
    "outputs": [{"name": "status"}],
}

_METADATA_WITHIN = 2.0  # seconds

# Yields what is wrong at the addresses after a change to, or away from, a version of a model.
FindFaults = Callable[[httpx.Client, str, Sequence[str], str], Iterator[str]]


@dataclass(frozen=True, slots=True)
class ReplicaOutcome:
    """The state of one MLServer: `serving` the version, `not running`, or of `other markets`.

    What starts later loads the champion. `address` may be a name behind which none runs. At the
    default address another program may listen, or an MLServer of `another installation`.
    """

    address: str
    state: Literal["serving", "not running", "other markets", "another installation"]


def reload_server(client: httpx.Client, address: str, version: str, model: str) -> ReplicaOutcome:
    """Reload a model of one MLServer and verify that it answers with `version`.

    Raise DeployError.
    """
    if names_no_replica(address):
        return ReplicaOutcome(address, "not running")
    try:
        loaded = client.post(f"{address}/v2/repository/models/{model}/load")
        if loaded.status_code == httpx.codes.NOT_FOUND and model != FAIR_PRICE:
            return ReplicaOutcome(address, "other markets")  # those of its POKEWATCH_MARKETS
        if loaded.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise DeployOutageError(f"{address} cannot load version {version}: {_reason(loaded)}")
        if loaded.status_code != httpx.codes.OK:
            raise DeployError(f"{address} refused version {version}: {_reason(loaded)}")
        answering = _served_version(client, address, model)
    except httpx.TransportError as error:
        if _connection_refused(error):
            return ReplicaOutcome(address, "not running")
        cause = f"{type(error).__name__} {error}"
        raise DeployOutageError(f"{address} did not answer: {cause}") from None
    if answering != version:
        raise DeployError(f"{address} answers with version {answering}, not {version}")
    return ReplicaOutcome(address, "serving")


def reload_own_server(
    client: httpx.Client, address: str, version: str, registry: Registry
) -> ReplicaOutcome:
    """Reload the model of a registry's market of one MLServer, unless it `is_foreign`.

    Raise DeployError.
    """
    try:
        outcome = reload_server(client, address, version, fair_price_model(registry.market))
    except DeployError:
        if not is_foreign(client, address, registry):
            raise
    else:
        # Versions of two registries may have the same number.
        if outcome.state != "serving" or not is_foreign(client, address, registry):
            return outcome
    logger.warning("%s is used by another program or installation: left as it is", address)
    return ReplicaOutcome(address, "another installation")


def reload_failures(
    client: httpx.Client, version: str, addresses: Sequence[str], model: str
) -> Iterator[str]:
    """Reload a model of each MLServer. Yield an error for each that does not serve `version`."""
    for address in addresses:
        try:
            reload_server(client, address, version, model)
        except DeployError as error:
            yield str(error)


def still_serving(
    client: httpx.Client, version: str, addresses: Sequence[str], model: str
) -> Iterator[str]:
    """Yield a text for each MLServer that answers with `version`, which is not champion any more.

    Without a champion a load changes nothing, so that an alias deleted by mistake stops no server.
    """
    for address in addresses:
        with suppress(httpx.TransportError):
            if not names_no_replica(address) and version == _served_version(client, address, model):
                yield f"{address} serves version {version} until it restarts or a deploy succeeds"


def other_versions(
    client: httpx.Client, version: str, addresses: Sequence[str], model: str
) -> Iterator[str]:
    """Yield a text for each MLServer that runs, and does not answer with `version`."""
    for address in addresses:
        if names_no_replica(address):
            continue
        try:
            answer = _probe(client, address, model)
        except httpx.TransportError as error:
            if not _connection_refused(error):
                yield f"{address} did not answer: {type(error).__name__} {error}"
            continue
        if answer.status_code == httpx.codes.NOT_FOUND and model != FAIR_PRICE:
            continue  # it serves other markets
        if answer.status_code != httpx.codes.OK:
            yield f"{address} does not serve version {version}: {_reason(answer)}"
        elif (answering := _version_of(answer)) != version:
            yield f"{address} answers with version {answering}, not {version}"


def is_foreign(client: httpx.Client, address: str, registry: Registry) -> bool:
    """Return whether no MLServer of this registry listens at an address that nobody has named.

    Its port may be in use by another program, or by `pokewatch serve` with another POKEWATCH_HOME.
    An address of POKEWATCH_MLSERVER_URLS is never foreign: what is wrong there is a failure.
    """
    if not ServingSettings.read().is_assumed(address):
        return False
    try:
        if not _is_v2_server(client.get(f"{address}/v2", timeout=_METADATA_WITHIN)):
            return True
        answer = _probe(client, address, fair_price_model(registry.market))
    except httpx.TransportError:
        return False
    version, run_id = _version_of(answer), _parameter(answer, "run_id")
    if run_id is None:
        return False  # it serves no model yet
    return not (is_registered(registry, version) and registry.version(version).run_id == run_id)


def _is_v2_server(metadata: httpx.Response) -> bool:
    try:
        return metadata.status_code == httpx.codes.OK and "extensions" in metadata.json()
    except (ValueError, TypeError):
        return False


def _connection_refused(error: httpx.TransportError) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _served_version(client: httpx.Client, address: str, model: str) -> str:
    """Return the version that an MLServer answers with. Raise httpx.TransportError."""
    return _version_of(_probe(client, address, model))


def _probe(client: httpx.Client, address: str, model: str) -> httpx.Response:
    return client.post(f"{address}/v2/models/{model}/infer", json=_PROBE)


def _version_of(answer: httpx.Response) -> str:
    return _parameter(answer, "model_version") or f"none (HTTP {answer.status_code})"


def _parameter(answer: httpx.Response, name: str) -> str | None:
    try:
        return str(answer.json()["parameters"][name])
    except (ValueError, KeyError, TypeError):
        return None


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code}"
