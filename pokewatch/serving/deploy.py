"""Deploying a registered model: the champion alias, the running MLServers, a while of watching them, and back again if one
does not follow or the model does not prove itself."""

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import httpx

from pokewatch.errors import BookError, DeployError, NoChampionError, RegistryError
from pokewatch.monitoring import golden, notify
from pokewatch.monitoring.watch import watch
from pokewatch.registry import CHAMPION, DEPLOYED_AT, PREVIOUS, Registry
from pokewatch.serving.replicas import replicas
from pokewatch.settings import ServingSettings, WatchSettings
from pokewatch.valuation.book import PriceBook

_PROBE = {"inputs": [{"name": "card_id", "shape": [1], "datatype": "BYTES", "data": ["probe"]}], "outputs": [{"name": "status"}]}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one MLServer: `serving` the new version, or `not running`, to serve it from its next start."""

    address: str
    state: Literal["serving", "not running"]


def deploy(registry: Registry, version: str, addresses: Sequence[str] | None = None) -> list[Outcome]:
    """Make `version` the champion, have every MLServer serve it, which a V2 answer of each must show, and watch them for a while.

    `addresses` (default: the setting POKEWATCH_MLSERVER_URLS) are MLServer's REST addresses. Where nobody listens, that is
    told and no failure, and where none runs there is nothing to watch. If any other does not follow, or a check of the watch
    fails, the former champion is put back, reloaded everywhere, people are told, and DeployError tells why; `previous` is moved
    only by a deploy that succeeds.
    """
    former, outcomes = _switch(registry, version, addresses, watched=True)
    running = sum(outcome.state == "serving" for outcome in outcomes)
    body = f"{running} of {len(outcomes)} MLServers run and answer with it; the champion before was {former or 'none'}."
    notify.tell("deployed", f"version {version}", f"model version {version} is champion", body)
    return outcomes


def rollback(registry: Registry, addresses: Sequence[str] | None = None) -> tuple[str, list[Outcome]]:
    """Make the previous champion the champion again, everywhere; its version. Raises NoChampionError where there is none, DeployError."""
    version = registry.resolve(PREVIOUS).version
    former, outcomes = _switch(registry, version, addresses, watched=False)
    title = f"model version {former} was rolled back"
    notify.tell("rolled back", f"version {former}", title, f"By hand; version {version} is champion again.")
    return version, outcomes


def _switch(registry: Registry, version: str, addresses: Sequence[str] | None, *, watched: bool) -> tuple[str | None, list[Outcome]]:
    """The former champion, and what became of each MLServer. Raises DeployError once all is as before."""
    settings = ServingSettings.read()
    addresses = replicas(settings.addresses() if addresses is None else addresses)
    former = _champion(registry)
    registry.point(CHAMPION, version)
    with httpx.Client(timeout=settings.load_timeout + 10) as client:
        try:
            outcomes = [_follow(client, address, version) for address in addresses]
            serving = [outcome.address for outcome in outcomes if outcome.state == "serving"]
            if watched and serving:
                _prove(registry, client, version, former, serving)
        except DeployError as error:
            restored = _put_back(registry, client, former, addresses)
            notify.tell("rolled back", f"version {version}", f"model version {version} was rolled back", f"{error}; {restored}.")
            raise DeployError(f"{error}; {restored}") from None
    if former is not None and former != version:
        registry.point(PREVIOUS, former)
    registry.mark(version, DEPLOYED_AT, datetime.now(UTC).isoformat(timespec="seconds"))
    return former, outcomes


def _prove(registry: Registry, client: httpx.Client, version: str, former: str | None, addresses: Sequence[str]) -> None:
    """Watch the servers, and compare the new book with the former one. Raises DeployError naming the check that failed."""
    settings = WatchSettings.read()
    if settings.deploy_watch_seconds == 0:
        return
    try:
        book = _book(registry, version)
        moved = golden.shift(book, _book(registry, former)) if former is not None else 0.0
    except (RegistryError, BookError) as error:
        raise DeployError(f"version {version} cannot be watched: {error}") from None
    if moved > settings.deploy_watch_shift:
        raise DeployError(
            f"version {version} failed the check of its fair prices: they moved by {moved:.1%} of the market price against version "
            f"{former}, median, wanted <= {settings.deploy_watch_shift:.1%}"
        )
    if breach := watch(client, addresses, golden.Golden.of(book, version, settings.deploy_watch_cards), settings):
        raise DeployError(f"version {version} failed the check of {breach}")


def _book(registry: Registry, version: str) -> PriceBook:
    return registry.open_book(registry.version(version))


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
