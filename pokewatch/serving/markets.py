"""The markets that have a champion: `python -m pokewatch.serving.markets` prints them as JSON."""

import json
import logging
import sys

from pokewatch.errors import PokeWatchError
from pokewatch.registry import Registry
from pokewatch.serving.registry_process import answering, ask_registry
from pokewatch.settings import MarketSettings, RegistrySettings

logger = logging.getLogger("pokewatch.serving")


def markets_to_serve(seconds: float) -> list[str]:
    """Return the markets of POKEWATCH_MARKETS, else those with a champion, else [""].

    "" stands for the only market of a home, which need not be named. A registry on another machine
    may take `seconds` to answer. One that cannot be read is logged.
    """
    if configured := MarketSettings.read().markets:
        return list(configured)
    try:
        if RegistrySettings.read().is_embedded():
            found = Registry().markets()
        else:
            found = ask_registry("pokewatch.serving.markets", seconds=seconds, failure="no answer")
    except PokeWatchError as error:
        logger.warning("the markets in the registry cannot be listed: %s", error)
        found = []
    return found or [""]


def main() -> None:
    """Print the markets."""
    with answering():
        sys.stdout.write(json.dumps(Registry().markets()) + "\n")


if __name__ == "__main__":
    main()
