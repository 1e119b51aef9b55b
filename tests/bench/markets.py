"""Twenty markets of 50,000 cards x 400 days in one MLServer: python -m tests.bench.markets

The markets share the files of one price book, hard-linked, under manifests of their own. Books are
opened twice in a process of its own: the first time verifies them, the second is the one measured,
as when a server starts again. Memory is what is not backed by files. Mixed batches hold 1,000 cards
of all markets in turn, and go through the gateway, two at a time; batches of one market are
measured beside them. Processor times are those of MLServer and gateway together. Exits with 1 if a
figure misses its target.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import httpx
import psutil

from pokewatch.contract import fair_price_model
from pokewatch.valuation.book.copies import open_copy
from pokewatch.valuation.book.layout import FILES, MANIFEST, Manifest
from tests.bench.gateway import BenchServers, Target, batch_rate, report
from tests.polling import eventually
from tests.serving.books import make_book
from tests.serving.server import models_folder, started, wait_until

CARDS, DAYS, MARKETS = 50_000, 400, 20
BATCH, ROUNDS, SECONDS = 1_000, 5, 2


def markets() -> list[str]:
    return [f"simulated-{seed}" for seed in range(MARKETS)]


def make_books(folder: Path) -> dict[str, str]:
    """Write a book of each market below `folder`, named by digest. Return the digests."""
    first = folder / "first"
    make_book(first, CARDS, DAYS)
    manifest = Manifest.parse((first / MANIFEST).read_bytes())
    digests = {}
    for market in markets():
        content = replace(manifest, facts=replace(manifest.facts, market=market)).to_bytes()
        digests[market] = digest = hashlib.sha256(content).hexdigest()
        book = folder / digest
        book.mkdir()
        for name in FILES:
            os.link(first / name, book / name)
        (book / MANIFEST).write_bytes(content)
    return digests


def add_models(models: Path, books: Path, digests: dict[str, str]) -> None:
    template = json.loads((models / "fair-price" / "model-settings.json").read_text())
    (models / "fair-price" / "model-settings.json").unlink()
    for market, digest in digests.items():
        name = fair_price_model(market)
        parameters = {"uri": str(books / digest), "extra": {"digest": digest, "model_version": "1"}}
        (models / name).mkdir()
        content = {**template, "name": name, "parameters": parameters}
        (models / name / "model-settings.json").write_text(json.dumps(content))


def open_all(folder: Path, digests: Sequence[str]) -> None:
    """Print the seconds that opening the verified books takes, and their memory in MB."""
    before = _anonymous(os.getpid())
    began = perf_counter()
    books = [open_copy(folder / digest, digest) for digest in digests]
    seconds = perf_counter() - began
    print(seconds, _anonymous(os.getpid()) - before, len(books))


def opening(folder: Path, digests: Sequence[str]) -> tuple[float, float]:
    """Return the seconds and MB of opening all books, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.markets", "--open", str(folder), *digests]
    subprocess.run(command, check=True, capture_output=True)  # verifies them
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, memory, _ = done.stdout.split()
    return float(seconds), float(memory)


class Batches(NamedTuple):
    """Cards per second, and the milliseconds of processor time that the servers took for 1,000."""

    rate: float
    milliseconds: float


def wait_for_answers(url: str, key: str, cards: Sequence[Mapping[str, str]]) -> None:
    """Wait until each card is answered, by its own market."""

    def answered() -> list[str]:
        sent = {"json": {"cards": cards}, "headers": {"X-API-Key": key}}
        answer = httpx.post(f"{url}/fair_price/batch", timeout=60, **sent)  # type: ignore[arg-type]
        return [each.get("market", "") for each in answer.json().get("predictions", [])]

    eventually(answered, [card["market"] for card in cards].__eq__, 120)


def batches(
    url: str, key: str, servers: Sequence[psutil.Process], cards: Sequence[Mapping[str, str]]
) -> Batches:
    wait_for_answers(url, key, cards)
    before, began = _processor(servers), perf_counter()
    rate = batch_rate(url, key, SECONDS, cards)
    sent = rate * (perf_counter() - began) / BATCH
    return Batches(rate, (_processor(servers) - before) / sent * 1e3)


def compared(
    url: str, key: str, servers: Sequence[psutil.Process]
) -> tuple[list[Batches], list[Batches]]:
    """Return batches of all markets and of one in turns, since the load of the machine varies."""
    mixed = [
        {"card_id": f"card_{at}", "market": market}
        for at in range(BATCH // MARKETS)
        for market in markets()
    ]
    one = [{"card_id": f"card_{at}", "market": markets()[0]} for at in range(BATCH)]
    rounds = [
        (batches(url, key, servers, mixed), batches(url, key, servers, one)) for _ in range(ROUNDS)
    ]
    return [each for each, _ in rounds], [each for _, each in rounds]


def _processor(processes: Sequence[psutil.Process]) -> float:
    """Return the processor time of processes so far, in seconds."""
    times = [each.cpu_times() for each in processes]
    return sum(each.user + each.system for each in times)


def _anonymous(process: int) -> float:
    """Return the memory of a process that no file backs, in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--open", nargs="+", metavar=("FOLDER", "DIGEST"))
    given = parser.parse_args().open
    if given:
        open_all(Path(given[0]), given[1:])
        return 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pokewatch-bench-")))
        (folder / "books").mkdir()
        digests = make_books(folder / "books")
        seconds, memory = opening(folder / "books", list(digests.values()))
        print(f"{seconds:.2f} s to open the books, {memory:.0f} MB beyond files", flush=True)
        ports = models_folder(folder / "models")
        add_models(folder / "models", folder / "books", digests)
        home = {"POKEWATCH_HOME": str(folder / "home")}
        server = stack.enter_context(started(folder / "models", ports, home))
        wait_until(server, *(f"/v2/models/{fair_price_model(each)}/ready" for each in digests))
        servers = BenchServers(folder, stack, server)
        url = servers.start_gateway(POKEWATCH_ANSWER_CACHE="false")
        [gateway] = set(psutil.Process().children()) - {psutil.Process(server.process.pid)}
        running = [gateway, psutil.Process(server.process.pid)]
        mixed, one = compared(url, servers.key, running)
        for name, found in (("all markets", mixed), ("one market", one)):
            cost = median(each.milliseconds for each in found)
            rate = median(each.rate for each in found)
            print(f"batches of {name}: {rate:,.0f} cards/s, {cost:.1f} ms of processor time each")
        in_all = _anonymous(server.process.pid)
        return report(
            [
                Target("seconds to open the books of all markets", seconds, 2.0, at_most=True),
                Target("memory of the books beyond files, MB", memory, 300.0, at_most=True),
                Target("memory of MLServer beyond files, MB", in_all, 600.0, at_most=True),
                Target(
                    "cards a second in batches of all markets",
                    median(each.rate for each in mixed),
                    50_000.0,
                ),
            ]
        )


if __name__ == "__main__":
    sys.exit(main())
