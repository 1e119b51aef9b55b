"""Seconds that the daily pipeline takes, from an empty POKEWATCH_HOME to a champion.

python -m tests.bench.pipeline [--cards 1000] [--days 400]
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

from tests.integration.flow import run_flow


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", default="1000")
    parser.add_argument("--days", default="400")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = run_flow(
            Path(folder),
            "run",
            "--cards",
            arguments.cards,
            "--days",
            arguments.days,
            POKEWATCH_HOME=f"{folder}/home",
        )
        seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stdout)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    print(f"{arguments.cards} cards x {arguments.days} days: {seconds:.0f} s, {cpu:.0f} s of CPU")


if __name__ == "__main__":
    main()
