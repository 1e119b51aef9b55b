"""The whole catalogue, from the lake to a finished price book, and an eighth of it: seconds and memory; then `local_level` beside
statsforecast's AutoETS and SES on the same sample of cards and days.

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


def made(collected: Any, sample: Path) -> dict[str, float]:
    """Process, train and write the book of what was collected, in this process: seconds a stage, and the most memory it took."""
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
    write_book_of(panel, valued, Lake(raw.parent, raw=raw).catalog(), FACTS)
    lap("book")
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found | _forecasts(panel, sample)


def _forecasts(panel: "Panel", sample: Path) -> dict[str, float]:
    """Seconds a card and forecast of our model, its learning included; its error and the last price's on the sample, which is kept."""
    from pokewatch.valuation.walk_forward import walk

    origins = [panel.days - 1 - back for back in ORIGINS_BACK]
    market = panel.market
    quoted = np.isfinite(market[[0, *origins, *(origin + HORIZON for origin in origins)]]).all(
        axis=0
    )
    cards = np.random.default_rng(0).permutation(np.flatnonzero(quoted))[:SAMPLE]
    prices = market[:, cards]
    known = np.maximum.accumulate(
        np.where(np.isfinite(prices), np.arange(len(prices))[:, None], 0), axis=0
    )
    log_price = np.log(np.take_along_axis(prices, known, axis=0))
    began, error, last_error = time.perf_counter(), 0.0, 0.0
    for origin in origins:
        ((_, values),) = walk(panel, MODEL, HORIZON, [origin])
        fair = values.fair[cards]
        error += float(np.abs(np.log(fair) - log_price[origin + HORIZON]).sum())
        last_error += float(np.abs(log_price[origin] - log_price[origin + HORIZON]).sum())
    seconds = (time.perf_counter() - began) / (len(origins) * panel.cards)
    np.savez(sample, log_price=log_price, origins=origins, horizon=HORIZON)
    return {"forecast_seconds": seconds, "forecast_error": error, "last_error": last_error}


def child(cards: int, days: int, sample: Path) -> None:
    """Collect, untimed, in a process of its own whose memory does not count; then measure."""
    from pokewatch.pipeline.collection import collect_prices

    collected = collect_prices("simulated", days=days, cards=cards)
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.write(writing, json.dumps(made(collected, sample)).encode())
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
    """statsforecast's figures on the sample; in an environment of its own, for it is nothing that PokeWatch needs."""
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
    asked = parser.parse_args(None if __name__ == "__main__" else [])
    if asked.sample:
        child(asked.cards, asked.days, asked.sample)
        return
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "sample.npz"
        for cards in (asked.cards // 8, asked.cards):
            found = measured(cards, asked.days, sample)
            stages = {name: found[name] for name in ("process", "train", "value", "book")}
            told = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in stages.items())
            print(
                f"{cards} cards x {asked.days} days: {sum(stages.values()):.0f} s ({told}), {found['peak_mb']:.0f} MB",
                flush=True,
            )
        ours = found["forecast_error"] / found["last_error"]
        print(
            f"{SAMPLE} cards on {len(ORIGINS_BACK)} days: {MODEL} errs {ours:.3f} of the last price"
        )
        for name, rival in rivals(sample).items():
            faster, error = (
                rival["seconds"] / found["forecast_seconds"],
                rival["error"] / found["last_error"],
            )
            print(f"  {name} errs {error:.3f}; {MODEL} is {faster:.0f}x as fast a card")


if __name__ == "__main__":
    main()
