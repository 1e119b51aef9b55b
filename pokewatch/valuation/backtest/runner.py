"""Backtests of a model: its estimates day by day, and the result of acting on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pokewatch.decision import FeeSchedule, fees_for
from pokewatch.errors import ValuationError
from pokewatch.valuation.backtest.backtest import DailyEstimates, compare_policies
from pokewatch.valuation.backtest.permutation import volatility
from pokewatch.valuation.backtest.results import Backtest
from pokewatch.valuation.backtest.trades import EXIT_DAYS, TradeQuotes
from pokewatch.valuation.intervals import OK
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.panel_file import Warn, read_panel
from pokewatch.valuation.training_set import card_keys
from pokewatch.valuation.valued_days import ValuedDays
from pokewatch.valuation.walk_forward import walk_forward
from pokewatch.wording import counted

Progress = Callable[[float], object]

_MIN_SIGNAL_DAYS = 60  # where the panel has that many


def first_signal_day(days: int, horizon: int) -> int:
    """Return the day index on which signals start.

    Signals cover the second half of the panel, or more where that is under 60 days, but never start
    before there is a training day. Raise ValuationError if no trade would finish, ValueError for a
    horizon below 1.
    """
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1 day, got {horizon}")
    first = max(horizon, min(days // 2, days - _MIN_SIGNAL_DAYS))
    if days < _min_days(horizon):
        raise ValuationError(
            f"too few for a backtest at a horizon of {counted(horizon, 'day')}: "
            f"{counted(days, 'day')} of prices, at least {_min_days(horizon)} are needed"
        )
    return first


def _min_days(horizon: int) -> int:
    return 2 * horizon + EXIT_DAYS + 1


def signal_days(
    panel: Panel,
    model: str,
    horizon: int,
    first: int,
    min_price: float | None = None,
    progress: Progress = lambda _: None,
) -> DailyEstimates:
    """Return the estimates of `model` on each day index from `first` on, [days - first, cards].

    Each day's model is trained only on what was known by then. Cards quoted under `min_price` are
    left out. `progress` is called with the share of the days that is done, from 0 to 1. Raise
    ValueError for an unknown model.
    """
    shape = panel.days - first, panel.cards
    fair, lower, upper = (np.full(shape, np.nan) for _ in range(3))
    ok = np.zeros(shape, dtype=np.bool_)
    for features, values in walk_forward(panel, model, horizon, range(first, panel.days)):
        row = features.day - first
        selected = panel.market[features.day] >= (min_price or 0.0)
        fair[row, selected], lower[row, selected], upper[row, selected] = (
            values.fair[selected],
            values.lower[selected],
            values.upper[selected],
        )
        ok[row] = values.status == OK
        progress((row + 1) / len(fair))
    return DailyEstimates(fair, lower, upper, ok)


def trade_quotes(panel: Panel, first: int) -> TradeQuotes:
    """Return the quotes from day index `first` on; their volatility is known from all days."""
    return TradeQuotes(
        np.asarray(panel.market[first:]),
        panel.fresh[first:],
        None if panel.low is None else np.asarray(panel.low[first:]),
        volatility(np.asarray(panel.market))[first:],
    )


def backtest_panel(
    panel: Panel,
    model: str,
    horizon: int,
    fees: FeeSchedule,
    *,
    min_price: float | None = None,
    progress: Progress = lambda _: None,
    **options: Any,
) -> list[Backtest]:
    """Return the backtest of each policy over the panel's later days.

    `progress` is as for `signal_days`. `options` are those of `compare_policies`. `fees` are in the
    currency of the cards.
    Raise ValuationError for a panel too short, or without a price to judge on its later days, and
    ValueError for an unknown model or policy.
    """
    first = first_signal_day(panel.days, horizon)
    estimates = signal_days(panel, model, horizon, first, min_price, progress)
    if not np.isfinite(estimates.fair).any():
        above = "" if min_price is None else f" at or above {min_price:.15g}"
        raise ValuationError(
            f"no card has a price{above} from {panel.dates[first]} to {panel.dates[-1]}, the days "
            "of the signals"
        )
    quotes = trade_quotes(panel, first)
    return compare_policies(panel.dates[first:], quotes, estimates, fees, horizon, **options)


def backtest_valued(
    panel: Panel,
    valued: ValuedDays,
    horizon: int,
    fees: FeeSchedule,
    min_price: float,
    max_cards: int,
) -> list[Backtest]:
    """Return the backtest of each policy over days that are already valued.

    It covers at most `max_cards` of the cards ever quoted at or above `min_price`, selected by a
    hash of their ids, on the days when they were. Return [] where the days are too few for a trade
    to finish, or where there is no such card.
    """
    reached = np.zeros(panel.cards, dtype=np.bool_)
    for quotes in panel.market[valued.first :]:
        reached |= quotes >= min_price
    eligible = np.flatnonzero(reached)
    if len(valued.fair) < _min_days(horizon) or not len(eligible):
        return []
    cards = np.sort(
        eligible[np.argsort(card_keys(panel.card_id[eligible]), kind="stable")[:max_cards]]
    )
    quotes = trade_quotes(panel.select(cards), valued.first)
    fair, lower, upper = (
        values[:, cards].astype(np.float64) for values in (valued.fair, valued.lower, valued.upper)
    )
    fair[~(quotes.market >= min_price)] = np.nan
    estimates = DailyEstimates(fair, lower, upper, valued.status[:, cards] == OK)
    return compare_policies(panel.dates[valued.first :], quotes, estimates, fees, horizon)


def backtest_file(
    path: Path,
    model: str,
    horizon: int,
    fees: str | None = None,
    postage: float | None = None,
    warn: Warn = lambda _: None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Return the `backtest_panel` of a file's panel as plain JSON, with the name of the model.

    `fees` and `postage` are as for `fees_for`, `warn` for `read_panel`. Raise ValuationError for a
    file that cannot be read or has prices in several currencies, ValueError for fees in another
    currency, and as `backtest_panel` does.
    """
    panel = read_panel(path, warn)
    currencies = sorted(set(panel.currency.tolist()))
    if len(currencies) > 1:
        raise ValuationError(
            f"{path} has prices in {' and '.join(currencies)}: backtest one currency at a time"
        )
    schedule = fees_for(currencies[0], fees, postage)
    return [
        {"model": model, **result.to_json()}
        for result in backtest_panel(panel, model, horizon, schedule, **options)
    ]
