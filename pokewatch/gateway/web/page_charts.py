"""The charts of the pages, and the changes of an index."""

from collections.abc import Sequence
from typing import get_args

import msgspec

from pokewatch.contract import ChangeDays
from pokewatch.gateway.api.card_schemas import CardAnswer, History
from pokewatch.gateway.web import charts, formats
from pokewatch.wording import counted


def last_days(history: History, days: int | None) -> History:
    """Return the history of the last `days` market days' span, all of it for None."""
    if days is None or not history.dates:
        return history
    first = formats.later(history.dates[-1], -days)
    start = next(at for at, day in enumerate(history.dates) if day > first)
    columns = ("dates", "market_price", "low_price", "fair_price", "lower", "upper", "status")
    return msgspec.structs.replace(
        history, **{name: getattr(history, name)[start:] for name in columns}
    )


def card_chart(card: CardAnswer, history: History, days: int | None) -> charts.Chart:
    """Return the chart of a card, with the forecasts that are at most `days` ahead."""
    points = [
        charts.FanPoint(each.horizon, each.fair_price, each.lower, each.upper)
        for each in card.forecasts
        if each.fair_price is not None and each.lower is not None and each.upper is not None
    ]
    # Forecasts further ahead than the range is long would take most of the picture.
    near = [each for each in points if days is None or each.days <= days] or points[:1]
    fan = None
    if near and history.dates:
        fan = charts.Fan(card.market_price or near[0].middle, near)
    return charts.Chart(
        title=f"Prices of {card.name} by day: market price, lowest ask, fair price and its 90% "
        "interval. The table below has the same values.",
        dates=history.dates,
        lines=(
            charts.Line("low", history.low_price),
            charts.Line("fair", history.fair_price),
            charts.Line("market", history.market_price),
        ),
        band=(history.lower, history.upper),
        fan=fan,
        prefix=formats.SYMBOLS.get(card.currency, ""),
    )


def index_chart(title: str, dates: Sequence[str], values: Sequence[float]) -> charts.Chart:
    return charts.Chart(title, dates, (charts.Line("market", values),))


def index_changes(values: Sequence[float]) -> dict[str, float | None]:
    """Return the change over the last 1, 7 and 30 days, None where the index is too short."""
    return {
        counted(days, "day"): values[-1] / values[-1 - days] - 1 if len(values) > days else None
        for days in get_args(ChangeDays)
    }
