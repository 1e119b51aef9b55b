"""The simulated market: invented cards with realistic prices and known fair prices, from a seed.

It is the default source and needs no network. It is labelled as simulated wherever it is shown.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

from pokewatch.errors import SettingsError, SourceError
from pokewatch.market.prices import PRICE_SCHEMA, conform
from pokewatch.market.sources import REJECTED_SCHEMA, PriceBatch, Source
from pokewatch.market.sources.simulated_catalog import EPOCH, make_cards
from pokewatch.market.sources.simulated_process import MarketPath, Regime, SimulatedQuotes

FAIR_SCHEMA = pa.schema(
    [("card_id", pa.string()), ("date", pa.date32()), ("fair_price", pa.float64())]
)
MOST_CARDS = 1_000_000
MOST_SEED = (1 << 63) - 1
_BATCH_ROWS = 200_000
_PUBLISHED = timedelta(days=1, hours=2)  # a day's prices appear at 02:00 UTC of the next day
_UNIX_EPOCH = date(1970, 1, 1)


class SimulatedSource(Source):
    """A market of `cards` cards from `seed`, with planted `regimes` for tests of monitoring.

    Prices depend on nothing else. Raise SettingsError for a value out of range.
    """

    name = "simulated"

    def __init__(self, cards: int, seed: int = 0, regimes: Sequence[Regime] = ()) -> None:
        if not 1 <= cards <= MOST_CARDS:
            raise SettingsError(f"--cards {cards}: use a number from 1 to {MOST_CARDS}")
        if not 0 <= seed <= MOST_SEED:
            raise SettingsError(f"--seed {seed}: use a number from 0 to {MOST_SEED}")
        self.market = f"simulated-{seed}"
        self.lake_name = "-".join(["simulated", str(cards), str(seed), *_digest(regimes)])
        self._seed, self._regimes = seed, tuple(regimes)
        self._catalog, self._traits = make_cards(cards, seed)
        self._card_id = self._catalog["card_id"].combine_chunks()
        self._path: MarketPath | None = None  # at the last day read, so as not to restart at EPOCH

    def available(self) -> tuple[date, date]:
        return EPOCH, datetime.now(UTC).date() - timedelta(days=1)

    def reach(self) -> tuple[date, date]:
        return self.available()

    def catalog(self) -> pa.Table:
        return self._catalog

    def prices(self, days: Sequence[date]) -> Iterator[PriceBatch]:
        """Yield batches of about 200,000 rows. Raise SourceError for a day out of range."""
        waiting: list[tuple[date, SimulatedQuotes]] = []
        for day, path in self._walk(days):
            waiting.append((day, path.quotes()))
            if sum(len(quotes.card) for _, quotes in waiting) >= _BATCH_ROWS:
                yield self._batch(waiting)
                waiting = []
        if waiting:
            yield self._batch(waiting)

    def true_fair(self, days: Sequence[date]) -> pa.Table:
        """Return the true fair price (FAIR_SCHEMA) of every listed card on each day.

        It is the latent price, of which a fresh quote is a noisy, lagging observation.
        """
        tables = [FAIR_SCHEMA.empty_table()]
        for day, path in self._walk(days):
            fair = path.fair()
            rows = np.flatnonzero(~np.isnan(fair))
            columns = [
                self._card_id.take(pa.array(rows)),
                _repeat_day(day, len(rows)),
                pa.array(fair[rows]),
            ]
            tables.append(pa.table(columns, schema=FAIR_SCHEMA))
        return pa.concat_tables(tables)

    def _walk(self, days: Sequence[date]) -> Iterator[tuple[date, MarketPath]]:
        path, self._path = self._path, None
        first, last = self.available()
        for day in days:
            if not first <= day <= last:
                raise SourceError(
                    self.name,
                    self.lake_name,
                    f"no prices for {day}: the simulated market has days from {first} to {last}",
                )
            target = (day - EPOCH).days
            if path is None or path.day > target:
                path = MarketPath(self._traits, self._seed, self._regimes)
            while path.day < target:
                path.advance()
            yield day, path
        self._path = path

    def _batch(self, waiting: list[tuple[date, SimulatedQuotes]]) -> PriceBatch:
        prices = pa.concat_tables(self._table(day, quotes) for day, quotes in waiting)
        return PriceBatch(tuple(day for day, _ in waiting), prices, REJECTED_SCHEMA.empty_table())

    def _table(self, day: date, quotes: SimulatedQuotes) -> pa.Table:
        count = len(quotes.card)
        observed = datetime(day.year, day.month, day.day, tzinfo=UTC) + _PUBLISHED
        prices = {
            "market_price": quotes.market,
            "low_price": quotes.low,
            "mid_price": quotes.mid,
            "high_price": quotes.high,
        }
        columns = {
            "card_id": self._card_id.take(pa.array(quotes.card)),
            "date": _repeat_day(day, count),
            **{name: pa.array(price, from_pandas=True) for name, price in prices.items()},
            "volume": pa.array(quotes.volume),
            "currency": pa.repeat("USD", count),
            "source": pa.repeat(self.name, count),
            "observed_at": pa.repeat(
                pa.scalar(observed, PRICE_SCHEMA.field("observed_at").type), count
            ),
        }
        return conform(pa.table(columns), PRICE_SCHEMA)


def _repeat_day(day: date, count: int) -> pa.Array:
    return pa.array(np.full(count, (day - _UNIX_EPOCH).days, dtype=np.int32)).cast(pa.date32())


def _digest(regimes: Sequence[Regime]) -> list[str]:
    """Return the part of the lake's name for planted changes, which make another market."""
    return [hashlib.sha256(repr(tuple(regimes)).encode()).hexdigest()[:8]] if regimes else []
