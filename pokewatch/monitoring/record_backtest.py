"""The earnings of a track record's signals, computed by the code of the backtests."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pokewatch.decision import BUY, SELL, SIGNALS, FeeSchedule
from pokewatch.monitoring.resolved_forecasts import ResolvedForecasts
from pokewatch.valuation.backtest.backtest import (
    BUY_CODE,
    HOLD_CODE,
    NOT_VALUED,
    SELL_CODE,
    backtest,
)
from pokewatch.valuation.backtest.runner import trade_quotes
from pokewatch.valuation.panel import Panel
from pokewatch.valuation.training_set import card_keys

MIN_PRICES = (0.0, 5.0)  # from the second on, the fixed part of the fees does not decide
MOST_CARDS = 2_000  # without a BUY, for the comparison: a sample, at a fraction of the memory


def earnings(
    panel: Panel, found: ResolvedForecasts, fees: FeeSchedule, most_cards: int = MOST_CARDS
) -> list[dict[str, Any]]:
    """Return the backtest of the signals as stated, for every card and for the more expensive ones.

    Signals from before the panel are left out, and so are cards that it does not have; `from` is
    the first day. All cards with a BUY are followed. Random trades and buying everything are among
    these cards and a sample of the others, `cards` in all.
    """
    signals, rank, first = _signals(panel, found)
    if first is None:
        return []
    chosen = _chosen(panel, signals, most_cards)
    quotes = trade_quotes(panel.select(chosen), first)
    results = []
    for least in MIN_PRICES:
        codes = signals[first:, chosen].copy()
        codes[~(quotes.market >= least)] = NOT_VALUED
        result = backtest(
            panel.dates[first:], quotes, codes, fees, found.horizon, rank=rank[first:, chosen]
        )
        plain = result.to_json()
        results.append(
            {
                "min_price": least,
                "from": plain["dates"][0],
                "to": plain["dates"][-1],
                "cards": len(chosen),
                **{name: plain[name] for name in _SHOWN},
                "capacity_a_day": plain["capacity"]["a_day"],
                "capacity_held": plain["capacity"]["held"],
                "dates": plain["dates"],
                "equity": plain["curve"]["equity"],
            }
        )
    return results


_SHOWN: Sequence[str] = (
    "fees",
    "signals",
    "unfilled",
    "overlapping",
    "over_capacity",
    "unfinished",
    "followed",
    "buy_everything",
    "random",
)


def _signals(
    panel: Panel, found: ResolvedForecasts
) -> tuple[NDArray[np.int8], NDArray[np.float64], int | None]:
    """Return signals [d, n] as codes, price over fair price [d, n], and the first day of a signal.

    Of two versions of one day, the later one's signals count: they were served longer.
    """
    codes = np.full(panel.market.shape, NOT_VALUED, dtype=np.int8)
    rank = np.full(panel.market.shape, np.nan)
    issued = np.array(found.issued_on, dtype="datetime64[D]")
    days = (issued - panel.dates[0]).astype(np.int64)
    at = np.minimum(np.searchsorted(panel.card_id, found.cards), panel.cards - 1)
    known = panel.card_id[at] == np.asarray(found.cards)
    code = np.array([{BUY: BUY_CODE, SELL: SELL_CODE}.get(each, HOLD_CODE) for each in SIGNALS])
    rows = np.flatnonzero((days[found.origin] >= 0) & known[found.card] & np.isfinite(found.last))
    day, card = days[found.origin[rows]], at[found.card[rows]]
    codes[day, card] = code[found.signal[rows]]
    rank[day, card] = found.last[rows] / found.fair[rows]
    return codes, rank, int(day.min()) if len(rows) else None


def _chosen(panel: Panel, signals: NDArray[np.int8], most: int) -> NDArray[np.intp]:
    """Return the cards with a BUY, and at most `most` others by a hash of their ids."""
    bought = (signals == BUY_CODE).any(axis=0)
    others = np.flatnonzero((signals != NOT_VALUED).any(axis=0) & ~bought)
    sample = others[np.argsort(card_keys(panel.card_id[others]), kind="stable")[:most]]
    return np.sort(np.concatenate([np.flatnonzero(bought), sample]))
