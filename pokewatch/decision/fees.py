"""Fee schedules of marketplaces, with postage."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FeeSchedule:
    """The fees of a marketplace on an order of one card, in `currency`.

    The seller pays `commission`, a fraction of the price, up to `commission_cap`, `processing`,
    another fraction, and the amount `fixed`. The buyer pays the fraction `buyer_rate` and the
    amount `postage` on top of the price; the seller spends that amount on sending the card.

    Raise ValueError for a fee that is negative, infinite or NaN, and for a whole price as fees.
    """

    name: str
    currency: str
    commission: float
    commission_cap: float = np.inf
    processing: float = 0.0
    fixed: float = 0.0
    buyer_rate: float = 0.0
    postage: float = 0.0

    def __post_init__(self) -> None:
        fees = (self.commission, self.processing, self.fixed, self.buyer_rate, self.postage)
        if not (all(0 <= each < np.inf for each in fees) and self.commission_cap >= 0):
            raise ValueError(f"fees must be at least 0 and, but for the cap, finite: got {self}")
        if self.commission + self.processing >= 1:
            raise ValueError(f"commission and processing must be less than the price: got {self}")

    def cost(self, price: ArrayLike) -> Floats:
        """Return the total that a buyer pays for a card at `price`."""
        return np.multiply(price, 1 + self.buyer_rate) + self.postage

    def price_at_cost(self, cost: ArrayLike) -> Floats:
        """Return the price at which a buyer pays `cost` in total; negative if below the postage."""
        return np.subtract(cost, self.postage) / (1 + self.buyer_rate)

    def proceeds(self, price: ArrayLike) -> Floats:
        """Return what a seller receives for a card at `price`, negative if fees exceed it."""
        price = np.asarray(price, dtype=np.float64)
        return (
            price
            - np.minimum(price * self.commission, self.commission_cap)
            - price * self.processing
            - self.fixed
        )

    def price_at_proceeds(self, proceeds: ArrayLike) -> Floats:
        """Return the price at which a seller receives `proceeds`: the inverse of `proceeds`."""
        before = np.add(proceeds, self.fixed)
        return np.minimum(
            before / (1 - self.commission - self.processing),
            (before + self.commission_cap) / (1 - self.processing),
        )


# The fees are those of the marketplaces in 2026. Postage differs by seller, weight and country:
# these are assumptions, of a letter with one card within the country.
FEES: Mapping[str, FeeSchedule] = MappingProxyType(
    {
        schedule.name: schedule
        for schedule in (
            FeeSchedule(
                "tcgplayer",
                "USD",
                commission=0.1075,
                commission_cap=75.0,
                processing=0.025,
                fixed=0.30,
                postage=1.30,
            ),
            FeeSchedule("ebay", "USD", commission=0.1325, fixed=0.30, postage=1.30),
            FeeSchedule("cardmarket", "EUR", commission=0.05, commission_cap=100.0, postage=1.25),
        )
    }
)


_BY_CURRENCY = {"USD": "tcgplayer", "EUR": "cardmarket"}


def fees_for(currency: str, name: str | None = None, postage: float | None = None) -> FeeSchedule:
    """Return the fee schedule of prices in `currency`: the one named, or that of its marketplace.

    `postage` replaces that of the schedule. Raise ValueError for an unknown name, for a schedule in
    another currency, and for a currency without a schedule.
    """
    name = name or _BY_CURRENCY.get(currency)
    if name is None:
        raise ValueError(
            f"there is no fee schedule in {currency}: there are "
            + ", ".join(f"{each.name} ({each.currency})" for each in FEES.values())
        )
    if name not in FEES:
        raise ValueError(f"fees must be one of {', '.join(FEES)}, got {name!r}")
    fees = FEES[name]
    if not currency:
        raise ValueError(
            f"the fees of {name} are in {fees.currency}: name the currency of the prices"
        )
    if fees.currency != currency:
        fitting = [each.name for each in FEES.values() if each.currency == currency]
        raise ValueError(
            f"the fees of {name} are in {fees.currency}, the prices in {currency}: "
            + (f"use {' or '.join(fitting)}" if fitting else f"there are no fees in {currency}")
        )
    return fees if postage is None else replace(fees, postage=postage)
