"""Fetching the champion's book: `python -m pokewatch.serving.champion` prints its location as JSON.

Unless registry and book are on this machine, that runs in a short-lived subprocess. Importing
MLflow takes about 90 MB and several seconds, which a serving process and each of its workers would
otherwise hold for good, and a subprocess can be killed when the registry hangs.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass

from pokewatch.errors import PokeWatchError, RegistryError
from pokewatch.registry import RegisteredModel, Registry
from pokewatch.serving.monitoring_figures import MONITORING_KEY
from pokewatch.settings import RegistrySettings
from pokewatch.valuation.book.copies import copy_of


@dataclass(frozen=True, slots=True)
class Champion:
    """The champion version and the local folder of its book.

    `monitoring` is the latest document of the monitoring flow, or "" if there is none.
    """

    version: str
    run_id: str
    digest: str
    data_version: str
    folder: str
    monitoring: str = ""


def fetch_champion(seconds: float, market: str = "") -> Champion:
    """Return the champion of a market, "" for the only one, with its book downloaded.

    Raise RegistryError if it fails or takes longer than `seconds`.
    """
    return _on_this_machine(market) or _fetch_in_process(seconds, market)


def _on_this_machine(market: str) -> Champion | None:
    """Return the champion of an embedded registry whose book is here already, else None."""
    registry = Registry(RegistrySettings.read(market=market))
    found = registry.stored_champion(MONITORING_KEY)
    if found is None or not copy_of(registry.books, found[0].digest).is_dir():
        return None
    return _champion(registry, *found)


def _fetch_in_process(seconds: float, market: str) -> Champion:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pokewatch.serving.champion"],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, RegistrySettings.variable("market"): market},
        )
    except subprocess.TimeoutExpired:
        raise RegistryError(f"the champion could not be fetched within {seconds:g} s") from None
    if done.returncode != 0:
        raise RegistryError(
            done.stderr.strip().rpartition("\n")[2]
            or f"fetching the champion failed with exit code {done.returncode}"
        )
    return Champion(**json.loads(done.stdout.strip().rpartition("\n")[2]))


def _fetch() -> Champion:
    registry = Registry()
    return _champion(registry, registry.resolve(), registry.get_state(MONITORING_KEY))


def _champion(registry: Registry, model: RegisteredModel, monitoring: str) -> Champion:
    return Champion(
        model.version,
        model.run_id,
        model.digest,
        model.data_version,
        str(registry.download_book(model)),
        monitoring,
    )


def main() -> None:
    """Print the champion, or exit with the reason as the last line of standard error."""
    os.nice(10)  # importing MLflow keeps a CPU busy for seconds; requests have priority
    try:
        champion = _fetch()
    except PokeWatchError as error:
        sys.exit(" ".join(str(error).split()))
    sys.stdout.write(json.dumps(asdict(champion)) + "\n")


if __name__ == "__main__":
    main()
