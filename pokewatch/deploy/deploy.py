"""Deploying a registered model: the champion alias, the running MLServers, a while of watching them, and back again if one
does not follow or the model does not prove itself."""

from collections.abc import Sequence

import httpx

from pokewatch import notify
from pokewatch.deploy import golden
from pokewatch.deploy.canary import watch
from pokewatch.deploy.reload import ReplicaOutcome
from pokewatch.deploy.replacement import MEANT, open_book, require_replaces
from pokewatch.deploy.replicas import replicas
from pokewatch.deploy.switch import alias, switching
from pokewatch.deploy.tickets import Tickets
from pokewatch.errors import BookError, DeployError, RegistryError
from pokewatch.registry import CHAMPION, PREVIOUS, REFUSED, Registry
from pokewatch.settings import ServingSettings, WatchSettings


def deploy(
    registry: Registry,
    version: str,
    addresses: Sequence[str] | None = None,
    *,
    replace: bool = False,
) -> list[ReplicaOutcome]:
    """Make `version` the champion, have every MLServer serve it, which a V2 answer of each must show, and watch them for a while.

    `addresses` (default: the setting POKEWATCH_MLSERVER_URLS) are MLServer's REST addresses. Where nobody listens, that is
    reported and no failure, and where none runs there is nothing to watch. If any other does not follow, or a check of the watch
    fails, the former champion is put back, reloaded everywhere, people are notified, and DeployError says why; `previous` is moved
    only by a deploy that succeeds.

    One deploy at a time: another is waited for, and what a killed one has left is finished or undone first. A version of
    another market or currency, or without the champion's cards, is refused unless `replace`; one that was taken back is
    refused for ever.
    """
    with switching(registry, "deploy", version, _addresses(registry, addresses)) as switch:
        former = alias(registry, CHAMPION)
        _require_deployable(registry, version, former, replace)

        def proof(client: httpx.Client, serving: Sequence[str]) -> None:
            _prove(registry, client, version, former, serving, replace)

        outcomes = switch.to(version, proof)
    running = sum(outcome.state == "serving" for outcome in outcomes)
    body = f"{running} of {len(outcomes)} MLServers run and answer with it; the champion before was {former or 'none'}."
    notify.send_once("deployed", f"version {version}", f"model version {version} is champion", body)
    return outcomes


def rollback(
    registry: Registry, addresses: Sequence[str] | None = None, *, target: str | None = None
) -> tuple[str, list[ReplicaOutcome]]:
    """Make the champion before this one champion again, everywhere; its version.

    `target` (default: `rollback_target` of now) is the version that is meant: where another deploy, which is waited for,
    makes it another one, DeployError says so. Raises NoChampionError where there is none.
    """
    version = target or rollback_target(registry)
    with switching(registry, "rollback", version, _addresses(registry, addresses)) as switch:
        former = alias(registry, CHAMPION)
        if former == version:  # a killed deploy has been undone
            return version, switch.follow(version)
        if (previous := alias(registry, PREVIOUS)) != version:
            raise DeployError(
                f"version {version} is not the one before the champion any more: "
                f"that is version {previous or 'none'} before version {former or 'none'}"
            )
        outcomes = switch.to(version)
    title = f"model version {former} was rolled back"
    notify.send_once(
        "rolled back", f"version {former}", title, f"By hand; version {version} is champion again."
    )
    return version, outcomes


def rollback_target(registry: Registry) -> str:
    """Return the version that a rollback would make champion. Raises NoChampionError."""
    for ticket in Tickets(registry).unfinished():
        if ticket.kind == "rollback":
            return ticket.target
        if ticket.before is not None and ticket.before.champion is not None:
            return ticket.before.champion
    return registry.resolve(PREVIOUS).version


def _addresses(registry: Registry, addresses: Sequence[str] | None) -> list[str]:
    given = ServingSettings.read().addresses(registry.branch) if addresses is None else addresses
    return replicas(given)


def _require_deployable(
    registry: Registry, version: str, champion: str | None, replace: bool
) -> None:
    if reason := registry.version(version).tags.get(REFUSED):
        raise DeployError(f"version {version} was taken back before, and stays so: {reason}")
    if champion is not None and champion != version and not replace:
        require_replaces(registry, version, champion)


def _prove(
    registry: Registry,
    client: httpx.Client,
    version: str,
    former: str | None,
    addresses: Sequence[str],
    replace: bool,
) -> None:
    """Watch the servers, and compare the new book with the former one. Raises DeployError naming the check that failed."""
    settings = WatchSettings.read()
    if settings.deploy_watch_seconds == 0:
        return
    try:
        book = open_book(registry, version)
        moved = 0.0 if former is None else golden.shift(book, open_book(registry, former))
    except (RegistryError, BookError) as error:
        raise DeployError(f"version {version} cannot be watched: {error}") from None
    if moved is None and not replace:
        raise DeployError(
            f"version {version} failed the check of its fair prices: it shares no valued card "
            f"with version {former}, so there is nothing to compare; {MEANT}"
        )
    if moved is not None and moved > settings.deploy_watch_shift:
        raise DeployError(
            f"version {version} failed the check of its fair prices: they moved by {moved:.1%} of the market price against version "
            f"{former}, median, wanted <= {settings.deploy_watch_shift:.1%}"
        )
    if breach := watch(
        client,
        addresses,
        golden.GoldenRequests.of(book, version, settings.deploy_watch_cards),
        settings,
    ):
        raise DeployError(f"version {version} failed the check of {breach}")
