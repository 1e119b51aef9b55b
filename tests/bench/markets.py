"""Twenty markets of 50,000 cards x 400 days in one MLServer: python -m tests.bench.markets

The markets share the files of one price book, hard-linked, under manifests of their own. Books are
opened twice in a process of its own: the first time verifies them, the second is the one measured,
as when a server starts again. Memory is what is not backed by files. Mixed batches hold 1,000 cards
of all markets in turn, and go through the gateway. Exits with 1 if a figure misses its target.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx

from pokewatch.contract import fair_price_model
from pokewatch.valuation.book.copies import open_copy
from pokewatch.valuation.book.layout import FILES, MANIFEST, Manifest
from tests.bench.gateway import BenchServers, Target, report
from tests.serving.books import make_book
from tests.serving.server import models_folder, started, wait_until

CARDS, DAYS, MARKETS = 50_000, 400, 20
BATCH, ROUNDS = 1_000, 5


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


def mixed_batches(url: str, key: str) -> float:
    """Return the cards per second of batches of all markets; the median of some rounds."""
    rows = [
        {"card_id": f"card_{at}", "market": market}
        for at in range(BATCH // MARKETS)
        for market in markets()
    ]
    rates = []
    with httpx.Client(headers={"X-API-Key": key}, timeout=60) as client:
        for _ in range(ROUNDS):
            began = perf_counter()
            for _ in range(10):
                answer = client.post(f"{url}/fair_price/batch", json={"cards": rows})
                found = answer.raise_for_status().json()["predictions"]
                assert [each["market"] for each in found] == [row["market"] for row in rows]
            rates.append(10 * BATCH / (perf_counter() - began))
    return median(rates)


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
        ports = models_folder(folder / "models")
        add_models(folder / "models", folder / "books", digests)
        home = {"POKEWATCH_HOME": str(folder / "home")}
        server = stack.enter_context(started(folder / "models", ports, home))
        wait_until(server, *(f"/v2/models/{fair_price_model(each)}/ready" for each in digests))
        servers = BenchServers(folder, stack, server)
        url = servers.start_gateway(POKEWATCH_ANSWER_CACHE="false")
        rate = mixed_batches(url, servers.key)
        in_all = _anonymous(server.process.pid)
        return report(
            [
                Target("seconds to open the books of all markets", seconds, 2.0, at_most=True),
                Target("memory of the books beyond files, MB", memory, 300.0, at_most=True),
                Target("memory of MLServer beyond files, MB", in_all, 600.0, at_most=True),
                Target("cards a second in batches of all markets", rate, 50_000.0),
            ]
        )


if __name__ == "__main__":
    sys.exit(main())
