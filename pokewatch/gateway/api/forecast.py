"""The forecast of a card at one horizon, as the API returns it."""

from typing import Annotated

import msgspec
from msgspec import Meta

from pokewatch.gateway.api.fields import Lower, PriceStatus, Upper


class Forecast(msgspec.Struct, frozen=True):
    """The forecast of a card's price on one later day."""

    horizon: Annotated[int, Meta(ge=1, description="The days from the latest market day.")]
    date: Annotated[str, Meta(description="The day of the forecast price.")]
    fair_price: Annotated[
        float | None, Meta(description="The median of the price on that day; null if unknown.")
    ]
    lower: Lower
    upper: Upper
    status: PriceStatus
    missing: Annotated[
        str | None,
        Meta(description="Why no card has a forecast at this horizon yet; null if cards have."),
    ]
