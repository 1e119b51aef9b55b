"""Deploying a registered model: the champion alias, the running MLServers, and back again if one of them does not follow."""

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx

from pokewatch.errors import DeployError, NoChampionError
from pokewatch.registry import CHAMPION, PREVIOUS, Registry
from pokewatch.serving.replicas import replicas
from pokewatch.settings import ServingSettings

_PROBE = {"inputs": [{"name": "card_id", "shape": [1], "datatype": "BYTES", "data": ["probe"]}], "outputs": [{"name": "status"}]}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one MLServer: `serving` the new version, or `not running`, to serve it from its next start."""

    address: str
    state: Literal["serving", "not running"]


def deploy(registry: Registry, version: str, addresses: Sequence[str] | None = None) -> list[Outcome]:
    """Make `version` the champion and have every MLServer serve it, which a V2 answer of each must show.

    `addresses` (default: the setting POKEWATCH_MLSERVER_URLS) are MLServer's REST addresses. Where nobody listens, that is
    told and no failure. If any other does not follow, the former champion is put back, reloaded everywhere, and DeployError
    tells why; `previous` is moved only by a deploy that succeeds.
    """
    settings = ServingSettings.read()
    addresses = replicas(settings.addresses() if addresses is None else addresses)
    former = _champion(registry)
    registry.point(CHAMPION, version)
    with httpx.Client(timeout=settings.load_timeout + 10) as client:
        try:
            outcomes = [_follow(client, address, version) for address in addresses]
        except DeployError as error:
            restored = _put_back(registry, client, former, addresses)
            raise DeployError(f"{error}; {restored}") from None
    if former is not None and former != version:
        registry.point(PREVIOUS, former)
    return outcomes


def rollback(registry: Registry, addresses: Sequence[str] | None = None) -> tuple[str, list[Outcome]]:
    """Make the previous champion the champion again, everywhere; its version. Raises NoChampionError where there is none, DeployError."""
    version = registry.resolve(PREVIOUS).version
    return version, deploy(registry, version, addresses)


def _champion(registry: Registry) -> str | None:
    try:
        return registry.resolve(CHAMPION).version
    except NoChampionError:
        return None


def _follow(client: httpx.Client, address: str, version: str) -> Outcome:
    """Reload one MLServer and see that it answers with `version`. Raises DeployError."""
    try:
        loaded = client.post(f"{address}/v2/repository/models/fair-price/load")
        if loaded.status_code != httpx.codes.OK:
            raise DeployError(f"{address} refused version {version}: {_reason(loaded)}")
        answer = client.post(f"{address}/v2/models/fair-price/infer", json=_PROBE)
    except httpx.TransportError as error:
        if _nobody_listens(error):
            return Outcome(address, "not running")
        raise DeployError(f"{address} did not answer: {type(error).__name__} {error}") from None
    if (answering := _version(answer)) != version:
        raise DeployError(f"{address} answers with version {answering}, not {version}")
    return Outcome(address, "serving")


def _put_back(registry: Registry, client: httpx.Client, former: str | None, addresses: Sequence[str]) -> str:
    """Restore the alias and reload whoever had followed; what of that was done, in words."""
    if former is None:
        registry.release(CHAMPION)
        return "no model is champion, as before"
    registry.point(CHAMPION, former)
    failed = list(_failures(client, former, addresses))
    return f"version {former} is champion again" + (f", but {'; '.join(failed)}" if failed else "")


def _failures(client: httpx.Client, version: str, addresses: Sequence[str]) -> Iterator[str]:
    for address in addresses:
        try:
            _follow(client, address, version)
        except DeployError as error:
            yield str(error)


def _nobody_listens(error: httpx.TransportError) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno == errno.ECONNREFUSED:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _version(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["parameters"]["model_version"])
    except (ValueError, KeyError, TypeError):
        return f"none (HTTP {answer.status_code})"


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {response.status_code}"
