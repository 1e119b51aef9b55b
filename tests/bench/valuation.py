"""The whole catalogue, from the lake to a finished price book, and an eighth of it: seconds and memory.

python -m tests.bench.valuation [--cards 66000] [--days 730]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

MODEL, HORIZON = "local_level", 7


def made(collected: Any) -> dict[str, float]:
    """Process, train and write the book of what was collected, in this process: seconds a stage, and the most memory it took."""
    from pokewatch.market.lake import Lake
    from pokewatch.market.versions import DataVersions
    from pokewatch.pipeline import BOOK_DAYS, join_shards, process_shard, train, write_book_of
    from pokewatch.settings import Home
    from pokewatch.valuation.models import restore
    from pokewatch.valuation.processed import read_processed
    from pokewatch.valuation.rows import valued_days
    from tests.serving.books import FACTS

    seconds: dict[str, float] = {}
    began = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal began
        seconds[stage], began = time.perf_counter() - began, time.perf_counter()

    version = join_shards([process_shard(collected, 0, 1)])
    lap("process")
    parameters = train(version, [MODEL], HORIZON)[MODEL]
    lap("train")
    store = DataVersions(Home.read().home)
    panel = read_processed(store.checkout(version))
    lap("read")
    valued = valued_days(restore(parameters), panel, BOOK_DAYS)
    lap("value")
    raw = store.checkout(collected.raw_version)
    write_book_of(panel, valued, Lake(raw.parent, raw=raw).catalog(), FACTS)
    lap("book")
    return seconds | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def child(cards: int, days: int) -> None:
    """Collect, untimed, in a process of its own whose memory does not count; then measure."""
    from pokewatch.pipeline import collect_prices

    collected = collect_prices("simulated", days=days, cards=cards)
    sys.stdout.flush()
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, json.dumps(made(collected)).encode())
        os._exit(0)
    os.close(writing)
    print(os.read(reading, 65536).decode())


def measured(cards: int, days: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "tests.bench.valuation", "--child", "--cards", str(cards), "--days", str(days)]
        done = subprocess.run(command, env=os.environ | {"POKEWATCH_HOME": home}, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=66_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(None if __name__ == "__main__" else [])
    if asked.child:
        child(asked.cards, asked.days)
        return
    for cards in (asked.cards // 8, asked.cards):
        found = measured(cards, asked.days)
        peak = found.pop("peak_mb")
        stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in found.items())
        print(f"{cards} cards x {asked.days} days: {sum(found.values()):.0f} s ({stages}), {peak:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
