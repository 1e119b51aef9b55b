"""The forecasts that champions issued, and the prices that followed."""

import logging
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.errors import BookError, RegistryError
from pokewatch.registry import DEPLOYED_AT, LAST_DAY, RegisteredModel, Registry
from pokewatch.valuation.book import PriceBook
from pokewatch.valuation.features import WINDOW, DayFeatures, stream_features
from pokewatch.valuation.intervals import LIQUIDITIES, liquidity_of
from pokewatch.valuation.panel import Bools, Floats, Panel
from pokewatch.valuation.signals import configured_thresholds, decide_quotes
from pokewatch.valuation.track_record import FORECAST_SCHEMA, LATE, OTHER_MARKET, Issue

logger = logging.getLogger("pokewatch.monitoring")


def read_book(registry: Registry, version: str) -> PriceBook | None:
    """Return the book of a version, None where it cannot be read: that is logged."""
    try:
        return registry.open_book(registry.version(version))
    except (BookError, RegistryError) as error:
        logger.error("the forecasts of model version %s cannot be read: %s", version, error)
        return None


def was_champion(model: RegisteredModel, source: str) -> bool:
    """Return whether a version was ever champion of the market of `source`."""
    tags = model.tags
    return DEPLOYED_AT in tags and LAST_DAY in tags and tags.get("source", "") == source


def deployed_on(model: RegisteredModel) -> date:
    """Return the day on which a version that was champion last became it."""
    return date.fromisoformat(model.tags[DEPLOYED_AT][:10])


def issue_of(model: RegisteredModel, book: PriceBook, currency: str, published_on: date) -> Issue:
    """Return the issue of a version published on a day, for a record in `currency`."""
    latest, horizon = book.latest(), book.facts.horizon
    due_on = book.last_day + timedelta(days=horizon)
    valued = np.isfinite(latest.fair)
    late = published_on > due_on
    foreign = book.facts.currency != currency
    return Issue(
        model_version=model.version,
        model=book.facts.model,
        digest=model.digest,
        issued_on=book.last_day,
        due_on=due_on,
        horizon=horizon,
        forecasts=int(valued.sum()),
        unvalued=int((~valued & np.isfinite(latest.market)).sum()),
        excluded=LATE if late else OTHER_MARKET if foreign else "",
    )


def is_due(panel: Panel, issue: Issue) -> bool:
    """Return whether the panel has the day of the issue, and prices of the day it was for."""
    origin, due = (panel.index(day) for day in (issue.issued_on, issue.due_on))
    return origin >= 0 and due < panel.days and bool(np.isfinite(panel.market[due]).any())


def is_of_market(panel: Panel, issue: Issue, book: PriceBook) -> bool:
    """Return whether most prices of the issue's day are those of the panel.

    Two files, or two simulations, have the same source and may have cards of the same ids.
    """
    latest, origin = book.latest(), panel.index(issue.issued_on)
    quoted = np.flatnonzero(np.isfinite(latest.market))
    at, known = _places(panel, [book.cards.ids[row] for row in quoted])
    # A book holds whole cents.
    same = known & (np.abs(panel.market[origin, at] - latest.market[quoted]) < 0.0051)
    return not len(quoted) or bool(same.mean() > 0.5)


def outcomes(panel: Panel, issue: Issue, book: PriceBook) -> pa.Table:
    """Return every forecast of an issue that is due, with the price of the day it was for.

    `outcome` is null where the card has no price that day, `median7`, `liquidity` and `renewed`
    where it has none in the panel.
    """
    latest = book.latest()
    rows = np.flatnonzero(np.isfinite(latest.fair))
    quotes, facts = book.look_up([book.cards.ids[row] for row in rows]), book.facts
    thresholds, decided = configured_thresholds(), decide_quotes(quotes.market, quotes)
    names = book.cards.describe(rows)
    columns = {
        "issued_on": [issue.issued_on] * len(rows),
        "due_on": [issue.due_on] * len(rows),
        "horizon": [issue.horizon] * len(rows),
        "model_version": [issue.model_version] * len(rows),
        "model": [issue.model] * len(rows),
        "source": [facts.source] * len(rows),
        "currency": [facts.currency] * len(rows),
        **{
            name: [card[name] for card in names] for name in ("card_id", "slug", "name", "set_name")
        },
        "last_price": _nullable(quotes.market),
        "fair_price": quotes.fair,
        "lower": _nullable(quotes.lower),
        "upper": _nullable(quotes.upper),
        "status": quotes.status.tolist(),
        "signal": decided.signal.tolist(),
        "confidence": _nullable(decided.confidence),
        "buy_threshold_pct": np.full(len(rows), thresholds.buy),
        "sell_threshold_pct": np.full(len(rows), thresholds.sell),
        **_of_panel(panel, issue, [card["card_id"] for card in names]),
    }
    return pa.table({name: columns[name] for name in FORECAST_SCHEMA.names}, FORECAST_SCHEMA)


def features_on(panel: Panel, day: int) -> DayFeatures:
    """Return the features of all cards on day index `day`, from the days that they depend on."""
    window = panel.after(max(0, day - WINDOW - 7))
    return next(stream_features(window, [min(day, WINDOW + 7)]))


def prices_on(panel: Panel, day: date, cards: list[str]) -> Floats:
    """Return the price of each card on a day of the panel, NaN where there is none."""
    at, known = _places(panel, cards)
    found: Floats = np.where(known, panel.market[panel.index(day), at], np.nan)
    return found


def _of_panel(panel: Panel, issue: Issue, cards: list[str]) -> dict[str, pa.Array]:
    """Return what the panel knows of the cards on the days of an issue."""
    origin, due = (panel.index(day) for day in (issue.issued_on, issue.due_on))
    today = features_on(panel, origin)
    at, known = _places(panel, cards)
    median7 = np.exp(today.last + today.column("median7"))[at]
    liquidity = np.asarray(LIQUIDITIES)[liquidity_of(today.values[at])]
    renewed = np.any(panel.fresh[origin + 1 : due + 1, at], axis=0)
    return {
        "median7": pa.array(median7, mask=~(known & np.isfinite(median7))),
        "liquidity": pa.array(liquidity.tolist(), mask=~known),
        "outcome": _nullable(prices_on(panel, issue.due_on, cards)),
        "renewed": pa.array(renewed, mask=~known),
    }


def _places(panel: Panel, cards: list[str]) -> tuple[NDArray[np.intp], Bools]:
    """Return the position of each card in the panel, and whether it is there."""
    at = np.minimum(np.searchsorted(panel.card_id, cards), panel.cards - 1)
    return at, panel.card_id[at] == np.asarray(cards, dtype=np.str_)


def _nullable(values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=~np.isfinite(values))
