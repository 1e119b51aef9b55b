"""The champion's book, fetched by a process that ends: `python -m pokewatch.serving.champion` prints where it is, as JSON.

MLflow takes some 90 MB and seconds of import, which a serving process would keep and each of its workers pay again. A process
of its own can also be stopped when the registry hangs.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass

from pokewatch.errors import PokeWatchError, RegistryError
from pokewatch.serving.measured import REMEMBERED


@dataclass(frozen=True, slots=True)
class Champion:
    """The version that serves, the folder of its book on this machine, and what monitoring measured last, "" where it has not."""

    version: str
    run_id: str
    digest: str
    data_version: str
    folder: str
    measured: str = ""


def fetch_champion(seconds: float) -> Champion:
    """Resolve the champion and fetch its book. Raises RegistryError with the reason, also after `seconds`."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pokewatch.serving.champion"],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RegistryError(f"the champion could not be fetched within {seconds:g} s") from None
    if done.returncode != 0:
        raise RegistryError(
            done.stderr.strip().rpartition("\n")[2]
            or f"fetching the champion ended with {done.returncode}"
        )
    return Champion(**json.loads(done.stdout.strip().rpartition("\n")[2]))


def _fetch() -> Champion:
    from pokewatch.registry import CHAMPION, Registry

    registry = Registry()
    model = registry.resolve(CHAMPION)
    folder = registry.download_book(model)
    return Champion(
        model.version,
        model.run_id,
        model.digest,
        model.data_version,
        str(folder),
        registry.get_state(REMEMBERED),
    )


def main() -> None:
    """Print the champion; where there is none, the reason as the last line of standard error."""
    os.nice(
        10
    )  # importing MLflow takes a processor for seconds, which those who ask for prices go before
    try:
        champion = _fetch()
    except PokeWatchError as error:
        sys.exit(" ".join(str(error).split()))
    sys.stdout.write(json.dumps(asdict(champion)) + "\n")


if __name__ == "__main__":
    main()
