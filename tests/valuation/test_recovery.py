"""Recovery of the true fair price, which only a simulated market has."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from pokewatch.market.sources.simulated import SimulatedSource
from pokewatch.market.sources.simulated_catalog import EPOCH
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.walk_forward import walk_forward
from tests.valuation.panels import panel_from

CARDS, DAYS, HORIZON = 500, 240, 7
ORIGINS = range(150, DAYS - HORIZON, 16)


def market(
    seed: int, days_of_prices: int = DAYS, first: int = 700
) -> tuple[Panel, NDArray[np.float64]]:
    """Return a panel of a seed not used in development, and the log true fair price [d, n].

    It begins on day `first` of the simulated market.
    """
    source = SimulatedSource(CARDS, seed=seed)
    days = [EPOCH + timedelta(days=first + day) for day in range(days_of_prices)]
    quotes = pa.concat_tables([batch.prices for batch in source.prices(days)])
    cards = source.catalog().select(["card_id", "set_id", "rarity", "released"])
    columns = quotes.select(["card_id", "date", "market_price", "low_price", "mid_price"])
    panel = panel_from(columns.join(cards, "card_id").combine_chunks())
    known = source.true_fair(days)
    truth = np.full((days_of_prices, panel.cards), np.nan)
    place = {card: number for number, card in enumerate(panel.card_id.tolist())}
    card = [place.get(card, -1) for card in known["card_id"].to_pylist()]
    rows = np.flatnonzero(np.array(card) >= 0)
    day = (np.array(known["date"].to_pylist(), dtype="datetime64[D]") - panel.dates[0]).astype(int)
    truth[day[rows], np.array(card)[rows]] = np.log(known["fair_price"].to_numpy())[rows]
    return panel, truth


@pytest.mark.slow
@pytest.mark.parametrize("seed", [20, 21, 22])
def test_the_fair_price_is_much_nearer_to_the_truth_than_the_last_price(seed: int) -> None:
    panel, truth = market(seed)
    error = last_error = 0.0
    inside, total = 0, 0
    for today, values in walk_forward(panel, "boosted", HORIZON, ORIGINS):
        quoted = np.isfinite(panel.market[today.day]) & np.isfinite(truth[today.day + HORIZON])
        now, later = truth[today.day, quoted], truth[today.day + HORIZON, quoted]
        error += float(np.abs(np.log(values.fair[quoted]) - now).sum())
        last_error += float(np.abs(today.last[quoted] - now).sum())
        inside += int(
            (
                (np.log(values.lower[quoted]) <= later) & (later <= np.log(values.upper[quoted]))
            ).sum()
        )
        total += int(quoted.sum())
    assert error <= 0.46 * last_error
    # The interval is for the noisy quote; the true price is inside it more often than 90%.
    assert inside >= 0.9 * total
