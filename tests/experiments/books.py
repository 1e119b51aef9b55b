"""Books of champion and challenger on the panel of tests/monitoring/test_calibration.py."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import numpy as np

from pokewatch.experiments.update import COMPARED_WITH
from pokewatch.registry import LAST_DAY, RegisteredModel, Registry
from pokewatch.registry_records import EXPERIMENT
from pokewatch.valuation.book import BookRows, PriceBook, write_book
from tests.monitoring.test_calibration import CARDS, FIRST, day, prices
from tests.serving.books import FACTS, catalog

AHEAD = np.where(np.arange(CARDS) < 10, 1.0, 1.1)  # of the jump on day 50
MODELS = ("local_level", "boosted")


def book(
    folder: Path, last: int, factor: np.ndarray | float, model: str, days_late: int = 1
) -> tuple[PriceBook, str]:
    """A book of 20 days up to `last` with fair prices of `factor` [CARDS] times the price."""
    market = prices()[last - 19 : last + 1].T
    fair = market * np.broadcast_to(factor, CARDS)[:, None]
    rows = BookRows(
        card_id=[f"tcgplayer-{i}-normal" for i in range(CARDS)],
        dates=FIRST + np.arange(last - 19, last + 1),
        market=market,
        low=market,
        fair=fair,
        lower=fair * 0.95,
        upper=fair * 1.05,
        status=np.zeros(market.shape, dtype=np.int8),
    )
    written = datetime.combine(day(last) + timedelta(days=days_late), time(2), UTC)
    facts = replace(FACTS, model=model, created_at=written)
    digest = write_book(folder, catalog(CARDS), rows, facts)
    return PriceBook.open(folder, digest), digest


def register(
    registry: Registry,
    folder: Path,
    last: int,
    factor: np.ndarray | float = 1.0,
    model: str = MODELS[0],
    days_late: int = 1,
    **tags: str,
) -> RegisteredModel:
    _, digest = book(folder, last, factor, model, days_late)
    given = {
        "data_version": "dv",
        "source": "simulated",
        "market": "simulated-0",
        "model": model,
        LAST_DAY: day(last).isoformat(),
    }
    run = registry.log_run(folder, parameters={}, metrics={}, tags=given | tags)
    return registry.version(registry.register(run, digest).version)


def register_pair(
    registry: Registry, folder: Path, last: int, factor: np.ndarray | float = AHEAD, **tags: str
) -> tuple[RegisteredModel, RegisteredModel]:
    """Register the books of a day: the champion's last price, and the challenger's beside it."""
    champion = register(registry, folder / f"{last}-champion", last)
    beside = {EXPERIMENT: "1", COMPARED_WITH: champion.version, "gate_failed": ""} | tags
    challenger = register(registry, folder / f"{last}", last, factor, MODELS[1], 1, **beside)
    return champion, challenger
