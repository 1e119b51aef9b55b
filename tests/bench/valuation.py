"""Benchmark of valuation: time and memory from the lake to a finished price book.

It runs on the whole catalogue and on an eighth of it, then compares `local_level` with AutoETS and
SES of statsforecast on the same sample of cards and days.

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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pokewatch.valuation.panel import Panel

MODEL, HORIZON = "local_level", 7
SAMPLE, ORIGINS_BACK = 300, (8, 38, 68)  # cards; days before the last
RIVALS = (
    "--with",
    "statsforecast==2.0.3",
    "python",
    str(Path(__file__).with_name("statsforecast_rivals.py")),
)


def build_book(collected: Any, sample: Path) -> dict[str, float]:
    """Process, train and write the book of the collected prices, in this process.

    Return the seconds of each stage and the peak memory in MB.
    """
    from pokewatch.market.lake import Lake
    from pokewatch.market.versions import DataVersions
    from pokewatch.pipeline.processing import join_shards, process_shard
    from pokewatch.pipeline.registration import BOOK_DAYS, write_book_of
    from pokewatch.pipeline.training import train
    from pokewatch.settings import Home
    from pokewatch.valuation.models import restore
    from pokewatch.valuation.processed import read_processed
    from pokewatch.valuation.valued_days import valued_days
    from tests.serving.books import FACTS

    found: dict[str, float] = {}
    began = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal began
        found[stage], began = time.perf_counter() - began, time.perf_counter()

    version = join_shards([process_shard(collected, 0, 1)])
    lap("process")
    parameters = train(version, [MODEL], HORIZON)[MODEL]
    lap("train")
    store = DataVersions(Home.read().home)
    panel = read_processed(store.checkout(version))
    valued = valued_days(restore(parameters), panel, BOOK_DAYS)
    lap("value")
    raw = store.checkout(collected.raw_version)
    write_book_of(Home.read().books, panel, valued, Lake(raw.parent, raw=raw).catalog(), FACTS)
    lap("book")
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found | _forecasts(panel, sample)


def _forecasts(panel: "Panel", sample: Path) -> dict[str, float]:
    """Return the seconds per card and forecast, training included, and the errors on the sample.

    The sample is written to `sample`.
    """
    from pokewatch.valuation.walk_forward import walk_forward

    origins = [panel.days - 1 - back for back in ORIGINS_BACK]
    market = panel.market
    judged = np.array([0, *origins, *(origin + HORIZON for origin in origins)])
    quoted = np.isfinite(market[judged]).all(axis=0)
    cards = np.random.default_rng(0).permutation(np.flatnonzero(quoted))[:SAMPLE]
    prices = market[:, cards]
    known = np.maximum.accumulate(
        np.where(np.isfinite(prices), np.arange(len(prices))[:, None], 0), axis=0
    )
    log_price = np.log(np.take_along_axis(prices, known, axis=0))
    began, error, last_error = time.perf_counter(), 0.0, 0.0
    for origin in origins:
        ((_, values),) = walk_forward(panel, MODEL, HORIZON, [origin])
        fair = values.fair[cards]
        error += float(np.abs(np.log(fair) - log_price[origin + HORIZON]).sum())
        last_error += float(np.abs(log_price[origin] - log_price[origin + HORIZON]).sum())
    seconds = (time.perf_counter() - began) / (len(origins) * panel.cards)
    np.savez(sample, log_price=log_price, origins=origins, horizon=HORIZON)
    return {"forecast_seconds": seconds, "forecast_error": error, "last_error": last_error}


def child(cards: int, days: int, sample: Path) -> None:
    """Collect the prices, then measure in another process, without the memory of collecting."""
    from pokewatch.pipeline.collect import collect_prices

    collected = collect_prices("simulated", days=days, cards=cards)
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, json.dumps(build_book(collected, sample)).encode())
        os._exit(0)
    os.close(writing)
    print(os.read(reading, 65536).decode())


def measured(cards: int, days: int, sample: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        command = [
            sys.executable,
            "-m",
            "tests.bench.valuation",
            "--cards",
            str(cards),
            "--days",
            str(days),
            "--sample",
            str(sample),
        ]
        done = subprocess.run(
            command,
            env=os.environ | {"POKEWATCH_HOME": home},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def rivals(sample: Path) -> dict[str, dict[str, float]]:
    """Return the figures of statsforecast on the sample, from an isolated environment."""
    command = [
        sys.executable,
        "-m",
        "uv",
        "run",
        "--quiet",
        "--no-project",
        "--isolated",
        "--python",
        sys.executable,
        *RIVALS,
        str(sample),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, dict[str, float]] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=66_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--sample", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(None if __name__ == "__main__" else [])
    if options.sample:
        child(options.cards, options.days, options.sample)
        return
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "sample.npz"
        for cards in (options.cards // 8, options.cards):
            found = measured(cards, options.days, sample)
            stages = {name: found[name] for name in ("process", "train", "value", "book")}
            details = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in stages.items())
            print(
                f"{cards} cards x {options.days} days: {sum(stages.values()):.0f} s ({details}), "
                f"{found['peak_mb']:.0f} MB",
                flush=True,
            )
        ours = found["forecast_error"] / found["last_error"]
        print(
            f"{SAMPLE} cards on {len(ORIGINS_BACK)} days: "
            f"the error of {MODEL} is {ours:.3f} of the last price's"
        )
        for name, rival in rivals(sample).items():
            faster, error = (
                rival["seconds"] / found["forecast_seconds"],
                rival["error"] / found["last_error"],
            )
            print(f"  {name}: {error:.3f}; {MODEL} is {faster:.2g}x as fast per card")


if __name__ == "__main__":
    main()
