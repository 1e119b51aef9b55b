"""Deploy and roll back a registered model."""

from collections import Counter
from collections.abc import Callable, Sequence

import httpx

from pokewatch import notify
from pokewatch.deploy.book_checks import checked_book
from pokewatch.deploy.compatibility import require_compatible
from pokewatch.deploy.publication import Replicas
from pokewatch.deploy.records import DeployRecords
from pokewatch.deploy.reload import ReplicaOutcome
from pokewatch.deploy.server_checks import check_servers
from pokewatch.deploy.traffic import TrafficShift, ready_servers, uses_traffic
from pokewatch.deploy.transaction import deploy_transaction
from pokewatch.deploy.versions import version_of
from pokewatch.errors import BookError, DeployError, PokeWatchError, RegistryError
from pokewatch.registry import BOOK_REMOVED, CHAMPION, NOT_EVALUATED, PREVIOUS, REFUSED, Registry
from pokewatch.settings import DeployWatchSettings, ServingSettings


def deploy(
    registry: Registry,
    version: str,
    addresses: Sequence[str] | None = None,
    *,
    replace: bool = False,
) -> list[ReplicaOutcome]:
    """Make `version` champion, reload and verify every MLServer, and check their answers.

    Where POKEWATCH_CANARY_REPLICAS or more MLServers serve a former champion, gateways first send
    the version a growing share of the callers, and the challenger of an experiment none meanwhile.

    `addresses` (default: POKEWATCH_MLSERVER_URLS) are MLServer's REST addresses. A server that does
    not run is reported, which is not a failure; where none runs, there are no checks. If any other
    server does not serve the version, or fails a check, the former champion is
    restored and reloaded everywhere, people are notified, and DeployError is raised with the
    reason. Only a deploy that succeeds moves `previous`.

    One at a time: it waits for another, and first finishes or undoes one that was killed. A version
    of another market or currency, or without the champion's cards or newest days, is refused unless
    `replace`; one that was undone, or that was not evaluated in place of one that was, always is.
    """
    with deploy_transaction(
        registry, "deploy", version, _addresses(registry, addresses)
    ) as transaction:
        former = version_of(registry, CHAMPION)
        _require_deployable(registry, version, former, replace)

        def verify(
            client: httpx.Client, serving: Sequence[str], is_running: Callable[[str], bool]
        ) -> None:
            _verify(registry, client, version, former, serving, replace, is_running)

        def shift(client: httpx.Client, replicas: Replicas, check_lock: Callable[[], None]) -> None:
            if uses_traffic(client, replicas, registry.market):
                requests = checked_book(registry, version, former, replace)
                transaction.pause_experiment()
                TrafficShift(registry, client, version, requests, replicas, check_lock).run()

        gradual = former not in (None, version) and not replace
        outcomes = transaction.run(version, verify, shift if gradual else None)
    body = f"{_served_by(outcomes)}; the previous champion was {former or 'none'}."
    notify.send_once("deployed", f"version {version}", f"model version {version} is champion", body)
    return outcomes


def _served_by(outcomes: Sequence[ReplicaOutcome]) -> str:
    states = Counter(outcome.state for outcome in outcomes)
    of_others = states["other markets"]
    if running := states["serving"]:
        return f"{running} of {len(outcomes) - of_others} MLServers run and serve it"
    if of_others and not states["not running"]:
        return "no MLServer serves it: those that run serve other markets"
    which = "no MLServer of its market" if of_others else "no MLServer"
    return f"{which} runs; the next one that starts serves it"


def rollback(
    registry: Registry, addresses: Sequence[str] | None = None, *, target: str | None = None
) -> tuple[str, list[ReplicaOutcome]]:
    """Restore the previous champion on every MLServer. Return its version and the outcomes.

    `target` (default: the current `rollback_target`) is the expected version: raise DeployError
    where another deploy has changed it meanwhile. Raise NoChampionError where there is none.

    People are notified of the end, whatever it is.
    """
    try:
        return _rollback(registry, addresses, target)
    except (PokeWatchError, SystemExit) as error:
        # It may run unattended. Each failure counts, so none is left out as a repetition.
        to = f" to model version {target}" if target else ""
        why = "the process was terminated" if isinstance(error, SystemExit) else str(error)
        notify.notify(f"PokeWatch: the rollback{to} failed", f"{why}.")
        raise


def _rollback(
    registry: Registry, addresses: Sequence[str] | None, target: str | None
) -> tuple[str, list[ReplicaOutcome]]:
    version = target or rollback_target(registry)
    with deploy_transaction(
        registry, "rollback", version, _addresses(registry, addresses)
    ) as transaction:
        former = version_of(registry, CHAMPION)
        if former == version:  # a killed deploy has been undone
            return version, transaction.keep(version)
        if (previous := version_of(registry, PREVIOUS)) != version:
            raise DeployError(
                f"version {version} is no longer the previous champion: "
                f"that is version {previous or 'none'}, "
                f"and the champion is version {former or 'none'}"
            )

        def require(client: httpx.Client, replicas: Replicas, _: Callable[[], None]) -> None:
            if not ready_servers(client, replicas, registry.market):  # one would open it itself
                _require_book(registry, version)

        outcomes = transaction.run(version, shift=require)
    title = f"model version {former} was rolled back"
    notify.send_once(
        "rolled back",
        f"version {former}",
        title,
        f"On request; version {version} is champion again.",
    )
    return version, outcomes


def _require_book(registry: Registry, version: str) -> None:
    try:
        registry.open_book(registry.version(version))
    except (BookError, RegistryError) as error:
        raise DeployError(f"version {version} cannot be served: {error}") from error


def rollback_target(registry: Registry) -> str:
    """Return the version that a rollback would make champion. Raise NoChampionError."""
    for record in DeployRecords(registry).unfinished():
        if record.kind == "rollback":
            return record.target
        if record.before is not None and record.before.champion is not None:
            return record.before.champion
    return registry.resolve(PREVIOUS).version


def _addresses(registry: Registry, addresses: Sequence[str] | None) -> Sequence[str]:
    return ServingSettings.read().addresses(registry.branch) if addresses is None else addresses


def _require_deployable(
    registry: Registry, version: str, champion: str | None, replace: bool
) -> None:
    tags = registry.version(version).tags
    if reason := tags.get(REFUSED):
        raise DeployError(
            f"version {version} was undone by an earlier deploy and stays refused: {reason}"
        )
    if day := tags.get(BOOK_REMOVED):
        raise DeployError(
            f"the price book of version {version} was removed by pokewatch tidy ({day}): "
            "run the pipeline for a new version"
        )
    if champion is None or champion == version:
        return
    if NOT_EVALUATED in tags and NOT_EVALUATED not in registry.version(champion).tags:
        raise DeployError(
            f"version {version} was {tags[NOT_EVALUATED]}; it cannot replace version {champion}, "
            "which was evaluated"
        )
    if not replace:
        require_compatible(registry, version, champion)


def _verify(
    registry: Registry,
    client: httpx.Client,
    version: str,
    former: str | None,
    addresses: Sequence[str],
    replace: bool,
    is_running: Callable[[str], bool],
) -> None:
    """Compare the new book with the former one, and check the servers. Raise DeployError."""
    settings = DeployWatchSettings.read()
    if settings.deploy_watch_seconds == 0:
        return
    requests = checked_book(registry, version, former, replace)
    if breach := check_servers(client, addresses, requests, settings, is_running):
        raise breach.error(version)
