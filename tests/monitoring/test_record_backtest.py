from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pokewatch.decision import fees_for
from pokewatch.monitoring.record_backtest import earnings
from pokewatch.monitoring.resolved_forecasts import ResolvedForecasts
from pokewatch.valuation.panel import Panel
from tests.monitoring.test_resolved_forecasts import read
from tests.valuation.panels import long_table, panel_from
from tests.valuation.test_track_record import forecasts

DAYS, CARDS = 60, 6
FEES = fees_for("USD", "tcgplayer", 0.0)


def rising(cards: int = CARDS) -> Panel:
    """Cards at 3, 20, 21, ...: each moves a cent a day, and the second doubles on day 12."""
    market = np.array([3.0, *range(20, 20 + cards - 1)]) + np.arange(DAYS)[:, None] / 100
    market[12:, 1] *= 2
    return panel_from(long_table(market))


def stated(folder: Path, panel: Panel, day: int, signals: list[str]) -> ResolvedForecasts:
    table = forecasts(panel.dates[day].item(), panel.cards)
    for name, values in (
        ("card_id", panel.card_id.tolist()),
        ("signal", signals),
        ("last_price", panel.market[day].tolist()),
    ):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), [values])
    return read(folder, table)[0]


def test_a_good_buy_earns(tmp_path: Path) -> None:
    panel = rising()
    found = stated(tmp_path, panel, 10, ["HOLD", "BUY", *["HOLD"] * (CARDS - 2)])
    every, expensive = earnings(panel, found, FEES)
    assert (every["signals"], every["followed"]["trades"]) == (1, 1)
    assert every["followed"]["mean_net"] > 0.5
    assert every["from"] == str(panel.dates[10])
    assert (every["min_price"], expensive["min_price"]) == (0.0, 5.0)
    assert (expensive["followed"]["trades"], every["cards"]) == (1, CARDS)
    assert len(every["equity"]) == len(every["dates"]) == DAYS - 10


def test_cheap_cards_are_only_in_the_first(tmp_path: Path) -> None:
    panel = rising()
    found = stated(tmp_path, panel, 10, ["BUY", *["HOLD"] * (CARDS - 1)])
    assert [each["signals"] for each in earnings(panel, found, FEES)] == [1, 0]


def test_signals_from_before_the_prices_are_left_out(tmp_path: Path) -> None:
    panel = rising()
    found = stated(tmp_path, panel, 10, ["BUY"] * CARDS)
    assert earnings(panel.after(11), found, FEES) == []


def test_a_sample_of_the_other_cards_is_compared_with(tmp_path: Path) -> None:
    panel = rising()
    found = stated(tmp_path, panel, 10, ["HOLD", "BUY", *["HOLD"] * (CARDS - 2)])
    assert [each["cards"] for each in earnings(panel, found, FEES, most_cards=2)] == [3, 3]


@pytest.mark.parametrize("cards", [CARDS - 1, CARDS])
def test_of_two_versions_of_a_day_the_later_counts_whatever_their_numbers_of_cards(
    cards: int, tmp_path: Path
) -> None:
    panel, day = rising(), 10
    issued = panel.dates[day].item()
    later = forecasts(issued, cards, model_version="10", signal="BUY")
    found = read(tmp_path, later, forecasts(issued, CARDS, model_version="9"))[0]
    found = replace(found, cards=tuple(panel.card_id.tolist()))
    assert earnings(panel, found, FEES)[0]["signals"] == cards


def test_the_cards_furthest_below_their_fair_prices_are_bought_first(tmp_path: Path) -> None:
    """Of eleven signals ten can be followed; one card alone earns, and is first or last."""
    panel = rising(11)
    found = stated(tmp_path, panel, 10, ["BUY"] * 11)
    fair = found.last * np.where(np.arange(11) == 1, 1.5, 1.2)
    every, _ = earnings(panel, replace(found, fair=fair), FEES)
    assert (every["over_capacity"], every["followed"]["hit_rate"]) == (1, 0.1)
    every, _ = earnings(panel, replace(found, fair=found.last * 2 - fair / 2), FEES)
    assert (every["over_capacity"], every["followed"]["hit_rate"]) == (1, 0.0)


def test_no_signal_earns_nothing(tmp_path: Path) -> None:
    panel = rising()
    found = stated(tmp_path, panel, 10, ["HOLD"] * CARDS)
    every, _ = earnings(panel, found, FEES)
    assert (every["signals"], every["followed"]["trades"]) == (0, 0)
    assert every["followed"]["mean_net"] is None
    assert every["equity"] == pytest.approx([1.0] * (DAYS - 10))
