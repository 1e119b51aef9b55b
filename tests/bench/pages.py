"""The pages on a book of 43,000 cards x 400 days: python -m tests.bench.pages [--seconds 8]

wrk asks for prices on 49 connections, without pages and with the page of a card after every 20
prices, in turn; one more connection asks for the pages of other cards and is timed. The answer
cache is off, so every page is made anew. Milliseconds are of a quiet machine; ratios hold on any,
since its load affects both sides alike. Exits with 1 if a figure misses its target.
"""

import argparse
import gzip
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from threading import Event, Thread
from time import perf_counter

import httpx
import numpy as np

from pokewatch.valuation.book import BookRows, HorizonForecasts, write_book
from tests.bench.gateway import BenchServers, Load, Target, report, run_wrk
from tests.serving.books import FACTS, catalog, rows
from tests.serving.server import models_folder, point_at, running

CARDS, DAYS, BLOCK = 43_000, 400, 1_000
CONNECTIONS = 50
PRICES_A_PAGE = 20
ROUNDS = 3
SCRIPT = Path(__file__).with_name("pages.wrk.lua")
PAGES = (
    "/",
    "/cards?q=pokemon",
    "/cards/card_7?range=all",
    "/movers?days=30&min_price=0",
    "/sets",
    "/sets/set7",
    "/status",
)
_PAGE = {"Accept": "text/html", "Accept-Encoding": "gzip"}


def book(folder: Path) -> str:
    """Write the book and return its digest. Prices walk at random from that of the card."""
    numbers = np.random.default_rng(0)
    small = rows(BLOCK, DAYS)

    def blocks() -> Iterator[BookRows]:
        for start in range(0, CARDS, BLOCK):
            walk = np.exp(np.cumsum(numbers.normal(0, 0.01, small.market.shape), axis=1))
            prices = {
                name: getattr(small, name) * walk
                for name in ("market", "low", "fair", "lower", "upper")
            }
            ids = [f"tcgplayer-{i}-normal" for i in range(start, start + BLOCK)]
            yield replace(small, card_id=ids, **prices)

    fair = np.full((2, CARDS), 5.0, dtype=np.float32)
    half, twice = np.float32(0.5), np.float32(2.0)
    status = np.zeros(fair.shape, dtype=np.int8)
    further = HorizonForecasts((30, 90), fair, fair * half, fair * twice, status)
    return write_book(folder, catalog(CARDS), blocks(), FACTS, further)


def prices(url: str, key: str, seconds: int, every: int) -> Load:
    """Return the load of wrk, with a page after `every` prices, 0 for none."""
    settings = {"WRK_EVERY": str(every), "WRK_CARDS": str(CARDS), "WRK_KEY": key}
    return run_wrk(url, CONNECTIONS - 1, seconds, SCRIPT, settings)


class PageTimer:
    """Asks for pages of cards, one after the other, in a thread. `seconds` are their times."""

    def __init__(self, url: str, key: str) -> None:
        self.seconds: list[float] = []
        self._ended = Event()
        self._client = httpx.Client(base_url=url, headers={**_PAGE, "X-API-Key": key}, timeout=30)
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "PageTimer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        number = 0
        while not self._ended.is_set():
            number += 1
            began = perf_counter()
            found = self._client.get(f"/cards/card_{(number * 104_729) % CARDS}")
            self.seconds.append(perf_counter() - began)
            assert found.status_code == 200, found.text


def largest_page(url: str, key: str) -> float:
    """Return the size of the largest page as sent, in KB, and print all."""
    sizes = []
    for path in PAGES:
        with httpx.stream("GET", url + path, headers={**_PAGE, "X-API-Key": key}) as reply:
            sent = b"".join(reply.iter_raw())
        assert reply.status_code == 200, path
        page = gzip.decompress(sent)
        print(
            f"{path:28} {len(sent) / 1e3:6.1f} KB, {len(page) / 1e3:6.1f} KB unpacked", flush=True
        )
        sizes.append(len(sent) / 1e3)
    return max(sizes)


def measure(seconds: int) -> list[Target]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pokewatch-bench-")))
        digest = book(folder / "book")
        ports = models_folder(folder / "models")
        point_at(folder / "models", folder / "book", digest, "1")
        environment = {"POKEWATCH_HOME": str(folder / "home")}
        server = stack.enter_context(running(folder / "models", ports, environment))
        servers = BenchServers(folder, stack, server)
        url, key = servers.start_gateway(POKEWATCH_ANSWER_CACHE="0"), servers.key
        largest = largest_page(url, key)
        alone, mixed, times = [], [], []
        for _ in range(ROUNDS):
            alone.append(prices(url, key, seconds, 0))
            with PageTimer(url, key) as timer:
                mixed.append(prices(url, key, seconds, PRICES_A_PAGE))
            times.append(1e3 * quantiles(timer.seconds, n=20)[-1])
        for name, loads in (("prices alone", alone), ("prices and pages", mixed)):
            print(f"{name:16} {sorted(loads, key=lambda load: load.rate)[len(loads) // 2]}")
        print(f"pages of cards   p95 {median(times):7.2f} ms", flush=True)
        slower = median(page / before.p95 for page, before in zip(times, alone, strict=True))
        ratio = median(after.rate / before.rate for before, after in zip(alone, mixed, strict=True))
    return [
        Target("pages: largest as sent, KB", largest, 60, at_most=True),
        Target("pages: p95 at 50 connections, ms", median(times), 30, at_most=True),
        Target("pages: p95 of a page / p95 of prices alone", slower, 4, at_most=True),
        Target("pages: rate with a page after 20 prices / without", ratio, 0.2),
        Target("pages: errors", sum(load.errors for load in alone + mixed), 0, at_most=True),
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="seconds of each load")
    return report(measure(parser.parse_args(arguments).seconds))


if __name__ == "__main__":
    sys.exit(main())
