"""The panel: the prices of many cards over consecutive days as dense, days-major arrays."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pokewatch.valuation.cent_prices import CentPrices

Floats = NDArray[np.float64]
Prices = Floats | CentPrices
Bools = NDArray[np.bool_]
Strings = NDArray[np.str_]
Dates = NDArray[np.datetime64]

_DAILY = ("market", "fresh", "low", "mid", "stale", "avg7", "avg30")  # arrays [d, n] of a panel
# Columns that a table of prices may lack, and what their values are above
OPTIONAL = {
    "low_price": 0.0,
    "mid_price": 0.0,
    "avg7_price": 0.0,
    "avg30_price": 0.0,
    "volume": 0.0,
    "stale_days": -1.0,
}


@dataclass(frozen=True, slots=True)
class Panel:
    """Prices [d, n] of n cards, sorted by `card_id`, on d consecutive days, `dates`.

    `market`, `low`, `mid`, `avg7` and `avg30` (mean prices of the sales of the last 7 and 30 days)
    are in `currency`, NaN where there is none; `fresh` marks quotes that are new evidence. `stale`
    is the age of the quote in days as reported by the source, None if it reports none. `released`
    is NaT where unknown, and unknown texts are "". `changed` is the day on which the market is
    known to have changed: models are then trained from that day on.
    """

    card_id: Strings
    dates: Dates
    market: Prices
    fresh: Bools
    low: Prices | None
    mid: Prices | None
    set_id: Strings
    rarity: Strings
    printing: Strings
    released: Dates
    currency: Strings
    stale: Prices | None = None
    avg7: Prices | None = None
    avg30: Prices | None = None
    changed: date | None = None

    @property
    def days(self) -> int:
        return len(self.dates)

    @property
    def cards(self) -> int:
        return len(self.card_id)

    @property
    def change(self) -> int:
        """The index of the day `changed`; 0 or less if the market has not changed in the panel."""
        return 0 if self.changed is None else self.index(self.changed)

    @property
    def quoted_days(self) -> Bools:
        """On which days [d] any card has a market price."""
        return np.array([bool(np.isfinite(quotes).any()) for quotes in self.market])

    def index(self, day: date) -> int:
        """Return the index of a day; one that is not in the panel is below 0, or `days` or more."""
        return int((np.datetime64(day, "D") - self.dates[0]).astype(np.int64))

    def up_to(self, day: int) -> "Panel":
        """Return the panel as it was known on day index `day`, as views."""
        return self._of_days(slice(day + 1))

    def after(self, day: int) -> "Panel":
        """Return the panel from day index `day` on, as views."""
        return self._of_days(slice(day, None))

    def select(self, cards: NDArray[Any]) -> "Panel":
        """Return the cards of an index or mask [n]."""
        return replace(
            self,
            card_id=self.card_id[cards],
            set_id=self.set_id[cards],
            rarity=self.rarity[cards],
            printing=self.printing[cards],
            released=self.released[cards],
            currency=self.currency[cards],
            **self._daily((slice(None), cards)),
        )

    def _of_days(self, days: slice) -> "Panel":
        return replace(self, dates=self.dates[days], **self._daily(days))

    def _daily(self, index: Any) -> dict[str, Any]:
        """Return the arrays [d, n] at an index, by name; None for those that the panel lacks."""
        columns = {name: getattr(self, name) for name in _DAILY}
        return {name: each if each is None else each[index] for name, each in columns.items()}


def fresh_quotes(market: Prices, traded: Bools | None = None, stale: Prices | None = None) -> Bools:
    """Return which quotes [d, n] are new evidence.

    These are the quotes that differ from the card's last one, those of days with a reported sale
    (`traded`, [d, n]) and those that the source says it renewed (`stale` [d, n] is 0). The first
    quote of a card is fresh. Day t depends on days up to t only.
    """
    fresh = np.zeros(market.shape, dtype=np.bool_)
    last = np.full(market.shape[1], np.nan)
    for day, quotes in enumerate(market):
        quoted = np.isfinite(quotes)
        renewed = quotes != last
        if traded is not None:
            renewed |= traded[day]
        if stale is not None:
            renewed |= stale[day] == 0
        fresh[day] = quoted & renewed
        last = np.where(quoted, quotes, last)
    return fresh


def panel_from_table(table: pa.Table) -> Panel:
    """Return the panel of prices, one row for each card and day, with the columns of their cards.

    The columns have the names and types of PRICE_SCHEMA and CARD_SCHEMA. Those of OPTIONAL may be
    missing. Prices that are not positive and finite count as missing; if a card has several rows on
    a day, the last one is used.
    """
    card_id, card = _sorted_codes(table["card_id"])
    dates, day = _calendar(table["date"].to_numpy())
    place = _Place(day, card, (len(dates), len(card_id)))
    market = place.prices(table, "market_price")
    low, mid, avg7, avg30, volume, stale = (
        place.prices(table, name, least) if name in table.column_names else None
        for name, least in OPTIONAL.items()
    )
    traded = None if volume is None else volume > 0
    return Panel(
        card_id=card_id,
        dates=dates,
        market=market,
        fresh=fresh_quotes(market, traded, stale),
        low=low,
        mid=mid,
        avg7=avg7,
        avg30=avg30,
        set_id=place.texts(table, "set_id"),
        rarity=place.texts(table, "rarity"),
        printing=place.texts(table, "printing"),
        released=place.released(table),
        currency=place.texts(table, "currency"),
        stale=stale,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of each row of a long table in the dense arrays."""

    day: NDArray[np.int64]
    card: NDArray[np.int64]
    shape: tuple[int, int]

    def prices(self, table: pa.Table, name: str, least: float = 0.0) -> Floats:
        given = table[name].cast(pa.float64()).to_numpy()
        dense = np.full(self.shape, np.nan)
        dense[self.day, self.card] = np.where(np.isfinite(given) & (given > least), given, np.nan)
        return dense

    def texts(self, table: pa.Table, name: str) -> Strings:
        values, code = _sorted_codes(table[name].fill_null(""))
        codes = np.zeros(self.shape[1], dtype=np.int64)
        codes[self.card] = code
        return values[codes]

    def released(self, table: pa.Table) -> Dates:
        released = np.full(self.shape[1], np.datetime64("NaT"), dtype="datetime64[D]")
        released[self.card] = table["released"].to_numpy()
        return released


def _sorted_codes(column: pa.ChunkedArray) -> tuple[Strings, NDArray[np.int64]]:
    encoded = column.combine_chunks().dictionary_encode()
    values = np.asarray(encoded.dictionary.to_pylist(), dtype=np.str_)
    order = np.argsort(values, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return values[order], rank[encoded.indices.to_numpy()]


def _calendar(days: Dates) -> tuple[Dates, NDArray[np.int64]]:
    first = days.min()
    return np.arange(first, days.max() + 1), (days - first).astype(np.int64)
