"""The parameters and the cards that all `/catalog/...` queries share."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pokewatch.contract import MAX_NAME_LENGTH, MAX_PAGE_SIZE, MAX_TEXT_LENGTH
from pokewatch.serving.loaded_books import LoadedBook

Text = Annotated[str, Field(max_length=MAX_TEXT_LENGTH)]
Name = Annotated[str, Field(max_length=MAX_NAME_LENGTH)]
MinPrice = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Limit = Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)]

PRICES = {
    "market_price": "market",
    "low_price": "low",
    "fair_price": "fair",
    "lower": "lower",
    "upper": "upper",
}


class BookQuery(BaseModel):
    """The parameters of an endpoint. Unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", strict=True)


def described_cards(loaded: LoadedBook, positions: NDArray[np.intp]) -> list[dict[str, Any]]:
    """Return the catalogue fields and latest prices of cards."""
    latest = loaded.book.latest()
    cards = loaded.book.cards.describe(positions)
    prices = {name: getattr(latest, column)[positions].tolist() for name, column in PRICES.items()}
    statuses = latest.status[positions].tolist()
    day = loaded.book.last_day.isoformat()
    return [
        {
            **row,
            **{name: values[at] for name, values in prices.items()},
            "status": statuses[at],
            "date": day,
        }
        for at, row in enumerate(cards)
    ]


def card_forecasts(
    loaded: LoadedBook, card: Mapping[str, Any], position: int
) -> list[dict[str, Any]]:
    """Return the forecasts of a described card, by ascending horizon.

    A horizon that the history does not allow has no prices, and `missing` says why.
    """
    book = loaded.book
    names = ("fair_price", "lower", "upper", "status")
    rows = {book.facts.horizon: [card[name] for name in names]}
    rows |= {
        each.horizon: [each.fair, each.lower, each.upper, each.status]
        for each in book.forecasts.of_card(position)
    }
    reasons = book.facts.missing_horizons
    rows |= {horizon: [None, None, None, "thin_history"] for horizon in reasons}
    return [
        {
            "horizon": horizon,
            "date": (book.last_day + timedelta(days=horizon)).isoformat(),
            **dict(zip(names, values, strict=True)),
            "missing": reasons.get(horizon),
        }
        for horizon, values in sorted(rows.items())
    ]
