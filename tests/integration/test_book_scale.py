"""The book at full scale: 66,000 cards of 400 days, 26 million rows."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import psutil
import pytest

from pokewatch.valuation.book import BookRows, PriceBook, write_book
from tests.serving.books import FACTS, catalog
from tests.serving.server import infer, models_folder, point_at, running, tensor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CARDS, DAYS, BLOCK = 66_000, 400, 2_000
MEGABYTE = 1e6


def blocks() -> Iterator[BookRows]:
    numbers = np.random.default_rng(0)
    dates = np.datetime64("2025-01-01") + np.arange(DAYS)
    for start in range(0, CARDS, BLOCK):
        market = (
            np.round(
                numbers.lognormal(1, 1, (BLOCK, 1))
                * np.exp(numbers.normal(0, 0.03, (BLOCK, DAYS))),
                2,
            )
            + 0.01
        )
        status = np.zeros((BLOCK, DAYS), dtype=np.int8)
        ids = [f"tcgplayer-{i}-normal" for i in range(start, start + BLOCK)]
        yield BookRows(ids, dates, market, market * 0.9, market, market * 0.9, market * 1.1, status)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("scale") / "book"
    return folder, write_book(folder, catalog(CARDS), blocks(), replace(FACTS))


def test_opens_and_answers(book: tuple[Path, str]) -> None:
    started = time.perf_counter()
    opened = PriceBook.open(*book)
    quotes = opened.look_up(["card_0", "card_65999"])
    click.echo(
        f"{CARDS * DAYS:,} rows opened, verified and warm in {time.perf_counter() - started:.2f} s"
    )
    assert quotes.status.tolist() == ["ok", "ok"]
    assert opened.history("card_65999").market.shape == (DAYS,)


def test_a_second_worker_adds_little_memory(book: tuple[Path, str], tmp_path: Path) -> None:
    ports = models_folder(tmp_path / "models", workers=2)
    point_at(tmp_path / "models", *book, "1")
    with running(tmp_path / "models", ports) as server:
        for _ in range(20):
            assert (
                infer(server, "fair-price", tensor("card_id", ["card_5", "card_65999"])).status_code
                == 200
            )
        unshared = [worker.memory_full_info().uss / MEGABYTE for worker in server.workers()]
        shared = [
            psutil.Process(worker.pid).memory_info().rss / MEGABYTE for worker in server.workers()
        ]
    click.echo(
        f"unshared memory of two workers: {unshared[0]:.0f} and {unshared[1]:.0f} MB "
        f"of {shared[0]:.0f} and {shared[1]:.0f} MB in all"
    )
    assert max(unshared) < 150
