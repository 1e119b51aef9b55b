"""The data versions that the steps of the pipeline read and write."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from pokewatch.market.lake import Lake
from pokewatch.market.latest_version import LatestVersions
from pokewatch.market.versions import DataVersions
from pokewatch.registry import Registry
from pokewatch.settings import Home
from pokewatch.valuation.panel import Bools, Panel
from pokewatch.valuation.processed import read_processed, read_quoted_days

LOCAL_VERSIONS = 6  # that stay checked out on this machine; the remote has all of them
_LONGEST_STEP = timedelta(hours=4)  # of the daily flow, which checks out what it reads as it starts


def save_lake(lake: Lake) -> str:
    """Store a lake as its latest version, and return it.

    A run on a branch leaves the latest version as it is: it may collect at the same time as
    production, and the last one of two would remain.
    """
    return LatestVersions().save(lake, publish=not Registry().branch)


def open_raw_lake(version: str) -> Lake:
    """Return the lake of a raw version, checked out where this machine does not have it."""
    folder = DataVersions(Home.read().home).checkout(version)
    return Lake(folder.parent, raw=folder)


def open_panel(data_version: str) -> Panel:
    """Return the processed panel of a data version."""
    return read_processed(DataVersions(Home.read().home).checkout(data_version))


def open_quoted_days(data_version: str) -> Bools:
    """Return on which days the panel of a data version has a market price."""
    return read_quoted_days(DataVersions(Home.read().home).checkout(data_version))


@contextmanager
def new_version() -> Iterator[tuple[Path, Callable[[], str]]]:
    """Yield a temporary folder and a function that stores it and returns its version."""
    home = Home.read().home
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".shard-", dir=home) as scratch:
        folder = Path(scratch) / "data"
        folder.mkdir()
        yield folder, lambda: DataVersions(Path(scratch)).save(folder)


def prune_versions() -> None:
    """Remove the checked-out versions that were not used lately."""
    DataVersions(Home.read().home).prune(LOCAL_VERSIONS, _LONGEST_STEP)
