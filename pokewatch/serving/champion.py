"""Fetching the champion's book: `python -m pokewatch.serving.champion` prints its location as JSON.

With the argument `canary` it is the challenger that a deploy or an experiment gives traffic.

Unless registry and book are on this machine, that runs in a short-lived process: see
`registry_process`.
"""

import json
import sys
from dataclasses import asdict, dataclass

from pokewatch.errors import PokeWatchError
from pokewatch.registry import CANARY, CHAMPION, RegisteredModel, Registry
from pokewatch.serving.monitoring_figures import MONITORING_KEY
from pokewatch.serving.registry_process import answering, ask_registry
from pokewatch.settings import RegistrySettings
from pokewatch.valuation.book.copies import copy_of

_STATES = {CHAMPION: MONITORING_KEY, CANARY: CANARY}


@dataclass(frozen=True, slots=True)
class FetchedVersion:
    """The version behind an alias and the local folder of its book.

    `state` is, for the champion, the latest document of the monitoring flow, and for a canary the
    plan of its traffic; "" if there is none.
    """

    version: str
    run_id: str
    digest: str
    data_version: str
    folder: str
    state: str = ""


def fetch_version(seconds: float, market: str = "", alias: str = CHAMPION) -> FetchedVersion:
    """Return the champion or canary of a market, "" for the only one, with its book downloaded.

    Raise RegistryError if it fails or takes longer than `seconds`.
    """
    return _on_this_machine(market, alias) or _fetch_in_process(seconds, market, alias)


def has_canary(seconds: float, market: str) -> bool:
    """Return whether a market has a canary, as far as the registry answers within `seconds`."""
    try:
        if RegistrySettings.read().is_embedded():
            return market in Registry().markets(CANARY)
        fetch_version(seconds, market, CANARY)
    except PokeWatchError:
        return False
    return True


def _on_this_machine(market: str, alias: str) -> FetchedVersion | None:
    """Return the version in an embedded registry whose book is here already, else None."""
    registry = Registry(RegistrySettings.read(market=market))
    found = registry.stored(alias, _STATES[alias])
    if found is None or not copy_of(registry.books, found[0].digest).is_dir():
        return None
    return _fetched(registry, *found)


def _fetch_in_process(seconds: float, market: str, alias: str) -> FetchedVersion:
    failure = f"the {alias} could not be fetched"
    found = ask_registry(
        "pokewatch.serving.champion", alias, seconds=seconds, failure=failure, market=market
    )
    return FetchedVersion(**found)


def _fetch(alias: str) -> FetchedVersion:
    registry = Registry()
    return _fetched(registry, registry.resolve(alias), registry.get_state(_STATES[alias]))


def _fetched(registry: Registry, model: RegisteredModel, state: str) -> FetchedVersion:
    return FetchedVersion(
        model.version,
        model.run_id,
        model.digest,
        model.data_version,
        str(registry.download_book(model)),
        state,
    )


def main(alias: str = CHAMPION) -> None:
    """Print the version behind an alias, with its book downloaded."""
    with answering():
        sys.stdout.write(json.dumps(asdict(_fetch(alias))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
