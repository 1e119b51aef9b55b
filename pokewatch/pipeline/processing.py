"""Processing the cards, shard by shard, into the panel that models are trained on."""

import shutil
from collections.abc import Sequence
from datetime import date

from pokewatch.market.versions import DataVersions
from pokewatch.pipeline.collect import Collected
from pokewatch.pipeline.storage import new_version, open_raw_lake
from pokewatch.settings import Home
from pokewatch.valuation.processed import process


def process_shard(
    collected: Collected, shard: int, shards: int, changed: date | None = None
) -> str | None:
    """Process the cards of one shard; return the version of the result, None if it has no cards."""
    with new_version() as (folder, store):
        lake = open_raw_lake(collected.raw_version)
        written = process(
            lake, collected.first_day, collected.last_day, shard, shards, folder, changed
        )
        return store() if written else None


def join_shards(versions: Sequence[str | None]) -> str:
    """Join the shards; return the data version, which does not depend on their number."""
    versions_here = DataVersions(Home.read().home)
    with new_version() as (folder, store):
        for version in filter(None, versions):
            shutil.copytree(versions_here.checkout(version), folder, dirs_exist_ok=True)
        return store()
