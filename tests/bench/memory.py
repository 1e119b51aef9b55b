"""Peak memory of the steps of the daily flow: `python -m tests.bench.memory CARDS DAYS SHARDS`.

Each step runs in a process of its own, as in the flow, on a simulated market.
"""

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HORIZON = 7
HORIZONS = (7, 30, 90)
MODELS = ("last", "rolling_mean", "median7", "local_level")


class Steps:
    """The steps, on the market of a seed; each stores what the next ones need in `folder`."""

    def __init__(self, folder: Path, cards: int, days: int, shards: int, seed: int = 0) -> None:
        self._folder, self._cards, self._days, self._shards = folder, cards, days, shards
        self._seed = seed

    def collect(self) -> None:
        from pokewatch.pipeline.collect import collect_prices

        self._put(
            "collected",
            collect_prices("simulated", cards=self._cards, days=self._days, seed=self._seed),
        )

    def write_lake(self) -> None:
        from tests.bench.lakes import collected_lake

        self._put("collected", collected_lake(self._cards, self._days, self._seed))

    def validate(self) -> None:
        from pokewatch.pipeline.collect import daily_figures, validate

        validate(self._get("collected"))
        daily_figures(self._get("collected"))

    def shard(self, number: int) -> None:
        from pokewatch.pipeline.processing import process_shard

        self._put(str(number), process_shard(self._get("collected"), number, self._shards))

    def features(self) -> None:
        self.shard(0)

    def other_features(self) -> None:
        for number in range(1, self._shards):
            self.shard(number)

    def assemble(self) -> None:
        from pokewatch.pipeline.processing import join_shards

        self._put("panel", join_shards([self._get(str(each)) for each in range(self._shards)]))

    def train(self) -> None:
        from pokewatch.pipeline.training import too_long, train, trials

        self._put("parameters", train(self._get("panel"), MODELS, HORIZON))
        trials(MODELS, HORIZONS, too_long(self._get("panel"), HORIZONS))

    def evaluate(self) -> None:
        from pokewatch.pipeline.training import evaluate_candidate

        self._put("evaluation", evaluate_candidate(self._get("panel"), MODELS[-1], HORIZON))

    def register(self) -> None:
        from pokewatch.pipeline.registration import register
        from pokewatch.registry import Registry

        given = self._get("collected"), self._get("panel"), self._get("parameters")[MODELS[-1]]
        model = register(*given, self._get("evaluation").to_dict(), {}, HORIZONS[1:])
        Registry().open_book(model)

    def _put(self, name: str, value: Any) -> None:
        (self._folder / name).write_bytes(pickle.dumps(value))

    def _get(self, name: str) -> Any:
        return pickle.loads((self._folder / name).read_bytes())  # written by `_put`


STEPS = (
    *("collect", "validate", "features", "other_features", "assemble"),
    *("train", "evaluate", "register"),
)


def measure(cards: int, days: int, shards: int) -> dict[str, int]:
    """Return the peak resident memory of each step, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"POKEWATCH_HOME": f"{folder}/home"}
        peaks = {}
        for step in STEPS:
            command = [sys.executable, "-m", __spec__.name, *map(str, (cards, days, shards))]
            done = subprocess.run(
                [*command, step, folder],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            peaks[step] = int(done.stdout.splitlines()[-1])
        return peaks


def peak_memory() -> int:
    """Return the peak resident memory of this process, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main() -> None:
    """Measure all steps, or run one of them and print its peak."""
    cards, days, shards, *step = sys.argv[1:]
    sizes = int(cards), int(days), int(shards)
    if not step:
        sys.stdout.write(f"{json.dumps(measure(*sizes))}\n")
        return
    run: Callable[[], None] = getattr(Steps(Path(step[1]), *sizes), step[0])
    run()
    sys.stdout.write(f"\n{peak_memory()}\n")


if __name__ == "__main__":
    main()
