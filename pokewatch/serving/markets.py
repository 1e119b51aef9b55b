"""The markets that have a champion: `python -m pokewatch.serving.markets` prints them as JSON."""

import json
import logging
import os
import subprocess
import sys

from pokewatch.errors import PokeWatchError
from pokewatch.registry import Registry
from pokewatch.settings import MarketSettings, RegistrySettings

logger = logging.getLogger("pokewatch.serving")


def markets_to_serve(seconds: float) -> list[str]:
    """Return the markets of POKEWATCH_MARKETS, else those with a champion, else [""].

    "" stands for the only market of a home, which need not be named. Asking a registry on another
    machine imports MLflow, which is done in a process of its own and may take `seconds`.
    """
    if configured := MarketSettings.read().markets:
        return list(configured)
    if RegistrySettings.read().is_embedded():
        return Registry().markets() or [""]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pokewatch.serving.markets"],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=True,
        )
        found: list[str] = json.loads(done.stdout.rpartition("\n")[2])
    except (subprocess.SubprocessError, ValueError) as error:
        logger.warning("the markets in the registry cannot be listed: %s", error)
        found = []
    return found or [""]


def main() -> None:
    """Print the markets, or exit with the reason as the last line of standard error."""
    os.nice(10)  # importing MLflow keeps a CPU busy for seconds; requests have priority
    try:
        found = Registry().markets()
    except PokeWatchError as error:
        sys.exit(" ".join(str(error).split()))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
