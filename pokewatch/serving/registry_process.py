"""Asking the registry in a process of its own: both ends.

Importing MLflow takes about 90 MB and several seconds, which a serving process and each of its
workers would otherwise hold for good, and a process can be killed when the registry hangs. It runs
a module of this package, whose last line of output is the answer in JSON.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pokewatch.errors import PokeWatchError, RegistryError
from pokewatch.settings import RegistrySettings


def ask_registry(
    module: str, *arguments: str, seconds: float, failure: str, market: str | None = None
) -> Any:
    """Return the answer of `python -m module arguments`, None if it prints none.

    It works on `market`, by default the one of this process. Raise RegistryError with its reason,
    or beginning with `failure` if it takes longer than `seconds` or ends without a reason.
    """
    environment = dict(os.environ)
    if market is not None:
        environment[RegistrySettings.variable("market")] = market
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise RegistryError(f"{failure} within {seconds:g} s") from None
    if done.returncode != 0:
        reason = _last_line(done.stderr)
        raise RegistryError(reason or f"{failure}: exit code {done.returncode}")
    answer = _last_line(done.stdout)
    try:
        return json.loads(answer) if answer else None
    except ValueError:
        raise RegistryError(f"{failure}: the output is not JSON") from None


@contextmanager
def answering() -> Iterator[None]:
    """Ask the registry in the block, with less priority than requests.

    A PokeWatchError ends this process, with the error as the last line of standard error.
    """
    os.nice(10)  # importing MLflow keeps a CPU busy for seconds
    try:
        yield
    except PokeWatchError as error:
        sys.exit(" ".join(str(error).split()))


def _last_line(output: str) -> str:
    return output.strip().rpartition("\n")[2]
