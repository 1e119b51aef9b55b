"""What a model would have said of every card, day by day, and the backtest of acting on it."""

from pathlib import Path
from typing import Any

import numpy as np

from pokewatch.decision import FeeSchedule
from pokewatch.errors import ValuationError
from pokewatch.valuation.backtest.backtest import Backtest, DailyEstimates, compare_policies
from pokewatch.valuation.backtest.trades import EXIT_DAYS, TradeQuotes
from pokewatch.valuation.intervals import OK
from pokewatch.valuation.panel import Panel, read_panel
from pokewatch.valuation.training_set import card_keys
from pokewatch.valuation.valued_days import ValuedDays
from pokewatch.valuation.walk_forward import walk_forward

_MIN_DAYS = 60  # judged, where the panel has them


def first_signal_day(days: int, horizon: int) -> int:
    """The second half of the panel, or more of it where that is short; never before there is a pair to learn from.

    Raises ValuationError where no trade could be seen to its end.
    """
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1 day, got {horizon}")
    first = max(horizon, min(days // 2, days - _MIN_DAYS))
    if days < _min_days(horizon):
        raise ValuationError(
            f"{days} days are too few for a backtest at a horizon of {horizon} days: {_min_days(horizon)} are needed"
        )
    return first


def _min_days(horizon: int) -> int:
    return 2 * horizon + EXIT_DAYS + 1


def signal_days(
    panel: Panel, model: str, horizon: int, first: int, min_price: float | None = None
) -> DailyEstimates:
    """What `model` says on each day index from `first` on, [days - first, cards], learnt from what was known by then.

    Cards quoted under `min_price` are left out. Raises ValueError for an unknown model.
    """
    shape = panel.days - first, panel.cards
    fair, lower, upper = (np.full(shape, np.nan) for _ in range(3))
    ok = np.zeros(shape, dtype=np.bool_)
    for features, values in walk_forward(panel, model, horizon, range(first, panel.days)):
        row = features.day - first
        kept = panel.market[features.day] >= (min_price or 0.0)
        fair[row, kept], lower[row, kept], upper[row, kept] = (
            values.fair[kept],
            values.lower[kept],
            values.upper[kept],
        )
        ok[row] = values.status == OK
    return DailyEstimates(fair, lower, upper, ok)


def backtest_panel(
    panel: Panel,
    model: str,
    horizon: int,
    fees: FeeSchedule,
    *,
    min_price: float | None = None,
    **options: Any,
) -> list[Backtest]:
    """`compare_policies` over the panel's later days, which takes the `options`.

    Fees are taken at face value whatever currency the cards are quoted in. Raises ValuationError for a panel too short,
    ValueError for an unknown model or policy.
    """
    first = first_signal_day(panel.days, horizon)
    judged = signal_days(panel, model, horizon, first, min_price)
    quotes = TradeQuotes(panel.market[first:], panel.fresh[first:])
    return compare_policies(panel.dates[first:], quotes, judged, fees, horizon, **options)


def backtest_valued(
    panel: Panel,
    valued: ValuedDays,
    horizon: int,
    fees: FeeSchedule,
    min_price: float,
    most_cards: int,
) -> list[Backtest]:
    """`compare_policies` over days that are valued already, of at most `most_cards` of the cards that were ever quoted at
    `min_price` or more, whichever come first in a shuffle that is always the same, on the days when they were.

    [] where the days are too few to see a trade to its end, or no card was.
    """
    dear = np.flatnonzero((panel.market[valued.first :] >= min_price).any(axis=0))
    if len(valued.fair) < _min_days(horizon) or not len(dear):
        return []
    cards = np.sort(dear[np.argsort(card_keys(panel.card_id[dear]), kind="stable")[:most_cards]])
    quotes = TradeQuotes(panel.market[valued.first :, cards], panel.fresh[valued.first :, cards])
    fair, lower, upper = (
        values[:, cards].astype(np.float64) for values in (valued.fair, valued.lower, valued.upper)
    )
    fair[~(quotes.market >= min_price)] = np.nan
    judged = DailyEstimates(fair, lower, upper, valued.status[:, cards] == OK)
    return compare_policies(panel.dates[valued.first :], quotes, judged, fees, horizon)


def backtest_file(
    path: Path, model: str, horizon: int, fees: FeeSchedule, **options: Any
) -> list[dict[str, Any]]:
    """`backtest_panel` of the panel of a file, as plain JSON with the model and the currencies the cards are quoted in, where known."""
    panel = read_panel(path)
    quoted_in = sorted(set(panel.currency.tolist()) - {""})
    return [
        {"model": model, "quoted_in": quoted_in, **made.to_json()}
        for made in backtest_panel(panel, model, horizon, fees, **options)
    ]
