"""From lake to book on a large market, and on many: python -m tests.bench.scale

A market of 200,000 cards x 730 days, in 8 shards of which two are processed at a time, and twenty
of 50,000 x 400 one after another. Each step runs in a process of its own, as in the flow. The time
is from the first step after the collection to the registered book, and the CPU time of all steps is
beside it, for a machine that does other work; the memory is the resident peak of the processes that
run at a time. The lakes are written before the clock starts (`tests.bench.lakes`). `--only` runs
one of the two parts, and `--markets` fewer of the smaller markets. Exits with 1 if a figure misses
its target.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from tests.bench.gateway import Target, report
from tests.bench.memory import Steps, peak_memory

AT_ONCE = 2  # shards that are processed at a time
AFTER_SHARDS = ("assemble", "train", "evaluate", "register")


@dataclass(frozen=True)
class Size:
    """A market to measure: its numbers of cards, days and shards."""

    cards: int
    days: int
    shards: int


@dataclass(frozen=True)
class Cost:
    """Seconds, the CPU seconds spent in them, and the peak of resident memory in MiB."""

    seconds: float
    cpu: float
    memory: int


class MarketRun:
    """The steps of the simulated market of a seed, whose home and artifacts are below `folder`."""

    def __init__(self, folder: Path, size: Size, seed: int) -> None:
        self._folder, self._size, self._seed = folder, size, seed
        self._environment = os.environ | {
            "POKEWATCH_HOME": str(folder / "home"),
            "POKEWATCH_MARKET": f"simulated-{seed}",
        }

    def measure(self) -> Cost:
        """Write the lake, then return what all else costs."""
        self._report("lake", self._run("lake"))
        began = time.monotonic()
        parts = [self._report("validate", self._run("validate")), self._shards()]
        parts += [self._report(step, self._run(step)) for step in AFTER_SHARDS]
        cpu, memory = sum(each.cpu for each in parts), max(each.memory for each in parts)
        return Cost(time.monotonic() - began, cpu, memory)

    def _shards(self) -> Cost:
        """Process the shards. Return the memory of the largest that run at a time."""
        began = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            shards = [f"shard-{number}" for number in range(self._size.shards)]
            found = list(pool.map(self._run, shards))
        largest = sorted(each.memory for each in found)[-AT_ONCE:]
        cpu = sum(each.cpu for each in found)
        return self._report("shards", Cost(time.monotonic() - began, cpu, sum(largest)))

    def _report(self, step: str, cost: Cost) -> Cost:
        print(
            f"  {step}: {cost.seconds:.0f} s, CPU {cost.cpu:.0f} s, {cost.memory:,} MiB", flush=True
        )
        return cost

    def _run(self, step: str) -> Cost:
        """Run a step in a process of its own."""
        size = self._size
        sizes = map(str, (size.cards, size.days, size.shards, self._seed))
        command = [sys.executable, "-m", "tests.bench.scale", "--step", step, str(self._folder)]
        began = time.monotonic()
        done = subprocess.run(
            [*command, *sizes], env=self._environment, stdout=subprocess.PIPE, text=True, check=True
        )
        cpu, memory = done.stdout.splitlines()[-1].split()
        return Cost(time.monotonic() - began, float(cpu), int(memory))


def measured(size: Size, seed: int, folder: Path) -> Cost:
    """Return what a market costs; its lake and its book are removed."""
    (folder / "artifacts").mkdir(parents=True)
    cost = MarketRun(folder / "artifacts", size, seed).measure()
    shutil.rmtree(folder)
    text = f"simulated-{seed}: {size.cards:,} x {size.days} in {cost.seconds:.0f} s"
    print(f"{text}, CPU {cost.cpu:.0f} s, {cost.memory:,} MiB", flush=True)
    return cost


def run_step(step: str, folder: str, *sizes: str) -> None:
    """Run a step in this process; print its CPU seconds and its peak of resident memory in MiB."""
    cards, days, shards, seed = map(int, sizes)
    steps = Steps(Path(folder), cards, days, shards, seed)
    name, _, number = step.partition("-")
    if step == "lake":
        steps.write_lake()
    elif number:
        steps.shard(int(number))
    else:
        getattr(steps, name)()
    spent = os.times()
    cpu = spent.user + spent.system + spent.children_user + spent.children_system
    print(f"\n{cpu} {peak_memory()}")


def of_large(one: Cost) -> Sequence[Target]:
    """Return the figures of the large market."""
    return [
        Target("minutes from lake to book of the large market", one.seconds / 60, 9, at_most=True),
        Target("memory of the large market, GB", one.memory * 2**20 / 1e9, 5, at_most=True),
    ]


def of_many(first: Cost, others: Sequence[Cost]) -> Sequence[Target]:
    """Return the figures of further markets against the first of them."""
    slower = mean(each.seconds for each in others) / first.seconds
    busier = mean(each.cpu for each in others) / first.cpu
    more = max(each.memory for each in others) / first.memory
    return [
        Target("time per card of further markets, times the first", slower, 1.15, at_most=True),
        Target("CPU time per card of further markets", busier, 1.15, at_most=True),
        Target("memory of further markets, times the first", more, 1.15, at_most=True),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--large", type=int, nargs=3, default=(200_000, 730, 8), metavar="N")
    parser.add_argument("--small", type=int, nargs=3, default=(50_000, 400, 4), metavar="N")
    parser.add_argument("--only", choices=("large", "many"), help="part to run; default: both")
    parser.add_argument("--markets", type=int, default=20, help="number of the smaller markets")
    parser.add_argument("--folder", type=Path, help="on a disk with enough space; default: TMPDIR")
    given = parser.parse_args()
    if given.step:
        run_step(*given.step)
        return 0
    if given.only != "large" and given.markets < 2:
        parser.error(f"--markets must be at least 2, got {given.markets}")
    with tempfile.TemporaryDirectory(prefix="pokewatch-bench-", dir=given.folder) as folder:
        run = Path(folder) / "run"
        found: list[Target] = []
        if given.only != "many":
            found += of_large(measured(Size(*given.large), 0, run))
        if given.only != "large":
            small = Size(*given.small)
            first, *others = (measured(small, seed, run) for seed in range(given.markets))
            found += of_many(first, others)
    return report(found)


if __name__ == "__main__":
    sys.exit(main())
